"""Clips of held-out episodes: what was seen, what was then done, and what the camera then saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.datasets.object_cells import pixels_of
from astra_ros.datasets.robot_renders import Drawer
from astra_ros.evaluation.action_following import PoseReader
from astra_ros.inference import ModelCard
from astra_ros.inference.conditioning import Conditioning
from astra_ros.outcomes import OBJECT_POSITION
from astra_ros.training.depth_prior import check_camera

MOVING_THINGS = (OBJECT_POSITION,)  # labels of things whose place in the image is looked at
MEDIAN_FRAMES = 65  # of an episode, at most


class HeldOutClips:
    """N clips of one action space, with T history and H future frames each.

    Args:
        horizon: H.
        each: clips cut from every episode that is long enough.
        drawer: renders the robot; None leaves the renders out.
        reprojected: with the camera poses of a moving camera.

    Attributes:
        history: uint8 [N, T, h, w, 3]; before an episode begins its first frame is repeated.
        future: uint8 [N, H, h, w, 3], what the camera saw.
        own, shuffled: conditioning of the N clips by what was done, and by what was done in another clip, begun from
            this clip's state.
        poses: [N, H, P] true poses, see ``action_following.py``; None where they are not known.
        styles: number of a clip -> its scene in a second style, where it was recorded so: a frame uint8 [h, w, 3], and
            its future [H, h, w, 3]. The frame is the episode's first or last, whichever is farther from that future;
            it is never part of it.
        labels: name -> [N, H] or [N, H, 3].
        background: uint8 [N, h, w, 3], the temporal median of each clip's episode; None where the camera moves.
        places: label of a thing -> its pixels [N, 1 + H, 2] in the last observed frame and the future; empty where
            they are not known.

    Raises DatasetError where episodes do not fit the model, or fewer than two clips can be cut.
    """

    def __init__(
        self,
        episodes: Sequence[Episode],
        card: ModelCard,
        horizon: int,
        each: int,
        seed: int,
        drawer: Drawer | None,
        reprojected: bool = True,
    ):
        first = episodes[0]
        self.world = first.world
        space = card.action_spaces.get(first.space)
        if space is None or space.motion_names != first.motion_names:
            known = "; ".join(f"{each.name}: {', '.join(each.motion_names)}" for each in card.action_spaces.values())
            problem = f"does not know its motion {', '.join(first.motion_names)}; it knows {known}"
            raise DatasetError(f"the model '{card.name}' {problem}", thing=first.space)
        self.space = space
        for episode in episodes:
            check_fits(episode, card)
        # Clips begin anywhere in an episode. Plans last as long as the horizon and end where they began: a clip that
        # begins with a plan would end on nearly the frame that it began with.
        rng = np.random.default_rng(seed)
        picks = [
            (episode, int(start))
            for episode in episodes
            if len(episode) > horizon
            for start in rng.integers(0, len(episode) - horizon, each)
        ]
        if not picks:
            cure = "record longer ones into another folder, or imagine fewer frames"
            raise DatasetError(f"no episode has more than {horizon} frames", thing=first.space, cure=cure)
        if len(picks) < 2:
            cure = "record more episodes, or cut more clips from each"
            raise DatasetError("one clip has no other one to exchange its motion with", thing=first.space, cure=cure)

        def cut(values_of: Callable[[Episode], np.ndarray], begin: int, end: int) -> np.ndarray:
            numbers = np.arange(begin, end + 1)
            return np.stack([values_of(episode)[np.maximum(start + numbers, 0)] for episode, start in picks])

        self.history = cut(lambda episode: episode.frames, 1 - card.history, 0)
        self.future = cut(lambda episode: episode.frames, 1, horizon)
        motion = cut(lambda episode: episode.motion, 0, horizon).astype(np.float64)
        # Exchanged with another episode's, or in a single episode with that of another time.
        apart = each if len(picks) > each else 1
        exchanged = self.space.begun_from(np.roll(motion, apart, axis=0), motion)
        if drawer is not None:
            drawer.check_cameras(episodes, card.cameras.get(self.space.name))
        moving = card.moving_cameras.get(self.space.name) if reprojected else None
        if moving is not None:
            for episode in episodes:
                if episode.camera is not None:
                    check_camera(episode.title, episode.camera, moving.camera)
        self.own, self.shuffled = (
            Conditioning(
                self.space.name,
                self.space.encode(motion),
                None if drawer is None else drawer.draw_motion(first, motion),
                None if moving is None else moving.camera_poses(self.space, motion, card.dt_s),
            )
            for motion in (motion, exchanged)
        )
        self.poses = cut(_poses_of_frames, 1, horizon) if PoseReader.can_read(first) else None
        self.styles = {}
        for number, (episode, start) in enumerate(picks):
            if (restyled := episode.restyled) is not None:
                farther = -1 if len(episode) - 1 - start - horizon > start else 0
                self.styles[number] = restyled[farther], restyled[start + 1 : start + horizon + 1]
        names = set.intersection(*(set(episode.labels) for episode in episodes))
        self.labels = {name: cut(partial(_label, name), 1, horizon) for name in sorted(names)}
        self.background, self.places = None, {}
        if not self.space.moves_camera:
            medians = {id(episode): _median(episode.frames) for episode, _ in picks}
            self.background = np.stack([medians[id(episode)] for episode, _ in picks])
            size = first.frames.shape[1:3]
            for name in [name for name in MOVING_THINGS if name in names]:
                found = {id(episode): pixels_of(episode, name, size) for episode, _ in picks}
                pixels = {key: each for key, each in found.items() if each is not None}
                if len(pixels) == len(found):
                    self.places[name] = cut(partial(_of, pixels), 0, horizon)

    def __len__(self) -> int:
        return len(self.history)

    def conditioning(self, clip: int) -> Conditioning:
        """Two plans for a clip: what was done, and what was done in another clip."""
        both = self.own, self.shuffled
        renders = [each.robot_renders[clip] for each in both if each.robot_renders is not None]
        poses = [each.camera_poses[clip] for each in both if each.camera_poses is not None]
        return Conditioning(
            self.space.name,
            np.stack([each.actions[clip] for each in both]),
            np.stack(renders) if renders else None,
            np.stack(poses) if poses else None,
        )


def check_fits(episode: Episode, card: ModelCard) -> None:
    """Raises DatasetError where frames have another size than the model's, or another time between them."""
    height, width = episode.frames.shape[1:3]
    if (height, width) != card.image_size:
        size = f"{card.image_size[1]} x {card.image_size[0]}"
        problem = f"frames of {width} x {height} pixels, the model '{card.name}' takes {size}"
        cure = "record held-out episodes of that size into another folder, or evaluate a model of this size"
        raise DatasetError(problem, thing=episode.title, cure=cure)
    if episode.dt_s != card.dt_s:
        problem = f"frames are {episode.dt_s:g} s apart, those of the model '{card.name}' {card.dt_s:g} s"
        raise DatasetError(problem, thing=episode.title, cure="record or import at the model's rate")


def _median(frames: np.ndarray) -> np.ndarray:
    """The temporal median of frames uint8 [N, h, w, 3], of some that are evenly apart."""
    some = np.linspace(0, len(frames) - 1, min(len(frames), MEDIAN_FRAMES)).round().astype(int)
    return np.median(frames[some], axis=0).astype(np.uint8)


def _of(values: dict[int, np.ndarray], episode: Episode) -> np.ndarray:
    return values[id(episode)]


def _label(name: str, episode: Episode) -> np.ndarray:
    return episode.labels[name]


def _poses_of_frames(episode: Episode) -> np.ndarray:
    """A pose for each frame. Motions have none for the first frame; zeros stand there, and no clip ends there."""
    poses = PoseReader.poses(episode)
    missing = len(episode) - len(poses)
    return np.concatenate([np.zeros((missing, poses.shape[1])), poses])
