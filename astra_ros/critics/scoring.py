"""One score, rank and verdict per plan from the costs of all critics."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from astra_ros.critics.base import Critic, CriticInput, CriticResult
from astra_ros.errors import where_raised
from astra_ros.plans.errors import Breach
from astra_ros.settings import CheckedSettings, setting
from astra_ros.texts import short

ACCEPTED, RISKY, VETOED = VERDICTS = ("accepted", "risky", "vetoed")


@dataclass(frozen=True)
class ScoringSettings(CheckedSettings):
    """How scores become verdicts."""

    # Chosen on scenes that are not those of docs/results (`astra rank --robots panda kuka --first-seed 960000
    # --scenes 60`). There, the mean outcome of accepted plans of arms is 0.55 and 0.57, that of risky ones -0.23.
    risky_below: float = setting(0.45, "score below which a plan is marked risky, 0 to 1", 0.0, 1.0)
    veto_below: float = setting(
        0.1, "score below which a plan is vetoed, so that none is chosen where all are bad, 0 to 1", 0.0, 1.0
    )


class CriticScore(NamedTuple):
    """One critic's numbers for one plan: raw in the critic's unit, weight, cost >= 0."""

    raw: float
    weight: float
    cost: float


@dataclass(frozen=True)
class PlanScore:
    """The score of one plan, and how it came about.

    Attributes:
        rank: 0 is best; vetoed plans come last, among themselves by score.
        score: 0 to 1, higher is better: exp(-sum of penalties); 0 where a value is not finite.
        verdict: ``"accepted"``, ``"risky"`` or ``"vetoed"``.
        critics: by name, those that could score.
        reasons: texts such as ``"collision: 83 % chance to touch the obstacle, worst at 2.25 s"``;
            those that led to the verdict first, then by penalty.
        penalties: critic name -> weight * cost**power, divided by the number of critics of its role that scored.
        flags: critic name -> ``"vetoed"`` or ``"risky"``, for critics that object to the plan.
        breach: the hard limit that it breaks; such a plan is vetoed by its numbers, and was not imagined.
    """

    name: str
    rank: int
    score: float
    verdict: str
    critics: dict[str, CriticScore]
    reasons: tuple[str, ...]
    penalties: dict[str, float] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)
    breach: Breach | None = None

    def penalty(self, critic: str) -> float:
        """The critic's weighted cost; 0 where it did not score."""
        if critic in self.penalties:
            return self.penalties[critic]
        _, weight, cost = self.critics.get(critic, (0.0, 0.0, 0.0))
        return weight * cost


class _Opinion(NamedTuple):
    """A critic's result, or what it lacked to give one."""

    critic: Critic
    result: CriticResult | None
    missing: str = ""
    failed: bool = False  # it raised


