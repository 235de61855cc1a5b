"""The stages of `astra train`: what each network is trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from astra_ros.datasets.dataset import load_episode
from astra_ros.datasets.robot_renders import Drawer
from astra_ros.training.augmentation import recoloured
from astra_ros.training.clips import Clip, ClipSettings, LatentDataset, frames_to_tensor
from astra_ros.training.compositor_clips import CompositorClips
from astra_ros.training.compositor_loss import CompositorGan, CompositorLoss
from astra_ros.training.distributed import TrainingProcesses
from astra_ros.training.export import Embodiments, write_embodiments
from astra_ros.training.initial_model import with_rendered
from astra_ros.training.losses import LossWeights, one_step_loss, rollout_loss
from astra_ros.training.lpips import Lpips
from astra_ros.training.places import LabelledPlaces, PlacesLoss
from astra_ros.training.settings import TrainSettings
from astra_ros.training.time_budget import StageClock, TimeBudget
from astra_ros.training.trainer import Job, Losses, Trainer
from astra_ros.training.training_data import TrainingData
from astra_ros.training.validate import Validation
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.autoencoder import FrameAutoencoder
from astra_ros.world_model.compositor import Compositor
from astra_ros.world_model.digest import digest_of

AUTOENCODER_NETWORK = (
    "image_size",
    "latent_channels",
    "encoder_widths",
    "decoder_widths",
    "encoder_depths",
    "decoder_depths",
)
PLACES_SHARE = 0.1  # of the time that is left when an object token begins to learn its places
RECOLOURED = 4  # one frame in so many is recoloured for the autoencoder


@dataclass(frozen=True)
class Training:
    """What all stages of a training share; `folder` holds its checkpoints and logs."""

    data: TrainingData
    settings: TrainSettings
    folder: Path
    processes: TrainingProcesses
    budget: TimeBudget | None = None  # None: the settings' numbers of steps

    def clock(self, stage: str) -> StageClock | None:
        return self.budget.stage(stage) if self.budget else None

    def drawer(self, model: Astra, spaces=None) -> Drawer | None:
        return Drawer(self.data.folder, model.config.image_size, spaces) if model.config.drawing else None

    def clips(self, model: Astra, trained_on: Embodiments, drawer: Drawer | None) -> ClipSettings:
        cameras = trained_on.cameras_that_move
        return ClipSettings(
            trained_on.spaces,
            model.config.temporal_window,
            self.settings.horizon,
            model.config.outcomes,
            drawer,
            cameras if model.config.reprojection and cameras else None,
        )


class AutoencoderLoss(Losses[FrameAutoencoder]):
    """Mean squared error of frames that were encoded, slightly disturbed, and decoded."""

    LATENT_NOISE = 0.05

    def forward(self, frames: Tensor, noise: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        latents = self.model.encode(frames)
        decoded = self.model.decode_raw(latents + self.LATENT_NOISE * noise)
        loss = (decoded.float() - frames).square().mean()
        return 100 * loss, {"psnr_db": -10 * loss.detach().log10()}


class DynamicsLoss(Losses[Astra]):
    """One step ahead, or the model's own rollout; see `losses.py`."""

    def __init__(self, model: Astra, settings: TrainSettings, splits: bool = False):
        super().__init__(model)
        self.max_history_noise = settings.max_history_noise
        self.weights = LossWeights.of_settings(settings)
        self.splits = splits

    def forward(
        self, clip: Clip, rollout: bool, stride: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        if rollout:
            loss, parts = rollout_loss(self.model, clip, generator, self.weights)
            parts = {"rollout_latent": parts["latent"]}
        else:
            loss, parts = one_step_loss(self.model, clip, generator, self.max_history_noise, self.weights, stride)
            if stride > 1:
                parts = {f"stride_{stride}_latent": parts["latent"]}
        if self.splits:
            # FSDP adds up the gradients that each process has. A robot in the batches of other processes only has none
            # here, and the processes would add up different things.
            loss = loss + 0 * sum(p.sum() for p in self.model.action_encoder.parameters())
        return loss, parts


def train_autoencoder(training: Training, model: Astra, taken: bool) -> FrameAutoencoder:
    """Train on the recorded frames, a quarter of them recoloured; returns the autoencoder.

    `taken`: the autoencoder comes from another model, and its checkpoint belongs to that one.
    """
    settings, processes = training.settings, training.processes
    module = model.autoencoder.to(processes.device, memory_format=layout(processes))  # type: ignore[call-overload]
    network = model.config.to_dict()
    job = Job(
        "autoencoder",
        AutoencoderLoss(module),
        settings,
        {name: network[name] for name in AUTOENCODER_NETWORK},
        reads=("minutes",),
        belongs_to={"autoencoder_of": hash_of(module)} if taken else {},
        continues=True,
        clock=training.clock("autoencoder"),
    )
    trainer = Trainer(job, training.folder, processes)
    if trainer.finished:
        return trainer.run()
    frames = load_frames(training.data.split()[0], processes.first)
    batch_size = processes.share(settings.autoencoder_batch)
    latent_shape = model.config.latent_shape

    def batch_of(_, generator):
        picks = torch.randint(len(frames), (batch_size,), generator=generator)
        batch = frames_to_tensor(frames[picks.numpy()])
        few = len(batch) // RECOLOURED
        batch[:few] = recoloured(batch[:few], generator)
        noise = torch.randn((batch_size, *latent_shape), generator=generator)
        return batch.to(processes.device), noise.to(processes.device)

    return trainer.run(batch_of)


def layout(processes: TrainingProcesses) -> torch.memory_format:
    """The order of convolutions' weights in memory: channels last is faster, but FSDP cannot split it."""
    return torch.contiguous_format if processes.splits else torch.channels_last


def load_frames(footers: dict[Path, dict], progress: bool) -> np.ndarray:
    """Every frame of the episodes, uint8 [N, h, w, 3], without a second copy in memory on the way."""
    shapes = [footer["frames"] for footer in footers.values()]
    frames = np.empty((sum(shape[0] for shape in shapes), *shapes[0][1:]), np.uint8)
    place = 0
    for path in tqdm(footers, unit="episode", desc="load", disable=not progress):
        episode = load_episode(path)
        frames[place : place + len(episode)] = episode.frames
        place += len(episode)
    return frames


def train_dynamics(
    training: Training, model: Astra, trained_on: Embodiments, compiled: bool
) -> tuple[Astra, Embodiments]:
    """Train everything but the autoencoder and the compositor, on latents.

    Returns the model, and what it is trained on with the cameras of the robots that were rendered.
    """
    config, settings, processes = model.config, training.settings, training.processes
    model = model.to(processes.device)
    rollouts_from = settings.rollout_from * settings.dynamics_steps

    def is_rollout(step: int) -> bool:
        if config.time_attention:  # all frames follow from observed ones, in training as when imagining
            return False
        late = trainer.progress >= settings.rollout_from if job.clock else step >= rollouts_from
        return config.process == "flow" and late and step % 2 == 1

    def stride_of(step: int) -> int:
        return config.strides[step % len(config.strides)]

    train, aside = training.data.split()
    learned_from = [*train, *training.data.branches]
    clips = replace(
        training.clips(model, trained_on, training.drawer(model)),
        starts_every=settings.starts_every,
        branch_share=settings.branch_share,
    )
    data = None
    if config.object_token and not (training.folder / "dynamics.safetensors").exists() and new_places(training, model):
        data = LatentDataset(clips, learned_from, model.autoencoder, processes.first)
        train_places(training, model, data)
    network = config.to_dict()
    del network["compositing"]  # the compositor is trained afterwards
    job = Job(
        "dynamics",
        DynamicsLoss(model, settings, processes.splits),
        settings,
        network,
        reads=(
            "rollout_from",
            "max_history_noise",
            "object_weight",
            "outcome_weight",
            "moved_weight",
            "starts_every",
            *(("branch_share",) if training.data.branches else ()),
            "horizon",
            "minutes",
        ),
        belongs_to={"autoencoder": hash_of(model.autoencoder)},
        fixed=("autoencoder", "compositor"),
        timed=lambda step: not is_rollout(step) and stride_of(step) == 1,
        continues=True,
        examples="clips",
        clock=training.clock("dynamics"),
    )
    trainer = Trainer(job, training.folder, processes)
    if compiled:
        if processes.first:
            print("compiling: the first steps take some minutes")
        model.denoiser.compile(dynamic=False)
    if trainer.finished:
        return trainer.run(), trained_on
    if data is None:
        data = LatentDataset(clips, learned_from, model.autoencoder, processes.first)
    trained_on = with_rendered(trained_on, data.rendered_spaces, train)
    validation = None
    if processes.first:
        write_embodiments(training.folder, trained_on)
        kept = LatentDataset(replace(clips, drawer=training.drawer(model)), aside, model.autoencoder)
        validation = Validation(kept, list(aside), settings.seed)
    batch_size = processes.share(settings.dynamics_batch)

    def batch_of(step, generator):
        return data.sample(batch_size, generator).to(processes.device), is_rollout(step), stride_of(step), generator

    return trainer.run(batch_of, validation), trained_on


def new_places(training: Training, model: Astra) -> bool:
    """Whether there is an object token to be trained by itself first: one that nothing was trained with."""
    token, steps = model.denoiser.object_token, training.settings.places_steps
    return token is not None and steps > 0 and not token.embed_places.weight.any()


def train_places(training: Training, model: Astra, data: LatentDataset) -> None:
    """Train the object token by itself, if the episodes tell what it should know."""
    settings, processes = training.settings, training.processes
    token, places = model.denoiser.object_token, LabelledPlaces(data, model)
    if token is None or not places:
        return
    job = Job(
        "places",
        PlacesLoss(token),
        settings,
        model.config.to_dict(),
        reads=("minutes",),
        belongs_to={"autoencoder": hash_of(model.autoencoder), "actions": hash_of(model.action_encoder)},
        continues=True,
        clock=StageClock(training.budget, PLACES_SHARE) if training.budget else None,
    )
    batch_size = processes.share(settings.places_batch)

    def batch_of(_, generator):
        return tuple(part.to(processes.device) for part in places.sample(batch_size, generator))

    model.denoiser.object_token = Trainer(job, training.folder, processes).run(batch_of).requires_grad_(True)


def train_compositor(training: Training, astra: Astra, trained_on: Embodiments, lpips: Lpips | None) -> Compositor:
    """Train on what the finished dynamics imagine, with `lpips` if that is given; returns the compositor."""
    settings, processes = training.settings, training.processes
    assert astra.compositor is not None
    torch.manual_seed(settings.seed)  # whatever ran before, so that a resumed training has the same discriminator
    module = CompositorGan(astra.compositor).requires_grad_(True)
    module = module.to(processes.device, memory_format=layout(processes))  # type: ignore[call-overload]
    job = Job(
        "compositor",
        CompositorLoss(module, lpips, settings.object_weight),
        settings,
        astra.config.to_dict(),
        reads=("horizon", "minutes", "object_weight"),
        belongs_to={"dynamics": hash_of(astra.denoiser), "lpips": "used" if lpips else ""},
        clock=training.clock("compositor"),
    )
    trainer = Trainer(job, training.folder, processes)
    if trainer.finished:
        return trainer.run().compositor
    # A robot that could not be rendered while the dynamics were trained is not rendered now.
    clips = training.clips(astra, trained_on, training.drawer(astra, trained_on.cameras))
    batch_size = processes.share(settings.compositor_batch)
    data = CompositorClips(
        clips,
        list(training.data.split()[0]),
        astra,
        settings.seed + processes.rank,
        batch_size * settings.compositor_steps,
        processes.first,
    )
    return trainer.run(lambda _, generator: data.sample(batch_size, generator)).compositor


def hash_of(module: nn.Module) -> str:
    """A hash of the weights: a stage's checkpoint names what it builds on by it."""
    return digest_of(module.state_dict())[:16]
