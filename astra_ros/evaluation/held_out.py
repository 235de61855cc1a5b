"""Clips for evaluation: what was seen, what was then done, and what the camera then saw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.datasets.robot_renders import Drawer
from astra_ros.evaluation.action_following import Follower
from astra_ros.inference.conditioning import Conditioning
from astra_ros.training.depth_prior import check_camera


class HeldOutClips:
    """Clips of one action space, N of them, with T history and H future frames each.

    Attributes:
        history: uint8 [N, T, h, w, 3]; before an episode begins its first frame is repeated.
        future: uint8 [N, H, h, w, 3], what the camera saw.
        actions: float32 [N, H, A], what was done.
        shuffled: float32 [N, H, A], what was done in another clip, begun from this clip's state.
        robot_renders, shuffled_robot_renders: uint8 [N, H + 1, 3, h, w] of the robot along both, first as it was when
            last seen; or None.
        camera_poses, shuffled_poses: float32 [N, H, 4, 4], where both take a moving camera, or None.
        poses: [N, H, P] true poses, see `following.py`; None where they are not known.
        styles: number of a clip -> (a picture of its scene in another look, uint8 [h, w, 3]; its future in that look,
            [H, h, w, 3]), where the scene was recorded twice. The picture is the episode's first or last, whichever
            is farther from that future, and never one of it.
        labels: name -> [N, H] or [N, H, 3].
    """

    def __init__(
        self,
        episodes: Sequence[Episode],
        card,
        horizon: int,
        each: int,
        seed: int,
        drawer: Drawer | None,
        reprojected: bool = True,
    ):
        first = episodes[0]
        self.space = card.action_spaces.get(first.space)
        if self.space is None or self.space.motion_names != first.motion_names:
            known = "; ".join(f"{space.name}: {', '.join(space.motion_names)}" for space in card.action_spaces.values())
            raise DatasetError(
                f"the model '{card.name}' does not know {first.space} with "
                f"{', '.join(first.motion_names)}; it knows {known}"
            )
        for episode in episodes:
            check_fits(episode, card)
        # Anywhere in the episode: plans last as long as the horizon and end where they began, so
        # clips that start with a plan would end on nearly the picture they began with.
        rng = np.random.default_rng(seed)
        picks = [
            (episode, int(start))
            for episode in episodes
            if len(episode) > horizon
            for start in rng.integers(0, len(episode) - horizon, each)
        ]
        if not picks:
            raise DatasetError(
                f"{first.space}: no episode has more than {horizon} frames; record "
                "longer ones (--seconds) into another folder, or give a shorter --horizon"
            )

        def runs(values_of, start_at, last):
            return np.stack(
                [
                    values_of(episode)[np.maximum(np.arange(start + start_at, start + last + 1), 0)]
                    for episode, start in picks
                ]
            )

        self.history = runs(lambda episode: episode.frames, 1 - card.history, 0)
        self.future = runs(lambda episode: episode.frames, 1, horizon)
        motion = runs(lambda episode: episode.motion, 0, horizon).astype(np.float64)
        self.actions = self.space.encode(motion)
        if len(picks) < 2:
            raise DatasetError(
                f"{first.space}: one clip alone, whose motion cannot be exchanged with "
                "another's; record more episodes or give more --clips-per-episode"
            )
        # By another episode's, or with a single one by that of another time in it.
        apart = each if len(picks) > each else 1
        other = self.space.begun_from(np.roll(motion, apart, axis=0), motion)
        self.shuffled = self.space.encode(other)
        self.robot_renders = self.shuffled_robot_renders = None
        if drawer is not None:
            drawer.check_cameras(episodes, card.cameras.get(self.space.name))
            self.robot_renders = drawer.draw_motion(first, motion)
            self.shuffled_robot_renders = drawer.draw_motion(first, other)
        moving = card.moving_cameras.get(self.space.name) if reprojected else None
        self.camera_poses = self.shuffled_poses = None
        if moving is not None:
            for episode in episodes:
                if episode.camera is not None:
                    check_camera(episode.title, episode.camera, moving.camera)
            self.camera_poses = moving.travel(self.space, motion, card.dt_s)
            self.shuffled_poses = moving.travel(self.space, other, card.dt_s)
        self.poses = runs(_poses_of_frames, 1, horizon) if Follower.can_read(first) else None
        self.styles = {
            number: (
                episode.restyled[-1 if len(episode) - 1 - start - horizon > start else 0],
                episode.restyled[start + 1 : start + horizon + 1],
            )
            for number, (episode, start) in enumerate(picks)
            if episode.restyled is not None
        }
        names = set.intersection(*(set(episode.labels) for episode in episodes))
        self.labels = {
            name: runs(lambda episode, name=name: episode.labels[name], 1, horizon) for name in sorted(names)
        }

    def __len__(self) -> int:
        return len(self.history)

    def conditioning(self, clip: int) -> Conditioning:
        """Two plans for a clip: what was done, and what was done in another."""

        def both(own, other):
            return None if own is None else np.stack([own[clip], other[clip]])

        return Conditioning(
            self.space.name,
            both(self.actions, self.shuffled),
            both(self.robot_renders, self.shuffled_robot_renders),
            both(self.camera_poses, self.shuffled_poses),
        )


def check_fits(episode: Episode, card) -> None:
    """Raises DatasetError where frames are of another size than the model's, or not as far apart."""
    height, width = episode.frames.shape[1:3]
    if (height, width) != card.image_size:
        raise DatasetError(
            f"{episode.title}: frames of {width} x {height} pixels, the model '{card.name}' takes "
            f"{card.image_size[1]} x {card.image_size[0]}; record held-out episodes of that size "
            "(--size, another --out), or evaluate a model of theirs"
        )
    if episode.dt_s != card.dt_s:
        raise DatasetError(
            f"{episode.title}: frames are {episode.dt_s:g} s apart, those of the model "
            f"'{card.name}' {card.dt_s:g} s; record or import at its rate"
        )


def _poses_of_frames(episode: Episode) -> np.ndarray:
    """A pose for each frame; the motion before the first one does not matter, no clip ends there."""
    poses = Follower.poses(episode)
    missing = len(episode) - len(poses)
    return np.concatenate([np.zeros((missing, poses.shape[1])), poses])
