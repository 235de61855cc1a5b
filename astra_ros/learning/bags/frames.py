"""One frame in a fixed one, over time, through a chain of transforms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from astra_ros.learning.bags.config import BagSettings
from astra_ros.learning.bags.motion_error import TwoSources
from astra_ros.learning.bags.reader import Recording, Series
from astra_ros.learning.bags.resample import Clock, Track, problems
from astra_ros.learning.bags.rigid_motion import (
    Edge,
    FrameError,
    FrameTree,
    body_displacement,
)
from astra_ros.learning.bags.sources import check_frame
from astra_ros.learning.bags.storage import BagError
from astra_ros.robot.joint_sources import Conflict, pose_value

# A fixed frame that is published with another place than this, m or parts of a rotation matrix, is not fixed.
SAME_PLACE = 0.01


class Frames:
    """A moving frame in a fixed one.

    Args:
        recording: what was read.
        clock: whose time counts.
        frame: the moving one.
        fixed: the fixed one; '' for odom, or the root of the tree.
        topic: of the transforms, for messages.

    Attributes:
        fixed: the fixed one.
        warnings: frames of the chain with two publishers that agree, or with two parents.

    Raises:
        BagError: no transforms lead from one to the other, or none of them moves.
        TwoSources: two publishers contradict each other.
    """

    def __init__(self, recording: Recording, clock: Clock, frame: str, fixed: str, topic: str):
        moving, still = (_with_parent(edges, recording, fixed) for edges in (recording.poses, recording.static))
        parents = {child: parent for edges in (still, moving) for child, (parent, _) in edges.items()}
        chain = _named_chain(parents, frame, fixed)
        self.fixed = parents[chain[-1]]
        self.warnings = _check_sources(recording, clock, chain, (still, moving), fixed, topic)
        self._parents, self._chain = parents, chain
        self._still = {child: still[child][1].values[-1] for child in chain if child not in moving}
        self._moving = {child: _pose_track(moving[child][1], clock) for child in chain if child in moving}
        if not self._moving:
            raise BagError(f"frame '{frame}' never moves in '{self.fixed}': every transform "
                           'between them is static; record /tf too, or choose another --modality')

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


def camera_in(recording: Recording, settings: BagSettings, base: str) -> np.ndarray:
    """[7] position and quaternion of the camera in `base`, through frames that never move.

    Raises BagError where one of them does, where there is none, or where one is fixed in two ways.
    """
    frame = settings.camera_frame or recording.pictures.frames.most_common(1)[0][0].lstrip('/')
    still = _with_parent(recording.static, recording, base)
    parents = {child: parent for child, (parent, _) in still.items()}
    chain = _named_chain(parents, frame, base)
    if found := [conflict for child in chain if (conflict := _fixed_in_two_ways(child, *still[child]))]:
        raise TwoSources('/tf_static', found, 'or give position and quaternion in camera_pose')
    edges = {child: _still_edge(parents[child], still[child][1].values[-1]) for child in chain}
    return np.concatenate(FrameTree(edges).pose(chain, np.zeros(1)), axis=1)[0]


def _with_parent(edges: Mapping[str, tuple[str, Series]], recording: Recording,
                 parent: str) -> dict[str, tuple[str, Series]]:
    """The same, but of a frame with several parents in `parent`, where that is one of them."""
    return {child: (parent, recording.other_parents[child][parent])
            if parent in recording.other_parents.get(child, {}) else edge for child, edge in edges.items()}


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


def _check_sources(recording: Recording, clock: Clock, chain: list[str], edges: tuple, fixed: str,
                   topic: str) -> list[str]:
    """Notes about frames with two publishers or two parents. Raises TwoSources where they contradict each other."""
    still, moving = edges
    notes, bad = [], []
    for child, others in recording.other_parents.items():
        first, series = (recording.poses.get(child) or recording.static[child])
        counts = {first: len(series)} | {parent: len(poses) for parent, poses in others.items()}
        listed = ' and also in '.join(f"'{parent}'" for parent in counts)
        notes.append(f"{topic}: frame '{child}' stands in {listed} ({', '.join(map(str, counts.values()))} times)" + (
            f"; '{(still | moving)[child][0]}' was taken" if child in chain else '; it is not used'))
    for child in chain:
        if child in moving and child in still and _fixed_in_two_ways(
                child, still[child][0], _both(still[child][1], moving[child][1])):
            notes.append(f"{topic}: frame '{child}' is fixed in /tf_static and moves here, so it has two publishers; "
                         'that it moves was taken')
        if child not in moving:
            conflict = _fixed_in_two_ways(child, *still[child])
        else:
            parent, poses = moving[child]
            series = {parent: poses}
            if parent != fixed:     # else it was chosen
                series |= recording.other_parents.get(child, {})
            conflict = check_frame(child, series, clock)
        if conflict and conflict.contradicts:
            bad.append(conflict)
        elif conflict:
            notes.append(f'{topic}: {conflict}')
    if bad:
        parents = sorted({names[0] for conflict in bad for names in conflict.names})
        raise TwoSources(topic, bad, f'or name the frame to measure in: fixed_frame: {" or ".join(parents)} in the '
                         '--config file' if len(parents) > 1 and len(bad) == 1 and bad[0].key == chain[-1] else '')
    return notes


def _fixed_in_two_ways(child: str, parent: str, series: Series) -> Conflict | None:
    """Of a frame that never moves, and was published with another place again."""
    values = np.array([pose_value(value[:3], value[3:]) for value in series.values])
    apart = np.abs(values - values[-1]).max(axis=1)
    if apart.max() <= SAME_PLACE:
        return None
    other = tuple(values[int(np.argmax(apart))].tolist())
    return Conflict(child, True, int((apart > SAME_PLACE).sum()), ((parent,), (parent,)),
                    (tuple(values[-1].tolist()), other), 0.0, 0.0, frame=True)


def _both(one: Series, other: Series) -> Series:
    return Series(values=[*one.values, *other.values])


def _still_edge(parent: str, value: np.ndarray) -> Edge:
    return Edge(parent, np.zeros(1), (value[None, :3], value[None, 3:]))


def _pose_track(series: Series, clock: Clock) -> Track:
    return Track(clock.times_s(series), clock.received_s(series), np.stack(series.values))
