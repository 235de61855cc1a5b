"""Are contact probabilities true? Their reliability, a calibration that makes them so, and limits for vetoes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from astra_ros.evaluation.metrics import auroc
from astra_ros.evaluation.scene import Scene
from astra_ros.inference.calibration import Calibration, logit

BINS = 10
MISS_RATE = 0.1
CERTAIN = 1e-6  # probabilities count as at least this far from 0 and 1 in a fit


@dataclass(frozen=True)
class ReliabilityBin:
    """The plans whose probability lies in one tenth of 0 to 1: its mean, and the share of them that collide."""

    probability: float
    frequency: float
    plans: int


def reliability(chance_N: np.ndarray, happened_N: np.ndarray) -> list[ReliabilityBin]:
    """The reliability curve, in bins of equal width; empty ones are left out."""
    at_N = np.minimum((chance_N * BINS).astype(int), BINS - 1)
    return [
        ReliabilityBin(float(chance_N[here].mean()), float(happened_N[here].mean()), int(here.sum()))
        for here in (at_N == bin_ for bin_ in range(BINS))
        if here.any()
    ]


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """ECE: mean distance of probability and frequency over all plans (Guo et al., arXiv 1706.04599)."""
    off = sum(each.plans * abs(each.probability - each.frequency) for each in bins)
    return off / sum(each.plans for each in bins)


@dataclass(frozen=True)
class VetoLimit:
    """A limit for `collision.veto_above` that follows from a miss rate.

    Attributes:
        miss_rate: share of the colliding plans that may be missed.
        veto_above: the largest limit of three decimals that misses no more, if there is one.
        missed, vetoed_of_harmless: shares of the colliding plans that are not vetoed, and of the others that are.
    """

    miss_rate: float
    veto_above: float
    missed: float
    vetoed_of_harmless: float | None

    @classmethod
    def of(cls, chance_N: np.ndarray, happened_N: np.ndarray, miss_rate: float) -> VetoLimit | None:
        """None where no plan collided."""
        hits, harmless = np.sort(chance_N[happened_N]), chance_N[~happened_N]
        if not hits.size:
            return None
        first_caught = hits[int(miss_rate * len(hits) + 1e-9)]
        limit = max(math.ceil(round(first_caught * 1000, 6)) - 1, 0) / 1000
        vetoed = float((harmless > limit).mean()) if harmless.size else None
        return cls(miss_rate, limit, float((hits <= limit).mean()), vetoed)


@dataclass(frozen=True)
class ContactFigures:
    """A plan's probability of contact, as the critic reads it, against what happened.

    Attributes:
        base_rate: share of the plans that collide.
        auroc: None where all or none do.
        ece, brier: expected calibration error over tenths, and mean squared error.
        veto: None where no plan collided.
    """

    plans: int
    base_rate: float
    auroc: float | None
    ece: float
    brier: float
    reliability: list[ReliabilityBin]
    veto: VetoLimit | None

    @classmethod
    def of(cls, chance_N: np.ndarray, happened_N: np.ndarray, miss_rate: float = MISS_RATE) -> ContactFigures:
        bins = reliability(chance_N, happened_N)
        return cls(
            plans=len(chance_N),
            base_rate=float(happened_N.mean()),
            auroc=auroc(chance_N, happened_N),
            ece=expected_calibration_error(bins),
            brier=float(np.square(chance_N - happened_N).mean()),
            reliability=bins,
            veto=VetoLimit.of(chance_N, happened_N, miss_rate),
        )

    @classmethod
    def of_scenes(cls, scenes: Sequence[Scene], miss_rate: float) -> ContactFigures | None:
        """None where the critic did not score in every scene, or the model gave no probabilities."""
        chances = [scene.raw.get("collision") for scene in scenes]
        if not all(chances):
            return None
        chance_N = np.concatenate([np.array(each, float) for each in chances if each])
        happened_N = np.concatenate([scene.collision for scene in scenes]).astype(bool)
        return cls.of(chance_N, happened_N, miss_rate) if np.isfinite(chance_N).all() else None

    def line(self) -> str:
        separates = "" if self.auroc is None else f"AUROC {self.auroc:.2f}, "
        told = f"  contact of a plan: {separates}ECE {self.ece:.3f}, Brier {self.brier:.3f}"
        if self.veto is None:
            return told
        harmless = self.veto.vetoed_of_harmless
        others = "" if harmless is None else f" and vetoes {harmless:.0%} of the others"
        return f"{told}; collision.veto_above {self.veto.veto_above:g} misses {self.veto.missed:.0%}{others}"


def fit_platt(chance_N: np.ndarray, happened_N: np.ndarray) -> Calibration:
    """The Platt scaling of largest likelihood, for targets that are a little less than certain (Platt 1999).

    It is found by Newton's method with step halving (Lin, Lin and Weng 2007). Raises ValueError where it has no
    positive slope, so that the probabilities do not tell which plans collide.
    """
    count, happened = len(happened_N), int(happened_N.sum())
    target_N = np.where(happened_N, (happened + 1) / (happened + 2), 1 / (count - happened + 2))
    score_N2 = np.stack([logit(np.clip(chance_N, CERTAIN, 1 - CERTAIN)), np.ones(count)], axis=1)

    def loss(weights: np.ndarray) -> float:
        score_N = score_N2 @ weights
        return float((np.logaddexp(0.0, score_N) - target_N * score_N).sum())

    weights = np.array([0.0, np.log((happened + 1) / (count - happened + 1))])
    for _ in range(100):
        made_N = np.exp(-np.logaddexp(0.0, -score_N2 @ weights))
        gradient = score_N2.T @ (made_N - target_N)
        if np.abs(gradient).max() < 1e-9 * count:
            break
        curvature = (score_N2.T * (made_N * (1 - made_N))) @ score_N2 + 1e-9 * np.eye(2)
        step, size = np.linalg.solve(curvature, gradient), 1.0
        while loss(weights - size * step) > loss(weights) and size > 1e-9:
            size /= 2
        weights = weights - size * step
    slope, offset = (round(float(each), 6) for each in weights)
    return Calibration(slope, offset, count, happened)
