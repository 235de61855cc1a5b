"""The network before the first step of a training: a new one, or a trained model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn import functional as F

from astra_ros.datasets.dataset import continuous_joints_of
from astra_ros.datasets.episode import DatasetError
from astra_ros.datasets.robot_renders import cameras_of, held_joints_of
from astra_ros.inference.card import ModelCard, model_directory
from astra_ros.inference.torch_engine import load_network
from astra_ros.outcomes import OBJECT_POSITION, TOOL_POSITION
from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.training.clips import measure
from astra_ros.training.depth_prior import moving_cameras_of
from astra_ros.training.distributed import TrainingProcesses
from astra_ros.training.errors import TrainingError
from astra_ros.training.export import SPACES_FILE, Embodiments, read_embodiments, write_embodiments
from astra_ros.training.requests import ABLATIONS, InitialModel
from astra_ros.training.training_data import TrainingData, pixels
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import preset
from astra_ros.world_model.denoiser import OutcomeHeads
from astra_ros.world_model.one_pass import one_pass, one_pass_config
from astra_ros.world_model.resize import resized


def begin(
    initial: InitialModel, data: TrainingData, out: Path, processes: TrainingProcesses, horizon: int
) -> tuple[Astra, Embodiments]:
    """The network before its first step, and what it is trained on, in clips of `horizon` frames.

    Raises ModelError where `initial` names a model that is missing, TrainingError where the folder `out` was begun
    otherwise or the network does not fit the horizon, DatasetError where the data have another rate or size than the
    model.
    """
    stored = _stored(initial, data, out)
    if initial.base:
        model, trained_on = from_model(initial, data)
        if stored and stored.spaces[: len(trained_on.spaces)] != trained_on.spaces:
            problem = f"its action spaces are not those of '{initial.base}'"
            raise TrainingError(problem, thing=out / SPACES_FILE, cure="train into another folder")
    else:
        model, trained_on = _new_model(initial, data, stored, horizon)
    if initial.object_token:
        model = _with_object_token(model)
    model = _for_horizon(model, initial, horizon)
    if model.config.drawing:
        finished = stored is not None and (out / "dynamics.safetensors").exists()
        trained_on = _rendered_before(trained_on, data, stored if finished else None)
    continuous = {**trained_on.continuous_joints}
    for name, joints in continuous_joints_of(data.footers.values()).items():
        continuous[name] = tuple(dict.fromkeys((*continuous.get(name, ()), *joints)))
    trained_on = replace(trained_on, continuous_joints=continuous)
    # The first process records what the training is about; the others read it, so that all train on the same.
    if processes.first:
        trained_on = replace(trained_on, began_with=stored.began_with if stored else initial.began_with())
        write_embodiments(out, with_moving_cameras(trained_on, stored, model, data))
    processes.wait()
    return model, read_embodiments(out)


def _for_horizon(model: Astra, initial: InitialModel, horizon: int) -> Astra:
    """The network as it is trained on clips of `horizon` frames: in one pass, the chunk is the whole clip."""
    chunk = model.config.chunk
    if initial.one_pass or model.config.time_attention:
        try:
            return model if model.config == one_pass_config(model.config, horizon) else one_pass(model, horizon)
        except ValueError as error:
            problem = f"cannot imagine in one pass ({error})"
            raise TrainingError(problem, thing=initial.base, cure="start from another model") from error
    if horizon % chunk:
        problem = f"is {horizon}; expected a multiple of {chunk}, the frames that the network imagines together"
        raise TrainingError(problem, thing="horizon")
    return model


def _with_object_token(model: Astra) -> Astra:
    """The same network with an `ObjectToken`.

    All other weights are kept, but for the heads of object and tool: these begin at no movement, since they now add to
    the token's places. Attention is shared with one more token, so the network computes nearly what it did.
    """
    if model.config.object_token:
        return model
    made = Astra(replace(model.config, object_token=True))
    weights = model.state_dict()
    name = "outcome_heads.mlp.0.weight"
    if model.outcome_heads is not None:
        weights[name] = F.pad(weights[name], (0, model.config.hidden_dim))
        sizes = [OutcomeHeads.SIZES[name] for name in model.outcome_heads.names]
        moved = [name in (OBJECT_POSITION, TOOL_POSITION) for name in model.outcome_heads.names]
        rows = torch.tensor(moved).repeat_interleave(torch.tensor(sizes))
        for last in ("outcome_heads.mlp.2.weight", "outcome_heads.mlp.2.bias"):
            weights[last] = weights[last].clone()
            weights[last][rows] = 0
    _, unexpected = made.load_state_dict(weights, strict=False)
    assert not unexpected
    return made.train(model.training)


def _stored(initial: InitialModel, data: TrainingData, out: Path) -> Embodiments | None:
    """What the folder's training was begun on, if it was."""
    began_with, path = initial.began_with(), out / SPACES_FILE
    if not path.exists():
        return None
    stored = read_embodiments(out)
    if stored.dt_s != data.dt_s:
        problem = f"begun with frames {stored.dt_s:g} s apart, but those of {data.folder} are {data.dt_s:g} s apart"
        raise TrainingError(problem, thing=path, cure="train into another folder")
    if not any(out.glob("*.safetensors")):
        return replace(stored, began_with=began_with)  # not a single step was made
    if stored.began_with not in (None, began_with):
        problem = f"begun with {stored.began_with or 'random weights'}, but now with {began_with or 'random weights'}"
        raise TrainingError(problem, thing=path, cure="go on with the old ones, or train into another folder")
    return stored


