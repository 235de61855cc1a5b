"""The protocol of a world model, its card, and how one is loaded by name."""

from __future__ import annotations

import hashlib
import importlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.inference.conditioning import Conditioning
from astra_ros.inference.imagination import Imagination
from astra_ros.plans.action_spaces import ActionSpace, action_space_from_dict
from astra_ros.resources import resource_path

CARD_FILE = "card.json"
WEIGHTS_FILE = "model.safetensors"
# A card of another major version describes a model that this code cannot run.
CARD_VERSION = 4

# Backend name -> module with `load(directory, card, device) -> WorldModel`. A new backend is one
# file and one line here.
BACKENDS = {"torch": "astra_ros.inference.torch_backend"}


class ModelError(RuntimeError):
    """A model that cannot be loaded or run: names the file, what was wrong and what to do."""


@dataclass(frozen=True)
class ModelCard:
    """What a model says of itself in `card.json`.

    Attributes:
        name: of the model.
        image_size: (h, w) of the frames it sees and makes, pixels.
        dt_s: seconds between two frames, observed or imagined.
        history: T, number of observed frames it needs.
        latent_shape: (C, h, w) of one frame's latent.
        action_spaces: the action spaces it was trained on, by name, in the network's order.
        outcomes: action space -> names of the outcomes that it reads from an imagined frame: those that
            the recordings of that robot had labels for.
        cameras: action space -> the fixed camera that it was trained with, where the model sees the
            robot drawn along the plan (kinematic conditioning); empty for other models.
        held_joints: action space -> joint -> position of joints that no plan moves.
        continuous_joints: action space -> its joints that turn without end: their angles count modulo 2 pi, and
            each of the model's recordings began in [-pi, pi) (`plans/turns.py`).
        moving_cameras: action space -> the camera that its robot carries (`MovingCamera`), where the
            model sees the last picture from where a plan takes the camera; empty for other models.
        network: settings of the network, opaque here.
        sha256: of the weights file.
        path: directory it was loaded from.
    """

    name: str
    image_size: tuple[int, int]
    dt_s: float
    history: int
    latent_shape: tuple[int, int, int]
    action_spaces: dict[str, ActionSpace]
    outcomes: dict[str, tuple[str, ...]]
    network: dict
    sha256: str
    path: Path
    cameras: dict[str, dict] = field(default_factory=dict)
    held_joints: dict[str, dict[str, float]] = field(default_factory=dict)
    moving_cameras: dict[str, MovingCamera] = field(default_factory=dict)
    continuous_joints: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, directory: Path) -> ModelCard:
        """Read the card and check the weights file against it.

        Raises ModelError where the directory, the card or the weights are missing, damaged or do
        not belong together.
        """
        card_file, weights_file = directory / CARD_FILE, directory / WEIGHTS_FILE
        for file in (card_file, weights_file):
            if not file.is_file():
                inside = directory / "model"  # of a training folder
                place = (
                    f"perhaps '{inside}'"
                    if (inside / CARD_FILE).is_file()
                    else "that `astra train` or `astra export` wrote"
                )
                raise ModelError(f"model '{directory}': no {file.name} there; give the directory {place}")
        try:
            values = json.loads(card_file.read_text())
            if values["card_version"] != CARD_VERSION:
                raise ModelError(
                    f"{card_file}: card version {values['card_version']}, this "
                    f"package reads {CARD_VERSION}; export the model again"
                )
            spaces = [action_space_from_dict(item) for item in values["action_spaces"]]
            card = cls(
                name=values["name"],
                image_size=tuple(values["image_size"]),
                dt_s=float(values["dt_s"]),
                history=int(values["history"]),
                latent_shape=tuple(values["latent_shape"]),
                action_spaces={space.name: space for space in spaces},
                outcomes={space.name: tuple(values["outcomes"][space.name]) for space in spaces},
                network=values["network"],
                sha256=values["sha256"],
                path=directory,
                cameras=values.get("cameras", {}),
                held_joints=values.get("held_joints", {}),
                continuous_joints={
                    name: tuple(joints) for name, joints in (values.get("continuous_joints") or {}).items()
                },
                moving_cameras={
                    name: MovingCamera.from_dict(camera)
                    for name, camera in (values.get("moving_cameras") or {}).items()
                },
            )
            for camera in card.cameras.values():
                PinholeCamera.from_dict(camera)
        except ModelError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{card_file}: not a model card ({type(error).__name__}: {error}); export the model again"
            ) from error
        actual = hashlib.sha256(weights_file.read_bytes()).hexdigest()
        if actual != card.sha256:
            raise ModelError(
                f"{weights_file}: sha256 {actual[:12]}..., the card says "
                f"{card.sha256[:12]}...; the file is damaged or of another model: "
                "copy both files of one model again"
            )
        return card

    def check_knows(self, space: str) -> None:
        """Raises ModelError where the model has no action space of this name."""
        if space not in self.action_spaces:
            raise ModelError(f"model '{self.name}': does not know {space}; it knows {sorted(self.action_spaces)}")


