"""How far a robot sees in each column of an imagined image, as a linear reading of its latent.

A world model imagines pictures, not distances. While the robot drives, each real image stands beside a map that tells
how far the camera saw in each column, so the reading is learned on the way and fits whatever model and camera are used
(a linear probe, Alain and Bengio, arXiv 1610.01644; ridge regression, by its normal equations).
"""

from __future__ import annotations

import numpy as np

# Examples (columns of images) before anything is read, and how strongly weights are held at 0.
LEAST_EXAMPLES = 150
RIDGE = 300.0
# Standard deviations of its own error that are added to a reading. A blind guess is short, and an explorer that
# believes it expects nothing new anywhere. As the reading gets better, less is added.
OPTIMISM = 1.5


class RangeReader:
    """Reads ranges in shares of ``reach_m``; from all values of a latent's column, and the column's place.

    Args:
        reach_m: ranges beyond it are not told apart.
    """

    def __init__(self, reach_m: float) -> None:
        self.reach_m = reach_m
        self.examples = 0
        self._square = 0.0
        self._gram: np.ndarray | None = None
        self._sums: np.ndarray | None = None
        self._weights: np.ndarray | None = None
        self._error = 0.0

    def learn(self, latents: np.ndarray, ranges: np.ndarray) -> None:
        """Take in N images.

        Args:
            latents: [N, C, h, w].
            ranges: [N, w] m; NaN where it is not known.
        """
        known = np.isfinite(ranges).ravel()
        rows = _rows(latents)[known]
        shares = np.clip(ranges.ravel()[known] / self.reach_m, 0.0, 1.0)
        if self._gram is None or self._sums is None:
            self._gram, self._sums = np.zeros((rows.shape[1],) * 2), np.zeros(rows.shape[1])
        self._gram += rows.T @ rows
        self._sums += rows.T @ shares
        self._square += float(shares @ shares)
        self.examples += len(rows)
        self._weights = None

    @property
    def is_ready(self) -> bool:
        return self.examples >= LEAST_EXAMPLES

    def read(self, latents: np.ndarray) -> np.ndarray:
        """Ranges [..., w] m, 0 to ``reach_m``, of latents [..., C, h, w], with ``OPTIMISM``.

        ``reach_m`` until enough was learned.
        """
        lead, width = latents.shape[:-3], latents.shape[-1]
        if not self.is_ready:
            return np.full((*lead, width), self.reach_m)
        if self._weights is None:
            assert self._gram is not None and self._sums is not None
            held = np.full(len(self._gram), RIDGE)
            held[-1] = 1e-6  # the mean is free
            own = np.linalg.solve(self._gram + np.diag(held), self._sums)
            error = self._square - 2.0 * own @ self._sums + own @ self._gram @ own
            self._weights, self._error = own, float(np.sqrt(max(error, 0.0) / self.examples))
        shares = _rows(latents.reshape(-1, *latents.shape[-3:])) @ self._weights + OPTIMISM * self._error
        return self.reach_m * np.clip(shares, 0.0, 1.0).reshape(*lead, width)


def _rows(latents: np.ndarray) -> np.ndarray:
    """Features [N * w, C * h + w + 1] of latents [N, C, h, w]: the column's values, which one it is, and a 1."""
    count, channels, height, width = latents.shape
    columns = np.moveaxis(latents, -1, 1).reshape(count * width, channels * height)
    which = np.tile(np.eye(width), (count, 1))
    return np.concatenate([columns, which, np.ones((len(columns), 1))], axis=1, dtype=np.float64)
