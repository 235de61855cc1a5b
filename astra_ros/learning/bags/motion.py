"""A robot's motion at the times of its camera's frames: joints, a base, or the camera itself.

Each class has the modality's rows (`planning/modalities`), and says where it knows none.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from astra_ros.learning.bags.config import AXES, BagSettings
from astra_ros.learning.bags.reader import Recording, Series
from astra_ros.learning.bags.storage import BagError
from astra_ros.learning.bags.topics import CONTROLLER_STATE, ODOMETRY, Choice
from astra_ros.learning.bags.resample import (
    Clock,
    Track,
    linear,
    mean_of_commands,
    mean_of_line,
    problems,
)
from astra_ros.learning.bags.rigid_motion import (
    Edge,
    FrameError,
    FrameTree,
    body_displacement,
)


class Motion(Protocol):
    """What a robot did. `received_s` names the run of the clock, see `Track.run`.

    Attributes:
        names: D columns of the rows.
        how: in words, for the report.
        samples: number of messages behind it.
        notes: what the user should know.
    """

    names: tuple[str, ...]
    how: str
    samples: int
    notes: list[str]

    def problems(self, times: np.ndarray, received_s: float) -> np.ndarray:
        """Why there is no row for a frame at `times` [N]: text, '' where there is one."""

    def rows(self, begin: np.ndarray, end: np.ndarray, received_s: float) -> np.ndarray:
        """[N, D]: the rows of frames at `end` [N]; the frames before them were at `begin` [N]."""

    def labels(self, times: np.ndarray, received_s: float) -> dict[str, np.ndarray]:
        """What else is known at the frames."""


class JointMotion:
    """Positions, linear between samples; joints may come in messages of different publishers."""

    def __init__(self, recording: Recording, choice: Choice, clock: Clock):
        settings = choice.settings
        known = sorted({name for names in recording.joints for name in names})
        if missing := [name for name in settings.joints if name not in known]:
            raise BagError(f'{choice.motion.name}: no joint {", ".join(missing)}; there are '
                           + ', '.join(known))
        self.names = settings.joints or tuple(known)
        if not self.names:
            raise BagError(f'{choice.motion.name}: no message with joint names and positions'
                           + _reasons(recording, choice.motion.name))
        self.how = ('commanded positions' if choice.motion.type == CONTROLLER_STATE else
                    'positions') + ', interpolated at the frames'
        self.samples = sum(len(series) for series in recording.joints.values())
        self.notes = []
        self._gap_s = settings.gap_s
        self._tracks = [self._track(name, recording, clock, choice.motion.name)
                        for name in self.names]

    def _track(self, joint: str, recording: Recording, clock: Clock, topic: str) -> Track:
        times, received, values = [], [], []
        for names, series in recording.joints.items():
            if joint in names:
                times.append(clock.times_s(series))
                received.append(clock.received_s(series))
                values.append(np.stack(series.values)[:, names.index(joint)])
        times, received, values = map(np.concatenate, (times, received, values))
        order = np.argsort(received, kind='stable')
        good = order[np.isfinite(values[order])]
        if not len(good):
            raise BagError(f"{topic}: joint '{joint}' never has a finite position; leave it out "
                           f'with --joints {" ".join(n for n in self.names if n != joint)}')
        if lost := len(order) - len(good):
            self.notes.append(f"{topic}: {lost} positions of joint '{joint}' are not finite and "
                              'were left out')
        return Track(times[good], received[good], values[good, None])

    def problems(self, times: np.ndarray, received_s: float) -> np.ndarray:
        found = np.full(len(times), '', dtype=object)
        for name, track in zip(self.names, self._tracks):
            own = problems(track.run(received_s)[0], times, self._gap_s)
            found = np.where((found == '') & (own != ''), own + f" (joint '{name}')", found)
        return found

    def rows(self, begin: np.ndarray, end: np.ndarray, received_s: float) -> np.ndarray:
        return np.concatenate([linear(*track.run(received_s), end) for track in self._tracks],
                              axis=1)

    def labels(self, times: np.ndarray, received_s: float) -> dict[str, np.ndarray]:
        return {}


class BaseMotion:
    """A base's mean velocity since the frame before: of its commands, or of its odometry."""

    def __init__(self, recording: Recording, choice: Choice, clock: Clock):
        settings, series = choice.settings, recording.velocities
        values = np.array(series.values, dtype=np.float64).reshape(-1, len(AXES))
        if not len(values):
            raise BagError(f'{choice.motion.name}: no velocity in it can be used'
                           + _reasons(recording, choice.motion.name))
        times, received = clock.times_s(series, recording.stamped), clock.received_s(series)
        self.samples = len(values)
        self.notes = []
        self._gap_s, self._dt_s = settings.gap_s, settings.dt_s
        self._timeout_s = None if choice.motion.type == ODOMETRY else settings.command_timeout_s
        self._frames = None
        if self._timeout_s is None:
            self.how = 'odometry, mean since the frame before'
            if not values.any() and _moves(recording):
                # Some odometries leave the velocity empty.
                self._frames = _Frames(recording, clock, *reversed(recording.odometry_frames))
                self.how = ("odometry's poses (its velocities are all 0), mean since the frame "
                            'before')
                values = self._frames.example()
        else:
            self.how = (f'commands, each held until the next, {self._timeout_s:g} s at most; mean '
                        'since the frame before')
        moving = [name for index, name in enumerate(AXES) if np.abs(values[:, index]).max() > 1e-3]
        self.names = settings.axes or tuple(
            name for name in ('linear.x', 'linear.y', 'angular.z')
            if name in moving or name != 'linear.y')
        if unused := [name for name in moving if name not in self.names]:
            self.notes.append(f'{choice.motion.name}: {", ".join(unused)} is not always 0, but not '
                              'used; name it under axes in the --config file if the base can do it')
        self._columns = [AXES.index(name) for name in self.names]
        if self._frames is None:
            self._track = Track(times, received, values[:, self._columns])

    def problems(self, times: np.ndarray, received_s: float) -> np.ndarray:
        if self._timeout_s is not None:     # no command is a command to rest
            return np.full(len(times), '', dtype=object)
        if self._frames is not None:
            return self._frames.problems(times, received_s, self._dt_s, self._gap_s)
        samples = self._track.run(received_s)[0]
        now, before = (problems(samples, at, self._gap_s) for at in (times, times - self._dt_s))
        return np.where(now == '', before, now)

    def rows(self, begin: np.ndarray, end: np.ndarray, received_s: float) -> np.ndarray:
        if self._frames is not None:
            return self._frames.velocities(begin, end, received_s)[:, self._columns]
        if self._timeout_s is None:
            return mean_of_line(*self._track.run(received_s), begin, end)
        return mean_of_commands(*self._track.run(received_s), self._timeout_s, begin, end)

    def labels(self, times: np.ndarray, received_s: float) -> dict[str, np.ndarray]:
        return {}


