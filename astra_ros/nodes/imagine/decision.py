"""The outcome of one request. Without ROS."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from astra_ros.critics.scoring import VETOED, PlanScore
from astra_ros.nodes.imagine.inputs import Request
from astra_ros.nodes.imagine.plan_inputs import HeldPlan
from astra_ros.nodes.imagine.settings import PlanTopicSettings
from astra_ros.plans.errors import PlanError
from astra_ros.ranking.choice import BEST, COARSE, TIED, Candidate, PlanChoice
from astra_ros.ranking.imaginer import Result
from astra_ros.ranking.vetoes import vetoed_by_numbers


@dataclass(frozen=True)
class Decision:
    """The result of a request, the plan that is chosen, and the plan that is handed on.

    Attributes:
        result: what was imagined; None where all plans are vetoed by their numbers or refused, or the request could not
            be served.
        refused: plan name -> why it was not imagined.
        handed_on: the chosen plan; None where none is, where it is withheld, or was handed on before.
        restamp: hand it on with the stamp 0, otherwise byte for byte.
        withheld: why the chosen plan must not be handed on, or ''.
        repeats: the chosen plan was handed on before, and is not again.
        unserved: why the request could not be served, or ''.
    """

    request: Request
    result: Result | None
    refused: Mapping[str, PlanError] = field(default_factory=dict)
    choice: PlanChoice = PlanChoice()
    handed_on: HeldPlan | None = None
    restamp: bool = False
    withheld: str = ""
    repeats: bool = False
    unserved: str = ""

    @property
    def scores(self) -> list[PlanScore]:
        """Of the plans that were imagined, in their order, then of those that their numbers veto."""
        imagined = [] if self.result is None else self.result.scores
        return [*imagined, *vetoed_by_numbers(self.refused, len(imagined))]

    @property
    def outcome(self) -> str:
        """ "handed_on", "repeats", "withheld", "unserved", or "none" where no plan can be used."""
        if self.unserved:
            return "unserved"
        if self.withheld:
            return "withheld"
        if not self.choice.name:
            return "none"
        return "repeats" if self.repeats else "handed_on"

    def in_words(self, latency_s: float) -> str:
        """What was imagined and chosen, in words; only where there is a result."""
        result, choice = self.result, self.choice
        assert result is not None
        count = len(result.scores)
        unimagined = len(self.scores) - count
        text = f"{count} plan{'s' * (count != 1)} imagined in {1000 * latency_s:.0f} ms, "
        if self.withheld:
            text += self.withheld
        elif choice.chosen is not None:
            said = f"best is {choice.name} with score {choice.chosen.score:.3f}"
            text += said if choice.why in (BEST, TIED) else choice.reason
            if self.repeats:
                text += ", which was already handed on (~/imagine hands it on again)"
        elif result.best is None:
            shown = result.scores[result.shown]
            text += f"all vetoed; {shown.name}, first among them: {shown.reasons[0]}"
        else:
            text += choice.reason
        if unimagined:
            text += f"; {unimagined} vetoed by their numbers"
        if refused := len(result.prepared.refused) - unimagined:
            text += f"; {refused} refused"
        return text


def candidates(
    held: Mapping[str, HeldPlan],
    scores: Sequence[PlanScore],
    sources: Mapping[str, PlanTopicSettings],
    coarse: Collection[str] = (),
) -> list[Candidate]:
    """The plans of a request, in their order, as they are chosen from. Those without a score were refused.

    Args:
        held: plan name, ``<source>/<index>``, -> the plan.
        coarse: names of the plans that were not imagined frame by frame.
    """
    by_name = {score.name: score for score in scores}
    made = []
    for name, each in held.items():
        known = Candidate(
            name, each.source, int(name.rpartition("/")[2]), each.message.data, backup=sources[each.source].backup
        )
        if (score := by_name.get(name)) is not None:
            verdict = COARSE if name in coarse and score.verdict != VETOED else score.verdict
            known = replace(known, score=score.score, verdict=verdict)
        made.append(known)
    return made
