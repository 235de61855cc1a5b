"""Style transfer: teach a trained model to take on the look (light, colours) of an image of the scene.

A network of its own gives the observed frames the look of the image before anything is imagined. It is trained here on
the model's latents, of scenes that were recorded in two styles, and of recoloured ones. The model itself does not
change.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from astra_ros.datasets.dataset import has_its_videos, list_episodes, load_episode, read_footers
from astra_ros.datasets.episode import DatasetError
from astra_ros.files import OutputError
from astra_ros.inference.card import CARD_FILE, ModelCard, ModelError, model_directory
from astra_ros.inference.torch_engine import load_network, usable_device
from astra_ros.inference.torch_style_file import STYLE_FILE, read_style, write_style
from astra_ros.training.augmentation import recoloured
from astra_ros.training.clips import frames_to_tensor, to_bytes
from astra_ros.training.distributed import TrainingProcesses, default_device
from astra_ros.training.errors import TrainingError
from astra_ros.training.precision import mixed_precision
from astra_ros.training.requests import StyleRequest
from astra_ros.training.settings import StyleSettings
from astra_ros.training.trainer import Job, Losses, Trainer
from astra_ros.training.training_data import (
    TrainingData,
    by_space,
    check_episodes,
    check_same_data,
    claim,
    pixels,
    split,
    write_facts,
)
from astra_ros.training.training_log import TrainingLog, psnr_db
from astra_ros.views.filmstrips import filmstrips
from astra_ros.world_model.autoencoder import FrameAutoencoder
from astra_ros.world_model.digest import digest_of
from astra_ros.world_model.style_transfer import StyleConfig, StyleTransfer

RECOLOURED = 0.25  # share of the examples whose second look is the recoloured one
UNCHANGED = 0.1  # share of the examples whose wanted look is the one they have
SHOWN = 3  # scenes of each action space on a validation image


class StyleLoss(Losses[StyleTransfer]):
    """Mean squared error of latents given another look, against those recorded in it."""

    def forward(self, latents: Tensor, reference: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return (self.model(latents, reference).float() - target).square().mean(), {}


class StyledScenes:
    """Every scene's latents in several looks, aligned cell by cell, in 16-bit floats.

    A scene has two or three looks: as recorded, recoloured, and in the second style if it was recorded in two.
    """

    def __init__(self, paths: list[Path], autoencoder: FrameAutoencoder, seed: int, progress: bool = True):
        device = next(autoencoder.parameters()).device
        generator = torch.Generator().manual_seed(seed)
        self.scenes: list[list[Tensor]] = []  # as recorded, recoloured[, in another style]
        self.paths = paths
        for path in tqdm(paths, unit="scene", desc="encode", disable=not progress):
            episode = load_episode(path, restyled=True)
            frames = frames_to_tensor(episode.frames)
            looks = [frames, recoloured(frames, generator)]
            if episode.restyled is not None:
                looks.append(frames_to_tensor(episode.restyled))
            with torch.inference_mode(), mixed_precision(device):
                latents = autoencoder.encode(torch.cat(looks).to(device)).half().cpu()
            self.scenes.append(list(latents.split(len(frames))))

    def sample(self, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Random latents, references in the wanted look, and the same latents in that look; [B, C, h, w] each.

        A reference is any frame of the scene in the wanted look, so things may stand elsewhere in it.
        """
        picks = []
        for _ in range(batch):
            looks = self.scenes[int(torch.randint(len(self.scenes), (), generator=generator))]
            repainted, backwards, unchanged = torch.rand(3, generator=generator).tolist()
            have, want = (0, 1) if len(looks) == 2 or repainted < RECOLOURED else (0, 2)
            if backwards < 0.5:
                have, want = want, have
            if unchanged < UNCHANGED:
                have = want
            now, shown = torch.randint(len(looks[0]), (2,), generator=generator).tolist()
            picks.append((looks[have][now], looks[want][shown], looks[want][now]))
        latents, references, targets = (torch.stack(column).float() for column in zip(*picks))
        return latents, references, targets


class StyleValidation:
    """Validation on scenes set aside: the first frame takes on the look of the last frame in the other style."""

    def __init__(self, scenes: StyledScenes, autoencoder: FrameAutoencoder):
        self.autoencoder = autoencoder
        device = next(autoencoder.parameters()).device
        pairs = [
            (path.stem.rpartition("_")[0], looks[0][0], looks[-1][-1], looks[-1][0])
            for path, looks in zip(scenes.paths, scenes.scenes)
        ]
        self.spaces = [space for space, *_ in pairs]
        self.latents, self.references, self.targets = (
            torch.stack(column).float().to(device) for column in list(zip(*pairs))[1:]
        )

    @torch.inference_mode()
    def __call__(self, transfer: StyleTransfer, step: int, log: TrainingLog) -> None:
        decode = self.autoencoder.decode
        # All images are decoded latents: the change of look is shown, not the autoencoder's error.
        columns = [
            decode(latents)
            for latents in (self.latents, self.references, transfer(self.latents, self.references), self.targets)
        ]
        now, _, made, truth = columns
        figures: dict[str, list[float]] = {}
        for name, images in (("style", made), ("unchanged", now)):
            for space, value in zip(self.spaces, psnr_db(images, truth).tolist()):
                figures.setdefault(f"psnr_{name}_{space}", []).append(value)
        log.figures(step, figures)
        rows, count = [], dict.fromkeys(self.spaces, 0)
        for row, space in enumerate(self.spaces):
            count[space] += 1
            if count[space] <= SHOWN:
                strip = torch.stack([images[row] for images in columns]).movedim(1, -1)
                rows.append((space, to_bytes(strip).numpy()))
        log.image(step, filmstrips(rows, ("observed", "its look", "made", "recorded so")))