class CameraMotion:
    """The camera's own mean velocity since the frame before, in its optical frame."""

    names = AXES

    def __init__(self, recording: Recording, choice: Choice, clock: Clock):
        settings = choice.settings
        frame = settings.camera_frame or recording.pictures.frames.most_common(1)[0][0].lstrip('/')
        self.notes = []
        if not frame:
            raise BagError(f'{choice.image.name}: its headers name no frame; say which one is the '
                           "camera's optical frame: camera_frame in the --config file")
        if 'optical' not in frame:
            self.notes.append(
                f"frame '{frame}' is taken as the camera's optical frame (x right, y down, z "
                'forward); if it is not, name that one as camera_frame in the --config file')
        self._frames = _Frames(recording, clock, frame, settings.fixed_frame)
        self._dt_s, self._gap_s = settings.dt_s, settings.gap_s
        self.samples = choice.motion.count
        self.how = (f"'{frame}' in '{self._frames.fixed}', mean since the frame before, in the "
                    'optical frame')

    def problems(self, times: np.ndarray, received_s: float) -> np.ndarray:
        return self._frames.problems(times, received_s, self._dt_s, self._gap_s)

    def rows(self, begin: np.ndarray, end: np.ndarray, received_s: float) -> np.ndarray:
        return self._frames.velocities(begin, end, received_s)

    def labels(self, times: np.ndarray, received_s: float) -> dict[str, np.ndarray]:
        poses = np.concatenate(self._frames.poses(times, received_s), axis=1)
        return {'camera_pose': poses.astype(np.float32)}


