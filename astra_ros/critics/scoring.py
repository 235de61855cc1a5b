"""From critics' costs to one score, rank and verdict per plan."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from astra_ros.critics.base import Critic, CriticInput, CriticResult, Settings, setting

ACCEPTED, RISKY, VETOED = VERDICTS = ("accepted", "risky", "vetoed")


@dataclass(frozen=True)
class ScoringSettings(Settings):
    """How scores become verdicts."""

    # Set on other scenes than those of docs/results (`astra rank --robots panda kuka --first-seed 960000
    # --scenes 60`), and borne out there: accepted plans of arms come to 0.55 and 0.57, risky ones to -0.23.
    risky_below: float = setting(0.45, "score below which a plan is marked risky, 0 to 1", 0.0, 1.0)
    veto_below: float = setting(
        0.1, "score below which a plan is vetoed, so that of bad plans none is chosen, 0 to 1", 0.0, 1.0
    )


class CriticScore(NamedTuple):
    """One critic's numbers for one plan: raw in the critic's unit, weight, cost >= 0."""

    raw: float
    weight: float
    cost: float


@dataclass(frozen=True)
class PlanScore:
    """What all critics together say about one plan.

    Attributes:
        name: the plan's name.
        rank: 0 is best; vetoed plans come last, among themselves by score.
        score: 0 to 1, higher is better: exp(-sum of penalties); 0 where a value is not finite.
        verdict: ``"accepted"``, ``"risky"`` or ``"vetoed"``.
        critics: critic name -> (raw, weight, cost), only critics that could score.
        reasons: texts such as ``"collision: 83 % chance to touch the obstacle, worst at 2.25 s"``;
            what led to the verdict first, then by penalty.
        penalties: critic name -> weight * cost**power, shared among the critics of its role that scored;
            what the critic takes from the score.
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


def missing_critics(inp: CriticInput, critics: Iterable[Critic]) -> dict[str, str]:
    """Enabled critics that cannot score this request -> why; not if another one has their role."""
    reasons = [(critic, critic.missing(inp)) for critic in critics if critic.settings.enabled]
    played = {critic.role for critic, reason in reasons if not reason}
    return {critic.name: reason for critic, reason in reasons if reason and critic.role not in played}


def score_plans(
    names: Sequence[str], inp: CriticInput, critics: Iterable[Critic], settings: ScoringSettings = ScoringSettings()
) -> list[PlanScore]:
    """Score K plans, in plan order.

    Critics that are not enabled or that cannot score are left out (:func:`missing_critics` says
    why); of those that answer the same question, by their role, the mean penalty counts (a weight of 0
    has no say). A plan is
    vetoed if any critic vetoes it or if the model gave a value for it that is not finite, if its score
    is below ``veto_below``, if a critic that must have its say could not score, or if none could (the
    score is then 0, since nothing is known). It is risky if a critic flags it or its score is below
    ``risky_below``.

    Args:
        names: K unique plan names.

    Raises:
        ValueError: names repeat, or their number is not that of the imagined plans.
    """
    plans = inp.imagination.plans
    if len(names) != plans or len(set(names)) != plans:
        raise ValueError(
            f"{plans} plans were imagined but these names were given: {list(names)}; give one "
            "unique name per plan, in the same order"
        )
    critics = list(critics)
    results: list[tuple[Critic, CriticResult]] = []
    with np.errstate(all="ignore"):  # a plan of NaNs is vetoed below, not warned about
        for critic in critics:
            if critic.settings.enabled and (result := critic.evaluate(inp)) is not None:
                results.append((critic, result))
    unheard = [
        f"{critic.name}: {critic.missing(inp)}; set {critic.name}.enabled to false to do without"
        for critic in critics
        if critic.settings.enabled and critic.must_score and critic.missing(inp)
    ]
    broken = _not_finite(inp)
    scored = [_score(k, names[k], results, broken[k], unheard, settings) for k in range(plans)]
    order = sorted(range(plans), key=lambda k: (scored[k].verdict == VETOED, -scored[k].score, k))
    ranks = {k: rank for rank, k in enumerate(order)}
    return [replace(score, rank=ranks[k]) for k, score in enumerate(scored)]


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
            most = min(said)[1]  # what takes most: said with the score, and not again
            warnings = [text for text in warnings if text != most]
            remarks = [remark for remark in remarks if remark[1] != most]
            below = score if round(score, 3) < limit else math.floor(score * 1000) / 1000  # never as if it reached it
            low = f"score {below:.3f} < {'veto' if too_low else 'risky'}_below {limit:g}: {most}"
            (vetoes if too_low else warnings).insert(0, low)
    verdict = VETOED if vetoes else RISKY if warnings else ACCEPTED
    reasons = (*vetoes, *warnings, *(text for _, text in sorted(remarks)))
    return PlanScore(name, -1, score, verdict, scores, reasons, penalties, flags)
