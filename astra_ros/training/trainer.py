"""One stage of a training: optimiser, moving average, checkpoints, logs and progress."""

from __future__ import annotations

import copy
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from astra_ros.datasets.episode import once_more
from astra_ros.training.checkpoint import load_checkpoint, save_checkpoint
from astra_ros.training.distributed import Processes, whole
from astra_ros.training.flops import matmul_peak_flops
from astra_ros.training.precision import has_bfloat16, mixed_precision
from astra_ros.training.settings import StyleSettings, TrainSettings
from astra_ros.training.training_log import TrainingLog
from astra_ros.world_model.config import AstraConfig
from astra_ros.world_model.style_transfer import StyleConfig

STAGES = ("autoencoder", "dynamics", "compositor")
# What each stage reads, beside the settings that bear its name.
_ALL = ("warmup_steps", "weight_decay", "clip_norm", "average_decay", "seed")
SETTINGS_OF = {
    "autoencoder": _ALL,
    "dynamics": (*_ALL, "rollout_from", "max_history_noise", "object_weight", "starts_every", "horizon"),
    "compositor": (*_ALL, "horizon"),
    "style": _ALL,
}
AUTOENCODER_NETWORK = (
    "image_size",
    "latent_channels",
    "encoder_widths",
    "decoder_widths",
    "encoder_depths",
    "decoder_depths",
)
MAX_BAD_STEPS = 10


class TrainingError(RuntimeError):
    """A training that cannot go on; says what to change."""


