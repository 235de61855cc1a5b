"""`astra export`: a trained model as the directory that nodes load: weights and card."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.commands.arguments import HelpFormat
from astra_ros.datasets.episode import DatasetError, once_more
from astra_ros.inference.card import CARD_FILE, CARD_VERSION, WEIGHTS_FILE, ModelError
from astra_ros.inference.torch_style_file import STYLE_FILE, read_style
from astra_ros.plans.action_spaces import ActionSpace, action_space_from_dict
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import AstraConfig

SPACES_FILE = "action_spaces.json"


@dataclass(frozen=True)
class Embodiments:
    """What a model was trained on, beside its network: goes into its card as it stands.

    Attributes:
        spaces: action spaces, in the network's order.
        dt_s: seconds between frames.
        outcomes: action space -> outcomes that its recordings had labels for; the network's heads for
            others say nothing of that robot.
        cameras, held_joints: as in `ModelCard`, of spaces whose robot was drawn in training.
        continuous_joints: as in `ModelCard`.
        moving_cameras: as in `ModelCard`; None where nobody has looked for them yet.
        began_with: flag and start of the sha256 of the model whose weights came first, '' for random ones; None where
            it is not known.
    """

    spaces: tuple[ActionSpace, ...]
    dt_s: float
    outcomes: dict[str, tuple[str, ...]]
    cameras: dict[str, dict] = field(default_factory=dict)
    held_joints: dict[str, dict[str, float]] = field(default_factory=dict)
    moving_cameras: dict[str, dict] | None = None
    began_with: str | None = None
    continuous_joints: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict:
        return {
            "dt_s": self.dt_s,
            "action_spaces": [space.to_dict() for space in self.spaces],
            "outcomes": {name: list(known) for name, known in self.outcomes.items()},
            "cameras": self.cameras,
            "held_joints": self.held_joints,
            "continuous_joints": {name: list(joints) for name, joints in self.continuous_joints.items()},
            "moving_cameras": self.moving_cameras,
            "began_with": self.began_with,
        }

    @property
    def cameras_that_move(self) -> dict[str, MovingCamera]:
        """`moving_cameras`, ready for use."""
        return {name: MovingCamera.from_dict(values) for name, values in (self.moving_cameras or {}).items()}

    @classmethod
    def from_dict(cls, values: dict) -> Embodiments:
        spaces = tuple(action_space_from_dict(item) for item in values["action_spaces"])
        outcomes = {name: tuple(known) for name, known in values["outcomes"].items()}
        return cls(
            spaces,
            values["dt_s"],
            outcomes,
            values["cameras"],
            values["held_joints"],
            values.get("moving_cameras"),
            values.get("began_with"),
            {name: tuple(joints) for name, joints in (values.get("continuous_joints") or {}).items()},
        )


def write_model(directory: Path, model: Astra, trained_on: Embodiments, name: str) -> Path:
    """Write `model.safetensors` (16-bit floats) and `card.json`; returns the directory."""
    config = replace(model.config, compositing=model.compositor is not None)
    parts = {file: directory / f"{file}.part" for file in (WEIGHTS_FILE, CARD_FILE)}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        save_file(
            {
                key: value.detach().cpu().to(torch.float16).contiguous().clone()
                for key, value in model.state_dict().items()
            },
            str(parts[WEIGHTS_FILE]),
            metadata={"model": name},
        )
        weights = parts[WEIGHTS_FILE].read_bytes()
        parts[CARD_FILE].write_text(json.dumps(_card(config, trained_on, name, weights), indent=1) + "\n")
        for file, part in parts.items():  # a model that was there stays until this one is whole
            part.chmod(0o644)  # made private, but a node may run as another user
            with open(part, "rb") as written:
                os.fsync(written.fileno())
            os.replace(part, directory / file)
    except (OSError, SafetensorError) as error:
        for part in parts.values():
            with contextlib.suppress(OSError):
                part.unlink()
        raise DatasetError(f"{directory}: the model cannot be written ({error}). {once_more(error)}") from error
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
    """Keep what a training folder's numbers mean."""
    part = run / f"{SPACES_FILE}.part"
    part.write_text(json.dumps(trained_on.to_dict(), indent=1))
    os.replace(part, run / SPACES_FILE)


def read_embodiments(run: Path) -> Embodiments:
    """Inverse of `write_embodiments`. Raises DatasetError where the file is missing or unusable."""
    path = run / SPACES_FILE
    if not path.is_file():
        raise DatasetError(f"{path}: not there; train first with: astra train --out {run}")
    try:
        return Embodiments.from_dict(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path}: cannot be used ({error}), or of an older version; train into another folder"
        ) from error


def averaged_model(run: Path) -> Astra:
    """The moving average of a training folder's checkpoints, finished or not.

    The compositor is trained last; a model without one shows what it decodes. Raises DatasetError where
    the checkpoint of an earlier stage is missing, or of an older version.
    """
    autoencoder, _ = _read(run / "autoencoder.safetensors")
    dynamics, config = _read(run / "dynamics.safetensors")
    parts = {"autoencoder": autoencoder}
    compositor = run / "compositor.safetensors"
    config["compositing"] = compositor.exists()
    if config["compositing"]:
        parts["compositor"], _ = _read(compositor)
    model = Astra(AstraConfig.from_dict(config))
    try:
        model.load_state_dict(
            {
                **dynamics,
                **{f"{part}.{name}": value for part, weights in parts.items() for name, value in weights.items()},
            }
        )
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise DatasetError(
            f"{run}: trained with an older version of this network ({reason}); delete the "
            "checkpoint of that stage and of those after it, and repeat the training"
        ) from error
    return model.eval()


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """The averaged weights of one stage, and the network's settings."""
    if not path.is_file():
        raise DatasetError(f"{path}: not there yet; train first with: astra train --out {path.parent}")
    try:
        with safe_open(str(path), framework="pt") as file:
            weights = {
                name.removeprefix("average."): file.get_tensor(name)
                for name in file.keys()
                if name.startswith("average.")
            }
            return weights, json.loads(file.metadata()["config"])["model"]
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path}: no checkpoint that can be read ({error}); delete it and train that stage anew"
        ) from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = (
        "examples, also while training still runs:\n  astra export --run runs/tiny --out models/astra-tiny\n"
    )
    parser.add_argument("--run", type=Path, default=Path("runs/tiny"), help="what `astra train --out` wrote")
    parser.add_argument("--out", type=Path, required=True, help="directory of the model")
    parser.add_argument(
        "--history-noise",
        type=float,
        default=None,
        help="level put on the newest latents at inference, in standard deviations "
        "(default: that of training; less can be sharper, try it on scenes "
        "that are neither trained nor evaluated on)",
    )
    parser.add_argument("--name", default=None, help="of the model (default: the directory)")


def run(args: argparse.Namespace) -> int:
    trained_on = read_embodiments(args.run)
    model = averaged_model(args.run)
    if args.history_noise is not None:
        try:
            model.config = replace(model.config, history_noise=args.history_noise)
        except ValueError as error:
            raise DatasetError(f"--history-noise: {error}") from error
    write_model(args.out, model, trained_on, args.name or args.out.name)
    if (args.out / STYLE_FILE).exists():  # of the model that was there
        try:
            read_style(args.out, model.autoencoder.half().float())
        except ModelError as error:
            print(f"note: {error}")
    if model.compositor is None:
        print("note: no compositor in there (it is trained last): pictures will be what is decoded alone")
    print(f"model written to {args.out}")
    return 0
