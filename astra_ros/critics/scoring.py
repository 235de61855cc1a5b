"""One score, rank and verdict per plan from the costs of all critics."""

from __future__ import annotations

import math
import traceback
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from astra_ros.critics.base import Critic, CriticInput, CriticResult
from astra_ros.settings import check_ranges, setting
from astra_ros.texts import short

ACCEPTED, RISKY, VETOED = VERDICTS = ("accepted", "risky", "vetoed")


@dataclass(frozen=True)
class ScoringSettings:
    """How scores become verdicts."""

    # Chosen on scenes that are not those of docs/results (`astra rank --robots panda kuka --first-seed 960000
    # --scenes 60`). There, the mean outcome of accepted plans of arms is 0.55 and 0.57, that of risky ones -0.23.
    risky_below: float = setting(0.45, "score below which a plan is marked risky, 0 to 1", 0.0, 1.0)
    veto_below: float = setting(
        0.1, "score below which a plan is vetoed, so that none is chosen where all are bad, 0 to 1", 0.0, 1.0
    )

    def __post_init__(self) -> None:
        check_ranges(self)


class CriticScore(NamedTuple):
    """One critic's numbers for one plan: raw in the critic's unit, weight, cost >= 0."""

    raw: float
    weight: float
    cost: float


@dataclass(frozen=True)
class PlanScore:
    """The score of one plan, and how it came about.

    Attributes:
        name: the plan's name.
        rank: 0 is best; vetoed plans come last, among themselves by score.
        score: 0 to 1, higher is better: exp(-sum of penalties); 0 where a value is not finite.
        verdict: ``"accepted"``, ``"risky"`` or ``"vetoed"``.
        critics: critic name -> (raw, weight, cost), only critics that could score.
        reasons: texts such as ``"collision: 83 % chance to touch the obstacle, worst at 2.25 s"``;
            those that led to the verdict first, then by penalty.
        penalties: critic name -> weight * cost**power, divided by the number of critics of its role that scored.
        flags: critic name -> ``"vetoed"`` or ``"risky"``, for critics that object to the plan.
    """

    name: str
    rank: int
    score: float
    verdict: str
    critics: dict[str, CriticScore]
    reasons: tuple[str, ...]
    penalties: dict[str, float] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)

    def penalty(self, critic: str) -> float:
        """The critic's weighted cost; 0 where it did not score."""
        if critic in self.penalties:
            return self.penalties[critic]
        _, weight, cost = self.critics.get(critic, (0.0, 0.0, 0.0))
        return weight * cost


class Opinion(NamedTuple):
    """A critic's result, or what it lacked to give one."""

    critic: Critic
    result: CriticResult | None
    missing: str = ""
    failed: bool = False  # it raised


class Scores(NamedTuple):
    """K scores in plan order, and critic name -> why it could not score.

    A critic that lacks something is left out where another one scored in its role; a critic that failed is named.
    """

    scores: list[PlanScore]
    missing: dict[str, str]


def score_plans(
    names: Sequence[str], inp: CriticInput, critics: Iterable[Critic], settings: ScoringSettings = ScoringSettings()
) -> Scores:
    """Score K plans.

    Critics that are disabled or that cannot score are left out. Of critics with the same role, the mean penalty
    counts; those with a weight of 0 do not. A plan is vetoed

    - if a critic vetoes it, or if a value that the model gave for it is not finite,
    - if its score is below ``veto_below``,
    - if a critic that must score could not, or if no critic could (the score is then 0, since nothing is known).

    It is risky if a critic flags it or if its score is below ``risky_below``.

    Args:
        names: K unique plan names, in the order of the imagined plans.
    """
    plans = inp.imagination.plans
    assert len(names) == plans and len(set(names)) == plans, f"{plans} plans were imagined, but names are {names}"
    with np.errstate(all="ignore"):  # a plan of NaNs is vetoed below, not warned about
        opinions = [_opinion(critic, inp) for critic in critics if critic.settings.enabled]
    results = [(each.critic, each.result) for each in opinions if each.result is not None]
    unheard = [
        f"{each.critic.name}: {each.missing}; set {each.critic.name}.enabled to false to do without"
        for each in opinions
        if each.missing and each.critic.must_score
    ]
    broken = _not_finite(inp)
    scored = [_score(k, names[k], results, broken[k], unheard, settings) for k in range(plans)]
    order = sorted(range(plans), key=lambda k: (scored[k].verdict == VETOED, -scored[k].score, k))
    ranks = {k: rank for rank, k in enumerate(order)}
    filled = {critic.role for critic, _ in results}
    return Scores(
        [replace(score, rank=ranks[k]) for k, score in enumerate(scored)],
        {
            each.critic.name: each.missing
            for each in opinions
            if each.failed or (each.missing and each.critic.role not in filled)
        },
    )


