"""Figures of merit of frames, probabilities and rankings."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

Interval = tuple[float, float]
SIGN_DRAWS = 20_000
Z_95 = 1.959963984540054  # standard deviations of a normal distribution that hold 95 %, to both sides


def psnr(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each frame, dB; frames [..., h, w, 3] in 0..1."""
    return -10 * np.log10(np.maximum(np.square(a - b).mean((-3, -2, -1)), 1e-10))


def masked_psnr(a: np.ndarray, b: np.ndarray, mask: np.ndarray, fewest: float) -> np.ndarray:
    """PSNR of each frame over the pixels of a mask [..., h, w], dB; NaN where they are less of it than a share."""
    square = np.square(a - b).mean(-1)
    share = mask.mean((-2, -1))
    enough = (share >= fewest) & (share > 0)
    mean = (square * mask).mean((-2, -1)) / np.where(enough, share, 1.0)
    return np.where(enough, -10 * np.log10(np.maximum(mean, 1e-10)), np.nan)


def ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Structural similarity of each frame [N, h, w, 3] in 0..1, by torchmetrics."""
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    x, y = (torch.from_numpy(frames).movedim(-1, -3).float() for frames in (a, b))
    values = structural_similarity_index_measure(x, y, data_range=1.0, reduction="none")
    assert isinstance(values, torch.Tensor)
    return values.numpy()


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0, ties sharing their mean."""
    values = np.asarray(values, dtype=np.float64)
    below = (values[None] < values[:, None]).sum(1)
    equal = (values[None] == values[:, None]).sum(1)
    return below + (equal - 1) / 2


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation; 0 where either side is constant."""
    ra, rb = ranks(a), ranks(b)
    if ra.std() == 0 or rb.std() == 0:
        return 0.0
    return float(np.corrcoef(ra, rb)[0, 1])


def pearson(a: np.ndarray, b: np.ndarray) -> float | None:
    """Pearson's correlation; None where either side is constant."""
    if np.std(a) == 0 or np.std(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def kendall(a: np.ndarray, b: np.ndarray) -> float:
    """Kendall's tau-a: concordant minus discordant pairs over all pairs."""
    upper = np.triu_indices(len(a), 1)
    signs = np.sign(np.subtract.outer(a, a)) * np.sign(np.subtract.outer(b, b))
    return float(signs[upper].mean())


def mean_rank_violation(guessed: np.ndarray, true: np.ndarray) -> float:
    """Mean maximum rank violation (MMRV) of one scene (Li et al. 2024, SIMPLER); 0 where the order is right.

    For each plan it takes the largest true difference to a plan that it is wrongly ordered with; then the mean over
    the plans.
    """
    gap = np.abs(np.subtract.outer(true, true))
    wrong = (np.subtract.outer(guessed, guessed) < 0) != (np.subtract.outer(true, true) < 0)
    return float((gap * wrong).max(1).mean())


def auroc(probability: np.ndarray, happened: np.ndarray) -> float | None:
    """Area under the ROC curve; None where the event happened in all cases or in none."""
    positive = happened.astype(bool)
    if positive.all() or not positive.any():
        return None
    many, few = (~positive).sum(), positive.sum()
    return float((ranks(probability)[positive].sum() - few * (few - 1) / 2) / (few * many))


def mean_over_worlds(values: Iterable[tuple[str, float]]) -> float:
    """Mean over worlds, each the mean of its values, from (world, value)."""
    by_world: dict[str, list[float]] = {}
    for world, value in values:
        by_world.setdefault(world, []).append(value)
    return float(np.mean([np.mean(by_world[world]) for world in sorted(by_world)]))


def wilson(hits: int, count: int) -> Interval:
    """95 % interval of a share (Wilson 1927), which stays within 0 to 1 and is right for few cases too."""
    share, square = hits / count, Z_95**2 / count
    middle = (share + square / 2) / (1 + square)
    half = Z_95 / (1 + square) * math.sqrt(share * (1 - share) / count + square / count / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p of McNemar's exact test: of pairs that differ, either side wins equally often.

    Args: pairs in which only the first one, and only the second one, succeeded.
    """
    differ = only_first + only_second
    tail = sum(math.comb(differ, k) for k in range(min(only_first, only_second) + 1)) / 2**differ
    return min(1.0, 2 * tail)


def sign_flip(gaps: np.ndarray, seed: int = 0) -> float:
    """Two-sided p of a paired permutation test of the mean (Fisher 1935): each gap might as well have the other sign.

    Exact for up to 14 pairs; more are tried with `SIGN_DRAWS` random signs. Fewer than six pairs never reach 0.05. (A
    bootstrap interval leaves 0 out as soon as all gaps have one sign, even those of two pairs.)

    Args:
        gaps: [N] differences within pairs, N > 0.
    """
    count = len(gaps)
    if count <= 14:
        flipped = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    else:
        flipped = np.random.default_rng(seed).integers(2, size=(SIGN_DRAWS, count))
        flipped[0] = 0  # as it was, so that p is never 0
    sums = np.abs((1 - 2 * flipped) @ gaps)
    return float((sums >= sums[0] - 1e-9 * np.abs(gaps).sum()).mean())


def interval(values: np.ndarray, seed: int = 0) -> Interval:
    """95 % bootstrap interval of the mean."""
    rng = np.random.default_rng(seed)
    means = rng.choice(values, (2000, len(values))).mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
