"""The network before the first step of a training: new, or a model's to begin with."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import replace

from astra_ros.datasets.dataset import continuous_joints_of
from astra_ros.datasets.episode import DatasetError
from astra_ros.datasets.robot_renders import cameras_of, held_joints_of
from astra_ros.inference.card import ModelCard, model_directory
from astra_ros.inference.torch_engine import load_network
from astra_ros.training.clips import measure
from astra_ros.training.depth_prior import moving_cameras_of
from astra_ros.training.distributed import Processes
from astra_ros.training.export import SPACES_FILE, Embodiments, read_embodiments, write_embodiments
from astra_ros.training.validate import split
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import preset
from astra_ros.world_model.resize import resized

ABLATIONS = {
    "experts": {"modalities": ()},
    "drawing": {"drawing": False},
    "reprojection": {"reprojection": False},
    "moving": {"displacements": 0, "observed_displacements": 0},
    "observed": {"observed_displacements": 0},
    "residual": {"residual": False},
    "compositor": {"compositing": False},
}


def begin(
    args: argparse.Namespace, paths, dt_s: float, size: tuple[int, int], processes: Processes
) -> tuple[Astra, Embodiments]:
    """The network before its first step, and what it is trained on.

    Raises ModelError where `--from` or `--autoencoder` names no model, DatasetError where the folder's
    action spaces are another model's, or where that model's frames are of another rate or size.
    """
    stored = None
    if (args.out / SPACES_FILE).exists():
        stored = read_embodiments(args.out)
        if stored.dt_s != dt_s:
            raise DatasetError(
                f"{args.out / SPACES_FILE}: begun with frames {stored.dt_s:g} s apart, "
                f"those of {args.data} are {dt_s:g} s apart; train into another folder"
            )
    began_with = _weights_before(args)
    if stored and not any(args.out.glob("*.safetensors")):
        stored = replace(stored, began_with=began_with)  # not a step was made
    if stored and stored.began_with not in (None, began_with):
        raise DatasetError(
            f"{args.out / SPACES_FILE}: begun with {stored.began_with or 'random weights'}, now "
            f"it is {began_with or 'random weights'}; go on with the old ones, or train into "
            "another folder"
        )
    if args.base:
        if args.without:
            raise DatasetError("--without changes a new network; '--from' keeps the network of its model")
        model, trained_on = from_model(args.base, paths, dt_s, size, args.patch)
        if stored and stored.spaces[: len(trained_on.spaces)] != trained_on.spaces:
            raise DatasetError(
                f"{args.out / SPACES_FILE}: not the action spaces of '{args.base}'; train into another folder"
            )
    else:
        config = preset(args.preset)
        if stored:
            spaces, outcomes = stored.spaces, stored.outcomes
        else:
            spaces, outcomes = measure(paths, config.outcomes)
        try:
            config = replace(
                config,
                patch=args.patch or config.patch,
                image_size=size,
                action_dims=tuple(space.dim for space in spaces),
                modalities=tuple(space.modality for space in spaces),
            )
        except ValueError as error:
            raise DatasetError(
                f"{args.data}: its frames do not fit the preset {args.preset} with --patch "
                f"{args.patch or config.patch}: {error}"
            ) from error
        model = Astra(replace(config, **network_changes(args)))
        if args.autoencoder:
            take_autoencoder(model, args.autoencoder)
        trained_on = Embodiments(tuple(spaces), dt_s, outcomes)
    if model.config.drawing:
        trained_on = _drawn_before(trained_on, stored, args, paths)
    turning = {**trained_on.continuous_joints}
    for name, joints in continuous_joints_of(paths).items():
        turning[name] = tuple(dict.fromkeys((*turning.get(name, ()), *joints)))
    trained_on = replace(trained_on, continuous_joints=turning)
    # One process says what a run is about; the others read it, so that all train on the same.
    if processes.first:
        trained_on = replace(trained_on, began_with=stored.began_with if stored else began_with)
        write_embodiments(args.out, with_moving_cameras(trained_on, stored, model, paths))
    processes.wait()
    return model, read_embodiments(args.out)


def _drawn_before(trained_on: Embodiments, stored: Embodiments | None, args: argparse.Namespace, paths) -> Embodiments:
    """With the cameras of robots that were drawn so far: in this run, or for the model that it begins with."""
    if stored and (args.out / "dynamics.safetensors").exists():
        return replace(trained_on, cameras=stored.cameras, held_joints=stored.held_joints)
    seen = cameras_of(paths)  # where the data show another one, drawings for that of the model are no use
    return replace(
        trained_on,
        cameras={name: camera for name, camera in trained_on.cameras.items() if seen.get(name, camera) == camera},
    )


def with_drawn(trained_on: Embodiments, spaces: Collection[str], paths) -> Embodiments:
    """The same with the cameras of `spaces`, whose robots are drawn in the episodes of `paths`."""
    cameras = {name: camera for name, camera in cameras_of(paths).items() if name in spaces}
    return replace(
        trained_on,
        cameras={**trained_on.cameras, **cameras},
        held_joints={**held_joints_of(cameras), **trained_on.held_joints},
    )


def _weights_before(args: argparse.Namespace) -> str:
    """`Embodiments.began_with` of a command line. Raises ModelError where it names no model."""
    return ", ".join(
        f"--{flag} {ModelCard.read(model_directory(model)).sha256[:12]}"
        for flag, model in (("from", args.base), ("autoencoder", args.autoencoder))
        if model
    )


def take_autoencoder(model: Astra, base: str) -> None:
    """Put a trained model's autoencoder into a new network.

    Raises ModelError where there is no such model, DatasetError where its latents are others.
    """
    trained = load_network(ModelCard.read(model_directory(base))).autoencoder.state_dict()
    own = {name: value.shape for name, value in model.autoencoder.state_dict().items()}
    if own != {name: value.shape for name, value in trained.items()}:
        raise DatasetError(f"--autoencoder: that of '{base}' has layers of other shapes than this preset's")
    model.autoencoder.load_state_dict(trained)


def with_moving_cameras(trained_on: Embodiments, stored: Embodiments | None, model: Astra, paths) -> Embodiments:
    """The same with the cameras that robots carry: found once, and then kept, or a run that goes on
    would change. Raises DatasetError where a robot's cameras differ."""
    if stored is not None and stored.moving_cameras is not None:
        return replace(trained_on, moving_cameras=stored.moving_cameras)
    if not model.config.reprojection:
        return trained_on
    found = moving_cameras_of(split(paths)[0], trained_on.spaces, trained_on.cameras_that_move)
    for space in trained_on.spaces:
        if space.moves_camera and space.name not in found:
            print(
                f"note: {space.name}: its camera is not known, so the model will not be shown the last "
                "picture from where the camera goes; see docs/own-data.md"
            )
    return replace(trained_on, moving_cameras={name: camera.to_dict() for name, camera in found.items()})


