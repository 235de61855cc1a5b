"""A recorded dataset as latents in memory, cut into clips for training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.datasets.dataset import load_episode
from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.datasets.object_cells import object_cells
from astra_ros.datasets.robot_renders import Drawer
from astra_ros.inference.torch_lenses import lens_of
from astra_ros.plans.action_spaces import ActionSpace, action_space_class
from astra_ros.training.precision import mixed_precision
from astra_ros.world_model.autoencoder import FrameAutoencoder
from astra_ros.world_model.denoiser import OutcomeHeads
from astra_ros.world_model.reprojection import reprojected_latents


def measure(paths: Iterable[Path], outcomes: Sequence[str]) -> tuple[list[ActionSpace], dict[str, tuple[str, ...]]]:
    """What the data hold: one action space per robot and modality, scaled by what it did, and which
    of the `outcomes` its episodes have labels of."""
    motions: dict[str, list[np.ndarray]] = {}
    first: dict[str, Episode] = {}
    labelled: dict[str, set[str]] = {}
    for path in tqdm(list(paths), unit="episode", desc="measure"):
        episode = load_episode(path, frames=False)
        known = first.setdefault(episode.space, episode)
        if known.motion_names != episode.motion_names:
            raise DatasetError(
                f"{path}: motion {episode.motion_names}, other episodes of "
                f"{episode.space} have {known.motion_names}; name the robot otherwise"
            )
        motions.setdefault(episode.space, []).append(episode.motion)
        labelled.setdefault(episode.space, set()).update(
            name for name in outcomes if np.isfinite(episode.labels.get(name, np.nan)).any()
        )
    spaces = [
        action_space_class(first[name].modality).fit(name, first[name].motion_names, motions[name])
        for name in sorted(motions)
    ]
    return spaces, {space.name: tuple(name for name in outcomes if name in labelled[space.name]) for space in spaces}


def frames_to_tensor(frames: np.ndarray) -> Tensor:
    """uint8 [..., h, w, 3] -> float [..., 3, h, w] in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, -3).float() / 255


