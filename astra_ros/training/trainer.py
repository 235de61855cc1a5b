"""The training loop of every network: optimiser, moving average, checkpoints, logs and progress."""

from __future__ import annotations

import copy
import itertools
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from astra_ros.files import OutputError
from astra_ros.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from astra_ros.training.distributed import TrainingProcesses, whole
from astra_ros.training.errors import TrainingError
from astra_ros.training.flops import matmul_peak_flops
from astra_ros.training.precision import has_bfloat16, mixed_precision
from astra_ros.training.settings import OptimiserSettings
from astra_ros.training.time_budget import StageClock
from astra_ros.training.training_log import TrainingLog

# What every job reads, beside the settings that bear its name.
OPTIMISER_SETTINGS = {item.name for item in fields(OptimiserSettings)} - {"checkpoint_every"}
MAX_BAD_STEPS = 10
VALIDATE_EVERY = 1000  # steps between validations, which take some seconds

Network = TypeVar("Network", bound=nn.Module)
BatchOf = Callable[[int, torch.Generator], tuple]
Validate = Callable[[Any, int, TrainingLog], None]


class Losses(nn.Module, Generic[Network]):
    """What a training step computes: called with a batch, returns (loss, parts of it). `model` is trained."""

    def __init__(self, model: Network):
        super().__init__()
        self.model: Network = model


@dataclass(frozen=True)
class Job(Generic[Network]):
    """A network to train: what a step computes, and what a checkpoint must agree with to go on.

    The job uses the settings whose names begin with `<name>_`, those in `reads`, and the optimiser's.
    """

    name: str  # also of the checkpoint and the logs
    losses: Losses[Network]  # `losses.model` is trained, averaged and stored
    settings: OptimiserSettings
    network: dict  # its settings, as JSON
    reads: tuple[str, ...] = ()
    belongs_to: dict[str, str] = field(default_factory=dict)  # what was trained before: name -> hash
    fixed: tuple[str, ...] = ()  # parts of `losses.model` that are neither trained nor stored
    timed: Callable[[int], bool] = lambda _: True  # whether the logged FLOPs utilisation counts a step
    continues: bool = False  # another job of the same command follows
    examples: str = "frames"  # what a batch is made of
    clock: StageClock | None = None  # None: a number of steps

    @property
    def steps(self) -> int:
        return getattr(self.settings, f"{self.name}_steps")

    @property
    def batch(self) -> int:
        """Clips or frames of a step, over all processes."""
        return getattr(self.settings, f"{self.name}_batch")

    @property
    def identity(self) -> dict:
        """All that a checkpoint must agree with."""
        used = {
            name: value
            for name, value in asdict(self.settings).items()
            if name.startswith(f"{self.name}_") or name in OPTIMISER_SETTINGS or name in self.reads
        }
        return {**used, "stage": self.name, "model": self.network, **self.belongs_to}

    def parameters(self, module: nn.Module, fixed: bool = False) -> list[nn.Parameter]:
        """The trained or the fixed parameters of `losses.model`, or of a copy of it."""
        return [value for name, value in module.named_parameters() if (name.split(".")[0] in self.fixed) == fixed]


