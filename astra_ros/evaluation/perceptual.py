"""LPIPS and FVD of imagined video, with official weights that the user gives by path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from astra_ros.evaluation.fvd import MIN_FRAMES, Fvd, frechet_distance, load_fvd, statistics
from astra_ros.evaluation.space_figures import PerceptualFigures
from astra_ros.training.lpips import Lpips, load_lpips
from astra_ros.training.pretrained_weights import MetricError

FVD_FRAMES = 16  # as in papers


class PerceptualMetrics(NamedTuple):
    """The metrics that the user gave weights for."""

    lpips: Lpips | None = None
    fvd: Fvd | None = None

    @classmethod
    def load(cls, lpips_weights: Path | None, fvd_weights: Path | None, device: str = "cpu") -> PerceptualMetrics:
        """Raises MetricError where a file is not the one that a metric is defined by."""
        return cls(
            load_lpips(lpips_weights, device=device) if lpips_weights else None,
            load_fvd(fvd_weights, device) if fvd_weights else None,
        )

    def check_horizon(self, horizon: int) -> None:
        """Raises MetricError where videos of `horizon` frames are too short for a metric."""
        if self.fvd and horizon < MIN_FRAMES:
            problem = f"needs videos of at least {MIN_FRAMES} frames, these have {horizon}"
            raise MetricError(problem, thing="FVD", cure="imagine more frames, or evaluate without FVD")


def figures(
    metrics: PerceptualMetrics, frames: dict[str, np.ndarray], truth: np.ndarray, horizons: Sequence[int]
) -> PerceptualFigures:
    """The figures of the metrics that weights were given for.

    Args:
        frames: row -> videos, float32 [N, H, h, w, 3] in 0..1.
        truth: what the camera saw, likewise.
        horizons: frames ahead, 1 to H, at which LPIPS is stated.
    """
    values: dict = {}
    if lpips := metrics.lpips:

        def mean_lpips(video: np.ndarray, h: int) -> float:
            made, seen = (np.moveaxis(each[:, h - 1], -1, 1) for each in (video, truth))
            return float(lpips(made, seen).mean())

        values["lpips"] = {name: {str(h): mean_lpips(video, h) for h in horizons} for name, video in frames.items()}
    if fvd := metrics.fvd:

        def gaussian(videos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return statistics(fvd.features(np.rint(videos[:, :FVD_FRAMES] * 255).astype(np.uint8)))

        real = gaussian(truth)
        values["fvd"] = {name: frechet_distance(*gaussian(video), *real) for name, video in frames.items()}
        values |= {"fvd_videos": len(truth), "fvd_frames": min(FVD_FRAMES, truth.shape[1])}
    if used := {name: metric.weights for name, metric in metrics._asdict().items() if metric}:
        values["perceptual_weights"] = {name: [file._asdict() for file in files] for name, files in used.items()}
    return PerceptualFigures(**values)
