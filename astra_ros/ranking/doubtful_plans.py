"""What plans may cost that were imagined coarsely, by what a closer look changed at plans like them.

A Gaussian process over the plans' motions learns the difference between a plan's cost from every frame and from some
frames (two fidelities: Kennedy and O'Hagan 2000). Its lower confidence bound says which plans may still be the best
(Srinivas et al. 2010). It is fitted anew for each request, to the plans that were imagined both ways.
"""

from __future__ import annotations

import numpy as np

LENGTH = 0.25  # of the kernel, as a share of the median distance between two plans
NOISE = 1e-3  # as a share of the variance
LEAST_VARIANCE = 1e-3  # of differences that happen to agree


def least_costs(
    motions: np.ndarray, coarse: np.ndarray, known: list[int], full: np.ndarray, doubt: float
) -> np.ndarray:
    """How little each plan may cost, [K].

    Args:
        motions: [K, ...] each plan's actions.
        coarse: [K] costs by the coarse view.
        known: indices of N plans, N > 0, whose full cost is known.
        full: [N] these costs.
        doubt: standard deviations below the expected cost.
    """
    kernel = _kernel(motions.reshape(len(motions), -1).astype(np.float64))
    differences = full - coarse[known]
    mean, variance = differences.mean(), max(differences.var(), LEAST_VARIANCE)
    among, to_known = kernel[np.ix_(known, known)] + NOISE * np.eye(len(known)), kernel[:, known]
    weights = np.linalg.solve(among, to_known.T).T  # [K, N]
    expected = coarse + mean + weights @ (differences - mean)
    unexplained = np.clip(1.0 - (weights * to_known).sum(axis=1), 0.0, 1.0)
    return expected - doubt * np.sqrt(variance * unexplained)


def _kernel(rows: np.ndarray) -> np.ndarray:
    """How alike two plans are, [K, K], 1 for the same."""
    square = np.square(rows).sum(axis=1)
    distances = np.sqrt(np.maximum(square[:, None] + square[None] - 2.0 * rows @ rows.T, 0.0))
    length = LENGTH * np.median(distances[np.triu_indices(len(rows), 1)])
    return np.exp(-0.5 * np.square(distances / max(length, 1e-9)))
