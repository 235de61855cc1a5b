"""What contact sheets and videos show of one request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from astra_ros.critics.scoring import PlanScore


@dataclass(frozen=True, eq=False)
class ImaginedPlans:
    """Imagined frames of K plans with their scores, and perhaps what then happened.

    Attributes:
        frames: uint8 [K, H, h, w, 3] RGB; frame k shows the time (k+1)*dt_s.
        dt_s: seconds between two frames.
        truth: uint8 [K, H, h', w', 3] RGB of the executed plans, in any size, or None.
        truth_notes: K short texts on what happened, or none.
        imagined_steps: int [K], how many of each plan's frames were imagined; None: all H.
        chosen: name of the plan that was chosen, '' for none; None: the best one, unless all are vetoed.

    Raises:
        ValueError: on creation, for shapes or numbers of plans that do not fit.
    """

    frames: np.ndarray = field(repr=False)
    scores: Sequence[PlanScore]
    dt_s: float
    truth: np.ndarray | None = field(default=None, repr=False)
    truth_notes: Sequence[str] = ()
    imagined_steps: np.ndarray | None = None
    chosen: str | None = None

    def __post_init__(self) -> None:
        for what, clip in (("imagined frames", self.frames), ("truth", self.truth)):
            if clip is not None and (clip.dtype != np.uint8 or clip.ndim != 5 or clip.shape[-1] != 3 or not clip.size):
                raise ValueError(f"{what}: {clip.dtype} {clip.shape}; expected uint8 [K, H, h, w, 3]")
        if self.truth is not None and self.truth.shape[:2] != self.frames.shape[:2]:
            raise ValueError(f"truth has K, H = {self.truth.shape[:2]}, the imagined frames {self.frames.shape[:2]}")
        counts = {"scores": self.scores, "truth notes": self.truth_notes or None, "steps": self.imagined_steps}
        for what, values in counts.items():
            if values is not None and len(values) != len(self.frames):
                raise ValueError(f"{len(values)} {what} for {len(self.frames)} imagined plans")

    def chooses(self, score: PlanScore) -> bool:
        """Whether it is the score of the chosen plan."""
        best = score.rank == 0 and score.verdict != "vetoed"
        return best if self.chosen is None else score.name == self.chosen


def by_rank(scores: Sequence[PlanScore]) -> list[int]:
    """Plan indices, best first."""
    return sorted(range(len(scores)), key=lambda k: scores[k].rank)


def critic_names(scores: Sequence[PlanScore]) -> tuple[str, ...]:
    """Names of all critics that scored a plan, in their own order."""
    return tuple(dict.fromkeys(name for score in scores for name in score.critics))
