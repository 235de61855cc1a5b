"""What runs a network: the protocol, and the engines by name."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from astra_ros.inference.card import ModelCard
from astra_ros.registry import Registry
from astra_ros.world_model.rollout import Array, Denoised, FrameContext

RENDERS_AT_ONCE = 128  # as floats, robot renders take much memory


class Engine(Protocol):
    """Runs one model's network: arrays in, arrays out.

    Images are numpy, uint8 [N, h, w, 3] RGB. All other arrays are of the engine's own kind, float32, with
    Python's operators and indexing as in numpy. What the network is asked when, is the rollout's and `WorldModel`'s;
    noise comes from outside. Shapes as in `FrameContext`.

    Where memory is short, an engine raises MemoryError or what its runtime raises: `WorldModel` then asks it for fewer
    plans at a time. Other errors come to the user as a `ModelError` that names the engine.

    A class that inherits from this one may leave out `robot_tokens`, `reproject` and `composite`: its network then has
    no kinematic conditioning, and its images are as decoded.

    An engine that can also take on the look of an image has a property ``can_restyle`` and a method
    ``restyle(latents, reference)``, [N, C, h, w] and [1, C, h, w] to [N, C, h, w]. A text ``runs_on`` says what really
    runs: runtime and its version, device, precision, threads.
    """

    device: str  # where it computes: 'cpu', 'cuda'

    def __init__(self, card: ModelCard, device: str) -> None:
        """Load the network that lies in ``card.path``.

        Raises ModelError for a device that is not there, or weights that do not fit the card.
        """

    def array(self, values: np.ndarray) -> Array:
        """numpy to the engine's own kind."""

    def numpy(self, values: Array) -> np.ndarray:
        """And back, float32."""

    def encode(self, images: np.ndarray) -> Array:
        """-> latents [N, C, h, w]."""

    def decode(self, latents: Array) -> np.ndarray:
        """Latents [N, C, h, w] -> images."""

    def condition(self, actions: Array, space: str) -> Array:
        """Actions [B, N, H, A] of an action space -> [B, N, H, D]."""

    def robot_tokens(self, renders: np.ndarray) -> Array | None:
        """Robot renders uint8 [B, N, H, 3, h, w] -> [B, N, H, L, D]; None where the network has no use for them."""
        return None

    def reproject(self, image: np.ndarray, poses: np.ndarray, space: str) -> Array | None:
        """An image [h, w, 3] from where the camera of a space will be, poses [N, 4, 4] -> [N, C + 1, h, w].

        Latents and, behind them, which share of each cell was really seen; None where the network has no use for it.
        """
        return None

    def remember(self, history: Array) -> Any:
        """The observed history [B, T, C, h, w] as `denoise` takes it, worked on once for all plans."""

    def denoise(self, noisy: Array, time: Array, frame: FrameContext, memory: Any) -> Denoised:
        """One denoising pass, as in `Denoiser`."""

    def outcomes(self, features: Array) -> dict[str, Array]:
        """Features [..., L, D] -> name: [...] logits of an event, or [..., 3] m."""

    def composite(
        self, latents: Array, observed: np.ndarray, poses: np.ndarray | None, robot: np.ndarray | None, space: str
    ) -> np.ndarray:
        """Latents [N, C, h, w] -> images, with what is known laid over what is decoded.

        Args: `observed` [h, w, 3], the last observed image; `poses` [N, 4, 4] as for `reproject`; `robot` uint8
        [N, 2, 3, h, w], the robot's render as it then is, and as it was in `observed`.
        """
        return self.decode(latents)


# Other packages add theirs by an entry point: ``name = module:Class``.
ENGINES: Registry[type[Engine]] = Registry(
    "backend",
    "astra_ros.engines",
    {
        "torch": "astra_ros.inference.torch_engine:TorchEngine",
        "onnx": "astra_ros.inference.onnx_engine:OnnxEngine",
        "tensorrt": "astra_ros.inference.onnx_tensorrt:TensorRtEngine",
        "openvino": "astra_ros.inference.openvino_engine:OpenVinoEngine",
        "openvino-bf16": "astra_ros.inference.openvino_engine:OpenVinoBf16Engine",
    },
)