class WorldModel(Protocol):
    """Imagines. Not thread safe: one thread owns it."""

    card: ModelCard

    def warmup(self, plans: int, horizon: int) -> None:
        """Run once at this size, so that the first real request is not the slow one."""

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """uint8 [N, h, w, 3] RGB -> latents float32 [N, C, h, w]."""

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Latents float32 [N, C, h, w] -> uint8 [N, h, w, 3] RGB."""

    @property
    def can_restyle(self) -> bool:
        """Whether the model has what `restyle` needs. Raises ModelError where that is there, but cannot be used."""

    def restyle(self, frames: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Frames uint8 [N, h, w, 3] RGB in the look of `style` [h, w, 3], a picture of the same scene in another light
        and other colours. Of other scenes' pictures nothing is promised: what such a one does not show is guessed.

        To imagine in another look, restyle the history and imagine from there; `pictures` then takes the last
        restyled frame as the observed one. Raises ModelError where the model cannot (`astra style` trains that),
        ValueError where `style` is not one picture.
        """

    def pictures(self, latents: np.ndarray, observed: np.ndarray, conditioning: Conditioning, which=...) -> np.ndarray:
        """Imagined latents as pictures.

        A model with a compositor lays what was really seen over what it decodes: the last `observed` frame, from
        where `camera_poses` take the camera. Of a base or a free camera whose way is not known, nothing is laid
        over. Over both goes the robot, where it is rendered.

        Args: `latents` float32 [K, H, C, h, w] of the plans of `conditioning`; `observed` uint8 [h, w, 3], the newest
        frame of the history; `which` of the plans and steps, as one indexes [K, H].

        Returns uint8 [..., h, w, 3] RGB.
        """

    def imagine(
        self, history: np.ndarray, conditioning: Conditioning, *, seed: int = 0, steps: int | None = None
    ) -> Imagination:
        """Imagine the K plans of `conditioning`.

        Args: `history` uint8 [T, h, w, 3] RGB, oldest first, `dt_s` apart; `seed` of the one noise draw that the
        plans share; `steps` denoising steps a frame, the model's own number if None. Models without kinematic
        conditioning do not look at robot renders and camera poses.
        """


# What nodes and commands take where no model is named.
DEFAULT_MODEL = "small"


def model_directory(model: str | Path) -> Path:
    """The directory of a model given by path or by the name of a shipped one ('small').

    Raises ModelError that says what was looked for.
    """
    if not str(model):
        raise ModelError("no model given; name a shipped one ('small') or a directory")
    directory = Path(model).expanduser()
    bare = directory.name == str(model)
    own = (CARD_FILE, f"model/{CARD_FILE}", WEIGHTS_FILE, "data.json")  # of a model, or of a training folder
    if directory.is_dir() and not (
        bare and model in shipped_models() and not any((directory / name).exists() for name in own)
    ):
        return directory
    if bare:
        try:
            return resource_path(f"models/astra-{model}")
        except FileNotFoundError:
            pass
    raise ModelError(f"model '{model}': neither a directory nor a shipped model; shipped are {shipped_models()}")


def shipped_models() -> list[str]:
    """Names of the models that come with the package."""
    try:
        folder = resource_path("models")
    except FileNotFoundError:
        return []
    return sorted(path.name.removeprefix("astra-") for path in folder.glob("astra-*") if (path / CARD_FILE).is_file())


def load_backend(name: str, model: str | Path, device: str = "cpu") -> WorldModel:
    """Load `model` to run with backend `name` on `device` ('cpu', 'cuda', 'cuda:1').

    Raises ModelError for an unknown backend or device, or a model that does not load.
    """
    if name not in BACKENDS:
        raise ModelError(f"unknown backend '{name}'; known are {sorted(BACKENDS)}")
    directory = model_directory(model)
    card = ModelCard.read(directory)
    try:
        module = importlib.import_module(BACKENDS[name])
    except ImportError as error:
        raise ModelError(
            f"backend '{name}' needs a package that is not installed ({error}); "
            f"install it in a checkout with: pip install '.[{name}]'"
        ) from error
    return module.load(directory, card, device)
