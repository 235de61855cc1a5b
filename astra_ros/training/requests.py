"""What `astra train` and `astra style` are asked to do; their options are these fields and the settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from astra_ros.inference.card import ModelCard, model_directory
from astra_ros.settings import setting
from astra_ros.training.errors import TrainingError
from astra_ros.training.settings import StyleSettings, TrainSettings
from astra_ros.world_model.config import PRESETS

STAGES = ("autoencoder", "dynamics", "compositor")
STRATEGIES = ("ddp", "fsdp")
# part of the network -> settings of a network without it
ABLATIONS: dict[str, dict[str, Any]] = {
    "experts": {"modalities": ()},
    "drawing": {"drawing": False},
    "reprojection": {"reprojection": False},
    "moving": {"displacements": 0, "observed_displacements": 0},
    "observed": {"observed_displacements": 0},
    "residual": {"residual": False},
    "compositor": {"compositing": False},
}


@dataclass(frozen=True)
class InitialModel:
    """The network that a training starts from: a new one, or the model `base`."""

    preset: str = setting("tiny", "the network's size and process", choices=tuple(PRESETS))
    base: str | None = setting(
        None,
        "start with the weights and action spaces of this shipped name or directory instead of random weights. "
        "Robots that the model does not know are added, and frames may have another size; --preset is not used",
        flag="--from",
        metavar="MODEL",
    )
    autoencoder: str | None = setting(
        None,
        "take the autoencoder of this model into a new network and keep it unchanged. The dynamics are trained at "
        "once, and can be compared with others on the same latents",
        metavar="MODEL",
    )
    patch: int | None = setting(
        None,
        "rows and columns of latent cells, 8 pixels each, of a token (default: the model's or preset's). With "
        "twice as many for frames of twice the size, a step takes about as long as before",
        1,
        metavar="CELLS",
    )
    one_pass: bool = setting(
        False,
        "a network that imagines all --horizon frames of a clip in one pass, for any preset but paper. It is trained "
        "without rollouts. With --from, a model that imagines frame by frame gives it its weights",
    )
    object_token: bool = setting(
        False,
        "give every frame one more token, which knows where the object was and where the action takes the tool, for "
        "robots whose episodes label both; with --from, a model without it gets it",
    )
    without: Sequence[str] = setting(
        (),
        "leave a part of the network out, to measure what it contributes: " + ", ".join(ABLATIONS),
        choices=tuple(ABLATIONS),
        metavar="PART",
    )

    def __post_init__(self) -> None:
        if self.base and self.autoencoder:
            problem = f"its autoencoder is for a new network, but '{self.base}' has one"
            raise TrainingError(problem, thing=self.autoencoder, cure="name one model only")
        if self.base and self.without:
            problem = f"the network of a trained model keeps its parts ({', '.join(self.without)})"
            raise TrainingError(problem, thing=self.base, cure="leave parts out of a new network only")
        if self.one_pass and not self.base and PRESETS[self.preset].process != "flow":
            problem = f"the preset {self.preset} predicts noise, which one pass cannot"
            raise TrainingError(problem, thing="one_pass", cure="choose another preset")

    def began_with(self) -> str:
        """`Embodiments.began_with` of this start. Raises ModelError where a model is missing."""
        return ", ".join(
            f"--{flag} {ModelCard.read(model_directory(model)).sha256[:12]}"
            for flag, model in (("from", self.base), ("autoencoder", self.autoencoder))
            if model
        )


@dataclass(frozen=True)
class TrainRequest:
    """A training, or the rest of one that was stopped."""

    data: Path = setting(Path("data/train"), "folder of episodes from `astra record` or `astra import-bag`")
    branches: Path | None = setting(
        None,
        "folder from `astra record --branches` of robots and a size that `data` has: what comes of plans, without "
        "pictures. The dynamics learn outcomes from it. For networks of one pass (`--one-pass`, or `--from` one), and "
        "a `horizon` of 16 frames at most",
        metavar="FOLDER",
    )
    out: Path = setting(Path("runs/tiny"), "checkpoints and logs; training goes on from them")
    settings: TrainSettings = TrainSettings()
    initial: InitialModel = field(default_factory=InitialModel)
    model: Path | None = setting(None, "folder of the finished model (default: OUT/model)")
    compile: bool = setting(
        False, "compile the denoiser first (minutes, needs a C++ compiler): about a quarter more steps an hour on a CPU"
    )
    lpips_weights: Path | None = setting(
        None,
        "AlexNet's weights, for the compositor to learn from LPIPS, too: sharper pictures of moving cameras "
        "(docs/training.md says where to get the file; it is not downloaded)",
        metavar="FILE",
    )
    device: str = setting("", "cpu, cuda or cuda:N (default: cuda where there is one)")
    strategy: str = setting(
        "ddp", "under torchrun: every process keeps all weights (ddp) or a part of them (fsdp)", choices=STRATEGIES
    )
    stage: str = setting("all", "train up to this stage", choices=(*STAGES, "all"))

    def __post_init__(self) -> None:
        steps = self.settings.autoencoder_steps
        if self.initial.autoencoder and steps:
            problem = f"is {steps}, but the autoencoder of '{self.initial.autoencoder}' is trained already"
            raise TrainingError(problem, thing="autoencoder_steps", cure="leave it out")
        if self.compile and not (os.environ.get("CXX") or shutil.which("g++")):
            raise TrainingError("compiling needs a C++ compiler", thing="compile", cure="install g++, or leave it out")


@dataclass(frozen=True)
class StyleRequest:
    """A training of the style transfer of a model, or the rest of one that was stopped."""

    model: str
    data: Path = setting(Path("data/train"), "folder of episodes from `astra record`, of the model's frame size")
    out: Path | None = setting(None, "checkpoint and logs; training goes on from them (default: runs/MODEL-style)")
    settings: StyleSettings = StyleSettings()
    replace: bool = setting(
        False, "train although the model has a style.safetensors that fits it, and replace that at the end"
    )
    device: str = setting("", "cpu, cuda or cuda:N (default: cuda where there is one)")
