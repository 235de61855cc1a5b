"""`astra style`: teach a trained model to take on the look (light, colours) of a picture of the scene.

What was observed is given the look of the picture before anything is imagined, by a network of its own, which is
trained here on the model's latents: of scenes that `astra record` played in two styles, and of recoloured ones.
The model itself stays as it is, and so do its figures; MODEL/style.safetensors is added to it. Can be stopped at
any moment; the same command goes on.

In the folder OUT there are then the checkpoint, a line a step (`style.jsonl`), TensorBoard files, and pictures of
what is made of scenes that were set aside (`validation/`).
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from astra_ros.commands.arguments import HelpFormat, at_least
from astra_ros.datasets.dataset import has_its_videos, list_episodes, load_episode, read_footer
from astra_ros.datasets.episode import DatasetError
from astra_ros.inference.card import CARD_FILE, ModelCard, ModelError, model_directory
from astra_ros.inference.torch_engine import load_network, usable_device
from astra_ros.inference.torch_style_file import STYLE_FILE, read_style, write_style
from astra_ros.training.augmentation import recoloured
from astra_ros.training.clips import frames_to_tensor
from astra_ros.training.distributed import Processes
from astra_ros.training.precision import mixed_precision
from astra_ros.training.settings import STYLE_SETTINGS_HELP, StyleSettings
from astra_ros.training.trainer import Stage
from astra_ros.training.training_data import DataFacts, check_episodes, check_same_data, claim, write_facts
from astra_ros.training.training_log import TrainingLog
from astra_ros.training.validate import by_space, split
from astra_ros.views.filmstrips import filmstrips
from astra_ros.world_model.autoencoder import FrameAutoencoder
from astra_ros.world_model.digest import digest_of
from astra_ros.world_model.style_transfer import StyleConfig, StyleTransfer

RECOLOURED = 0.25  # share of the examples whose two looks are a recording and the same in other colours
UNCHANGED = 0.1  # share of the examples that are asked for the look that they have
EVERY = 1000  # steps between pictures
SHOWN = 3  # scenes of each action space on a picture


class StyleLoss(nn.Module):
    """Mean squared error of latents given another look, against those recorded in it."""

    def __init__(self, transfer: StyleTransfer):
        super().__init__()
        self.model = transfer

    def forward(self, latents: Tensor, reference: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return (self.model(latents, reference).float() - target).square().mean(), {}


class StyledScenes:
    """Every scene's latents in several looks, aligned cell by cell, in 16-bit floats.

    Of each scene: as recorded, recoloured, and, where it was recorded twice, in the second style.
    """

    def __init__(
        self, paths: list[Path], autoencoder: FrameAutoencoder, device: torch.device, seed: int, progress: bool = True
    ):
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
        """Random latents, references in the wanted look, and the latents in that look; [B, C, h, w] each.

        A reference is any frame of the scene in the wanted look, so what it shows stands elsewhere in it.
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
        return tuple(torch.stack(column).float() for column in zip(*picks))


class StyleValidation:
    """Scenes that are set aside: their first frame in the look of their last frame's other style."""

    def __init__(self, scenes: StyledScenes, autoencoder: FrameAutoencoder, device: torch.device, last: int):
        self.autoencoder, self.device, self.last = autoencoder, device, last
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
        if step % EVERY and step != self.last:
            return
        decode = self.autoencoder.decode
        # All as decoded: what is looked at is the change of look, not the autoencoder.
        columns = [
            decode(latents)
            for latents in (self.latents, self.references, transfer(self.latents, self.references), self.targets)
        ]
        now, _, made, truth = columns
        figures: dict[str, list[float]] = {}
        for name, pictures in (("style", made), ("unchanged", now)):
            psnr = -10 * (pictures - truth).square().mean((1, 2, 3)).clamp_min(1e-10).log10()
            for space, value in zip(self.spaces, psnr.tolist()):
                figures.setdefault(f"psnr_{name}_{space}", []).append(value)
        log.figures(step, {name: float(np.mean(values)) for name, values in figures.items()})
        rows, count = [], dict.fromkeys(self.spaces, 0)
        for row, space in enumerate(self.spaces):
            count[space] += 1
            if count[space] <= SHOWN:
                strip = torch.stack([pictures[row] for pictures in columns]).movedim(1, -1)
                rows.append((space, (strip * 255).round().to(torch.uint8).cpu().numpy()))
        log.picture(step, filmstrips(rows, ("observed", "its look", "made", "recorded so")))


def train_style(
    paths: list[Path],
    autoencoder: FrameAutoencoder,
    channels: int,
    settings: StyleSettings,
    folder: Path,
    device: torch.device,
) -> StyleTransfer:
    """Train on the latents of `autoencoder`, which have so many `channels`, or go on; returns the averaged network."""
    processes = Processes(0, 1, "ddp", device)
    torch.manual_seed(settings.seed)
    config = StyleConfig(channels)
    belongs_to = {"autoencoder": digest_of(autoencoder.state_dict())[:16]}
    stage = Stage(
        "style",
        StyleLoss(StyleTransfer(config).to(processes.device)),
        folder,
        settings.style_steps,
        settings.style_rate,
        settings,
        config,
        processes,
        belongs_to,
    )
    if stage.finished:
        return stage.run(None)
    train, aside = split(paths)
    scenes = StyledScenes(train, autoencoder, processes.device, settings.seed)
    validation = StyleValidation(
        StyledScenes(aside, autoencoder, processes.device, settings.seed, progress=False),
        autoencoder,
        processes.device,
        settings.style_steps,
    )

    def batch_of(_, generator):
        return tuple(part.to(processes.device) for part in scenes.sample(settings.style_batch, generator))

    return stage.run(batch_of, validation)


