"""Judges by a few images whether the robot is where the camera sees it. It needs no plan and no model's pass."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np

from astra_ros.inference.prediction_limit import PredictionLimit
from astra_ros.robot.silhouette_fit import EdgeAgreement, SilhouetteFit, edge_agreement, silhouette_fit

EVERY_S = 0.5  # an image is taken
IMAGES = 4  # so that a judgement is of 2 s
NANOSECONDS = 1_000_000_000
MOST_GAP_NS = 10 * NANOSECONDS  # between two images of one judgement
OUT_OF_VIEW = "too little of the robot's outline is in the picture"
NO_EDGES = "the picture has no edges: it is dark, or the camera is covered"


class RobotFitMonitor:
    """Follows one camera. Not thread-safe.

    Args:
        limits: action space -> largest misfit of a model that fits; without one nothing is a fault.

    Attributes:
        fit: over the last `IMAGES` images; None before there are as many, and where the last one cannot be judged.
        limit: of the last image's action space, or None.
        unseen: why the last image cannot be judged, or ''.
        judged: judgements so far.
    """

    def __init__(self, limits: Mapping[str, PredictionLimit]) -> None:
        self.limits = limits
        self._space, self._stamp_ns = "", 0
        self._images: deque[EdgeAgreement] = deque(maxlen=IMAGES)
        self.fit: SilhouetteFit | None = None
        self.limit: PredictionLimit | None = None
        self.unseen = ""
        self.judged = 0

    def add(self, space: str, stamp_ns: int, image: np.ndarray, coverage: np.ndarray) -> None:
        """Add an image, uint8 [h, w, 3], and the robot's coverage of it, uint8 [h, w]."""
        self.append(space, stamp_ns, edge_agreement(image, coverage))

    def append(self, space: str, stamp_ns: int, found: EdgeAgreement) -> None:
        """Add an image whose `edge_agreement`, the costly part, is known."""
        if space != self._space or not 0 < stamp_ns - self._stamp_ns < MOST_GAP_NS:
            self._images.clear()
        self._space, self._stamp_ns, self.limit = space, stamp_ns, self.limits.get(space)
        self.fit = None
        self.unseen = "" if found.has_edges else NO_EDGES
        if not found.in_view:
            self.unseen = OUT_OF_VIEW
        if self.unseen:
            self.forget()
            return
        self._images.append(found)
        if len(self._images) == IMAGES:
            self.fit = silhouette_fit(self._images)
            self.judged += 1

    def forget(self) -> None:
        """The next image begins a new judgement: one between could not be judged."""
        self._images.clear()
        self.fit = None

    @property
    def fault(self) -> SilhouetteFit | None:
        """The fit, where its misfit is above the limit."""
        beyond = self.fit is not None and self.limit is not None and self.fit.misfit > self.limit.limit
        return self.fit if beyond else None