class _Frames:
    """One frame in a fixed one, over time, through a chain of transforms."""

    def __init__(self, recording: Recording, clock: Clock, frame: str, fixed: str = ''):
        parents = {child: parent for edges in (recording.static, recording.poses)
                   for child, (parent, _) in edges.items()}
        chain = self._named_chain(parents, frame, fixed)
        self.fixed = parents[chain[-1]]
        self._parents, self._chain = parents, chain
        self._still = {child: series.values[-1] for child, (_, series) in recording.static.items()
                       if child in chain and child not in recording.poses}
        self._moving = {child: _pose_track(recording.poses[child][1], clock)
                        for child in chain if child in recording.poses}
        if not self._moving:
            raise BagError(f"frame '{frame}' never moves in '{self.fixed}': every transform "
                           'between them is static; record /tf too, or choose another --modality')

    @staticmethod
    def _named_chain(parents: dict[str, str], frame: str, fixed: str) -> list[str]:
        rest = (np.empty(0), (np.zeros((1, 3)), np.array([[0.0, 0, 0, 1]])))
        tree = FrameTree({child: Edge(parent, *rest) for child, parent in parents.items()})
        try:
            chain = tree.chain(frame, fixed)
            # A map is corrected in jumps, odometry is not.
            if not fixed and 'odom' in chain[1:]:
                chain = tree.chain(frame, 'odom')
            return chain
        except FrameError as error:
            raise BagError(f'{error}; record /tf and /tf_static, and see camera_frame and '
                           'fixed_frame of the --config file') from error

    def problems(self, times: np.ndarray, received_s: float, dt_s: float,
                 gap_s: float) -> np.ndarray:
        found = np.full(len(times), '', dtype=object)
        for child, track in self._moving.items():
            samples = track.run(received_s)[0]
            for at in (times, times - dt_s):
                own = problems(samples, at, gap_s)
                found = np.where((found == '') & (own != ''), own + f" (frame '{child}')", found)
        return found

    def poses(self, times: np.ndarray, received_s: float):
        edges = {child: _still_edge(self._parents[child], value)
                 for child, value in self._still.items()}
        for child, track in self._moving.items():
            samples, values = track.run(received_s)
            edges[child] = Edge(self._parents[child], samples, (values[:, :3], values[:, 3:]))
        return FrameTree(edges).pose(self._chain, times)

    def velocities(self, begin: np.ndarray, end: np.ndarray, received_s: float) -> np.ndarray:
        return (body_displacement(self.poses(begin, received_s), self.poses(end, received_s))
                / (end - begin)[:, None])

    def example(self) -> np.ndarray:
        """Velocities between samples, to see which components are ever used."""
        times = next(iter(self._moving.values())).run(0.0)[0]
        return self.velocities(times[:-1], times[1:], 0.0)


def make_motion(recording: Recording, choice: Choice, clock: Clock) -> Motion:
    """Raises BagError where the topic holds nothing that can be used."""
    kinds = {'joints': JointMotion, 'twist': BaseMotion, 'camera': CameraMotion}
    return kinds[choice.settings.modality](recording, choice, clock)


def camera_in(recording: Recording, settings: BagSettings, base: str) -> np.ndarray:
    """[7] position and quaternion of the camera in `base`, through frames that never move.

    Raises BagError where one of them does, or where there is none.
    """
    frame = settings.camera_frame or recording.pictures.frames.most_common(1)[0][0].lstrip('/')
    parents = {child: parent for child, (parent, _) in recording.static.items()}
    chain = _Frames._named_chain(parents, frame, base)
    edges = {child: _still_edge(parents[child], recording.static[child][1].values[-1])
             for child in chain}
    return np.concatenate(FrameTree(edges).pose(chain, np.zeros(1)), axis=1)[0]


def motion_series(recording: Recording) -> list[Series]:
    """All series that the motion is made of."""
    moving = [series for _, series in recording.poses.values()]
    return [series for series in (*recording.joints.values(), recording.velocities, *moving)
            if series]


def _still_edge(parent: str, value: np.ndarray) -> Edge:
    return Edge(parent, np.zeros(1), (value[None, :3], value[None, 3:]))


def _pose_track(series: Series, clock: Clock) -> Track:
    return Track(clock.times_s(series), clock.received_s(series), np.stack(series.values))


def _moves(recording: Recording) -> bool:
    values = np.stack(recording.poses[recording.odometry_frames[1]][1].values)
    return bool(np.ptp(values, axis=0).max() > 1e-3)


def _reasons(recording: Recording, topic: str) -> str:
    reasons = recording.bad.get(topic, {})
    return ''.join(f'; {count} messages: {why}' for why, count in reasons.items())
