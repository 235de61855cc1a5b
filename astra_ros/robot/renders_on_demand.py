"""Robot renders along plans, each made when it is first read: a coarse view of many plans reads few of them."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np


class RendersOnDemand:
    """Renders of the robot at joint positions, as an array uint8 [..., 3, h, w] whose numbers are not made yet.

    Indexing its leading dimensions makes nothing; ``np.asarray`` makes what is missing. Equal positions are rendered
    once. Not thread safe.

    Args:
        draw: [N, J] joint positions -> uint8 [N, 3, h, w], N > 0.
        motion: [..., J] joint positions.
        size: (h, w), pixels.
    """

    def __init__(self, draw: Callable[[np.ndarray], np.ndarray], motion: np.ndarray, size: tuple[int, int]) -> None:
        motion = np.asarray(motion, np.float64)
        self._made = _Renders(draw, motion.reshape(-1, motion.shape[-1]), size)
        self._rows = self._made.row_of.reshape(motion.shape[:-1])

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self._rows.shape, *self._made.images.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        return self._made.images.dtype

    @property
    def drawn_s(self) -> float:
        """Seconds that rendering took so far, also for what was read through other indices."""
        return self._made.drawn_s

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, which) -> RendersOnDemand:
        """Some of the renders, by an index of the leading dimensions."""
        part = object.__new__(RendersOnDemand)
        part._made, part._rows = self._made, np.asarray(self._rows[which])
        return part

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self._made.read(self._rows), dtype)


class _Renders:
    """What was rendered so far. ``row_of`` [N]: where in ``images`` each of N joint positions is."""

    def __init__(self, draw: Callable[[np.ndarray], np.ndarray], positions: np.ndarray, size: tuple[int, int]) -> None:
        first: dict[bytes, int] = {}
        self.row_of = np.array([first.setdefault(row.tobytes(), len(first)) for row in positions], int)
        self._positions = np.empty((len(first), positions.shape[1]))
        self._positions[self.row_of] = positions
        self._draw, self._drawn = draw, np.zeros(len(first), bool)
        self.images = np.empty((len(first), 3, *size), np.uint8)
        self.drawn_s = 0.0

    def read(self, rows: np.ndarray) -> np.ndarray:
        wanted = np.unique(rows)
        missing = wanted[~self._drawn[wanted]]
        if missing.size:
            began = time.perf_counter()
            self.images[missing] = self._draw(self._positions[missing])
            self._drawn[missing] = True
            self.drawn_s += time.perf_counter() - began
        return self.images[rows]
