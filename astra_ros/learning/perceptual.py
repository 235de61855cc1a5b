"""LPIPS and FVD for `astra eval`, with official weights that the user gives by path.

Both are distances in the feature space of one particular trained network: with other weights the
numbers mean nothing beside published ones. So nothing is downloaded, and a file that is not the
published one (ALEXNET, HEADS, I3D below), byte for byte, is refused.

LPIPS (alex, v0.1): Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual
Metric", CVPR 2018; computed as the `lpips` package 0.1.4 does, without torchvision.
FVD: Unterthiner et al., "Towards Accurate Generative Models of Video", 2018; the I3D is called as
StyleGAN-V calls it (whole frames stretched to 224 x 224), covariances are over N - 1 as in the FVD
authors' code (StyleGAN-V's own divides by N).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import warnings
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

# Two convolutions and their pools shrink a picture of 31 pixels to one cell, a smaller one to none.
# Deep layers see 3 x 3 cells at 64 pixels: compare LPIPS only between pictures of the same size.
MIN_PIXELS = 31
# The I3D halves time three times, rounding up, and then averages over two steps.
MIN_FRAMES = 9

# AlexNet's convolutions as torchvision names them: shape of the weights, stride, padding, and
# whether a 3 x 3 max pool of stride 2 comes before.
_TRUNK = {'features.0': ((64, 3, 11, 11), 4, 2, False),
          'features.3': ((192, 64, 5, 5), 1, 2, True),
          'features.6': ((384, 192, 3, 3), 1, 1, True),
          'features.8': ((256, 384, 3, 3), 1, 1, False),
          'features.10': ((256, 256, 3, 3), 1, 1, False)}
# ImageNet's mean and spread as LPIPS applies them, to pictures in -1..1.
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class MetricError(RuntimeError):
    """Weights or pictures that a metric cannot use; names the file, what was found, what to do."""


class Published(NamedTuple):
    """A file that a metric is defined by."""

    what: str
    size: int       # bytes
    sha256: str


# How the hashes are known: AlexNet's begins as torchvision's file name says, the heads were hashed
# in both packages, and several unrelated public projects pin the same one for the I3D.
ALEXNET = Published(
    "torchvision's AlexNet for ImageNet, alexnet-owt-7be5be79.pth (in torchvision: "
    'AlexNet_Weights.IMAGENET1K_V1)',
    244_408_911, '7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02')
HEADS = Published(
    "the LPIPS authors' heads v0.1 for AlexNet, alex.pth (in the packages lpips and torchmetrics)",
    6_009, 'df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0')
I3D = Published(
    "StyleGAN-V's conversion of the I3D that FVD is defined by, i3d_torchscript.pt (linked from "
    "the StyleGAN-V and fvd-comparison projects' code)",
    51_235_320, 'bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2')


class WeightsFile(NamedTuple):
    """What a result file says of the weights it was made with."""

    file: str
    sha256: str
    official: bool


def _read(path: Path, published: Published, official: bool) -> tuple[bytes, WeightsFile]:
    """Contents of a weights file; a MetricError where `official` and it is not `published`."""
    try:
        # At once: what was hashed is then what is loaded.
        data = Path(path).read_bytes()
    except OSError as error:
        raise MetricError(f'{path}: cannot be read ({error.strerror}); expected '
                          f'{published.what}') from error
    digest = hashlib.sha256(data).hexdigest()
    if official and digest != published.sha256:
        raise MetricError(
            f'{path}: found {len(data)} bytes with sha256 {digest}; expected {published.what}, '
            f'{published.size} bytes with sha256 {published.sha256}. It is another file or a '
            'damaged download, and would make another metric: get the file from that project')
    return data, WeightsFile(Path(path).name, digest, digest == published.sha256)


def _tensors(path: Path, data: bytes, shapes: dict[str, tuple[int, ...]],
             published: Published, device: str) -> dict[str, torch.Tensor]:
    """The tensors named in `shapes` from a .pth file; others in it are left alone."""
    try:
        # weights_only: tensors and containers; a pickle that names a function is refused.
        found = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
    except Exception as error:    # damaged bytes raise nearly anything
        reason = str(error).strip() or type(error).__name__
        raise MetricError(f'{path}: not a file of plain tensors ({reason.splitlines()[0]}); '
                          f'expected {published.what}') from error
    names = list(found) if isinstance(found, dict) else []
    for name, shape in shapes.items():
        size = tuple(getattr(found[name], 'shape', ())) if name in names else 'missing'
        if size != shape:
            raise MetricError(f'{path}: {name} is {size}, expected {shape}; found a '
                              f'{type(found).__name__} of {len(names)} named entries, first '
                              f'{names[:3]}; expected {published.what}')
    return {name: found[name].float() for name in shapes}


class Lpips:
    """LPIPS (alex, v0.1) of pairs of pictures; made by `load_lpips`."""

    def __init__(self, trunk: dict[str, torch.Tensor], heads: list[torch.Tensor],
                 weights: list[WeightsFile], device: str):
        self.weights, self.device = weights, device
        self._trunk, self._heads = trunk, heads
        self._shift, self._scale = (torch.tensor(value, device=device).view(1, 3, 1, 1)
                                    for value in (_SHIFT, _SCALE))

    def _layers(self, frames: torch.Tensor):
        """Features of each convolution, of length 1 in every cell [N, c, h, w]."""
        x = (2 * frames - 1 - self._shift) / self._scale
        for name, (_, stride, padding, pooled) in _TRUNK.items():
            if pooled:
                x = functional.max_pool2d(x, 3, 2)
            x = functional.relu(functional.conv2d(x, self._trunk[f'{name}.weight'],
                                                  self._trunk[f'{name}.bias'], stride, padding))
            yield x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)

    @torch.inference_mode()
    def __call__(self, frames_a, frames_b, batch: int = 64) -> np.ndarray:
        """LPIPS of each pair, 0 for identical ones, lower is better.

        Args:
            frames_a, frames_b: arrays or tensors, float [N, 3, h, w] in 0..1, RGB, at least 31
                pixels high and wide.
            batch: pairs at once.

        Returns:
            float32 [N].

        Raises:
            MetricError: for pictures of another kind.
        """
        pair = [torch.as_tensor(frames) for frames in (frames_a, frames_b)]
        for frames in pair:
            if frames.ndim != 4 or frames.shape != pair[0].shape or frames.shape[1] != 3 \
                    or not frames.is_floating_point():
                raise MetricError(
                    'LPIPS wants two float arrays [N, 3, h, w], got '
                    + ' and '.join(f'{x.dtype} {list(x.shape)}' for x in pair))
            if min(frames.shape[2:]) < MIN_PIXELS:
                raise MetricError(f'LPIPS (alex) wants pictures of at least {MIN_PIXELS} x '
                                  f'{MIN_PIXELS} pixels, got {list(frames.shape[2:])}')
            # Not "any outside": NaN is neither below 0 nor above 1.
            if not bool(((frames >= 0) & (frames <= 1)).all()):
                raise MetricError('LPIPS wants pictures in 0..1, got '
                                  f'{float(frames.min())} to {float(frames.max())}')
        values = [torch.zeros(0)]
        for start in tqdm(range(0, len(pair[0]), batch), desc='LPIPS', unit='batch', delay=2,
                          leave=False):
            a, b = (frames[start:start + batch].to(self.device, torch.float32)
                    for frames in pair)
            values.append(sum(
                functional.conv2d((x - y).square(), head).mean((1, 2, 3))
                for x, y, head in zip(self._layers(a), self._layers(b), self._heads)).cpu())
        return torch.cat(values).numpy()


def load_lpips(path: Path, heads_path: Path | None = None, device: str = 'cpu',
               official: bool = True) -> Lpips:
    """Return LPIPS (alex, v0.1).

    Args:
        path: AlexNet's weights as torchvision publishes them (.pth; only `features.*` is used).
        heads_path: the linear heads as their authors publish them; None: torchmetrics' copy.
        device: where it runs.
        official: refuse other files. With False the number is not LPIPS; `weights` say so.

    Raises:
        MetricError: when a file is not what it should be.
    """
    if heads_path is None:
        heads_path = files('torchmetrics.functional.image') / 'lpips_models' / 'alex.pth'
    data, trunk_file = _read(path, ALEXNET, official)
    shapes = {f'{name}.weight': shape for name, (shape, *_) in _TRUNK.items()}
    shapes |= {f'{name}.bias': shape[:1] for name, (shape, *_) in _TRUNK.items()}
    trunk = _tensors(path, data, shapes, ALEXNET, device)
    data, heads_file = _read(heads_path, HEADS, official)
    heads = _tensors(heads_path, data,
                     {f'lin{i}.model.1.weight': (1, shape[0], 1, 1)
                      for i, (shape, *_) in enumerate(_TRUNK.values())}, HEADS, device)
    return Lpips(trunk, list(heads.values()), [trunk_file, heads_file], device)


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
            raise MetricError('FVD wants uint8 videos [N, T, h, w, 3], got '
                              f'{videos.dtype} {list(videos.shape)}')
        if videos.shape[1] < MIN_FRAMES:
            raise MetricError(f'FVD wants videos of at least {MIN_FRAMES} frames, for its I3D '
                              f'sees nothing in fewer, and usually 16; got {videos.shape[1]}')
        if len(videos) < 2:
            raise MetricError(f'FVD compares many videos with many; got {len(videos)}')
        made = []
        for start in tqdm(range(0, len(videos), batch), desc='FVD features', unit='batch',
                          delay=2, leave=False):
            # Bytes, as StyleGAN-V passes them: what the scaling does is the detector's business.
            part = torch.from_numpy(np.ascontiguousarray(
                np.moveaxis(videos[start:start + batch], -1, 1))).to(self.device)
            try:
                seen = self._detector(part, rescale=True, resize=True, return_features=True)
            except RuntimeError as error:
                raise MetricError(f'{self.path}: the detector failed on videos '
                                  f'{list(part.shape)}: '
                                  f'{str(error).strip().splitlines()[-1]}') from error
            if seen.ndim != 2 or len(seen) != len(part):
                raise MetricError(f'{self.path}: the detector made {list(seen.shape)}, expected '
                                  f'[{len(part)}, D] as {I3D.what} does')
            made.append(seen.double().cpu().numpy())
        return np.concatenate(made)


def load_fvd(path: Path, device: str = 'cpu', official: bool = True) -> Fvd:
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
    data, weights = _read(path, I3D, official)
    try:
        detector = torch.jit.load(io.BytesIO(data), map_location=device).eval()
        takes = [argument.name for argument in detector.forward.schema.arguments]
    except (RuntimeError, AttributeError, ValueError) as error:
        raise MetricError(f'{path}: not a TorchScript network ({str(error).splitlines()[0]}); '
                          f'expected {I3D.what}') from error
    missing = {'rescale', 'resize', 'return_features'} - set(takes)
    if missing:
        raise MetricError(f'{path}: its forward takes ({", ".join(takes)}) and not '
                          f'{", ".join(sorted(missing))}; expected {I3D.what}')
    return Fvd(path, detector, weights, device)


def statistics(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [D] and covariance over N - 1 [D, D] of features [N, D], float64.

    Raises:
        MetricError: for fewer than two rows, or where a feature is not finite.

    Warns when N <= D: the covariance then lacks directions, and the distance is biased upwards.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2 or not np.isfinite(features).all():
        raise MetricError('FVD wants finite features [N, D] of at least 2 videos, got '
                          f'{list(features.shape)}')
    count, dimensions = features.shape
    if count <= dimensions:
        warnings.warn(f'FVD from {count} videos with {dimensions} features: biased upwards, and '
                      f'only comparable with figures from {count} videos', stacklevel=2)
    return features.mean(0), np.cov(features, rowvar=False).reshape(dimensions, dimensions)


def _square_root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    # Below this an eigenvalue is rounding. It has to go: its root is a million times as large.
    floor = max(values[-1], 0) * len(values) * np.finfo(np.float64).eps
    if values[0] < -10 * floor - np.finfo(np.float64).tiny:
        raise MetricError(f'not a covariance: it has the negative eigenvalue {values[0]:.3g}')
    return (vectors * np.sqrt(np.where(values > floor, values, 0))) @ vectors.T


def frechet_distance(mean1: np.ndarray, cov1: np.ndarray,
                     mean2: np.ndarray, cov2: np.ndarray) -> float:
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
    if mean1.ndim != 1 or mean2.shape != mean1.shape \
            or not cov1.shape == cov2.shape == mean1.shape * 2:
        raise MetricError('means [D] and covariances [D, D] wanted, got '
                          f'{[list(x.shape) for x in (mean1, cov1, mean2, cov2)]}')
    for covariance in (cov1, cov2):
        # NaN is unequal to itself, so it stops here too.
        if not np.allclose(covariance, covariance.T):
            raise MetricError('not a covariance: the matrix is not symmetric, or not finite')
    shared = np.linalg.svd(_square_root(cov1) @ _square_root(cov2), compute_uv=False).sum()
    distance = np.square(mean1 - mean2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * shared
    return float(max(distance, 0.0))    # rounding makes -1e-13 of equal sets


FVD_FRAMES = 16


class Measures(NamedTuple):
    """The metrics that the user gave weights for."""

    lpips: Lpips | None = None
    fvd: Fvd | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the two flags; without them neither figure is made."""
    parser.add_argument('--lpips-weights', type=Path, metavar='FILE',
                        help="also report LPIPS: torchvision's alexnet-owt-7be5be79.pth")
    parser.add_argument('--fvd-weights', type=Path, metavar='FILE',
                        help="also report FVD: StyleGAN-V's i3d_torchscript.pt")