def learning_rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """Linear warm-up of at most a tenth of all steps, then a cosine down to 2 % of the peak."""
    warmup = min(warmup, steps // 10)
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that collects SIGINT and SIGTERM while a step is finished; a second signal interrupts at once."""
    came: list[int] = []

    def note(number: int, _) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Trainer(Generic[Network]):
    """Trains a job in `folder`, or goes on from its checkpoint there."""

    def __init__(self, job: Job[Network], folder: Path, processes: TrainingProcesses):
        self.job, self.settings, self.processes = job, job.settings, processes
        self.rate = getattr(job.settings, f"{job.name}_rate")
        self.path = folder / f"{job.name}.safetensors"
        self.module = job.losses.model
        for parameter in job.parameters(self.module, fixed=True):
            parameter.requires_grad_(False)
        self.average = copy.deepcopy(self.module).requires_grad_(False)
        self._unsplit = self.average
        if processes.splits:
            self._unsplit = copy.deepcopy(self.average)
            processes.wrap(self.average, job.parameters(self.average, fixed=True))
        self._countable = copy.deepcopy(job.losses) if processes.first else None
        self.step_function = processes.wrap(job.losses, job.parameters(self.module, fixed=True))
        self._parameters = job.parameters(self.module)
        self.optimizer = torch.optim.AdamW(
            self._parameters,
            lr=self.rate,
            betas=(0.9, 0.99),
            weight_decay=self.settings.weight_decay,
            fused=not processes.splits,  # faster, but a CPU cannot do it with split weights
        )
        seed = self.settings.seed
        self.generator = torch.Generator().manual_seed(seed * 1000 + processes.rank if processes.count > 1 else seed)
        self.state = TrainingState(self.module, self.average, self.optimizer, self.generator, job.fixed, job.clock)
        self.step = self._bad_steps = 0
        self.progress = 0.0  # 0 to 1, before the step at hand
        if self.path.exists():
            self.step = load_checkpoint(self.path, self.state, job.identity, processes)

    @property
    def finished(self) -> bool:
        return self.job.clock.finished if self.job.clock else self.step >= self.job.steps

    def run(self, batch_of: BatchOf | None = None, validate: Validate | None = None) -> Network:
        """Train to the last step; returns the averaged model.

        `batch_of`: (step, generator) -> the arguments of the loss module; may be None where the job is finished. The
        first process calls `validate` with (averaged model, step, log) at checkpoints. Raises TrainingError where
        gradients stay infinite, OutputError where the folder cannot be written.
        """
        self.module.train()
        for name in self.job.fixed:
            if (part := getattr(self.module, name)) is not None:
                part.eval()
        try:
            with (
                _stop_signals() as stop,
                TrainingLog(self.path, self.step, self.processes.first) as log,
                tqdm(desc=self.job.name, mininterval=2, disable=not self.processes.first, **self._bar_range()) as bar,
            ):
                self._loop(batch_of, validate, bar, log, stop)
        except OSError as error:
            raise OutputError.of(self.path.parent, error, "the last checkpoint is whole") from error
        if not self.path.exists():  # 0 steps: the initial weights
            save_checkpoint(self.path, self.state, 0, self.job.identity, self.processes)
        return self.averaged()

    def _loop(
        self, batch_of: BatchOf | None, validate: Validate | None, bar: tqdm, log: TrainingLog, stop: list[int]
    ) -> None:
        if self.finished:
            return
        assert batch_of is not None
        clock, warmup = self.job.clock, self.settings.warmup_steps
        flops, peak = self._speed_limits(batch_of)
        self.progress = self._progress(self.step)
        if self.progress >= 1 and self.processes.first:
            bar.write(f"note: {self.job.name}: loading took all of its time, so it makes one step", file=sys.stderr)
        first = self.step
        for self.step in itertools.count(first):
            if clock:
                rate = clock.learning_rate(self.step, self.progress, self.rate, warmup)
            else:
                rate = learning_rate(self.step, self.job.steps, self.rate, warmup)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            loading = time.perf_counter()
            batch = batch_of(self.step, self.generator)
            begin = time.perf_counter()
            loss, parts, norm = self._step(batch)
            end = time.perf_counter()
            if self.job.timed(self.step):
                log.speed(flops / (end - begin) / peak)
            log.pace(self.job.batch / (end - loading))
            log.step(self.step, loss, rate, norm, parts)
            done = self.step + 1
            self.progress = self._progress(done)
            last = self.progress >= 1
            bar.update(clock.used - bar.n if clock else 1)
            if self.step % 20 == 0 or last:
                bar.set_postfix_str(log.summary(self.job.examples))
            stopping = any(self.processes.gather(bool(stop)))
            if done % self.settings.checkpoint_every == 0 or last or stopping:
                log.flush()  # first: a resumed training drops the lines after its checkpoint
                save_checkpoint(self.path, self.state, done, self.job.identity, self.processes)
                average = self.averaged()
                due = done % VALIDATE_EVERY == 0 or last
                if validate and due and self.processes.first and not stopping:
                    validate(average, done, log)
                self.processes.wait()
            if stopping and (not last or self.job.continues):
                of = f" of {self.job.steps}" if clock is None else ""
                bar.write(f"stopped after step {done}{of}, all saved; the same command goes on from here")
                raise KeyboardInterrupt
            if last:
                return

    def _progress(self, done: int) -> float:
        """The share of the training that is over after `done` steps, in the first process: all must end together."""
        if self.job.clock is None:
            return done / self.job.steps
        return self.processes.gather(self.job.clock.progress)[0]

    def _bar_range(self) -> dict[str, Any]:
        """What the progress bar counts: steps, or seconds."""
        clock = self.job.clock
        if clock is None:
            return {"initial": self.step, "total": self.job.steps, "unit": "step"}
        shown = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        return {"initial": clock.used, "total": clock.seconds, "unit": "s", "bar_format": shown}

    def _speed_limits(self, batch_of: BatchOf) -> tuple[float, float]:
        """FLOPs of the first step, and the FLOP/s that the device reaches.

        They are counted on a copy and on other random numbers: the counter takes torch's operations apart, which
        changes their rounding slightly.
        """
        if self._countable is None:  # not the first process
            return 0.0, 1.0
        batch = batch_of(0, torch.Generator())
        module, self._countable = self._countable.train(), None
        with FlopCounterMode(display=False) as counter, mixed_precision(self.processes.device):
            module(*batch)[0].backward()
        # The better of both precisions: not every CPU that has bfloat16 is faster in it.
        device = self.processes.device
        peak = matmul_peak_flops(device, 0.3, torch.float32)
        if has_bfloat16(device):
            peak = max(peak, matmul_peak_flops(device, 0.3, torch.bfloat16))
        return counter.get_total_flops(), peak

    def _step(self, batch: tuple) -> tuple[float, dict[str, float], float]:
        """One optimiser step; returns the loss, its parts and the gradient's norm."""
        with mixed_precision(self.processes.device):
            loss, parts = self.step_function(*batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        # The norm is that of all processes together, so all decide alike.
        norm = float(whole(nn.utils.clip_grad_norm_(self._parameters, self.settings.clip_norm)))
        if math.isfinite(norm):
            self._bad_steps = 0
            self.optimizer.step()
            self._follow()
        else:
            self._bad_steps += 1
            if self._bad_steps >= MAX_BAD_STEPS:
                raise TrainingError(
                    f"the gradient was not finite in {MAX_BAD_STEPS} consecutive steps, the last one step {self.step}; "
                    f"{self.path.name} is the last whole checkpoint",
                    thing=f"{self.job.name}_rate",
                    cure="lower it, or look for broken frames and labels",
                )
        return float(loss.detach()), {name: float(part) for name, part in parts.items()}, norm

    @torch.no_grad()
    def averaged(self) -> Network:
        """The moving average, ready to imagine; all processes call this together."""
        if self.processes.count > 1:
            # Each process has followed the latents of its own batches. From here on all use the first one's.
            for buffer in self.average.buffers():
                torch.distributed.broadcast(buffer, 0)
        if self._unsplit is not self.average:
            self._unsplit.load_state_dict({name: whole(value) for name, value in self.average.state_dict().items()})
        return self._unsplit.eval()

    @torch.no_grad()
    def _follow(self) -> None:
        """Update the moving average: fast at first, so that the initial weights are soon forgotten."""
        decay = min(self.settings.average_decay, (1 + self.step) / (10 + self.step))
        average: list[torch.Tensor] = [*self.job.parameters(self.average)]
        torch._foreach_lerp_(average, [*self._parameters], 1 - decay)
        for mine, theirs in zip(self.average.buffers(), self.module.buffers()):
            mine.copy_(theirs)
