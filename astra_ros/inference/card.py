"""A model's card, and where models are found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.errors import UserError
from astra_ros.files import OutputError, atomic_write
from astra_ros.inference.calibration import Calibration
from astra_ros.inference.prediction_limit import PredictionLimit
from astra_ros.plans.action_spaces import ActionSpace, action_space_from_dict
from astra_ros.resources import resource_path
from astra_ros.world_model.config import AstraConfig

CARD_FILE = "card.json"
WEIGHTS_FILE = "model.safetensors"
# A card of another major version describes a model that this code cannot run.
CARD_VERSION = 1
DEFAULT_MODEL = "small"  # where no model is named
ARMS_MODEL = "arms"  # likewise, of arms whose pushes are planned: trained on such pushes


class ModelError(UserError, RuntimeError):
    """A model that cannot be loaded or run. ``thing`` is its file, directory, name or device."""


@dataclass(frozen=True)
class ModelCard:
    """What `card.json` says of a model. Mappings are by the name of an action space."""

    name: str
    image_size: tuple[int, int]  # (h, w) of the frames that it sees and makes, pixels
    dt_s: float  # between two frames, observed or imagined
    history: int  # T, the number of observed frames that it needs
    latent_shape: tuple[int, int, int]  # (C, h, w) of one frame's latent
    action_spaces: dict[str, ActionSpace]  # in the network's order
    outcomes: dict[str, tuple[str, ...]]  # that its heads know: those that the robot's recordings had labels for
    network: AstraConfig
    sha256: str  # of the weights file
    path: Path  # directory that it was loaded from
    # The fixed camera of training, where the model sees the robot rendered along the plan (kinematic conditioning).
    cameras: dict[str, dict] = field(default_factory=dict)
    held_joints: dict[str, dict[str, float]] = field(default_factory=dict)  # positions of joints that plans do not move
    # The camera that the robot carries, where the model sees the last image from where a plan takes the camera.
    moving_cameras: dict[str, MovingCamera] = field(default_factory=dict)
    # Joints that turn without end: angles count modulo 2 pi, and recordings began in [-pi, pi) (`plans/turns.py`).
    continuous_joints: dict[str, tuple[str, ...]] = field(default_factory=dict)
    # Event -> its calibration, fitted by `astra rank --calibrate`.
    calibrations: dict[str, dict[str, Calibration]] = field(default_factory=dict)
    # How far real frames may be from imagined ones, computed by `astra monitor --write`.
    prediction_limits: dict[str, PredictionLimit] = field(default_factory=dict)
    # How far the robot may seem from where the camera sees it, computed by `astra monitor --write`.
    robot_fit_limits: dict[str, PredictionLimit] = field(default_factory=dict)

    @classmethod
    def read(cls, directory: Path) -> ModelCard:
        """Read the card and check the weights file against it.

        Raises ModelError where the directory, the card or the weights are missing, damaged or do not belong together.
        """
        card_file, weights_file = directory / CARD_FILE, directory / WEIGHTS_FILE
        for file in (card_file, weights_file):
            if not file.is_file():
                raise ModelError(f"no {file.name} there", thing=f"model '{directory}'", cure=_place_to_give(directory))
        again = "export the model again"
        try:
            values = json.loads(card_file.read_text())
            version = values["card_version"]
            if version != CARD_VERSION:
                problem = f"card version {version}, this package reads {CARD_VERSION}"
                raise ModelError(problem, thing=card_file, cure=again)
            card = cls._from_dict(values, directory)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            reason = f"not a model card ({type(error).__name__}: {error})"
            raise ModelError(reason, thing=card_file, cure=again) from error
        actual = hashlib.sha256(weights_file.read_bytes()).hexdigest()
        if actual != card.sha256:
            problem = f"sha256 {actual[:12]}..., the card says {card.sha256[:12]}...: damaged or of another model"
            raise ModelError(problem, thing=weights_file, cure="copy both files of one model again")
        return card

    @classmethod
    def _from_dict(cls, values: dict, directory: Path) -> ModelCard:
        spaces = [action_space_from_dict(item) for item in values["action_spaces"]]
        for camera in values.get("cameras", {}).values():
            PinholeCamera.from_dict(camera)
        return cls(
            name=values["name"],
            image_size=tuple(values["image_size"]),
            dt_s=float(values["dt_s"]),
            history=int(values["history"]),
            latent_shape=tuple(values["latent_shape"]),
            action_spaces={space.name: space for space in spaces},
            outcomes={space.name: tuple(values["outcomes"][space.name]) for space in spaces},
            network=AstraConfig.from_dict(values["network"]),
            sha256=values["sha256"],
            path=directory,
            cameras=values.get("cameras", {}),
            held_joints=values.get("held_joints", {}),
            continuous_joints={name: tuple(joints) for name, joints in (values.get("continuous_joints") or {}).items()},
            moving_cameras={
                name: MovingCamera.from_dict(camera) for name, camera in (values.get("moving_cameras") or {}).items()
            },
            calibrations={
                name: {event: Calibration(**each) for event, each in fitted.items()}
                for name, fitted in values.get("calibrations", {}).items()
            },
            prediction_limits=_limits(values, "prediction_limits"),
            robot_fit_limits=_limits(values, "robot_fit_limits"),
        )

    def check_knows(self, space: str) -> None:
        """Raises ModelError where the model has no action space of this name."""
        if space not in self.action_spaces:
            known = f"it knows {sorted(self.action_spaces)}"
            raise ModelError(f"does not know {space}", thing=f"model '{self.name}'", cure=known)


def write_calibrations(directory: Path, calibrations: Mapping[str, Mapping[str, Calibration]]) -> None:
    """Write calibrations into the card of a model; those of other action spaces and events stay.

    Raises OutputError where the card cannot be written.
    """

    def change(values: dict) -> None:
        known = values.setdefault("calibrations", {})
        for space, fitted in calibrations.items():
            known.setdefault(space, {}).update({event: each.to_dict() for event, each in fitted.items()})

    _change_card(directory, change)


def write_prediction_limits(directory: Path, limits: Mapping[str, PredictionLimit]) -> None:
    """Write limits of prediction errors into the card of a model; those of other action spaces stay.

    Raises OutputError where the card cannot be written.
    """
    _write_limits(directory, "prediction_limits", limits)


def write_robot_fit_limits(directory: Path, limits: Mapping[str, PredictionLimit]) -> None:
    """The same for limits of the robot's misfit."""
    _write_limits(directory, "robot_fit_limits", limits)