def _new_model(
    initial: InitialModel, data: TrainingData, stored: Embodiments | None, horizon: int
) -> tuple[Astra, Embodiments]:
    config = preset(initial.preset)
    if initial.one_pass:
        config = one_pass_config(config, horizon)
    if initial.object_token:
        config = replace(config, object_token=True)
    spaces: tuple[ActionSpace, ...]
    if stored:
        spaces, outcomes = stored.spaces, stored.outcomes
    else:
        measured, outcomes = measure(data.paths, config.outcomes)
        spaces = tuple(measured)
    patch = initial.patch or config.patch
    try:
        config = replace(
            config,
            patch=patch,
            image_size=data.size,
            action_dims=tuple(space.dim for space in spaces),
            modalities=tuple(space.modality for space in spaces),
        )
    except ValueError as error:
        problem = f"its frames do not fit the preset {initial.preset} with a patch of {patch}: {error}"
        raise DatasetError(problem, thing=data.folder) from error
    for name in initial.without:
        config = replace(config, **ABLATIONS[name])
    model = Astra(config)
    if initial.autoencoder:
        take_autoencoder(model, initial.autoencoder)
    return model, Embodiments(spaces, data.dt_s, outcomes)


def _rendered_before(trained_on: Embodiments, data: TrainingData, finished: Embodiments | None) -> Embodiments:
    """With the cameras of the robots that were rendered so far: in this training, or for the model it starts from."""
    if finished:
        return replace(trained_on, cameras=finished.cameras, held_joints=finished.held_joints)
    # Where the data show another camera, the model's renders do not help.
    seen = cameras_of(data.footers.values())
    return replace(
        trained_on,
        cameras={name: camera for name, camera in trained_on.cameras.items() if seen.get(name, camera) == camera},
    )


def with_rendered(trained_on: Embodiments, spaces: Collection[str], footers: Mapping[Path, dict]) -> Embodiments:
    """The same with the cameras of `spaces`, whose robots are rendered in these episodes."""
    cameras = {name: camera for name, camera in cameras_of(footers.values()).items() if name in spaces}
    return replace(
        trained_on,
        cameras={**trained_on.cameras, **cameras},
        held_joints={**held_joints_of(cameras), **trained_on.held_joints},
    )


def take_autoencoder(model: Astra, base: str) -> None:
    """Put a trained model's autoencoder into a new network.

    Raises ModelError where the model is missing, TrainingError where its latents differ.
    """
    trained = load_network(ModelCard.read(model_directory(base))).autoencoder.state_dict()
    own = {name: value.shape for name, value in model.autoencoder.state_dict().items()}
    if own != {name: value.shape for name, value in trained.items()}:
        raise TrainingError("its autoencoder has layers of other shapes than this preset's", thing=base)
    model.autoencoder.load_state_dict(trained)


