"""Which plan is chosen: the best score, but not another one with every breath.

Scores of plans that are about as good change places from request to request, and a robot that follows each change goes
nowhere. So the plan that was chosen stays chosen while no other is better by a margin, for a limited time. Nothing here
knows a clock: the time is given.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from astra_ros.critics.scoring import VETOED
from astra_ros.settings import CheckedSettings, setting

# Scores that differ by less are equal: the same plan at another place of a batch differs in its last bits.
TIE = 1e-6
REFUSED, COARSE = "refused", "imagined coarsely"
BEST, TIED, KEPT, BACKUP, NONE = "best", "tie", "kept", "backup", "none"


@dataclass(frozen=True)
class ChoiceSettings(CheckedSettings):
    """How firmly the plan that was chosen stays chosen."""

    margin: float = setting(
        0.0,
        "how much better another plan's score must be to replace the plan that was chosen, or the one that took its "
        "place: the plan at the same index of the same source; 0: any better plan replaces it",
        0.0,
        1.0,
    )
    hold_s: float = setting(
        2.0,
        "seconds for which a plan stays chosen at most though another one's score is better, from the request on in "
        "which it first was",
        0.0,
        3600.0,
        "s",
    )


@dataclass(frozen=True)
class Candidate:
    """A plan to choose from.

    Attributes:
        source, slot: where it comes from, and its index there.
        message: what is equal for the same message only.
        verdict: of its score, or REFUSED: it could not be imagined, so nothing was judged. Or COARSE: not vetoed, but
            only some of its frames were imagined, which may not show what it touches.
        backup: it counts only where other candidates were judged, and all of these are vetoed.
    """

    name: str
    source: str
    slot: int
    message: Hashable
    score: float = 0.0
    verdict: str = REFUSED
    backup: bool = False

    @property
    def usable(self) -> bool:
        return self.is_judged and self.verdict != VETOED

    @property
    def is_judged(self) -> bool:
        return self.verdict not in (REFUSED, COARSE)


@dataclass(frozen=True)
class PlanChoice:
    """The plan that is chosen.

    Attributes:
        chosen: None where no plan can be used.
        why: "best", "tie" (equal scores), "kept" (another is better, but not by the margin), "backup", or "none".
        reason: the same in a sentence, with the numbers.
        best: the plan with the best score of those that could be chosen.
        held_s: how long another one's score has been better, and the plan was kept; None where it is not kept.
    """

    chosen: Candidate | None = None
    why: str = NONE
    reason: str = ""
    best: Candidate | None = None
    held_s: float | None = None

    @property
    def name(self) -> str:
        """Of the chosen plan; '' for none."""
        return "" if self.chosen is None else self.chosen.name


@dataclass(frozen=True)
class _Incumbent:
    """The plan that was chosen, and since when another one's score is better; None: none is."""

    source: str
    slot: int
    message: Hashable
    behind_since_s: float | None

    def among(self, pool: Sequence[Candidate]) -> Candidate | None:
        """The same message, or else the plan that took its place: the one at the same index of the same source."""
        same = [each for each in pool if each.message == self.message]
        same += [each for each in pool if (each.source, each.slot) == (self.source, self.slot)]
        return same[0] if same else None


class PlanChooser:
    """Chooses plans of one request after the other. A choice counts for the next one once it was `taken`.

    Args:
        sources: names of plan sources; of equal scores, the first of them wins, and in it the lowest index.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self._order = {name: index for index, name in enumerate(sources)}
        self._incumbent: _Incumbent | None = None

    def choose(self, candidates: Sequence[Candidate], settings: ChoiceSettings, now_s: float) -> PlanChoice:
        """Choose, at a time of a clock that never goes back. Changes nothing.

        A refused plan neither calls for a backup nor holds one back: its message could not be used, which says nothing
        about where it leads. The same holds for one that was imagined coarsely; it is not kept either.
        """
        others = [each for each in candidates if not each.backup]
        usable = [each for each in others if each.usable]
        judged = any(each.is_judged for each in others)
        pool = usable or [each for each in candidates if each.backup and each.usable and judged]
        if not pool:
            return PlanChoice(reason=_nothing(candidates))
        top = max(each.score for each in pool)
        level = [each for each in pool if each.score >= top - TIE]
        best = min(level, key=self._place)
        chosen, why, held_s = best, TIED if len(level) > 1 else BEST, None
        before = None if self._incumbent is None else self._incumbent.among(pool)
        if before is not None and before in level:
            chosen = best = before
        elif self._incumbent is not None and before is not None and top - before.score < settings.margin:
            since_s = self._incumbent.behind_since_s
            behind_s = 0.0 if since_s is None else now_s - since_s
            if behind_s < settings.hold_s:
                chosen, why, held_s = before, KEPT, behind_s
        reason = _reason(chosen, best, pool, settings, held_s)
        if not usable:
            others_said = f"every plan of another source that was judged is vetoed ({_counts(others)})"
            why, reason = BACKUP, f"{others_said}; {reason}"
        return PlanChoice(chosen, why, reason, best, held_s)

    def taken(self, choice: PlanChoice, now_s: float) -> None:
        """Note that the robot executes what was chosen at that time."""
        if (chosen := choice.chosen) is not None:
            behind_since_s = None if choice.held_s is None else now_s - choice.held_s
            self._incumbent = _Incumbent(chosen.source, chosen.slot, chosen.message, behind_since_s)

    def _place(self, candidate: Candidate) -> tuple[int, int]:
        return self._order.get(candidate.source, len(self._order)), candidate.slot


def _reason(
    chosen: Candidate, best: Candidate, pool: Sequence[Candidate], settings: ChoiceSettings, held_s: float | None
) -> str:
    said = f"{chosen.name} with score {chosen.score:.3f}"
    if held_s is not None:
        return (
            f"{said} stays chosen: {best.name} is better by {best.score - chosen.score:.3f}, less than the margin "
            f"{settings.margin:g}, and has been for {held_s:.1f} s of {settings.hold_s:g} s"
        )
    if len(pool) == 1:
        return f"{said} is the only plan that can be used"
    lead = chosen.score - max(each.score for each in pool if each is not chosen)
    if lead <= TIE:
        return f"{said} is chosen of several with equal scores: it was chosen before, or comes first"
    return f"{said} is the best by {lead:.3f}"


def _nothing(candidates: Sequence[Candidate]) -> str:
    only = "; the others are backups, which count only where plans of other sources are vetoed"
    backups = any(each.backup and each.usable for each in candidates)
    return f"no plan can be used ({_counts([each for each in candidates if not each.usable])})" + only * backups


def _counts(candidates: Sequence[Candidate]) -> str:
    verdicts = [each.verdict for each in candidates]
    return ", ".join(f"{verdicts.count(each)} {each}" for each in dict.fromkeys(verdicts)) or "there are no plans"
