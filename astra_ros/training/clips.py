"""Recorded episodes as latents in memory, cut into clips for training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.datasets.dataset import load_episode
from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.datasets.object_cells import object_cells
from astra_ros.datasets.robot_renders import Drawer
from astra_ros.inference.torch_camera import inverse_depth_camera
from astra_ros.outcomes import OBJECT_POSITION
from astra_ros.plans.action_spaces import ActionSpace, action_space_class
from astra_ros.training.precision import mixed_precision
from astra_ros.training.resident_episodes import LatentEpisode, ResidentEpisodes
from astra_ros.training.training_data import check_long_enough
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.autoencoder import FrameAutoencoder
from astra_ros.world_model.denoiser import OutcomeHeads
from astra_ros.world_model.imagine import PlanBatch, imagine_latents
from astra_ros.world_model.reprojection import reprojected_latents


def measure(paths: Iterable[Path], outcomes: Sequence[str]) -> tuple[list[ActionSpace], dict[str, tuple[str, ...]]]:
    """The action spaces of the data, scaled by their motion, and for each which of the `outcomes` are labelled."""
    motions: dict[str, list[np.ndarray]] = {}
    first: dict[str, Episode] = {}
    labelled: dict[str, set[str]] = {}
    for path in tqdm(list(paths), unit="episode", desc="measure"):
        episode = load_episode(path, frames=False)
        known = first.setdefault(episode.space, episode)
        if known.motion_names != episode.motion_names:
            problem = (
                f"its motion is {episode.motion_names}, but that of other episodes of {episode.space} "
                f"{known.motion_names}"
            )
            raise DatasetError(problem, thing=path, cure="give the robot another name")
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


def to_bytes(images: Tensor) -> Tensor:
    """Images in 0..1 as uint8, on the CPU."""
    return (images * 255).round().to(torch.uint8).cpu()


@dataclass(frozen=True)
class Clip:
    """B clips of T history frames and H frames to predict; action spaces may be mixed.

    Latents come as one run of T + H frames; frame T - 1 is the newest observed one.
    """

    latents: Tensor  # [B, T + H, C, h, w] as recorded
    actions: Tensor  # [B, H, A], A of the widest space, zeros behind a narrower one's
    spaces: Tensor  # [B] number of the action space
    outcomes: dict[str, Tensor]  # of the H frames, [B, H] 0/1 or [B, H, 3] m, NaN where unknown
    robot_renders: Tensor | None = None  # uint8 [B, H, 3, h, w], the robot rendered along the plan
    rendered: Tensor | None = None  # bool [B], whether the clip has robot renders
    reprojected: Tensor | None = None  # [B, H, C + 1, h, w] the newest frame, seen from each future camera pose
    poses_known: Tensor | None = None  # bool [B], whether those camera poses are known
    object_places: Tensor | None = None  # [B, T + H, 3] m, where the object is, NaN where unknown
    object_cells: Tensor | None = None  # [B, H, h, w], how much a cell shows of the object, or did, 0..1
    # bool [B], False for a branch, whose H frames were not recorded: latents repeat the newest one. None: no branch
    seen: Tensor | None = None

    def to(self, device: torch.device) -> Clip:
        return self._each(lambda value: value.to(device, non_blocking=True))

    def row(self, index: int) -> Clip:
        """One of the B clips, as a batch of one."""
        return self._each(lambda value: value[index : index + 1])

    def _each(self, change: Callable[[Tensor], Tensor]) -> Clip:
        def changed(value):
            if isinstance(value, dict):
                return {name: change(item) for name, item in value.items()}
            return None if value is None else change(value)

        return Clip(**{field.name: changed(getattr(self, field.name)) for field in fields(self)})


@dataclass(frozen=True)
class ClipSettings:
    """How episodes are cut into clips, and what a clip holds."""

    spaces: Sequence[ActionSpace]  # in the network's order
    window: int  # history frames of a clip
    horizon: int  # frames to predict
    outcomes: Sequence[str] = ()  # labels that clips carry
    drawer: Drawer | None = None  # None: clips have no robot renders
    cameras: Mapping[str, MovingCamera] | None = None  # of action spaces; None: clips have no reprojected latents
    starts_every: int = 1  # as in `TrainSettings`
    branch_share: float = 0.0  # as in `TrainSettings`


class LatentDataset:
    """The episodes of `paths` as latents in memory, on the device of `autoencoder`, which encodes them.

    Raises DatasetError where an episode fits no action space, or is too short for the horizon.
    """

    def __init__(
        self, settings: ClipSettings, paths: Iterable[Path], autoencoder: FrameAutoencoder, progress: bool = True
    ):
        self.settings = settings
        self.autoencoder = autoencoder.eval()
        self.device = next(autoencoder.parameters()).device
        self._kept: dict[tuple[int, int], Tensor] = {}  # reprojected latents of (episode, start)
        self._poses: dict[tuple[int, int], Tensor] = {}  # of a moving camera after (episode, start)
        encoded = [
            self._encoded(path) for path in tqdm(list(paths), unit="episode", desc="encode", disable=not progress)
        ]
        self.resident = ResidentEpisodes(encoded, max(space.dim for space in settings.spaces), self.device)
        self.episodes = self.resident.episodes
        self._branches = [index for index, each in enumerate(self.episodes) if each.frames_seen is not None]
        self._recorded = [index for index, each in enumerate(self.episodes) if each.frames_seen is None]

    @torch.inference_mode()
    def _encoded(self, path: Path) -> LatentEpisode:
        episode, own = load_episode(path, branch=True), self.settings
        number = next((n for n, space in enumerate(own.spaces) if space.name == episode.space), None)
        if number is None or own.spaces[number].motion_names != episode.motion_names:
            raise DatasetError(
                f"{episode.space} with the motion {episode.motion_names} fits none of the action spaces "
                f"{[space.name for space in own.spaces]}",
                thing=path,
            )
        check_long_enough(path, len(episode) - (episode.frames_seen or 1) + 1, own.horizon)
        seen = episode.frames_seen or len(episode)
        with mixed_precision(self.device):  # as the training itself
            latents = self.autoencoder.encode(frames_to_tensor(episode.frames[:seen]).to(self.device)).half().cpu()
        latents = latents[torch.arange(len(episode)).clamp_max(seen - 1)]
        cells = object_cells(episode, (latents.shape[-2], latents.shape[-1]))
        drawn = None if own.drawer is None else own.drawer.draw(episode)
        moves = own.cameras is not None and episode.space in own.cameras and episode.camera is not None
        return LatentEpisode(
            space=number,
            latents=latents,
            actions=torch.from_numpy(own.spaces[number].encode(episode.motion)),
            outcomes={name: _label(episode, name) for name in own.outcomes},
            robot_renders=None if drawn is None else torch.from_numpy(drawn),
            object_cells=None if cells is None else torch.from_numpy(cells),
            frames=torch.from_numpy(episode.frames) if moves else None,
            motion=episode.motion.astype(np.float64),
            dt_s=episode.dt_s,
            frames_seen=episode.frames_seen,
        )

    def space_of(self, episode: int) -> ActionSpace:
        return self.settings.spaces[self.episodes[episode].space]

    @property
    def rendered_spaces(self) -> set[str]:
        """Names of the action spaces that have an episode with robot renders."""
        spaces = self.settings.spaces
        return {spaces[episode.space].name for episode in self.episodes if episode.robot_renders is not None}

    def picks(self, rng: np.random.Generator, each: int) -> dict[int, list[tuple[int, int]]]:
        """`each` random clips (episode, newest frame) of every action space that has an episode, by its number."""
        made = {}
        for space in sorted({episode.space for episode in self.episodes}):
            own = [index for index, episode in enumerate(self.episodes) if episode.space == space]
            made[space] = [
                (int(index), int(rng.integers(len(self.episodes[index]) - self.settings.horizon)))
                for index in rng.choice(own, each)
            ]
        return made

    def clip(self, episodes: Sequence[int], starts: Sequence[int]) -> Clip:
        """Clips whose newest observed frame is `starts[i]` of episode `episodes[i]`.

        Before an episode begins the scene stood still: its first frame is repeated.
        """
        window, horizon, device = self.settings.window, self.settings.horizon, self.resident.device
        chosen = torch.tensor(list(episodes), device=device)
        run = torch.tensor(list(starts), device=device)[:, None]
        run = (run + torch.arange(-window + 1, horizon + 1, device=device)).clamp_min(0)
        rows = self.resident.first[chosen][:, None] + run
        future = rows[:, window:]
        robot_renders = rendered = None
        if self.settings.drawer is not None:
            rendered = self.resident.rendered[chosen]
            robot_renders = self.resident.renders(chosen, run[:, window:])
            if robot_renders is None:
                shape = (*future.shape, *self.settings.drawer.shape)
                robot_renders = torch.zeros(shape, dtype=torch.uint8, device=device)
        reprojected, poses_known = self._reprojected(episodes, starts)
        cells, label = self.resident.object_cells, self.resident.outcomes.get(OBJECT_POSITION)
        return Clip(
            latents=self.resident.latents[rows].float(),
            actions=self.resident.actions[future - 1],
            spaces=self.resident.spaces[chosen],
            outcomes={name: label[future] for name, label in self.resident.outcomes.items()},
            robot_renders=robot_renders,
            rendered=rendered,
            reprojected=reprojected,
            poses_known=poses_known,
            object_places=None if label is None else label[rows],
            # Where the object is, and where it was when last observed.
            object_cells=torch.maximum(cells[future], cells[rows[:, window - 1 : window]]),
            seen=self.resident.seen[future].all(1),
        )

    @torch.no_grad()
    def _reprojected(self, episodes: Sequence[int], starts: Sequence[int]) -> tuple[Tensor | None, Tensor | None]:
        """`Clip.reprojected` and `Clip.poses_known`."""
        if self.settings.cameras is None:
            return None, None
        chosen = [self.episodes[index] for index in episodes]
        channels, *cells = chosen[0].latents.shape[1:]
        made = torch.zeros(len(chosen), self.settings.horizon, channels + 1, *cells, device=self.device)
        picks = list(zip(episodes, starts))
        new = {}
        for row, (pick, one) in enumerate(zip(picks, chosen)):
            if pick in self._kept:
                made[row] = self._kept[pick]
            elif one.frames is not None:
                new[row] = one.frames[starts[row]]
        for number in sorted({chosen[row].space for row in new}):
            rows = [row for row in new if chosen[row].space == number]
            frames = torch.stack([new[row] for row in rows]).to(self.device)
            poses = torch.cat([self._resident_poses(*picks[row]) for row in rows])
            camera = self.settings.cameras[self.settings.spaces[number].name]
            with mixed_precision(self.device):
                made[rows] = reprojected_latents(
                    self.autoencoder,
                    frames.movedim(-1, -3).float() / 255,
                    poses,
                    inverse_depth_camera(camera, (frames.shape[1], frames.shape[2]), self.device),
                ).float()
        if self.settings.starts_every > 1:
            self._kept.update((picks[row], made[row].half()) for row in new)
            made = made.half().float()  # rounded at the first use as later, or a resumed training would differ
        return made, torch.tensor([one.frames is not None for one in chosen])

    def _resident_poses(self, index: int, start: int) -> Tensor:
        """`camera_poses` on the device, computed once."""
        if (index, start) not in self._poses:
            poses = self.camera_poses(index, start)
            assert poses is not None
            self._poses[index, start] = torch.from_numpy(poses).to(self.device)
        return self._poses[index, start]

    def camera_poses(self, index: int, start: int) -> np.ndarray | None:
        """Poses of a moving camera after frame `start`, float32 [1, H, 4, 4]; None where they are not known."""
        episode = self.episodes[index]
        if episode.frames is None or self.settings.cameras is None:
            return None
        space = self.space_of(index)
        motion = episode.motion[None, start : start + self.settings.horizon + 1]
        return self.settings.cameras[space.name].camera_poses(space, motion, episode.dt_s)

    def sample(self, batch: int, generator: torch.Generator) -> Clip:
        """`batch` random clips, of which `branch_share` are branches, where there are any.

        A recorded clip is from any episode and starts anywhere in it (see `starts_every`), a branch where it was last
        seen.
        """
        branches = round(self.settings.branch_share * batch) if self._branches else 0
        episodes = _some(self._recorded, batch - branches, generator)
        starts = [self._start(episode, generator) for episode in episodes]
        chosen = _some(self._branches, branches, generator)
        return self.clip(episodes + chosen, starts + [self._last_seen(branch) for branch in chosen])

    def _start(self, episode: int, generator: torch.Generator) -> int:
        horizon, every = self.settings.horizon, self.settings.starts_every
        count = -((horizon - len(self.episodes[episode])) // every)
        return every * int(torch.randint(count, (1,), generator=generator))

    def _last_seen(self, branch: int) -> int:
        seen = self.episodes[branch].frames_seen
        assert seen is not None
        return seen - 1


def _some(of: list[int], count: int, generator: torch.Generator) -> list[int]:
    """`count` of these, with repetition."""
    return [of[i] for i in torch.randint(len(of), (count,), generator=generator).tolist()] if count else []


@torch.inference_mode()
def imagine_clips(model: Astra, clip: Clip) -> Tensor:
    """The model's rollouts of clips of one action space, latents [B, H, C, h, w], from a fixed seed.

    Robot renders and reprojected latents are used where all clips have them.
    """
    horizon, number = clip.actions.shape[1], int(clip.spaces[0])
    renders = clip.robot_renders if clip.rendered is not None and bool(clip.rendered.all()) else None
    reprojected = clip.reprojected if clip.poses_known is not None and bool(clip.poses_known.all()) else None
    plans = PlanBatch(
        clip.actions[:, None, :, : model.config.action_dims[number]],
        number,
        robot_renders=None if renders is None else renders[:, None].float() / 255,
        reprojected=None if reprojected is None else reprojected[:, None],
    )
    return imagine_latents(model, clip.latents[:, :-horizon], plans).latents[:, 0]


def _label(episode: Episode, name: str) -> Tensor:
    """A label as floats, [N] or [N, 3]; NaN where the episode does not have it."""
    size = OutcomeHeads.SIZES[name]
    if name not in episode.labels:
        return torch.full((len(episode), size), torch.nan).squeeze(-1)
    values = torch.from_numpy(np.asarray(episode.labels[name], dtype=np.float32))
    if values.shape != ((len(episode),) if size == 1 else (len(episode), size)):
        problem = f"label '{name}' has shape {tuple(values.shape)}; expected {size} a frame"
        raise DatasetError(problem, thing=episode.title)
    return values