class _Heard(NamedTuple):
    """A critic that scored, with its numbers, flag ('' for none) and text for each of K plans."""

    critic: Critic
    scores: list[CriticScore]
    penalties: list[float]
    flags: list[str]
    texts: list[str]
    reasons: tuple[str, ...]


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
    counts; those with a weight of 0 do not. A plan is risky if a critic flags it or if its score is below
    ``risky_below``. It is vetoed

    - if a critic vetoes it, or if a value that the model gave for it is not finite,
    - if its score is below ``veto_below``,
    - if a critic that must score could not, or if no critic could (the score is then 0, since nothing is known).
    """
    plans = inp.imagination.plans
    assert len(names) == plans and len(set(names)) == plans, f"{plans} plans were imagined, but names are {names}"
    with np.errstate(all="ignore"):  # a plan of NaNs is vetoed below, not warned about
        opinions = [_opinion(critic, inp) for critic in critics if critic.settings.enabled]
        heard = _heard(opinions)
    unheard = [
        f"{each.critic.name}: {each.missing}; disable the critic to do without it"
        for each in opinions
        if each.missing and each.critic.must_score
    ]
    broken = _not_finite(inp)
    scored = [_score(k, names[k], heard, unheard, broken[k], settings) for k in range(plans)]
    order = sorted(range(plans), key=lambda k: (scored[k].verdict == VETOED, -scored[k].score, k))
    ranks = {k: rank for rank, k in enumerate(order)}
    filled = {each.critic.role for each in heard}
    lacking = [each for each in opinions if each.failed or (each.missing and each.critic.role not in filled)]
    missing = {each.critic.name: each.missing for each in lacking}
    return Scores([replace(score, rank=ranks[k]) for k, score in enumerate(scored)], missing)


def _opinion(critic: Critic, inp: CriticInput) -> _Opinion:
    try:
        if missing := critic.missing(inp):
            return _Opinion(critic, None, missing)
        result = critic.score(inp)
        if len(result.reasons) != inp.imagination.plans:
            raise ValueError(f"{len(result.reasons)} results for {inp.imagination.plans} plans")
    except Exception as error:  # noqa: BLE001 - critics of other packages may raise anything
        why = f"the critic failed with {type(error).__name__}: {short(error, 200)} ({where_raised(error)})"
        return _Opinion(critic, None, why, failed=True)
    return _Opinion(critic, result)


def _heard(opinions: Iterable[_Opinion]) -> list[_Heard]:
    """The critics that scored; those of one role share its weight."""
    results = [(each.critic, each.result) for each in opinions if each.result is not None]
    sharing = Counter(critic.role for critic, _ in results if critic.settings.weight > 0)
    return [_weighed(critic, result, max(1, sharing[critic.role])) for critic, result in results]


def _weighed(critic: Critic, result: CriticResult, sharing: int) -> _Heard:
    weight = critic.settings.weight
    penalties = weight * result.cost**critic.settings.power / sharing
    vetoed = result.veto | ~np.isfinite(penalties) | (result.cost < 0.0)
    flags = np.where(vetoed, VETOED, np.where(result.risky, RISKY, "")).tolist()
    scores = [CriticScore(raw, weight, cost) for raw, cost in zip(result.raw.tolist(), result.cost.tolist())]
    verbs = {VETOED: "vetoed at ", RISKY: "flagged at ", "": ""}
    rows = zip(result.reasons, flags, scores)
    texts = [f"{critic.name}: {reason or f'{verbs[flag]}cost {score.cost:g}'}" for reason, flag, score in rows]
    return _Heard(critic, scores, penalties.tolist(), flags, texts, result.reasons)


def _not_finite(inp: CriticInput) -> list[str]:
    """For each plan, the names of the model's outputs that hold values that are not finite."""
    made = inp.imagination
    outputs = {"latents": made.latents, "uncertainty": made.uncertainty, **made.outcomes}
    finite = {name: np.isfinite(values).reshape(made.plans, -1).all(axis=1) for name, values in outputs.items()}
    return [", ".join(name for name, ok in finite.items() if not ok[k]) for k in range(made.plans)]


def _score(
    k: int, name: str, heard: Sequence[_Heard], unheard: Sequence[str], broken: str, settings: ScoringSettings
) -> PlanScore:
    """Plan k without its rank, which needs the other plans."""
    penalties = {each.critic.name: each.penalties[k] for each in heard}
    total = sum(penalties.values())
    score = float(np.exp(-max(0.0, total))) if heard and not broken and np.isfinite(total) else 0.0
    vetoes = list(unheard)
    if broken:
        vetoes.append(f"model: it imagined values that are not finite ({broken})")
    if not heard:
        vetoes.append("no critic could score this plan")
    vetoes += [each.texts[k] for each in heard if each.flags[k] == VETOED]
    warnings = [each.texts[k] for each in heard if each.flags[k] == RISKY]
    others = sorted((-each.penalties[k], each.texts[k]) for each in heard if each.reasons[k] and not each.flags[k])
    reasons = [*vetoes, *warnings, *(text for _, text in others)]
    low = _too_low(score, settings)
    if low and not vetoes:
        _, most = min((-each.penalties[k], each.texts[k]) for each in heard)
        reasons = [f"{low}: {most}", *(text for text in reasons if text != most)]  # the largest penalty, said once
    verdict = VETOED if vetoes or score < settings.veto_below else RISKY if warnings or low else ACCEPTED
    scores = {each.critic.name: each.scores[k] for each in heard}
    flags = {each.critic.name: each.flags[k] for each in heard if each.flags[k]}
    return PlanScore(name, -1, score, verdict, scores, tuple(reasons), penalties, flags)


def _too_low(score: float, settings: ScoringSettings) -> str:
    """The limit that the score misses, such as "score 0.412 < risky_below 0.45", or ''."""
    which = "veto_below" if score < settings.veto_below else "risky_below"
    limit = getattr(settings, which)
    shown = score if round(score, 3) < limit else math.floor(score * 1000) / 1000  # not rounded up to the limit
    return f"score {shown:.3f} < {which} {limit:g}" if score < limit else ""