def _limits(values: Mapping, kind: str) -> dict[str, PredictionLimit]:
    return {space: PredictionLimit(**each) for space, each in values.get(kind, {}).items()}


def _write_limits(directory: Path, kind: str, limits: Mapping[str, PredictionLimit]) -> None:
    found = {space: each.to_dict() for space, each in limits.items()}
    _change_card(directory, lambda values: values.setdefault(kind, {}).update(found))


def _change_card(directory: Path, change: Callable[[dict], None]) -> None:
    path = directory / CARD_FILE
    try:
        values = json.loads(path.read_text())
        change(values)
        with atomic_write(path) as part:
            part.write_text(json.dumps(values, indent=1) + "\n")
            part.chmod(path.stat().st_mode)
    except OSError as error:
        raise OutputError.of(path, error) from error


def _place_to_give(directory: Path) -> str:
    inside = directory / "model"  # of a training folder
    if (inside / CARD_FILE).is_file():
        return f"give the directory '{inside}'"
    return "give the directory that `astra train` or `astra export` wrote"


def model_directory(model: str | Path) -> Path:
    """The directory of a model given by path or by the name of a shipped one ('small').

    Raises ModelError that says what was looked for.
    """
    if not str(model):
        raise ModelError("no model is given", cure="name a shipped one ('small') or a directory")
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
    problem = "neither a directory nor a shipped model"
    raise ModelError(problem, thing=f"model '{model}'", cure=f"shipped are {shipped_models()}")


def shipped_models() -> list[str]:
    """Names of the models that come with the package."""
    try:
        folder = resource_path("models")
    except FileNotFoundError:
        return []
    return sorted(path.name.removeprefix("astra-") for path in folder.glob("astra-*") if (path / CARD_FILE).is_file())
