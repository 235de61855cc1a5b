"""The last frames of a camera at the model's rate, chosen by their stamps."""

from __future__ import annotations

from collections import deque

import numpy as np

from astra_ros.camera.errors import CameraError
from astra_ros.camera.frame_order import Order, order_of

# Frames kept per step of the model. Faster cameras are thinned, so memory is bounded.
_KEPT_PER_STEP = 8
# A camera is too slow when its typical interval is longer than the model's step by this factor.
_SLOW = 1.1


class HistoryNotReady(RuntimeError):
    """There is no full history yet. The message says why."""


class FrameHistory:
    """Picks T frames dt apart, the newest one last, from a camera that runs at its own rate.

    From a camera faster than the model, the frames nearest to ``newest - k*dt`` are taken. A camera slower than the
    model is refused. Late frames are left out, see ``frame_order.py``. A gap in the stamps, or a clock that was set
    back (a simulation was reset), starts a new history. Not thread-safe: one thread owns it.

    Args:
        length: T, frames in a history.
        dt_s: seconds between two of them, the model's step.
        tolerance_s: how far a frame may be from its wanted time; 0.45 of a step when None. It must be less than half a
            step, so that no frame is taken twice.

    Raises:
        CameraError: length, step or tolerance is out of range.
    """

    def __init__(self, length: int, dt_s: float, tolerance_s: float | None = None) -> None:
        if length < 1 or not dt_s > 0.0:
            raise CameraError(f"length {length} and dt_s {dt_s}: expected length >= 1 and dt_s > 0")
        self.length = length
        self.dt_s = float(dt_s)
        self.tolerance_s = 0.45 * self.dt_s if tolerance_s is None else float(tolerance_s)
        if not 0.0 < self.tolerance_s < 0.5 * self.dt_s:
            wanted = f"more than 0 and less than half of the step, {0.5 * self.dt_s:g}"
            raise CameraError(f"tolerance_s is {self.tolerance_s:g}; expected {wanted}")
        self._frames: deque[tuple[float, np.ndarray]] = deque()
        self._intervals: deque[float] = deque(maxlen=8)
        self._restarted = ""

    def __len__(self) -> int:
        """Frames held, from which a history is picked."""
        return len(self._frames)

    @property
    def newest_s(self) -> float | None:
        """Stamp of the newest frame, s; None without frames."""
        return self._frames[-1][0] if self._frames else None

    def clear(self) -> None:
        """Forgets all frames and the measured camera rate."""
        self._frames.clear()
        self._intervals.clear()
        self._restarted = ""

    def is_late(self, stamp_s: float) -> bool:
        """Whether a frame with that stamp, s, arrives after a newer one."""
        return bool(self._frames) and order_of(stamp_s - self._frames[-1][0]) is Order.LATE

    def push(self, stamp_s: float, frame: np.ndarray) -> str | None:
        """Adds the frame that the camera sent last, uint8 [h, w, 3] RGB; a late frame (`is_late`) is left out.

        Returns:
            Why the history so far was discarded, for the log, or None.

        Raises:
            CameraError: the frame is not uint8 [h, w, 3], or the stamp is not finite.
        """
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
            raise CameraError(f"frame is {frame.dtype} {frame.shape}; expected uint8 [h, w, 3]")
        if not np.isfinite(stamp_s):
            raise CameraError(f"stamp_s is {stamp_s}; expected seconds")
        stamp_s = float(stamp_s)
        event = None
        if self._frames:
            newest_s, newest = self._frames[-1]
            interval = stamp_s - newest_s
            order = order_of(interval)
            if order is Order.LATE:
                return None
            if order is Order.BACK:
                self.clear()
                event = f"camera time jumped back by {-interval:.2f} s (simulation reset?)"
            elif frame.shape != newest.shape:
                self.clear()
                sizes = f"{newest.shape[1]}x{newest.shape[0]} to {frame.shape[1]}x{frame.shape[0]}"
                event = f"the camera's frames changed from {sizes}"
            elif order is Order.SAME:
                self._frames.pop()
            else:
                self._intervals.append(interval)
                if interval > self.dt_s + self.tolerance_s:
                    self._frames.clear()
                    event = f"the camera was silent for {interval:.2f} s"
        event = event and f"{event}; the frame history starts anew"
        self._restarted = event or self._restarted
        self._store(stamp_s, frame)
        return event

    def _store(self, stamp_s: float, frame: np.ndarray) -> None:
        held = self._frames
        if len(held) > 1 and held[-1][0] - held[-2][0] < self.dt_s / _KEPT_PER_STEP:
            held.pop()  # too near to the frame before it, now that it is not the newest
        held.append((stamp_s, frame))
        oldest_s = stamp_s - (self.length - 1) * self.dt_s - self.tolerance_s
        while held[0][0] < oldest_s:
            held.popleft()

    def not_ready(self) -> str | None:
        """Why no history is ready, or None."""
        return self._pick()[1]

    def frames(self) -> np.ndarray:
        """The history: uint8 [T, h, w, 3], oldest first. Raises HistoryNotReady with the reason."""
        picked, reason = self._pick()
        if reason:
            raise HistoryNotReady(reason)
        return np.stack([self._frames[index][1] for index in picked])

    def _pick(self) -> tuple[list[int], str | None]:
        """(indices of the T frames, oldest first; why the history is not ready, or None)"""
        if not self._frames:
            return [], "no camera frame yet"
        if len(self._intervals) > 1 and self.length > 1:
            typical = float(np.median(self._intervals))
            if typical > _SLOW * self.dt_s:
                needed = f"the model needs {1 / self.dt_s:.2g} frames per second; raise the camera's rate"
                return [], f"camera rate too low: {1 / typical:.2g} Hz, but {needed}"
        stamps = np.array([stamp for stamp, _ in self._frames])
        wanted = stamps[-1] - self.dt_s * np.arange(self.length - 1, -1, -1)
        distance = np.abs(stamps[None, :] - wanted[:, None])
        picked = distance.argmin(axis=1)
        # A nanosecond of slack: stamps are sums of decimal fractions.
        far = distance[np.arange(self.length), picked] > self.tolerance_s + 1e-9
        too_early = far & (wanted < stamps[0])
        if (far & ~too_early).any():
            age = stamps[-1] - wanted[np.flatnonzero(far & ~too_early)[0]]
            near = f"within {self.tolerance_s:.2g} s of {age:.2f} s before the newest one"
            return [], f"no camera frame {near}; frames come too unevenly"
        if too_early.any():
            missing = int(too_early.sum())
            there = f"{self.length - missing} of {self.length} frames, {self.dt_s:.2g} s apart, are there"
            after = f" ({self._restarted})" if self._restarted else ""
            return [], f"{there}; ready in about {missing * self.dt_s:.2g} s{after}"
        return picked.tolist(), None