def recoloured(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Frames [N, 3, h, w] under another light and in other colours, the same for all N.

    A gain for each colour and a gamma change the light; a turn of the hue by up to 60 degrees (a
    rotation of the colours around grey) gives surfaces another paint.
    """
    gain = 0.6 + 0.6 * torch.rand(1, 3, 1, 1, generator=generator)
    gamma = 0.7 + 0.8 * torch.rand(1, generator=generator)
    angle = (2 * torch.rand(1, generator=generator) - 1) * torch.pi / 3
    cosine, side = angle.cos(), angle.sin() / 3**0.5
    third = (1 - cosine) / 3
    turn = torch.stack(
        [
            torch.cat([cosine + third, third - side, third + side]),
            torch.cat([third + side, cosine + third, third - side]),
            torch.cat([third - side, third + side, cosine + third]),
        ]
    )
    turned = torch.einsum("ij,njhw->nihw", turn, frames).clamp(0, 1)
    return (turned.pow(gamma) * gain).clamp(0, 1)


@dataclass(frozen=True)
class Clip:
    """B clips, T history frames and H frames to predict each; action spaces may be mixed.

    Latents come as a whole run of T + H frames; frame T - 1 is the newest observed one.
    """

    latents: Tensor  # [B, T + H, C, h, w] as recorded
    actions: Tensor  # [B, H, A], A of the widest space, zeros behind a narrower one's
    spaces: Tensor  # [B] number of the action space
    outcomes: dict[str, Tensor]  # of the H frames, [B, H] 0/1 or [B, H, 3] m, NaN where unknown
    robot_renders: Tensor | None = None  # uint8 [B, H, 3, h, w], the robot drawn along the plan
    drawn: Tensor | None = None  # bool [B], whether there is a drawing
    reprojected: Tensor | None = None  # [B, H, C + 1, h, w] the last picture from where the camera will be
    way_known: Tensor | None = None  # bool [B], whether it is known where that is
    object_cells: Tensor | None = None  # [B, H, h, w], how much a cell shows of the object, or did, 0..1

    def to(self, device: torch.device) -> Clip:
        def move(value):
            if isinstance(value, dict):
                return {name: move(item) for name, item in value.items()}
            return None if value is None else value.to(device, non_blocking=True)

        return Clip(**{field.name: move(getattr(self, field.name)) for field in fields(self)})


class LatentDataset:
    """Every episode as latents, plus actions, labels and, if asked for, drawings of the robot.

    Latents are 16-bit floats. Of moving `cameras` the pictures themselves are kept too, to be seen from
    elsewhere. Random clips begin at every `starts_every`-th frame of an episode; where that leaves some out,
    what a clip of a moving camera has cost is kept for its next use.
    """

    def __init__(
        self,
        spaces: Sequence[ActionSpace],
        window: int,
        horizon: int,
        outcomes: Sequence[str] = (),
        drawer: Drawer | None = None,
        cameras: Mapping[str, MovingCamera] | None = None,
        starts_every: int = 1,
    ):
        self.spaces = list(spaces)
        self.window = window
        self.horizon = horizon
        self.outcome_names = tuple(outcomes)
        self.drawer = drawer
        self.cameras = None if cameras is None else [cameras.get(space.name) for space in self.spaces]
        self.starts_every = starts_every
        self._kept: dict[tuple[int, int], Tensor] = {}  # reprojected latents of (episode, start)
        self.frames: list[Tensor | None] = []  # of cameras that move, to be seen from elsewhere
        self.motions: list[np.ndarray] = []
        self.space_of: list[int] = []
        self.latents: list[Tensor] = []
        self.actions: list[Tensor] = []
        self.outcomes: list[dict[str, Tensor]] = []
        self.robot_renders: list[Tensor | None] = []
        self.object_cells: list[Tensor | None] = []

    @torch.inference_mode()
    def encode(
        self, paths: Iterable[Path], autoencoder: FrameAutoencoder, device: torch.device, progress: bool = True
    ) -> None:
        """Add the episodes of `paths`. Raises DatasetError where one fits no action space."""
        numbers = {space.name: index for index, space in enumerate(self.spaces)}
        autoencoder.eval()
        for path in tqdm(list(paths), unit="episode", desc="encode", disable=not progress):
            episode = load_episode(path)
            number = numbers.get(episode.space)
            if number is None or self.spaces[number].motion_names != episode.motion_names:
                raise DatasetError(
                    f"{path}: {episode.space} with {episode.motion_names} fits none of "
                    f"the action spaces {list(numbers)}"
                )
            if len(episode) <= self.horizon:
                raise DatasetError(
                    f"{path}: {len(episode)} frames are too few for a horizon of {self.horizon}; record longer episodes"
                )
            frames = frames_to_tensor(episode.frames)
            with mixed_precision(device):  # as the training itself
                self.latents.append(autoencoder.encode(frames.to(device)).half().cpu())
            self.space_of.append(number)
            self.actions.append(torch.from_numpy(self.spaces[number].encode(episode.motion)))
            self.outcomes.append({name: _label(episode, name) for name in self.outcome_names})
            drawn = None if self.drawer is None else self.drawer.draw(episode)
            self.robot_renders.append(None if drawn is None else torch.from_numpy(drawn))
            cells = object_cells(episode, tuple(self.latents[-1].shape[-2:]))
            self.object_cells.append(None if cells is None else torch.from_numpy(cells))
            if self.cameras is not None:
                known = self.cameras[number] is not None and episode.camera is not None
                self.frames.append(torch.from_numpy(episode.frames) if known else None)
                self.motions.append(episode.motion.astype(np.float64))
                self.dt_s = episode.dt_s
        self.autoencoder, self.device = autoencoder, device

    @property
    def drawn_spaces(self) -> set[str]:
        """Names of the action spaces of which some episode is drawn."""
        return {
            self.spaces[number].name for number, drawn in zip(self.space_of, self.robot_renders) if drawn is not None
        }

    def clip(self, episodes: Sequence[int], starts: Sequence[int]) -> Clip:
        """Clips whose newest observed frame is `starts[i]` of episode `episodes[i]`.

        Before an episode begins the scene stood still: its first frame is repeated.
        """
        runs = [
            (index, torch.arange(start - self.window + 1, start + self.horizon + 1).clamp_min(0))
            for index, start in zip(episodes, starts)
        ]
        future = slice(self.window, None)
        widest = max(space.dim for space in self.spaces)
        robot_renders = drawn = None
        if self.drawer is not None:
            blank = torch.zeros(self.horizon, *self.drawer.shape, dtype=torch.uint8)
            robot_renders = torch.stack(
                [blank if self.robot_renders[i] is None else self.robot_renders[i][run[future]] for i, run in runs]
            )
            drawn = torch.tensor([self.robot_renders[i] is not None for i, _ in runs])
        reprojected, way_known = self._reprojected(episodes, starts)
        return Clip(
            latents=torch.stack([self.latents[i][run] for i, run in runs]).float(),
            actions=torch.stack([_widened(self.actions[i][run[future] - 1], widest) for i, run in runs]),
            spaces=torch.tensor([self.space_of[i] for i, _ in runs]),
            outcomes={
                name: torch.stack([self.outcomes[i][name][run[future]] for i, run in runs])
                for name in self.outcome_names
            },
            robot_renders=robot_renders,
            drawn=drawn,
            reprojected=reprojected,
            way_known=way_known,
            object_cells=torch.stack([self._object_cells(i, run) for i, run in runs]),
        )

    def _object_cells(self, index: int, run: Tensor) -> Tensor:
        """Of the H frames, [H, h, w]: where the object is, and where it was when last observed."""
        cells = self.object_cells[index]
        if cells is None:
            return torch.zeros(self.horizon, *self.latents[index].shape[-2:])
        return torch.maximum(cells[run[self.window :]], cells[run[self.window - 1]])

    @torch.no_grad()
    def _reprojected(self, episodes: Sequence[int], starts: Sequence[int]):
        """`Clip.reprojected` and `Clip.way_known`."""
        if self.cameras is None:
            return None, None
        known = [self.frames[index] is not None for index in episodes]
        latent = self.latents[0].shape[1:]
        made = torch.zeros(len(episodes), self.horizon, latent[0] + 1, *latent[1:], device=self.device)
        picks = list(zip(episodes, starts))
        new = []
        for row, pick in enumerate(picks):
            if pick in self._kept:
                made[row] = self._kept[pick]
            elif known[row]:
                new.append(row)
        for number in sorted({self.space_of[episodes[row]] for row in new}):
            rows = [row for row in new if self.space_of[episodes[row]] == number]
            camera = self.cameras[number]
            frames = torch.stack([self.frames[episodes[row]][starts[row]] for row in rows]).numpy()
            travel = torch.from_numpy(np.concatenate([self.travel(episodes[row], starts[row]) for row in rows]))
            with mixed_precision(self.device):
                made[rows] = reprojected_latents(
                    self.autoencoder,
                    frames_to_tensor(frames).to(self.device),
                    travel.to(self.device),
                    lens_of(camera, frames.shape[1:3], self.device),
                ).float()
        if self.starts_every > 1:
            self._kept.update((picks[row], made[row].half()) for row in new)
            made = made.half().float()  # at first use as later, or a training that goes on would differ
        return made, torch.tensor(known)

    def travel(self, episode: int, start: int) -> np.ndarray | None:
        """Where a moving camera goes after frame `start`, float32 [1, H, 4, 4]; None where its way is not
        known, or it has none."""
        if self.cameras is None or self.frames[episode] is None:
            return None
        number = self.space_of[episode]
        motion = self.motions[episode][None, start : start + self.horizon + 1]
        return self.cameras[number].travel(self.spaces[number], motion, self.dt_s)

    def sample(self, batch: int, generator: torch.Generator) -> Clip:
        """`batch` random clips: each from any episode, beginning anywhere in it (see `starts_every`)."""
        episodes = torch.randint(len(self.latents), (batch,), generator=generator).tolist()
        every = self.starts_every
        starts = [
            every * int(torch.randint(-((self.horizon - len(self.latents[i])) // every), (1,), generator=generator))
            for i in episodes
        ]
        return self.clip(episodes, starts)


def _label(episode: Episode, name: str) -> Tensor:
    """A label as floats, [N] or [N, 3]; NaN where the episode does not have it."""
    size = OutcomeHeads.SIZES[name]
    if name not in episode.labels:
        return torch.full((len(episode), size), torch.nan).squeeze(-1)
    values = torch.from_numpy(np.asarray(episode.labels[name], dtype=np.float32))
    if values.shape != ((len(episode),) if size == 1 else (len(episode), size)):
        raise DatasetError(f"{episode.title}: label '{name}' has shape {tuple(values.shape)}; expected {size} a frame")
    return values


def _widened(actions: Tensor, columns: int) -> Tensor:
    return F.pad(actions, (0, columns - actions.shape[-1]))