def train_style(request: StyleRequest) -> Path:
    """Train, or go on; returns the written `style.safetensors`.

    Raises TrainingError, DatasetError, ModelError or OutputError where settings, data, model or a folder cannot be
    used.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainingError("a style is trained by one process", cure="start it without torchrun")
    card = ModelCard.read(model_directory(request.model))
    autoencoder = (
        load_network(card).autoencoder.to(usable_device(request.device or default_device())).requires_grad_(False)
    )
    if not os.access(card.path, os.W_OK):
        problem = f"{STYLE_FILE} cannot be written there"
        raise OutputError(problem, thing=card.path, cure="copy the model to a folder of your own and name that")
    own = card.path.parent if card.path.name == "model" else card.path  # the model of a training folder
    out = request.out or Path("runs") / f"{own.resolve().name}-style"
    if (out / CARD_FILE).exists():  # a model's style.safetensors is not a checkpoint
        raise TrainingError("holds a model", thing=out, cure="name another folder for the checkpoint")
    started = (out / STYLE_FILE).exists()
    if not request.replace and not started and has_style(card, autoencoder):
        cure = "allow its replacement (`replace`), or copy the model and name the copy"
        raise TrainingError("exists already and fits the model", thing=card.path / STYLE_FILE, cure=cure)
    data = check_episodes(request.data, scenes_to_train_on(request.data))
    check_frames(data, card)
    check_same_data(out, data)
    claim(out)
    write_facts(out, data)
    transfer = fit_style(data.paths, autoencoder, request.settings, out, card.latent_shape[0])
    write_style(card.path, transfer, autoencoder)
    return card.path / STYLE_FILE


def fit_style(
    paths: list[Path], autoencoder: FrameAutoencoder, settings: StyleSettings, folder: Path, channels: int
) -> StyleTransfer:
    """Train on the latents of `autoencoder`, which have `channels`; returns the averaged network."""
    device = next(autoencoder.parameters()).device
    torch.manual_seed(settings.seed)
    config = StyleConfig(channels)
    belongs_to = {"autoencoder": digest_of(autoencoder.state_dict())[:16]}
    losses = StyleLoss(StyleTransfer(config).to(device))
    job = Job("style", losses, settings, asdict(config), belongs_to=belongs_to)
    trainer = Trainer(job, folder, TrainingProcesses(0, 1, "ddp", device))
    if trainer.finished:
        return trainer.run()
    train, aside = split(paths)
    scenes = StyledScenes(train, autoencoder, settings.seed)
    validation = StyleValidation(StyledScenes(aside, autoencoder, settings.seed, progress=False), autoencoder)

    def batch_of(_, generator):
        return tuple(part.to(device) for part in scenes.sample(settings.style_batch, generator))

    return trainer.run(batch_of, validation)


def scenes_to_train_on(folder: Path) -> Mapping[Path, dict]:
    """Footers of the scenes recorded in two styles, or of all scenes if none was.

    Raises DatasetError where a video is missing.
    """
    footers = read_footers(list_episodes(folder))
    twice = {path: footer for path, footer in footers.items() if "restyled_sha256" in footer}
    for path in twice:
        if not has_its_videos(path):
            problem = "one of its two videos is missing"
            raise DatasetError(problem, thing=path, cure="record it again with the same command")
    if not twice:
        print(
            f"note: no scene in {folder} was recorded in two styles (`astra record` does so with one in four); "
            "recoloured images alone are learned from",
            file=sys.stderr,
        )
        return footers
    groups = by_space(twice)
    for space in by_space(footers):
        if (count := len(groups.get(space, []))) < 2:
            effect = "its validation images are of the training scene" if count else "nothing is learned of it"
            print(
                f"note: {count or 'no'} scene of {space} in {folder} was recorded in two styles; {effect}",
                file=sys.stderr,
            )
    return twice


def check_frames(data: TrainingData, card: ModelCard) -> None:
    """Raises DatasetError where frames have another size or rate than the model's."""
    if (data.size, data.dt_s) != (card.image_size, card.dt_s):
        problem = (
            f"its frames have {pixels(data.size)} and are {data.dt_s:g} s apart; '{card.name}' takes "
            f"{pixels(card.image_size)}, {card.dt_s:g} s apart"
        )
        raise DatasetError(problem, thing=data.folder, cure="record such frames into another folder")


def has_style(card: ModelCard, autoencoder: FrameAutoencoder) -> bool:
    """Whether a model can take on a look already."""
    try:
        read_style(card.path, autoencoder)
    except ModelError:  # missing, damaged, or made for another autoencoder
        return False
    return True
