"""A trained model as the directory that nodes load: weights and card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.files import OutputError, atomic_write, atomic_writes
from astra_ros.inference.card import CARD_FILE, CARD_VERSION, WEIGHTS_FILE
from astra_ros.plans.action_spaces import ActionSpace, action_space_from_dict
from astra_ros.training.checkpoint import read_checkpoint
from astra_ros.training.errors import TrainingError
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import AstraConfig

SPACES_FILE = "action_spaces.json"


@dataclass(frozen=True)
class Embodiments:
    """The robots that a model was trained on. The model's card holds all of it, and describes the other fields."""

    spaces: tuple[ActionSpace, ...]  # in the network's order
    dt_s: float
    outcomes: dict[str, tuple[str, ...]]
    cameras: dict[str, dict] = field(default_factory=dict)  # of spaces whose robot was rendered in training
    held_joints: dict[str, dict[str, float]] = field(default_factory=dict)  # likewise
    continuous_joints: dict[str, tuple[str, ...]] = field(default_factory=dict)
    moving_cameras: dict[str, dict] | None = None  # None: not yet looked for
    # Flag and start of the sha256 of the model whose weights came first; '': random weights; None: unknown.
    began_with: str | None = None

    def to_dict(self) -> dict:
        values = {"dt_s": self.dt_s, "action_spaces": [space.to_dict() for space in self.spaces], **vars(self)}
        del values["spaces"]
        return values

    @property
    def cameras_that_move(self) -> dict[str, MovingCamera]:
        return {name: MovingCamera.from_dict(values) for name, values in (self.moving_cameras or {}).items()}

    @classmethod
    def from_dict(cls, values: dict) -> Embodiments:
        return cls(
            tuple(action_space_from_dict(item) for item in values["action_spaces"]),
            values["dt_s"],
            {name: tuple(known) for name, known in values["outcomes"].items()},
            values["cameras"],
            values["held_joints"],
            {name: tuple(joints) for name, joints in (values.get("continuous_joints") or {}).items()},
            values.get("moving_cameras"),
            values.get("began_with"),
        )


def write_model(directory: Path, model: Astra, trained_on: Embodiments, name: str) -> Path:
    """Write `model.safetensors` (16-bit floats) and `card.json`; returns the directory. Raises OutputError."""
    tensors = {
        key: value.detach().cpu().to(torch.float16).contiguous().clone() for key, value in model.state_dict().items()
    }
    config = replace(model.config, compositing=model.compositor is not None)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # A model that is there stays until this one is whole.
        with atomic_writes(directory / WEIGHTS_FILE, directory / CARD_FILE) as (weights, card):
            save_file(tensors, str(weights), metadata={"model": name})
            card.write_text(json.dumps(_card(config, trained_on, name, weights.read_bytes()), indent=1) + "\n")
            for part in (weights, card):
                part.chmod(0o644)  # safetensors makes it private, but a node may run as another user
    except (OSError, SafetensorError) as error:
        raise OutputError.of(directory, error) from error
    return directory


def _card(config: AstraConfig, trained_on: Embodiments, name: str, weights: bytes) -> dict:
    return {
        "card_version": CARD_VERSION,
        "name": name,
        "image_size": list(config.image_size),
        "history": config.temporal_window,
        "latent_shape": list(config.latent_shape),
        **trained_on.to_dict(),
        "network": config.to_dict(),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }


def write_embodiments(run: Path, trained_on: Embodiments) -> None:
    """Record what the numbers of a training folder mean."""
    with atomic_write(run / SPACES_FILE) as part:
        part.write_text(json.dumps(trained_on.to_dict(), indent=1))


def read_embodiments(run: Path) -> Embodiments:
    """Inverse of `write_embodiments`. Raises TrainingError where the file is missing or unusable."""
    path = run / SPACES_FILE
    if not path.is_file():
        raise TrainingError("is missing", thing=path, cure=f"train first, into {run}")
    try:
        return Embodiments.from_dict(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError) as error:
        problem = f"is damaged or of an older version ({error})"
        raise TrainingError(problem, thing=path, cure="train into another folder") from error


def averaged_model(run: Path) -> Astra:
    """The moving average of a training folder's checkpoints, finished or not.

    The compositor is trained last; a model without one shows images as the autoencoder decodes them. Raises
    TrainingError where the checkpoint of an earlier stage is missing, or of an older version.
    """
    weights, _ = _read(run / "autoencoder.safetensors", "autoencoder.")
    dynamics, config = _read(run / "dynamics.safetensors")
    weights |= dynamics
    compositor = run / "compositor.safetensors"
    config["compositing"] = compositor.exists()
    if config["compositing"]:
        trained, _ = _read(compositor)
        weights |= {name: value for name, value in trained.items() if name.startswith("compositor.")}
    model = Astra(AstraConfig.from_dict(config))
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        problem = f"trained with an older version of this network ({reason})"
        cure = "delete the checkpoint of that stage and of those after it, and repeat the training"
        raise TrainingError(problem, thing=run, cure=cure) from error
    return model.eval()


def _read(path: Path, prefix: str = "") -> tuple[dict[str, torch.Tensor], dict]:
    """The averaged weights of one stage, named as in the whole model, and the network's settings."""
    if not path.is_file():
        raise TrainingError("is missing", thing=path, cure=f"train first, into {path.parent}")
    tensors, _, config = read_checkpoint(path, TrainingError)
    weights = {
        prefix + name.removeprefix("average."): value for name, value in tensors.items() if name.startswith("average.")
    }
    return weights, config.get("model", {})


def export_run(run: Path, directory: Path, name: str, history_noise: float | None = None) -> Astra:
    """Write what a training has learned so far as a model; returns it.

    `history_noise` is the level put on the newest latents at inference, in standard deviations; None: that of training.
    Raises TrainingError where the training cannot be read or the level is out of range, OutputError.
    """
    trained_on = read_embodiments(run)
    model = averaged_model(run)
    if history_noise is not None:
        try:
            model.config = replace(model.config, history_noise=history_noise)
        except ValueError as error:
            raise TrainingError(str(error), thing="history_noise") from error
    write_model(directory, model, trained_on, name)
    return model