def learning_rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """Linear warm-up of at most a tenth of all steps, then a cosine down to 2 % of the peak."""
    warmup = min(warmup, steps // 10)
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that SIGINT and SIGTERM fill instead of interrupting a step; a second one interrupts."""
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


class Stage:
    """Trains `losses`, a module that is called with a batch and returns (loss, parts).

    `losses.model` is what is trained, averaged, stored and returned.
    """

    def __init__(
        self,
        name: str,
        losses: nn.Module,
        folder: Path,
        steps: int,
        rate: float,
        settings: TrainSettings | StyleSettings,
        config: AstraConfig | StyleConfig,
        processes: Processes,
        belongs_to: dict | None = None,
    ):
        self.name, self.steps, self.rate = name, steps, rate
        self.settings, self.config, self.processes = settings, config, processes
        self.belongs_to = belongs_to or {}
        self.path = folder / f"{name}.safetensors"
        self.module = losses.model
        self.average = copy.deepcopy(losses.model).requires_grad_(False)
        self._unsplit = self.average
        if processes.splits:
            self._unsplit = copy.deepcopy(self.average)
            processes.wrap(self.average)
        self._countable = copy.deepcopy(losses) if processes.first else None
        self.step_function = processes.wrap(losses)
        self.optimizer = torch.optim.AdamW(
            [p for p in losses.model.parameters() if p.requires_grad],
            lr=rate,
            betas=(0.9, 0.99),
            weight_decay=settings.weight_decay,
            fused=not processes.splits,
        )  # faster, but not for split weights on a CPU
        self.generator = torch.Generator().manual_seed(
            settings.seed * 1000 + processes.rank if processes.count > 1 else settings.seed
        )
        self.step = self._bad_steps = 0
        if self.path.exists():
            self.step = load_checkpoint(
                self.path, self.module, self.average, self.optimizer, self.generator, self._identity(), processes
            )

    def _identity(self) -> dict:
        """What a checkpoint must agree with: all that this stage reads, and what it builds on."""
        own = SETTINGS_OF[self.name]
        network = self.config.to_dict()
        if self.name == "autoencoder":
            network = {name: network[name] for name in AUTOENCODER_NETWORK}
        elif self.name == "dynamics":
            del network["compositing"]  # which comes afterwards
        return {
            **{
                name: value
                for name, value in asdict(self.settings).items()
                if name.startswith(f"{self.name}_") or name in own
            },
            "stage": self.name,
            "model": network,
            **self.belongs_to,
        }

    @property
    def finished(self) -> bool:
        return self.step >= self.steps

    def run(
        self,
        batch_of: Callable[[int, torch.Generator], tuple],
        validate: Callable[[nn.Module, int, TrainingLog], None] = lambda *_: None,
    ) -> nn.Module:
        """Train to the last step.

        `batch_of(step, generator)` gives the arguments of the loss module, the second one True where
        the step is a roll-out; `validate(average, step,
        log)` is called at every checkpoint, in the first process. Returns the averaged model.
        """
        self.module.train()
        try:
            with (
                _stop_signals() as stop,
                TrainingLog(self.path, self.step, self.processes.first) as log,
                tqdm(
                    range(self.step, self.steps),
                    initial=self.step,
                    total=self.steps,
                    desc=self.name,
                    unit="step",
                    mininterval=2,
                    disable=not self.processes.first,
                ) as bar,
            ):
                self._loop(batch_of, validate, bar, log, stop)
        except OSError as error:
            raise TrainingError(
                f"{self.path.parent}: cannot be written to ({error}); the last checkpoint is "
                f"whole. {once_more(error)}: it goes on from there"
            ) from error
        if not self.path.exists():  # no steps asked for: the weights are those it began with
            self._save(0)
        return self.averaged()

    def _loop(self, batch_of, validate, bar, log: TrainingLog, stop: list[int]) -> None:
        flops, peak = self._speed_limits(batch_of) if len(bar) else (0.0, 1.0)
        for self.step in bar:
            rate = learning_rate(self.step, self.steps, self.rate, self.settings.warmup_steps)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            batch = batch_of(self.step, self.generator)
            begin = time.perf_counter()
            loss, parts, norm = self._step(batch)
            if batch[1] is not True:
                log.speed(flops / (time.perf_counter() - begin) / peak)
            log.step(self.step, loss, rate, norm, parts)
            if self.step % 20 == 0:
                bar.set_postfix_str(log.summary())
            done = self.step + 1
            stopping = any(self.processes.gather(bool(stop)))
            if done % self.settings.checkpoint_every == 0 or done == self.steps or stopping:
                log.flush()  # first: lines after a checkpoint are dropped when it is gone on from
                self._save(done)
                average = self.averaged()
                if self.processes.first and not stopping:
                    validate(average, done, log)
                self.processes.wait()
            if stopping and (done < self.steps or self.name in STAGES[:-1]):
                bar.write(f"stopped after step {done} of {self.steps}, all saved; the same command goes on from here")
                raise KeyboardInterrupt

    def _speed_limits(self, batch_of) -> tuple[float, float]:
        """FLOPs of a step that is no roll-out, and what the machine reaches a second.

        Counted on a copy and on other random numbers: the counter takes torch's operations apart, so
        that their rounding is not quite that of the training.
        """
        if not self.processes.first:
            return 0.0, 1.0
        batches = (batch_of(step, torch.Generator()) for step in range(3))
        batch = next(batch for batch in batches if batch[1] is not True)
        module, self._countable = self._countable.train(), None
        with FlopCounterMode(display=False) as counter, mixed_precision(self.processes.device):
            module(*batch)[0].backward()
        # Of either precision: not every CPU that has bfloat16 is quicker in it.
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
        norm = nn.utils.clip_grad_norm_(self.module.parameters(), self.settings.clip_norm)
        norm = float(whole(norm))  # of all processes together, so all decide alike
        if math.isfinite(norm):
            self._bad_steps = 0
            self.optimizer.step()
            self._follow()
        else:
            self._bad_steps += 1
            if self._bad_steps >= MAX_BAD_STEPS:
                raise TrainingError(
                    f"{self.name}: the gradient was not finite in {MAX_BAD_STEPS} steps one after the "
                    f"other, up to step {self.step}; {self.path.name} holds the last checkpoint that is "
                    f"whole. Lower --{self.name}-rate, or look for frames and labels that are broken"
                )
        return float(loss.detach()), {name: float(part) for name, part in parts.items()}, norm

    def _save(self, done: int) -> None:
        save_checkpoint(
            self.path, self.module, self.average, self.optimizer, self.generator, done, self._identity(), self.processes
        )

    @torch.no_grad()
    def averaged(self) -> nn.Module:
        """The moving average, ready to imagine; all processes call this together."""
        if self.processes.count > 1:
            # Each process followed its own batches' latents; from here on all go by the first one's.
            for buffer in self.average.buffers():
                torch.distributed.broadcast(buffer, 0)
        if self._unsplit is not self.average:
            self._unsplit.load_state_dict({name: whole(value) for name, value in self.average.state_dict().items()})
        return self._unsplit.eval()

    @torch.no_grad()
    def _follow(self) -> None:
        """The moving average takes a step; fast at first, so that it is no ballast early on."""
        decay = min(self.settings.average_decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.module.parameters()), 1 - decay)
        for mine, theirs in zip(self.average.buffers(), self.module.buffers()):
            mine.copy_(theirs)
