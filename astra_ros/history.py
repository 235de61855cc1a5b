"""The last frames of a camera, at a world model's own rate."""

from __future__ import annotations

from collections import deque

import numpy as np


class NotEnoughFrames(RuntimeError):
    """The camera has not yet shown what a model needs to see. The message says what is missing."""


class FrameHistory:
    """Frames by stamp, from which a model's history is picked.

    A camera runs at its own rate; a model wants ``length`` frames ``dt_s`` apart. The frames
    that are nearest to the wanted times are taken, so no rate is assumed. A stamp that jumps
    back (a simulation was restarted, a bag plays in a loop) forgets everything before it.

    Args:
        length: T, frames in a history.
        dt_s: seconds between them.
        tolerance_s: how far a frame may be from its wanted time; half a step when None.
    """

    def __init__(self, length: int, dt_s: float, tolerance_s: float | None = None) -> None:
        if length < 1 or dt_s <= 0.0:
            raise ValueError(f"a history needs length >= 1 and dt_s > 0, not {length}, {dt_s}")
        self.length = length
        self.dt_s = dt_s
        self.tolerance_s = dt_s / 2 if tolerance_s is None else tolerance_s
        self._frames: deque[tuple[float, np.ndarray]] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def newest_s(self) -> float | None:
        """Stamp of the newest frame in seconds, or None."""
        return self._frames[-1][0] if self._frames else None

    def clear(self) -> None:
        """Forget every frame."""
        self._frames.clear()

    def add(self, stamp_s: float, frame: np.ndarray) -> bool:
        """Keep a frame: uint8 [h, w, 3]. Returns False when the stamps jumped back before it."""
        in_order = not self._frames or stamp_s >= self._frames[-1][0]
        if not in_order:
            self._frames.clear()
        elif self._frames and stamp_s == self._frames[-1][0]:
            self._frames.pop()
        self._frames.append((stamp_s, frame))
        # One frame older than the oldest wanted time stays, because it may be the nearest one.
        oldest_s = stamp_s - (self.length - 1) * self.dt_s
        while len(self._frames) > 1 and self._frames[1][0] <= oldest_s:
            self._frames.popleft()
        return in_order

    def frames(self) -> tuple[np.ndarray, float]:
        """The model's history and the stamp of its newest frame.

        Returns:
            uint8 [T, h, w, 3], oldest first, and seconds.

        Raises:
            NotEnoughFrames: no frame yet, or none within the tolerance of a wanted time.
        """
        if not self._frames:
            raise NotEnoughFrames("no camera image yet")
        newest_s = self._frames[-1][0]
        stamps = np.array([stamp for stamp, _ in self._frames])
        wanted = newest_s - np.arange(self.length - 1, -1, -1) * self.dt_s
        picked = np.abs(stamps[None, :] - wanted[:, None]).argmin(axis=1)
        gaps = np.abs(stamps[picked] - wanted)
        if (gaps > self.tolerance_s + 1e-9).any():
            held = len(set(picked[gaps <= self.tolerance_s + 1e-9].tolist()))
            raise NotEnoughFrames(
                f"the camera has shown {held} of the {self.length} frames, {self.dt_s:g} s "
                f"apart, that the model looks back on; wait "
                f"{(self.length - 1) * self.dt_s:g} s, and check that images come at "
                f"{1 / self.dt_s:g} Hz or faster"
            )
        return np.stack([self._frames[index][1] for index in picked]), newest_s
