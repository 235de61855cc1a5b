"""Run Astra with PyTorch, on a CPU or a CUDA device."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from astra_ros.inference.base import WEIGHTS_FILE, ModelCard, ModelError
from astra_ros.inference.conditioning import Conditioning
from astra_ros.inference.imagination import Imagination
from astra_ros.inference.torch_lenses import lens_of
from astra_ros.inference.torch_style_file import STYLE_FILE, read_style
from astra_ros.world_model import Astra, AstraConfig, Lens, imagine_latents, last_seen, reprojected_latents
from astra_ros.world_model.compositor import Compositor
from astra_ros.world_model.older import as_of_today
from astra_ros.world_model.style import StyleTransfer


class TorchWorldModel:
    """The torch implementation of `WorldModel`."""

    def __init__(self, model: Astra, card: ModelCard, device: torch.device):
        self.card = card
        self.device = device
        self.model = model.to(device).eval().requires_grad_(False)
        self.spaces = {name: index for index, name in enumerate(card.action_spaces)}
        self.lenses = {name: lens_of(camera, card.image_size, device) for name, camera in card.moving_cameras.items()}

    def warmup(self, plans: int, horizon: int) -> None:
        history = np.zeros((self.card.history, *self.card.image_size, 3), np.uint8)
        # Of a robot whose camera moves, if there is one: that is the most work.
        name = next(iter([*self.lenses, *self.spaces]))
        actions = np.zeros((plans, horizon, self.card.action_spaces[name].dim), np.float32)
        poses = np.tile(np.eye(4, dtype=np.float32), (plans, horizon, 1, 1)) if name in self.lenses else None
        conditioning = Conditioning(name, actions, camera_poses=poses)
        made = self.imagine(history, conditioning)
        self.pictures(made.latents, history[-1], conditioning, 0)

    @torch.inference_mode()
    def encode(self, frames: np.ndarray) -> np.ndarray:
        return self._encode(frames).cpu().numpy()

    def _encode(self, frames: np.ndarray) -> torch.Tensor:
        return self.model.autoencoder.encode(self._pixels(frames))

    def _pixels(self, frames: np.ndarray) -> torch.Tensor:
        expected = (*self.card.image_size, 3)
        if frames.dtype != np.uint8 or frames.shape[1:] != expected:
            raise ValueError(
                f"frames are {frames.dtype} {frames.shape}; the model takes uint8 [N, {', '.join(map(str, expected))}]"
            )
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).to(self.device)
        return pixels.permute(0, 3, 1, 2).float() / 255

    @torch.inference_mode()
    def decode(self, latents: np.ndarray) -> np.ndarray:
        z = torch.from_numpy(np.ascontiguousarray(latents)).to(self.device)
        return _bytes(self.model.autoencoder.decode(z))

    @torch.inference_mode()
    def pictures(self, latents: np.ndarray, observed: np.ndarray, conditioning: Conditioning, which=...) -> np.ndarray:
        chosen = latents[which]
        lead = chosen.shape[:-3]
        z = torch.from_numpy(np.ascontiguousarray(chosen.reshape(-1, *chosen.shape[-3:]))).to(self.device)
        poses = None
        if conditioning.camera_poses is not None:
            poses = conditioning.camera_poses[which].reshape(-1, 4, 4)
            poses = torch.from_numpy(np.ascontiguousarray(poses)).to(self.device)
        seen, known = last_seen(
            self._pixels(observed[None])[0],
            len(z),
            poses,
            self._lens_of(conditioning),
            self.card.action_spaces[conditioning.space].moves_camera,
        )
        robot = conditioning.renders_then_and_now(which)
        if robot is not None:
            robot = robot.reshape(len(z), 2 * Compositor.DRAWING, *robot.shape[-2:])
            robot = torch.from_numpy(np.ascontiguousarray(robot)).to(self.device) / 255
        frames = _bytes(self.model.pictures(z, seen, known, robot))
        return frames.reshape(*lead, *frames.shape[1:])

    @property
    def can_restyle(self) -> bool:
        return (self.card.path / STYLE_FILE).is_file() and self.style_transfer is not None

    @cached_property
    def style_transfer(self) -> StyleTransfer:
        """Read when it is first needed: most never do."""
        return read_style(self.card.path, self.model.autoencoder).to(self.device)

    def restyle(self, frames: np.ndarray, style: np.ndarray) -> np.ndarray:
        if style.ndim != 3:
            raise ValueError(f"the picture of a style is one of shape [h, w, 3], not {list(style.shape)}")
        transfer = self.style_transfer  # not read in inference mode, or it could never be trained on
        with torch.inference_mode():
            latents = transfer(self._encode(frames), self._encode(style[None]))
            return _bytes(self.model.autoencoder.decode(latents))

    @torch.inference_mode()
    def imagine(
        self, history: np.ndarray, conditioning: Conditioning, *, seed: int = 0, steps: int | None = None
    ) -> Imagination:
        space = conditioning.space
        if space not in self.spaces:
            raise ValueError(f"unknown action space '{space}'; the model knows {sorted(self.spaces)}")
        generator = torch.Generator(self.device).manual_seed(seed)
        plans = torch.from_numpy(np.ascontiguousarray(conditioning.actions)).to(self.device)
        renders = None
        if conditioning.robot_renders is not None and self.model.config.drawing:
            renders = np.ascontiguousarray(conditioning.robot_renders[:, 1:])
            renders = torch.from_numpy(renders).to(self.device)[None] / 255
        made = imagine_latents(
            self.model,
            self._encode(history)[None],
            plans[None],
            self.spaces[space],
            steps=steps,
            generator=generator,
            robot_renders=renders,
            reprojected=self._reprojected(history[-1], conditioning),
        )
        return Imagination(
            latents=made.latents[0].float().cpu().numpy(),
            uncertainty=made.uncertainty[0].float().cpu().numpy(),
            outcomes={
                name: values[0].float().cpu().numpy()
                for name, values in made.outcomes.items()
                if name in self.card.outcomes[space]
            },
        )

    def _reprojected(self, frame: np.ndarray, conditioning: Conditioning) -> torch.Tensor | None:
        """The newest picture from where every plan takes the camera, [1, K, H, C + 1, h, w]."""
        lens = self._lens_of(conditioning)
        if lens is None or not self.model.config.reprojection:
            return None
        poses = torch.from_numpy(np.ascontiguousarray(conditioning.camera_poses)).to(self.device)
        latents = reprojected_latents(
            self.model.autoencoder, self._pixels(frame[None]), poses.flatten(0, 1)[None], lens
        )
        return latents.unflatten(1, poses.shape[:2])

    def _lens_of(self, conditioning: Conditioning) -> Lens | None:
        """Of the camera that moves; None where none does."""
        if conditioning.camera_poses is None:
            return None
        if conditioning.space not in self.lenses:
            raise ValueError(
                f"camera_poses are given, but of '{conditioning.space}' the model knows no moving camera; it "
                f"knows {sorted(self.lenses) or 'none'}"
            )
        return self.lenses[conditioning.space]


def _bytes(pictures: torch.Tensor) -> np.ndarray:
    """[N, 3, h, w] in 0..1 -> uint8 [N, h, w, 3]."""
    return (pictures * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def usable_device(device: str) -> torch.device:
    """The device of that name. Raises ModelError where it is not there."""
    try:
        place = torch.device(device)
        if place.type == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("no CUDA device can be used")
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"device '{device}': {reason}; give 'cpu', or 'cuda' where a GPU and its driver are installed"
        ) from error
    return place


def load(directory: Path, card: ModelCard, device: str) -> TorchWorldModel:
    """Raises ModelError for a device that is not there, or weights that do not fit the card."""
    place = usable_device(device)
    weights = directory / WEIGHTS_FILE
    try:
        model = Astra(AstraConfig.from_dict(card.network))
        model.load_state_dict(as_of_today({name: value.float() for name, value in load_file(str(weights)).items()}))
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{weights}: does not fit the network that its card describes ({reason}); export the model again"
        ) from error
    return TorchWorldModel(model, card, place)
