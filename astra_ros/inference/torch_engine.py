"""Run Astra with PyTorch, on a CPU or a CUDA device."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from astra_ros.inference.card import WEIGHTS_FILE, ModelCard, ModelError
from astra_ros.inference.engine import RENDERS_AT_ONCE
from astra_ros.inference.torch_camera import inverse_depth_camera
from astra_ros.inference.torch_style_file import STYLE_FILE, read_style
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.denoiser import Memory
from astra_ros.world_model.reprojection import last_seen, reprojected_latents
from astra_ros.world_model.rollout import Denoised, FrameContext
from astra_ros.world_model.style_transfer import StyleTransfer

LOG = logging.getLogger(__name__)


class TorchEngine:
    """The torch implementation of `Engine`."""

    def __init__(self, card: ModelCard, device: str):
        self._place = usable_device(device)
        if self._place.type == "cuda":
            without_tf32()
        self.device = str(self._place)
        threads = f", {torch.get_num_threads()} threads" if self._place.type == "cpu" else ""
        self.runs_on = f"torch {torch.__version__}, {self.device}, float32{threads}"
        self._card = card
        self._network = load_network(card).to(self._place).requires_grad_(False)
        self._spaces = {name: number for number, name in enumerate(card.action_spaces)}
        self._cameras = {
            name: inverse_depth_camera(camera, card.image_size, self._place)
            for name, camera in card.moving_cameras.items()
        }

    def array(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._place)

    def numpy(self, values: Tensor) -> np.ndarray:
        return values.float().cpu().numpy()

    def _pixels(self, images: np.ndarray) -> Tensor:
        return self.array(images).permute(0, 3, 1, 2).float() / 255

    @torch.inference_mode()
    def encode(self, images: np.ndarray) -> Tensor:
        return self._network.autoencoder.encode(self._pixels(images))

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> np.ndarray:
        return _bytes(self._network.autoencoder.decode(latents))

    @torch.inference_mode()
    def condition(self, actions: Tensor, space: str) -> Tensor:
        return self._network.action_encoder(actions, self._spaces[space])

    @torch.inference_mode()
    def robot_tokens(self, renders: np.ndarray) -> Tensor | None:
        tokenizer = self._network.denoiser.robot_tokens
        if tokenizer is None:
            return None
        pixels = torch.from_numpy(renders).to(self._place).flatten(0, 2)
        tokens = [tokenizer(some[:, None])[:, 0] for some in pixels.split(RENDERS_AT_ONCE)]
        return torch.cat(tokens).unflatten(0, renders.shape[:3])

    @torch.inference_mode()
    def reproject(self, image: np.ndarray, poses: np.ndarray, space: str) -> Tensor | None:
        if not self._network.config.reprojection:
            return None
        frame, camera = self._pixels(image[None]), self._cameras[space]
        return reprojected_latents(self._network.autoencoder, frame, self.array(poses)[None], camera)[0]

    @torch.inference_mode()
    def remember(self, history: Tensor) -> Memory:
        return self._network.remember(history)

    @torch.inference_mode()
    def denoise(self, noisy: Tensor, time: Tensor, frame: FrameContext, memory: Memory) -> Denoised:
        return self._network.denoise(noisy, time, frame, memory)

    @torch.inference_mode()
    def outcomes(self, features: Tensor) -> dict[str, Tensor]:
        heads = self._network.outcome_heads
        return {} if heads is None else heads(features)

    @torch.inference_mode()
    def composite(
        self, latents: Tensor, observed: np.ndarray, poses: np.ndarray | None, robot: np.ndarray | None, space: str
    ) -> np.ndarray:
        seen, known = last_seen(
            self._pixels(observed[None])[0],
            len(latents),
            None if poses is None else self.array(poses),
            None if poses is None else self._cameras[space],
            self._card.action_spaces[space].moves_camera,
        )
        renders = None if robot is None else self.array(robot).flatten(1, 2) / 255
        return _bytes(self._network.composite(latents, seen, known, renders))

    @property
    def can_restyle(self) -> bool:
        return (self._card.path / STYLE_FILE).is_file() and self._transfer is not None

    @cached_property
    def _transfer(self) -> StyleTransfer:
        """Read at the first use: most processes never restyle."""
        return read_style(self._card.path, self._network.autoencoder).to(self._place)

    @torch.inference_mode()
    def restyle(self, latents: Tensor, reference: Tensor) -> Tensor:
        return self._transfer(latents, reference)


def _bytes(images: Tensor) -> np.ndarray:
    """[N, 3, h, w] in 0..1 -> uint8 [N, h, w, 3]."""
    return (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def without_tf32() -> None:
    """Have a GPU compute in float32 what is said to be float32, from now on.

    By default, torch convolves in TF32, which keeps 10 bits of a float32's 23. Engines then differ by about 1e-3 a
    layer, and parity between them could not be told from an error.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def usable_device(device: str) -> torch.device:
    """The device of that name. Raises ModelError where it is not there."""
    try:
        place = torch.device(device)
        if place.type == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("no CUDA device can be used")
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cure = "give 'cpu', or 'cuda' where a GPU and its driver are installed"
        raise ModelError(str(error).splitlines()[0], thing=f"device '{device}'", cure=cure) from error
    return place


def load_network(card: ModelCard) -> Astra:
    """The network of a model on the CPU, for training to go on from. Raises ModelError where it does not load.

    A compositor of another version is left out, with a warning: images are then as the autoencoder decodes them.
    """
    weights = card.path / WEIGHTS_FILE
    try:
        network = Astra(card.network)
        values = {name: value.float() for name, value in load_file(str(weights)).items()}
        if _shapes(values, "compositor.") != _shapes(network.state_dict(), "compositor."):
            LOG.warning(
                f"{weights}: its compositor is of another version and left out, so images are as the autoencoder "
                "decodes them; to train a new one: astra train --from MODEL --autoencoder-steps 0 --dynamics-steps 0"
            )
            network = Astra(replace(card.network, compositing=False))
            values = {name: value for name, value in values.items() if not name.startswith("compositor.")}
        network.load_state_dict(values)
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError) as error:
        problem = f"does not fit the network that its card describes ({str(error).splitlines()[0]})"
        raise ModelError(problem, thing=weights, cure="export the model again") from error
    return network.eval()


def _shapes(weights: Mapping[str, Tensor], prefix: str) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in weights.items() if name.startswith(prefix)}
