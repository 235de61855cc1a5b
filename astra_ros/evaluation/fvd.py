"""FVD: the Fréchet distance of two sets of videos as the I3D sees them.

Unterthiner et al., "Towards Accurate Generative Models of Video", 2018; the I3D is called as
StyleGAN-V calls it (whole frames stretched to 224 x 224), covariances are over N - 1 as in the FVD
authors' code (StyleGAN-V's own divides by N).
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from astra_ros.evaluation.pretrained_weights import MetricError, Published, WeightsFile, read_weights

# The I3D halves time three times, rounding up, and then averages over two steps.
MIN_FRAMES = 9

# Several unrelated public projects pin the same hash.
I3D = Published(
    "StyleGAN-V's conversion of the I3D that FVD is defined by, i3d_torchscript.pt (linked from "
    "the StyleGAN-V and fvd-comparison projects' code)",
    51_235_320,
    "bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2",
)


class Fvd:
    """Features of videos, for the Fréchet video distance; made by `load_fvd`."""

    def __init__(self, path: Path, detector, weights: WeightsFile, device: str):
        self.path, self.weights, self.device = path, [weights], device
        self._detector = detector

    @torch.inference_mode()
    def features(self, videos: np.ndarray, batch: int = 4) -> np.ndarray:
        """What the I3D sees in each video, before its softmax.

        Args:
            videos: uint8 [N, T, h, w, 3], RGB, at least 9 frames; papers use 16. The detector
                scales and stretches them to 224 x 224 itself.
            batch: videos at once.

        Returns:
            float64 [N, D], D = 400 with the official weights.

        Raises:
            MetricError: for videos of another kind, or where the detector fails on them.
        """
        videos = np.asarray(videos)
        if videos.ndim != 5 or videos.shape[-1] != 3 or videos.dtype != np.uint8:
            raise MetricError(f"FVD wants uint8 videos [N, T, h, w, 3], got {videos.dtype} {list(videos.shape)}")
        if videos.shape[1] < MIN_FRAMES:
            raise MetricError(
                f"FVD wants videos of at least {MIN_FRAMES} frames, for its I3D "
                f"sees nothing in fewer, and usually 16; got {videos.shape[1]}"
            )
        if len(videos) < 2:
            raise MetricError(f"FVD compares many videos with many; got {len(videos)}")
        made = []
        for start in tqdm(range(0, len(videos), batch), desc="FVD features", unit="batch", delay=2, leave=False):
            # Bytes, as StyleGAN-V passes them: what the scaling does is the detector's business.
            part = torch.from_numpy(np.ascontiguousarray(np.moveaxis(videos[start : start + batch], -1, 1))).to(
                self.device
            )
            try:
                seen = self._detector(part, rescale=True, resize=True, return_features=True)
            except RuntimeError as error:
                raise MetricError(
                    f"{self.path}: the detector failed on videos "
                    f"{list(part.shape)}: "
                    f"{str(error).strip().splitlines()[-1]}"
                ) from error
            if seen.ndim != 2 or len(seen) != len(part):
                raise MetricError(
                    f"{self.path}: the detector made {list(seen.shape)}, expected [{len(part)}, D] as {I3D.what} does"
                )
            made.append(seen.double().cpu().numpy())
        return np.concatenate(made)


def load_fvd(path: Path, device: str = "cpu", official: bool = True) -> Fvd:
    """Return the feature detector of FVD.

    The I3D that FVD is defined by is published for torch as TorchScript only, so torch.jit.load has
    to read it. Such a file is a program, and torch warns that a malicious one can run any code.
    That is why its sha256 is compared before it is opened.

    Args:
        path: StyleGAN-V's i3d_torchscript.pt.
        device: where it runs.
        official: refuse any other file. With False the number is not FVD, its `weights` say so,
            and you RUN THE FILE: only for one that you made yourself.

    Raises:
        MetricError: when the file is not what it should be.
    """
    data, weights = read_weights(path, I3D, official)
    try:
        detector = torch.jit.load(io.BytesIO(data), map_location=device).eval()
        takes = [argument.name for argument in detector.forward.schema.arguments]
    except (RuntimeError, AttributeError, ValueError) as error:
        raise MetricError(
            f"{path}: not a TorchScript network ({str(error).splitlines()[0]}); expected {I3D.what}"
        ) from error
    missing = {"rescale", "resize", "return_features"} - set(takes)
    if missing:
        raise MetricError(
            f"{path}: its forward takes ({', '.join(takes)}) and not {', '.join(sorted(missing))}; expected {I3D.what}"
        )
    return Fvd(path, detector, weights, device)


def statistics(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [D] and covariance over N - 1 [D, D] of features [N, D], float64.

    Raises:
        MetricError: for fewer than two rows, or where a feature is not finite.

    Warns when N <= D: the covariance then lacks directions, and the distance is biased upwards.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2 or not np.isfinite(features).all():
        raise MetricError(f"FVD wants finite features [N, D] of at least 2 videos, got {list(features.shape)}")
    count, dimensions = features.shape
    if count <= dimensions:
        warnings.warn(
            f"FVD from {count} videos with {dimensions} features: biased upwards, and "
            f"only comparable with figures from {count} videos",
            stacklevel=2,
        )
    return features.mean(0), np.cov(features, rowvar=False).reshape(dimensions, dimensions)


def _square_root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    # Below this an eigenvalue is rounding. It has to go: its root is a million times as large.
    floor = max(values[-1], 0) * len(values) * np.finfo(np.float64).eps
    if values[0] < -10 * floor - np.finfo(np.float64).tiny:
        raise MetricError(f"not a covariance: it has the negative eigenvalue {values[0]:.3g}")
    return (vectors * np.sqrt(np.where(values > floor, values, 0))) @ vectors.T


def frechet_distance(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """Squared Fréchet distance of two Gaussians: |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)).

    The last trace is the sum of the singular values of C1^(1/2) C2^(1/2), whose squares are the
    eigenvalues of C1 C2. Unlike a root of the product itself this stays real and accurate for
    covariances that are not of full rank (fewer videos than features).

    Args:
        mean1, mean2: [D].
        cov1, cov2: [D, D], symmetric.

    Raises:
        MetricError: for shapes that do not fit, or matrices that are not covariances.
    """
    mean1, cov1, mean2, cov2 = (np.asarray(x, np.float64) for x in (mean1, cov1, mean2, cov2))
    if mean1.ndim != 1 or mean2.shape != mean1.shape or not cov1.shape == cov2.shape == mean1.shape * 2:
        raise MetricError(
            f"means [D] and covariances [D, D] wanted, got {[list(x.shape) for x in (mean1, cov1, mean2, cov2)]}"
        )
    for covariance in (cov1, cov2):
        # NaN is unequal to itself, so it stops here too.
        if not np.allclose(covariance, covariance.T):
            raise MetricError("not a covariance: the matrix is not symmetric, or not finite")
    shared = np.linalg.svd(_square_root(cov1) @ _square_root(cov2), compute_uv=False).sum()
    distance = np.square(mean1 - mean2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * shared
    return float(max(distance, 0.0))  # rounding makes -1e-13 of equal sets
