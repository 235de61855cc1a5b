"""The log of a training, for people to follow: a line for each step, TensorBoard, and images."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from astra_ros.files import atomic_write


class TrainingLog:
    """`<stage>.jsonl`, a JSON object a step, and TensorBoard event files under `tensorboard/`, beside a checkpoint.

    `step` is the first one to come. Lines of this and later steps, of a run that was killed after its last checkpoint,
    are dropped. Only the first process `writes`.
    """

    def __init__(self, checkpoint: Path, step: int, writes: bool):
        self.writes = writes
        self.lines: list[str] = []
        self.running: dict[str, float] = {}
        self.utilisation = self.rate = 0.0
        self.path = checkpoint.with_suffix(".jsonl")
        self._board = None
        if not writes:
            return
        if self.path.exists():
            kept = [line for line in self.path.read_text(errors="replace").splitlines() if _step_of(line) < step]
            with atomic_write(self.path) as part:
                part.write_text("".join(line + "\n" for line in kept))
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError:  # an optional package: the JSON lines hold the same
            return
        self._board = SummaryWriter(str(checkpoint.parent / "tensorboard" / checkpoint.stem), purge_step=step)

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(self, *_) -> None:
        self.flush()
        if self._board:
            self._board.close()

    def speed(self, utilisation: float) -> None:
        """Log the last step's share of the FLOP/s that the device reaches."""
        self.utilisation = 0.9 * self.utilisation + 0.1 * utilisation if self.utilisation else utilisation

    def pace(self, rate: float) -> None:
        """Log how many clips or frames of the last step were trained on a second, loading included."""
        self.rate = 0.95 * self.rate + 0.05 * rate if self.rate else rate

    def step(self, step: int, loss: float, rate: float, norm: float, parts: dict[str, float]) -> None:
        if not self.writes:
            return
        for name, value in {"loss": loss, **parts}.items():
            self.running[name] = 0.98 * self.running.get(name, value) + 0.02 * value
        values = {"loss": loss, **parts, "learning_rate": rate, "gradient_norm": norm}
        self.lines.append(json.dumps({"step": step, **values}))
        if self._board and step % 10 == 0:
            for name, value in {**values, "flops_utilisation": self.utilisation, "examples_per_s": self.rate}.items():
                self._board.add_scalar(name, value, step)

    def summary(self, examples: str) -> str:
        """Text for the progress bar: the smoothed main losses, speed, and the model FLOPs utilisation (MFU)."""
        if not self.running:
            return ""
        shown = [name for name in ("psnr_db", "latent", "rollout_latent") if name in self.running]
        figures = ", ".join(f"{name}={self.running[name]:.4f}" for name in ("loss", *shown))
        return f"{figures}, {self.rate:.3g} {examples}/s, MFU={self.utilisation:.0%}"

    def flush(self) -> None:
        """Write the logged lines to the disk."""
        if self.lines:
            with open(self.path, "a") as file:
                file.write("".join(line + "\n" for line in self.lines))
            self.lines.clear()
        if self._board:
            self._board.flush()

    def figures(self, step: int, figures: Mapping[str, Sequence[float]]) -> None:
        """Write the means of validation figures to `validation.jsonl` and TensorBoard."""
        values = {name: float(np.mean(each)) for name, each in figures.items()}
        with open(self.path.with_name("validation.jsonl"), "a") as file:
            file.write(json.dumps({"stage": self.path.stem, "step": step, **values}) + "\n")
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(f"validation/{name}", value, step)

    def image(self, step: int, rgb: np.ndarray) -> None:
        """Write an image, uint8 [h, w, 3], to `validation/<job>_<step>.png` and TensorBoard."""
        import cv2

        file = self.path.parent / "validation" / f"{self.path.stem}_{step:06d}.png"
        file.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(file), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        if self._board:
            self._board.add_image("validation/imagined", rgb, step, dataformats="HWC")


def psnr_db(images: Tensor, truth: Tensor) -> Tensor:
    """Of each of N images, [N, 3, h, w] or [N, h, w, 3] in 0..1."""
    return -10 * (images - truth).square().mean((1, 2, 3)).clamp_min(1e-10).log10()


def _step_of(line: str) -> float:
    """The step of a log line; infinite for a line that a kill or a full disk cut off."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return math.inf
