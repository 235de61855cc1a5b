"""Training state as safetensors: exact resume, and no pickles."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from astra_ros.files import OutputError, atomic_write
from astra_ros.training.distributed import TrainingProcesses, shard_like, whole
from astra_ros.training.errors import TrainingError
from astra_ros.training.time_budget import StageClock
from astra_ros.world_model.config import AstraConfig

# Settings that older checkpoints lack, at the value that their training had.
BEFORE = {"object_weight": 0.0, "outcome_weight": 1.0, "starts_every": 1, "minutes": 0.0}


class CheckpointError(TrainingError):
    """A checkpoint does not belong to this training."""

    differing: dict[str, tuple] = {}  # setting -> (its value in the checkpoint, its value now)


@dataclass(frozen=True)
class TrainingState:
    """What changes from step to step; `fixed` parts of the model do not, and are not stored."""

    model: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    fixed: tuple[str, ...] = ()
    clock: StageClock | None = None  # of a training to a deadline

    def weights(self, module: nn.Module) -> dict[str, Tensor]:
        """The stored part of the state of `model` or `average`."""
        return {name: value for name, value in module.state_dict().items() if name.split(".")[0] not in self.fixed}


def save_checkpoint(path: Path, state: TrainingState, step: int, identity: dict, processes: TrainingProcesses) -> None:
    """Write everything that the next step depends on, whole or not at all. Raises OutputError.

    All processes call this; the first one writes. The file does not depend on how weights were shared. So a run may
    go on with another strategy, but not with another number of processes: each has its own random numbers.
    """
    tensors: dict[str, Tensor] = {}

    def keep(name: str, value: Tensor) -> None:
        value = whole(value)  # all processes gather together, or they wait for each other for ever
        if processes.first:
            tensors[name] = value.detach().cpu().contiguous().clone()

    for prefix, module in (("model", state.model), ("average", state.average)):
        for name, value in state.weights(module).items():
            keep(f"{prefix}.{name}", value)
    for index, values in state.optimizer.state_dict()["state"].items():
        for name, value in values.items():
            keep(f"optimizer.{index}.{name}", value)
    for rank, numbers in enumerate(processes.gather(state.generator.get_state())):
        keep(f"generator.{rank}", numbers)
    if processes.first:
        metadata = {"step": str(step), "config": json.dumps(identity), "processes": str(processes.count)}
        if state.clock:
            metadata["clock"] = json.dumps(state.clock.state())
        try:
            with atomic_write(path) as part:
                save_file(tensors, str(part), metadata=metadata)
                part.chmod(0o644)  # safetensors makes it private, but other users may look on and export
        except (OSError, SafetensorError) as error:
            raise OutputError.of(path, error, "the checkpoint before it is whole") from error
    processes.wait()


def read_checkpoint(
    path: Path, refusal: type[TrainingError] = CheckpointError
) -> tuple[dict[str, Tensor], dict[str, str], dict]:
    """Tensors, metadata and settings. Raises `refusal` where the file is damaged."""
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata()
            return {name: file.get_tensor(name) for name in file.keys()}, metadata, json.loads(metadata["config"])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        cure = "delete it to train this stage anew"
        raise refusal(f"not a readable checkpoint ({error})", thing=path, cure=cure) from error


def load_checkpoint(path: Path, state: TrainingState, identity: dict, processes: TrainingProcesses) -> int:
    """Restore all of `save_checkpoint`; returns the step.

    Raises CheckpointError also where settings, the network's version or the number of processes were others.
    """
    tensors, metadata, stored = read_checkpoint(path)
    now = json.loads(json.dumps(identity))
    if "model" in stored:  # a network setting that the checkpoint lacks is at its default
        known = json.loads(json.dumps(AstraConfig().to_dict()))
        stored["model"] = {name: stored["model"].get(name, known.get(name)) for name in now["model"]}
        stored = {name: value for name, value in BEFORE.items() if name in now} | stored
    shapes = {name.removeprefix("model."): value.shape for name, value in tensors.items() if name.startswith("model.")}
    own_shapes = {name: value.shape for name, value in state.weights(state.model).items()}
    if stored.get("model") == now.get("model") and shapes != own_shapes:
        cure = "delete it and the checkpoints of later stages, and repeat the command: it trains them anew"
        raise CheckpointError("made by an older version of this network", thing=path, cure=cure)
    if stored != now:
        raise _other_settings(path, _flat(stored), _flat(now))
    if metadata["processes"] != str(processes.count):
        problem = f"made by {metadata['processes']} processes, but this training has {processes.count}"
        raise CheckpointError(problem, thing=path, cure="go on with as many as before")
    for prefix, module in (("model", state.model), ("average", state.average)):
        own = {name: shard_like(tensors[f"{prefix}.{name}"], value) for name, value in state.weights(module).items()}
        module.load_state_dict(own, strict=not state.fixed)
    restore_optimizer(state.optimizer, tensors)
    state.generator.set_state(tensors[f"generator.{processes.rank}"])
    if state.clock and "clock" in metadata:
        state.clock.restore(json.loads(metadata["clock"]))
    return int(metadata["step"])


def _other_settings(path: Path, stored: dict, now: dict) -> CheckpointError:
    pairs = {name: (stored.get(name), now.get(name)) for name in sorted({*stored, *now})}
    differing = {name: (then, value) for name, (then, value) in pairs.items() if then != value}
    told = ", ".join(f"{name}: {then} there, {value} now" for name, (then, value) in differing.items())
    cure = "go on with the old settings, or train into another folder"
    error = CheckpointError(f"made with other settings ({told})", thing=path, cure=cure)
    error.differing = differing
    return error


def _flat(config: dict) -> dict:
    """The same with the network's settings beside the others."""
    network = {f"network {name}": value for name, value in config.get("model", {}).items()}
    return {name: value for name, value in config.items() if name != "model"} | network


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """From the tensors `optimizer.<index>.<name>`, laid out as the parameters are."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if not name.startswith("optimizer."):
            continue
        _, index, field = name.split(".")
        like = parameters[int(index)]
        state.setdefault(int(index), {})[field] = shard_like(value, like) if value.shape == like.shape else value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
