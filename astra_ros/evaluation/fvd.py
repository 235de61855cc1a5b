"""FVD: the Fréchet distance between the features of two sets of videos, from an I3D network.

Unterthiner et al., "Towards Accurate Generative Models of Video", 2018. The I3D is called as StyleGAN-V calls it:
whole frames are stretched to 224 x 224. Covariances are over N - 1 as in the FVD authors' code; StyleGAN-V divides
by N.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from astra_ros.training.pretrained_weights import MetricError, PublishedFile, WeightsFile, read_weights

# The I3D halves time three times, rounding up, and then averages over two steps.
MIN_FRAMES = 9

# Several unrelated public projects pin the same hash.
I3D = PublishedFile(
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
        """The I3D's outputs before its softmax.

        Args:
            videos: uint8 [N, T, h, w, 3] RGB, at least 2 videos of at least 9 frames; papers use 16. The detector
                scales and stretches them to 224 x 224 itself.
            batch: videos at once.

        Returns:
            float64 [N, D], D = 400 with the official weights.

        Raises MetricError for videos of another kind, or where the detector fails on them.
        """
        videos = np.asarray(videos)
        found = f"{videos.dtype} {list(videos.shape)}"
        if videos.ndim != 5 or videos.shape[-1] != 3 or videos.dtype != np.uint8:
            raise MetricError(f"videos are {found}", thing="FVD", cure="give uint8 [N, T, h, w, 3]")
        if videos.shape[1] < MIN_FRAMES or len(videos) < 2:
            cure = f"give at least 2 videos of at least {MIN_FRAMES} frames"
            raise MetricError(f"videos are {found}", thing="FVD", cure=cure)
        made = []
        for start in tqdm(range(0, len(videos), batch), desc="FVD features", unit="batch", delay=2, leave=False):
            # Bytes, as StyleGAN-V passes them; the detector scales them.
            part = torch.from_numpy(videos[start : start + batch]).movedim(-1, 1).contiguous().to(self.device)
            try:
                seen = self._detector(part, rescale=True, resize=True, return_features=True)
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[-1]
                raise I3D.refused(self.path, f"the detector failed on videos {list(part.shape)}: {reason}") from error
            if seen.ndim != 2 or len(seen) != len(part):
                raise I3D.refused(self.path, f"the detector made {list(seen.shape)}, expected [{len(part)}, D]")
            made.append(seen.double().cpu().numpy())
        return np.concatenate(made)


def load_fvd(path: Path, device: str = "cpu", official: bool = True) -> Fvd:
    """The feature detector of FVD.

    The I3D that FVD is defined by is published for torch as TorchScript only, so torch.jit.load reads it. Such a file
    is a program: a malicious one can run any code. So its sha256 is compared before it is opened.

    Args:
        path: StyleGAN-V's i3d_torchscript.pt.
        official: refuse any other file. With False the number is not FVD, its `weights` say so, and the file is RUN:
            give only one that you made yourself.

    Raises MetricError where the file is another one or damaged.
    """
    data, weights = read_weights(path, official, I3D)
    try:
        detector = torch.jit.load(io.BytesIO(data), map_location=device).eval()
        takes = [argument.name for argument in detector.forward.schema.arguments]
    except (RuntimeError, AttributeError, ValueError) as error:
        raise I3D.refused(path, f"not a TorchScript network ({str(error).splitlines()[0]})") from error
    missing = {"rescale", "resize", "return_features"} - set(takes)
    if missing:
        raise I3D.refused(path, f"its forward takes ({', '.join(takes)}) and not {', '.join(sorted(missing))}")
    return Fvd(path, detector, weights, device)


def statistics(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [D] and covariance over N - 1 [D, D] of features [N, D], float64.

    Warns where N <= D: the covariance then lacks directions, and the distance is biased upwards.

    Raises MetricError for fewer than two rows, or where a feature is not finite.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2 or not np.isfinite(features).all():
        cure = "give finite ones of 2 videos or more"
        raise MetricError(f"features are {list(features.shape)} or not finite", thing="FVD", cure=cure)
    count, dimensions = features.shape
    if count <= dimensions:
        problem = f"FVD from {count} videos with {dimensions} features is biased upwards"
        warnings.warn(f"{problem}: compare it only with figures from {count} videos", stacklevel=2)
    return features.mean(0), np.cov(features, rowvar=False).reshape(dimensions, dimensions)


def _square_root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    # Smaller eigenvalues are rounding errors. Their roots would be a million times as large.
    floor = max(values[-1], 0) * len(values) * np.finfo(np.float64).eps
    if values[0] < -10 * floor - np.finfo(np.float64).tiny:
        raise MetricError(f"not a covariance: it has the negative eigenvalue {values[0]:.3g}", thing="FVD")
    return (vectors * np.sqrt(np.where(values > floor, values, 0))) @ vectors.T


def frechet_distance(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """Squared Fréchet distance of two Gaussians: |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)).

    The last trace is the sum of the singular values of C1^(1/2) C2^(1/2), whose squares are the eigenvalues of C1 C2.
    Unlike a root of the product itself, this stays real and accurate for covariances without full rank (fewer videos
    than features).

    Means are [D], covariances [D, D]. Raises MetricError for shapes that do not fit, or matrices that are not
    covariances.
    """
    mean1, cov1, mean2, cov2 = (np.asarray(x, np.float64) for x in (mean1, cov1, mean2, cov2))
    if mean1.ndim != 1 or mean2.shape != mean1.shape or not cov1.shape == cov2.shape == mean1.shape * 2:
        shapes = [list(x.shape) for x in (mean1, cov1, mean2, cov2)]
        raise MetricError(f"shapes {shapes}", thing="FVD", cure="give means [D] and covariances [D, D]")
    for covariance in (cov1, cov2):
        # NaN is unequal to itself, so it is refused too.
        if not np.allclose(covariance, covariance.T):
            raise MetricError("not a covariance: the matrix is not symmetric, or not finite", thing="FVD")
    shared = np.linalg.svd(_square_root(cov1) @ _square_root(cov2), compute_uv=False).sum()
    distance = np.square(mean1 - mean2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * shared
    return float(max(distance, 0.0))  # rounding makes -1e-13 of equal sets