def with_moving_cameras(
    trained_on: Embodiments, stored: Embodiments | None, model: Astra, data: TrainingData
) -> Embodiments:
    """The same with the cameras that robots carry. They are found once, since a resumed training must not change.

    Raises DatasetError where a robot's cameras differ.
    """
    if stored is not None and stored.moving_cameras is not None:
        return replace(trained_on, moving_cameras=stored.moving_cameras)
    if not model.config.reprojection:
        return trained_on
    found = moving_cameras_of(data.split()[0], trained_on.spaces, trained_on.cameras_that_move)
    for space in trained_on.spaces:
        if space.moves_camera and space.name not in found:
            effect = "so the model will not see the newest frame from where the camera goes"
            print(f"note: {space.name}: its camera is not known, {effect}; see docs/own-data.md")
    return replace(trained_on, moving_cameras={name: camera.to_dict() for name, camera in found.items()})


def from_model(initial: InitialModel, data: TrainingData) -> tuple[Astra, Embodiments]:
    """A trained model, with input layers for robots in the data that it does not know.

    Its own action spaces keep their scales and numbers; new ones follow. For frames of another size, or another
    patch, the model is resized (`world_model/resize.py`).
    """
    base, size = initial.base or "", data.size
    card = ModelCard.read(model_directory(base))
    model = load_network(card)
    if card.dt_s != data.dt_s:
        problem = f"its frames are {data.dt_s:g} s apart, those of '{base}' {card.dt_s:g} s"
        raise DatasetError(problem, thing=data.paths[0], cure="record or import at the model's rate")
    # Cameras are for frames of one size. Another aspect ratio comes from another camera, with another depth prior.
    cameras = card.cameras if card.image_size == size else {}
    same_ratio = card.image_size[0] * size[1] == card.image_size[1] * size[0]
    moving = {name: camera.to_dict() for name, camera in card.moving_cameras.items() if same_ratio}
    if card.image_size != size or initial.patch not in (None, model.config.patch):
        model = _of_size(model, initial, data)
    spaces = list(card.action_spaces.values())
    found, labelled = measure(data.paths, model.config.outcomes)
    for space in found:
        known = card.action_spaces.get(space.name)
        if known is None:
            spaces.append(space)
        elif known.motion_names != space.motion_names:
            problem = f"{space.name} moves {space.motion_names}, but that of '{base}' {known.motion_names}"
            raise DatasetError(problem, thing=data.folder, cure="give the robot another name")
    astra = _grown(model, spaces, base)
    # Recordings without a robot, or without its labels, do not keep up what a head learned of the robot.
    outcomes = {space.name: labelled.get(space.name, ()) for space in spaces}
    return astra, Embodiments(
        tuple(spaces), data.dt_s, outcomes, cameras, card.held_joints, card.continuous_joints, moving
    )


def _grown(model: Astra, spaces: Collection[ActionSpace], base: str | None) -> Astra:
    """The model with input layers for all `spaces` and a compositor, new parts with their initial weights."""
    modalities = tuple(space.modality for space in spaces) if model.config.modalities else ()
    # Any model can learn a compositor, and a new one hardly changes an image.
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
        raise TrainingError(f"its weights lack {new} and have {list(unexpected)} too many", thing=base)
    return astra


def _of_size(model: Astra, initial: InitialModel, data: TrainingData) -> Astra:
    """The model for frames or tokens of another size. Raises TrainingError or DatasetError where they do not fit."""
    patch, own = initial.patch, model.config.patch
    if patch and patch % own:
        raise TrainingError(f"is {patch}; expected a multiple of {own}, which '{initial.base}' has", thing="patch")
    try:
        return resized(model, data.size, patch)
    except ValueError as error:
        cell = model.config.reduction * (patch or own)
        problem = f"its frames of {pixels(data.size)} do not fit '{initial.base}': {error}"
        cure = f"record or import with multiples of {cell}, or choose another patch"
        raise DatasetError(problem, thing=data.paths[0], cure=cure) from error