def scenes_to_train_on(folder: Path) -> list[Path]:
    """Those that were recorded in two styles; where none was, all. Raises DatasetError where a video is missing."""
    paths = list_episodes(folder)
    twice = [path for path in paths if "restyled_sha256" in read_footer(path)]
    for path in twice:
        if not has_its_videos(path):
            raise DatasetError(f"{path}: one of its two videos is missing; record it again with the same command")
    if not twice:
        print(
            f"note: no scene in {folder} was recorded in two styles (`astra record` does so with one in four); "
            "it is learned from recoloured pictures alone",
            file=sys.stderr,
        )
        return paths
    groups = by_space(twice)
    for space in by_space(paths):
        if (count := len(groups.get(space, []))) < 2:
            print(
                f"note: {count or 'no'} scene of {space} in {folder} was recorded in two styles; "
                + (
                    "its validation pictures are of the scene that is trained on"
                    if count
                    else "nothing is learned of it"
                ),
                file=sys.stderr,
            )
    return twice


def check_frames(folder: Path, facts: DataFacts, card: ModelCard) -> None:
    """Raises DatasetError where frames are of another size than the model's, or not as far apart."""
    if (facts.size, facts.dt_s) != (card.image_size, card.dt_s):
        raise DatasetError(
            f"{folder}: frames of {facts.size[1]} x {facts.size[0]} pixels, {facts.dt_s:g} s apart; '{card.name}' "
            f"takes {card.image_size[1]} x {card.image_size[0]}, {card.dt_s:g} s apart; "
            "record such ones (--size, another --out)"
        )


def has_one(card: ModelCard, autoencoder: FrameAutoencoder) -> bool:
    """Whether a model can take on a look already."""
    try:
        read_style(card.path, autoencoder)
    except ModelError:  # missing, damaged, or another autoencoder's: no loss
        return False
    return True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.formatter_class = HelpFormat
    parser.epilog = (
        "examples:\n"
        "  astra style runs/mine/model --data data/mine\n"
        "  astra style models/mine --data data/styles       (again to resume)\n\n"
        "then, in Python:\n"
        "  observed = model.restyle(history, picture)   # and imagine from these frames\n"
    )
    parser.add_argument("model", metavar="MODEL", help="shipped name or directory; style.safetensors is written there")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data/train"),
        help="folder of episodes from `astra record`, of the size that the model takes",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=None,
        help="checkpoint and logs; training goes on from what is there (default: runs/MODEL-style)",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="train although the model has a style.safetensors that fits it, and put the new one in its "
        "place at the end",
    )
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where it runs: cpu, cuda, cuda:0"
    )
    for name, value in asdict(StyleSettings()).items():
        kind = at_least(0 if name == "seed" else 1) if isinstance(value, int) else float
        parser.add_argument("--" + name.replace("_", "-"), type=kind, default=value, help=STYLE_SETTINGS_HELP[name])


def run(args: argparse.Namespace) -> int:
    try:
        settings = StyleSettings(**{name: getattr(args, name) for name in asdict(StyleSettings())})
    except ValueError as error:
        raise DatasetError(str(error)) from error
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise DatasetError("astra style is trained by one process; start it without torchrun")
    card, device = ModelCard.read(model_directory(args.model)), usable_device(args.device)
    autoencoder = load_network(card).autoencoder.to(device).requires_grad_(False)
    if not os.access(card.path, os.W_OK):
        raise ModelError(
            f"{card.path}: {STYLE_FILE} could not be written there; copy the model to a folder of your own "
            "and name that"
        )
    own = card.path.parent if card.path.name == "model" else card.path  # of a training folder
    out = args.out or Path("runs") / f"{own.resolve().name}-style"
    if (out / CARD_FILE).exists():  # its style.safetensors is no checkpoint
        raise DatasetError(f"--out {out}: a model lies there; name another folder, for the checkpoint")
    begun = (out / STYLE_FILE).exists()  # of another one
    if not args.replace and not begun and has_one(card, autoencoder):
        raise ModelError(
            f"{card.path / STYLE_FILE}: is there already, and fits the model; give --replace to train "
            "another in its place, or copy the model and name the copy"
        )
    paths = scenes_to_train_on(args.data)
    facts = check_episodes(paths)
    check_frames(args.data, facts, card)
    check_same_data(out, facts, "")
    claim(out)
    write_facts(out, args.data, facts)
    transfer = train_style(paths, autoencoder, card.latent_shape[0], settings, out, device)
    write_style(card.path, transfer, autoencoder)
    print(f"{card.path / STYLE_FILE} written")
    return 0