def load(args: argparse.Namespace, device: str = 'cpu') -> Measures:
    """What the flags ask for; call it first, so that a wrong file fails before the work."""
    return Measures(
        load_lpips(args.lpips_weights, device=device) if args.lpips_weights else None,
        load_fvd(args.fvd_weights, device) if args.fvd_weights else None)


def figures(measures: Measures, frames: dict[str, np.ndarray], truth: np.ndarray,
            horizons: tuple[int, ...]) -> dict:
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
        entries['lpips'] = {name: {str(h): float(measures.lpips(
            *(np.moveaxis(video[:, h - 1], -1, 1) for video in (made, truth))).mean())
            for h in horizons} for name, made in frames.items()}
    if measures.fvd:
        def gaussian(videos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            first = np.rint(videos[:, :FVD_FRAMES] * 255).astype(np.uint8)
            return statistics(measures.fvd.features(first))

        real = gaussian(truth)
        entries['fvd'] = {name: frechet_distance(*gaussian(made), *real)
                          for name, made in frames.items()}
        entries['fvd_videos'] = len(truth)
        entries['fvd_frames'] = min(FVD_FRAMES, truth.shape[1])
    used = {name: [file._asdict() for file in metric.weights]
            for name, metric in measures._asdict().items() if metric}
    return {**entries, 'perceptual_weights': used} if used else {}