def _opinion(critic: Critic, inp: CriticInput) -> Opinion:
    """What a critic says; a critic that raises is one that cannot score."""
    try:
        if missing := critic.missing(inp):
            return Opinion(critic, None, missing)
        result = critic.score(inp)
        if len(result.reasons) != inp.imagination.plans:
            raise ValueError(f"{len(result.reasons)} results for {inp.imagination.plans} plans")
    except Exception as error:  # noqa: BLE001 - critics of other packages may raise anything
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        why = f"the critic failed with {type(error).__name__}: {short(error, 200)} ({where})"
        return Opinion(critic, None, why, failed=True)
    return Opinion(critic, result)


def _not_finite(inp: CriticInput) -> list[list[str]]:
    """For each plan, the names of the model's outputs that hold values that are not finite."""
    made = inp.imagination
    outputs = {"latents": made.latents, "uncertainty": made.uncertainty, **made.outcomes}
    finite = {name: np.isfinite(values).reshape(made.plans, -1).all(axis=1) for name, values in outputs.items()}
    return [[name for name, ok in finite.items() if not ok[k]] for k in range(made.plans)]


def _score(
    k: int,
    name: str,
    results: Sequence[tuple[Critic, CriticResult]],
    broken: Sequence[str],
    unheard: Sequence[str],
    settings: ScoringSettings,
) -> PlanScore:
    """Plan k without its rank, which needs the other plans."""
    vetoes: list[str] = list(unheard)
    warnings: list[str] = []
    remarks: list[tuple[float, str]] = []
    said: list[tuple[float, str]] = []
    scores: dict[str, CriticScore] = {}
    penalties: dict[str, float] = {}
    flags: dict[str, str] = {}
    if broken:
        vetoes.append(f"model: it imagined values that are not finite ({', '.join(broken)})")
    shared = Counter(critic.role for critic, _ in results if critic.settings.weight > 0)
    for critic, result in results:
        raw, cost, weight = float(result.raw[k]), float(result.cost[k]), critic.settings.weight
        penalty = weight * cost**critic.settings.power / max(1, shared[critic.role])
        scores[critic.name] = CriticScore(raw, weight, cost)
        penalties[critic.name] = penalty
        text = f"{critic.name}: {result.reasons[k]}" if result.reasons[k] else ""
        said.append((-penalty, text or f"{critic.name}: cost {cost:g}"))
        if result.veto[k] or not np.isfinite(penalty) or cost < 0.0:
            vetoes.append(text or f"{critic.name}: vetoed at cost {cost:g}")
            flags[critic.name] = VETOED
        elif result.risky[k]:
            warnings.append(text or f"{critic.name}: flagged at cost {cost:g}")
            flags[critic.name] = RISKY
        elif text:
            remarks.append((-penalty, text))
    total = sum(penalties.values())
    score = 0.0
    if not results:
        vetoes.append("no critic could score this plan")
    elif not broken and np.isfinite(total):
        score = float(np.exp(-max(0.0, total)))
        too_low = score < settings.veto_below
        limit = settings.veto_below if too_low else settings.risky_below
        if score < limit and not vetoes:
            most = min(said)[1]  # the largest penalty: named with the score, and not repeated
            warnings = [text for text in warnings if text != most]
            remarks = [remark for remark in remarks if remark[1] != most]
            below = score if round(score, 3) < limit else math.floor(score * 1000) / 1000  # not rounded up to it
            low = f"score {below:.3f} < {'veto' if too_low else 'risky'}_below {limit:g}: {most}"
            (vetoes if too_low else warnings).insert(0, low)
    verdict = VETOED if vetoes else RISKY if warnings else ACCEPTED
    reasons = (*vetoes, *warnings, *(text for _, text in sorted(remarks)))
    return PlanScore(name, -1, score, verdict, scores, reasons, penalties, flags)
