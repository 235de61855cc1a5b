"""Training in several processes, as `torchrun` starts them: one process a GPU, or a few on a CPU.

DDP keeps all weights in every process and averages gradients. FSDP (torch's `fully_shard`) splits gradients and the
optimiser's state among the processes, and the weights between steps: each step gathers the whole model once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from astra_ros.training.errors import TrainingError


@dataclass(frozen=True)
class TrainingProcesses:
    """This process: `rank` of `count`; `strategy` says how weights are shared, `device` where it computes."""

    rank: int
    count: int
    strategy: str
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0

    @property
    def splits(self) -> bool:
        """Whether a module's weights are split among the processes."""
        return self.count > 1 and self.strategy == "fsdp"

    def share(self, batch: int) -> int:
        """This process's part of a batch. Raises TrainingError where it cannot be split evenly."""
        if batch % self.count:
            problem = f"a batch of {batch} cannot be split evenly among {self.count} processes"
            raise TrainingError(problem, cure=f"make it a multiple of {self.count}")
        return batch // self.count

    def wrap(self, module: nn.Module, fixed: Iterable[nn.Parameter] = ()) -> nn.Module:
        """The module as training calls it. Call this before making an optimiser; `fixed` parameters are not split."""
        if self.count == 1:
            return module
        if not self.splits:
            from torch.nn.parallel import DistributedDataParallel

            places = [self.device.index] if self.device.type == "cuda" else None
            return DistributedDataParallel(module, places, find_unused_parameters=True)
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self.device.type, (self.count,))
        # The root alone: the models that this is for are a few GB, and a step calls their parts (memory, denoiser,
        # heads) one by one, which FSDP would have to gather again each time.
        fully_shard(module, mesh=mesh, ignored_params=set(fixed))
        return module

    def gather(self, own) -> list:
        """Every process's `own`, in the order of ranks; all processes call this together."""
        if self.count == 1:
            return [own]
        everyone = [None] * self.count
        dist.all_gather_object(everyone, own)
        return everyone

    def wait(self) -> None:
        if self.count > 1:
            dist.barrier()


def whole(tensor: Tensor) -> Tensor:
    """A tensor put together from its shards; all processes must call this together."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def shard_like(value: Tensor, like: Tensor) -> Tensor:
    """`value` laid out as `like` is: in the same memory format, and split among the processes if `like` is.

    Fused AdamW pairs parameters and moments by their place in memory, so their formats must not differ.
    """
    if not hasattr(like, "full_tensor"):
        return torch.empty_like(like, dtype=value.dtype).copy_(value)
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(like, DTensor)
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


def default_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def start(device: str, strategy: str = "ddp") -> TrainingProcesses:
    """Join the processes that `torchrun` started. Without torchrun this process is the only one."""
    from astra_ros.inference.torch_engine import usable_device

    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return TrainingProcesses(0, 1, strategy, usable_device(device))
    rank, local = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
    place = usable_device(f"cuda:{local}" if device == "cuda" else device)
    if place.type == "cuda":
        torch.cuda.set_device(place)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if place.type == "cuda" else "gloo", rank=rank, world_size=count)
    return TrainingProcesses(rank, count, strategy, place)


def stop() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
