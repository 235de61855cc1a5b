"""Training state as safetensors: exact resume, and no pickles."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from astra_ros.datasets.episode import DatasetError, once_more
from astra_ros.training.distributed import Processes, shard_like, whole
from astra_ros.world_model.config import AstraConfig

# Settings that there were none of once, as training then was.
BEFORE = {"object_weight": 0.0, "starts_every": 1}


def save_checkpoint(
    path: Path,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    step: int,
    config: dict,
    processes: Processes,
) -> None:
    """Write everything that the next step depends on, whole or not at all.

    All processes call this; the first one writes. The file does not depend on how weights were
    shared, so a run may go on with another strategy, but not with another number of processes: each
    has its own random numbers.
    """
    tensors: dict[str, Tensor] = {}

    def keep(name: str, value: Tensor) -> None:
        value = whole(value)  # together, or processes wait for each other for ever
        if processes.first:
            tensors[name] = value.detach().cpu().contiguous().clone()

    for prefix, module in (("model", model), ("average", average)):
        for name, value in module.state_dict().items():
            keep(f"{prefix}.{name}", value)
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            keep(f"optimizer.{index}.{name}", value)
    for rank, state in enumerate(processes.gather(generator.get_state())):
        keep(f"generator.{rank}", state)
    if processes.first:
        part = path.with_suffix(".part")
        try:
            save_file(
                tensors,
                str(part),
                metadata={"step": str(step), "config": json.dumps(config), "processes": str(processes.count)},
            )
        except (OSError, SafetensorError) as error:
            part.unlink(missing_ok=True)
            raise DatasetError(
                f"{path}: cannot be written ({error}); the checkpoint before it is "
                f"whole. {once_more(error)}: it goes on from there"
            ) from error
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        part.chmod(0o644)  # made private, but other users may look on and export
        os.replace(part, path)
    processes.wait()


def load_checkpoint(
    path: Path,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    config: dict,
    processes: Processes,
) -> int:
    """Restore all of `save_checkpoint`; returns the step.

    Raises DatasetError where the file is damaged, or was made with another model configuration, another
    version of the network or another number of processes.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        stored = json.loads(metadata["config"])
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path}: no checkpoint that can be read ({error}); delete it to begin this stage anew"
        ) from error
    now = json.loads(json.dumps(config))
    if "model" in stored:  # a setting that there was none of yet is as it was then: at its default
        known = json.loads(json.dumps(AstraConfig().to_dict()))
        stored["model"] = {name: stored["model"].get(name, known.get(name)) for name in now["model"]}
        stored = {name: value for name, value in BEFORE.items() if name in now} | stored
    shapes = {name.removeprefix("model."): value.shape for name, value in tensors.items() if name.startswith("model.")}
    if stored.get("model") == now.get("model") and shapes != {
        name: value.shape for name, value in model.state_dict().items()
    }:
        export = (
            "`astra export` still makes a model of it, and `astra train --from` that begins another folder; or "
            if any(name.startswith("style_encoder.") for name in shapes)
            else ""
        )
        raise DatasetError(
            f"{path}: of an older version of this network; {export}delete it and the files of later "
            "stages, and repeat the command: they are trained anew"
        )
    if stored != now:
        stored, now = _flat(stored), _flat(now)
        differing = ", ".join(
            f"{name}: {stored.get(name)} there, {now.get(name)} now"
            for name in sorted({*stored, *now})
            if stored.get(name) != now.get(name)
        )
        begin = "" if stored.get("stage") == "style" else " (with --from to start from what is there)"
        raise DatasetError(
            f"{path}: made with another configuration ({differing}); go on with "
            f"the old one, or train into another folder, --out{begin}"
        )
    if metadata["processes"] != str(processes.count):
        raise DatasetError(
            f"{path}: made by {metadata['processes']} processes, there are {processes.count} now; go on with as many"
        )
    for prefix, module in (("model", model), ("average", average)):
        own = module.state_dict()
        module.load_state_dict({name: shard_like(tensors[f"{prefix}.{name}"], value) for name, value in own.items()})
    restore_optimizer(optimizer, {name: value for name, value in tensors.items() if name.startswith("optimizer.")})
    generator.set_state(tensors[f"generator.{processes.rank}"])
    return int(metadata["step"])


def _flat(config: dict) -> dict:
    """The same with the network's settings beside the others."""
    return {
        **{name: value for name, value in config.items() if name != "model"},
        **{f"network {name}": value for name, value in config.get("model", {}).items()},
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """From `optimizer.<index>.<name>` tensors, laid out as the parameters are."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        _, index, field = name.split(".")
        like = parameters[int(index)]
        state.setdefault(int(index), {})[field] = shard_like(value, like) if value.shape == like.shape else value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
