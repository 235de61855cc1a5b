"""Training of a world model: the frame autoencoder, the dynamics, the compositor."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch

from astra_ros.datasets.dataset import list_episodes, read_footers, videos_without_table
from astra_ros.datasets.episode import DatasetError
from astra_ros.datasets.robot_renders import cameras_of, undrawn_notes
from astra_ros.training import distributed
from astra_ros.training.errors import TrainingError
from astra_ros.training.export import write_model
from astra_ros.training.initial_model import begin
from astra_ros.training.lpips import MIN_PIXELS, load_lpips
from astra_ros.training.requests import STAGES, TrainRequest
from astra_ros.training.settings import TrainSettings
from astra_ros.training.stages import Training, train_autoencoder, train_compositor, train_dynamics
from astra_ros.training.time_budget import TimeBudget
from astra_ros.training.training_data import (
    TrainingData,
    check_episodes,
    check_long_enough,
    check_same_data,
    claim,
    pixels,
    with_branches,
    write_facts,
)
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import preset


def train(request: TrainRequest) -> Path | None:
    """Train up to the last stage; returns the folder of the finished model, or None if only the autoencoder is trained.

    Every stage goes on from its checkpoint. Raises DatasetError, TrainingError, ModelError, MetricError or OutputError
    where the data, the settings, a model, the weights of LPIPS or a folder cannot be used.
    """
    settings, named = request.settings, STAGES if request.stage == "all" else STAGES[: STAGES.index(request.stage) + 1]
    stages = [name for name in named if getattr(settings, f"{name}_steps")]
    budget = TimeBudget(settings.minutes, stages) if settings.minutes else None
    request.initial.began_with()  # a model that is missing is named before the data are read
    paths = list_episodes(request.data)
    data = check_episodes(request.data, read_footers(paths))
    if request.branches:
        data = with_branches(data, request.branches, read_footers(list_episodes(request.branches)))
    if stages[-1:] not in ([], ["autoencoder"]):
        for path, footer in data.footers.items():
            check_long_enough(path, footer["frames"][0], settings.horizon)
        for path, footer in data.branches.items():
            if settings.horizon > (longest := footer["frames"][0] - footer["frames_seen"]):
                problem = f"its plan has {longest} frames, the horizon is {settings.horizon}"
                raise DatasetError(problem, thing=path, cure="lower `horizon`, or leave `branches` out")
    check_same_data(request.out, data)
    processes = distributed.start(request.device or distributed.default_device(), request.strategy)
    try:
        return _train(request, data, processes, budget)
    finally:
        distributed.stop()


def _train(
    request: TrainRequest, data: TrainingData, processes: distributed.TrainingProcesses, budget: TimeBudget | None
) -> Path | None:
    settings, last = request.settings, request.stage
    if processes.first:
        _note_odd_data(request, data)
    for name in ("autoencoder_batch", "dynamics_batch", "compositor_batch"):
        processes.share(getattr(settings, name))
    lpips = load_lpips(request.lpips_weights, device=str(processes.device)) if request.lpips_weights else None
    if lpips and min(data.size) < MIN_PIXELS:
        problem = f"LPIPS needs frames of {MIN_PIXELS} pixels, these have {pixels(data.size)}"
        raise TrainingError(problem, thing="lpips_weights", cure="leave it out, or record larger frames")
    claim(request.out, processes.first)
    torch.manual_seed(settings.seed)
    model, trained_on = begin(request.initial, data, request.out, processes, settings.horizon)
    if data.branches:
        _check_branches(model, settings, processes)
    if model.config.object_token:
        processes.share(settings.places_batch)
    if processes.first:
        write_facts(request.out, data)
        if model.config.drawing and last != "autoencoder":
            for text in undrawn_notes(request.data, data.footers.values(), model.config.image_size):
                print(f"note: {text}", file=sys.stderr)
    if budget and not model.config.compositing:
        budget.stages = [name for name in budget.stages if name != "compositor"]
    training = Training(data, settings, request.out, processes, budget)
    model.autoencoder = train_autoencoder(training, model, taken=bool(request.initial.autoencoder))
    if last == "autoencoder":
        return None
    astra, trained_on = train_dynamics(training, model, trained_on, request.compile)
    if last == "dynamics":
        astra = without_compositor(astra)
    elif astra.compositor is not None:
        astra.compositor = train_compositor(training, astra, trained_on, lpips)
    if not processes.first:
        return None
    if request.initial.base and not model.config.drawing and cameras_of(data.footers.values()):
        print(f"note: '{request.initial.base}' has no kinematic conditioning; the robot renders were not used")
    return write_model(request.model or request.out / "model", astra, trained_on, (request.model or request.out).name)


def _check_branches(model: Astra, settings: TrainSettings, processes: distributed.TrainingProcesses) -> None:
    """Raises TrainingError where branches could not be learned from, or nothing else would be."""
    if not model.config.time_attention:  # a frame would follow from one that was not seen
        problem = "a network that imagines frame by frame cannot learn from frames that were not seen"
        raise TrainingError(problem, thing="branches", cure="add --one-pass, or start from a model of one pass")
    batch = processes.share(settings.dynamics_batch)
    if not 0 < round(settings.branch_share * batch) < batch:
        problem = f"with {settings.branch_share:g}, none or all of the {batch} clips of a process would be branches"
        raise TrainingError(problem, thing="branch_share", cure="change it, or raise `dynamics_batch`")


def without_compositor(astra: Astra) -> Astra:
    """The same model with images as the autoencoder decodes them."""
    bare = Astra(replace(astra.config, compositing=False))
    bare.load_state_dict(
        {name: value for name, value in astra.state_dict().items() if not name.startswith("compositor.")}
    )
    return bare


def _note_odd_data(request: TrainRequest, data: TrainingData) -> None:
    """Notes on data that can be trained on, though perhaps not as meant."""
    if lost := videos_without_table(request.data):
        print(
            f"note: {len(lost)} videos in {request.data} have no table and are left out, the first is {lost[0].name}; "
            "record or import them again, or delete them",
            file=sys.stderr,
        )
    name = request.initial.preset
    meant = preset(name).image_size
    if not request.initial.base and meant != data.size and name != "paper":
        print(
            f"note: preset '{name}' is meant for frames of {pixels(meant)}; those of {request.data} have "
            f"{pixels(data.size)}, so the model will too",
            file=sys.stderr,
        )