def from_model(
    base: str, paths, dt_s: float, size: tuple[int, int], patch: int | None = None
) -> tuple[Astra, Embodiments]:
    """A trained model, with input layers for the robots in the data that it does not know yet.

    Its own action spaces keep their scales and their numbers; new ones come behind them. For frames
    of another size, or another `patch`, it is carried over (`world_model/resize.py`).
    """
    card = ModelCard.read(model_directory(base))
    model = load_network(card)
    if card.dt_s != dt_s:
        raise DatasetError(
            f"{paths[0]}: frames are {dt_s:g} s apart, those of '{base}' {card.dt_s:g} s; record or import at its rate"
        )
    cameras = card.cameras
    # A cut of another shape is another camera, with another map.
    moving = {name: camera.to_dict() for name, camera in card.moving_cameras.items()}
    if card.image_size[0] * size[1] != card.image_size[1] * size[0]:
        moving = {}
    if card.image_size != size or patch not in (None, model.config.patch):
        model = _of_size(model, size, patch, base, paths[0])
    if card.image_size != size:
        cameras = {}  # they were of pictures of the other size
    spaces = list(card.action_spaces.values())
    found, labelled = measure(paths, model.config.outcomes)
    for space in found:
        known = card.action_spaces.get(space.name)
        if known is None:
            spaces.append(space)
        elif known.motion_names != space.motion_names:
            raise DatasetError(
                f"{paths[0].parent}: {space.name} moves {space.motion_names}, that of "
                f"'{base}' {known.motion_names}; give the robot another name"
            )
    modalities = tuple(space.modality for space in spaces) if model.config.modalities else ()
    # A compositor can be learned by any model, and a new one hardly changes a picture.
    grown = replace(
        model.config, action_dims=tuple(space.dim for space in spaces), modalities=modalities, compositing=True
    )
    astra = Astra(grown)
    missing, unexpected = astra.load_state_dict(model.state_dict(), strict=False)
    new = [
        name
        for name in missing
        if not name.startswith(("action_encoder.embeddings.", "action_encoder.experts.", "compositor."))
    ]
    if new or unexpected:
        raise DatasetError(f"'{base}': its weights lack {new} and have {list(unexpected)} too many")
    # What a head learned of a robot is not kept up by recordings that lack the robot, or its labels.
    outcomes = {space.name: labelled.get(space.name, ()) for space in spaces}
    return astra, Embodiments(
        tuple(spaces), dt_s, outcomes, cameras, card.held_joints, moving, continuous_joints=card.continuous_joints
    )


def _of_size(model: Astra, size: tuple[int, int], patch: int | None, base: str, path) -> Astra:
    """The model for frames or tokens of another size. Raises DatasetError where they do not fit."""
    if patch and patch % model.config.patch:
        raise DatasetError(f"--patch {patch}: expected a multiple of {model.config.patch}, which '{base}' has")
    try:
        return resized(model, size, patch)
    except ValueError as error:
        cell = model.config.reduction * (patch or model.config.patch)
        raise DatasetError(
            f"{path}: frames of {size[1]} x {size[0]} pixels do not fit '{base}': {error}; "
            f"record or import with multiples of {cell}, or name another --patch"
        ) from error


def network_changes(args: argparse.Namespace) -> dict:
    """Settings of the network that the command line changes from the preset's."""
    changes: dict = {}
    for name in args.without:
        changes |= ABLATIONS[name]
    return changes
