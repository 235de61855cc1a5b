"""The motion of a frame in a fixed one, through a chain of transforms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from astra_ros.datasets.rosbag.errors import FrameError, TwoSources
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.datasets.rosbag.pose_jumps import Jump, find_jumps, merged
from astra_ros.datasets.rosbag.recording import Recording, Series
from astra_ros.datasets.rosbag.resample import Clock, Track, problems
from astra_ros.datasets.rosbag.sources import check_frame
from astra_ros.robot.conflict import Conflict, Kind
from astra_ros.robot.joint_sources import pose_values
from astra_ros.rotations import Transforms, body_displacement, compose, interpolate

# Two poses of a fixed frame, m and elements of a rotation matrix: nearer ones agree, further ones contradict.
SAME_PLACE, OTHER_PLACE = 0.001, 0.01

JUMPING = "where the pose jumps"

Edges = Mapping[str, tuple[str, Series]]  # frame -> (its parent, poses in it)


class FrameMotion:
    """A moving frame in a fixed one.

    `chain`: the frames from the moving one up to the one below the fixed one. `edges`: each of them -> (parent, poses
    in it). `still`: those that never move, whose last pose is used. `warnings` tell of frames with two publishers or
    two parents, `notes` of jumps of the moving frame, which are not motion.
    """

    def __init__(self, chain: Sequence[str], edges: Edges, still: Sequence[str], clock: Clock, topic: str):
        self._chain = list(chain)
        self.fixed = edges[chain[-1]][0]
        self.warnings: list[str] = []
        self._still = {child: _at_rest(edges[child][1]) for child in chain if child in still}
        self._moving = {child: _pose_track(edges[child][1], clock) for child in chain if child not in still}
        beginnings = sorted({begin for track in self._moving.values() for begin in track.beginnings})
        self._jumps = {begin: self._find_jumps(begin) for begin in beginnings}
        self.notes = self._about_jumps(topic)

    @classmethod
    def through_tree(cls, recording: Recording, clock: Clock, frame: str, fixed: str, topic: str) -> FrameMotion:
        """A frame in a fixed one of the tree. Without `fixed`, in odom or the root.

        Raises FrameError where no transforms lead from one to the other or none of them moves, and TwoSources.
        """
        moving, still = (_with_parent(edges, recording, fixed) for edges in (recording.poses, recording.static))
        parents = {child: parent for edges in (still, moving) for child, (parent, _) in edges.items()}
        chain = _named_chain(parents, frame, fixed)
        warnings = _check_sources(recording, clock, chain, (still, moving), fixed, topic)
        if not any(child in moving for child in chain):
            problem = f"never moves in '{parents[chain[-1]]}': every transform between them is static"
            raise FrameError(problem, thing=f"frame '{frame}'", cure="record /tf too, or choose another modality")
        frames = cls(chain, still | moving, [child for child in chain if child not in moving], clock, topic)
        frames.warnings = warnings
        return frames

    def problems(self, times: np.ndarray, received_s: float, dt_s: float, gap_s: float) -> np.ndarray:
        found: np.ndarray = np.full(len(times), "", dtype=object)
        for child, track in self._moving.items():
            samples = track.run(received_s)[0]
            for at in (times, times - dt_s):
                own = problems(samples, at, gap_s)
                found = np.where((found == "") & (own != ""), own + f" (frame '{child}')", found)
        # A row goes back to the frame before, be that further away than a step.
        across = self._jumps_between(np.minimum(times - dt_s, np.append(np.inf, times[:-1])), times, received_s)
        return np.where((found == "") & across, f"{JUMPING} (frame '{self._chain[0]}')", found)

    def poses(self, times: np.ndarray, received_s: float):
        moving = {child: track.run(received_s) for child, track in self._moving.items()}
        return _composed([moving.get(child) or self._still[child] for child in self._chain], times)

    def velocities(self, begin: np.ndarray, end: np.ndarray, received_s: float) -> np.ndarray:
        return body_displacement(self.poses(begin, received_s), self.poses(end, received_s)) / (end - begin)[:, None]

    def example(self) -> np.ndarray:
        """Velocities between samples, which show the components that are ever used."""
        times = next(iter(self._moving.values())).run(0.0)[0]
        across = self._jumps_between(times[:-1], times[1:], 0.0)
        return self.velocities(times[:-1][~across], times[1:][~across], 0.0)

    def _find_jumps(self, received_s: float) -> list[Jump]:
        """Jumps of the moving frame in the fixed one. A single edge may jump while the frames on it stay.

        Poses are compared at the samples of each edge: between samples, interpolation spreads a jump.
        """
        return merged(
            jump
            for track in self._moving.values()
            if len(times := track.run(received_s)[0])
            for jump in find_jumps(times, self.poses(times, received_s))
        )

    def _jumps_between(self, begin: np.ndarray, end: np.ndarray, received_s: float) -> np.ndarray:
        """bool [N]: whether the pose jumps between `begin` [N] and `end` [N], in the run recorded at that time."""
        begun = [first for first in self._jumps if first <= received_s]
        jumps = self._jumps[begun[-1]] if begun else next(iter(self._jumps.values()), [])
        across = np.zeros(len(end), dtype=bool)
        for jump in jumps:
            across |= (begin < jump.end_s) & (end > jump.begin_s)
        return across

    def _about_jumps(self, topic: str) -> list[str]:
        # Runs of several edges begin one by one.
        found = {(jump.begin_s, jump.end_s): jump for jumps in self._jumps.values() for jump in jumps}.values()
        if not found:
            return []
        often = "once" if len(found) == 1 else f"{len(found)} times"
        moved, turned = (max(values) for values in zip(*((jump.moved_m, jump.turned_rad) for jump in found)))
        return [
            f"{topic}: the pose of '{self._chain[0]}' in '{self.fixed}' jumps {often}, by up to {moved:.2f} m and "
            f"{turned:.2f} rad from one message to the next, further than a robot moves: a localisation was corrected. "
            "Frames there are dropped, since a jump is not motion"
        ]


def camera_in(recording: Recording, settings: BagSettings, base: str, notes: list[str]) -> np.ndarray:
    """[7] position and quaternion of the camera in `base`, through frames that never move. Adds to `notes`.

    Raises FrameError where a frame is missing, TwoSources where one is fixed in two ways.
    """
    frame = settings.camera_frame or recording.images.frames.most_common(1)[0][0].lstrip("/")
    still = _with_parent(recording.static, recording, base)
    parents = {child: parent for child, (parent, _) in still.items()}
    chain = _named_chain(parents, frame, base)
    found = [conflict for child in chain if (conflict := _fixed_in_two_ways(child, *still[child]))]
    if bad := [conflict for conflict in found if conflict.contradicts]:
        raise TwoSources("/tf_static", bad, "or give position and quaternion in camera_pose")
    notes += [f"/tf_static: {conflict}; the last one was taken, as tf2 does" for conflict in found]
    return np.concatenate(_composed([_at_rest(still[child][1]) for child in chain], np.zeros(1)), axis=1)[0]


def _with_parent(edges: Edges, recording: Recording, parent: str) -> dict[str, tuple[str, Series]]:
    """The edges, with `parent` preferred for frames that have several parents."""
    return {
        child: (parent, recording.other_parents[child][parent])
        if parent in recording.other_parents.get(child, {})
        else edge
        for child, edge in edges.items()
    }


def _named_chain(parents: dict[str, str], frame: str, fixed: str) -> list[str]:
    """`frame` and those above it, up to just below `fixed`; without `fixed`, below odom or the root.

    Raises FrameError where a frame is unknown, or `fixed` is not above it.
    """
    chain: list[str] = []
    parent, problem, thing = frame, "", ""
    while parent in parents and parent != fixed:
        if parent in chain:
            problem = f"the frames {', '.join(chain)} form a cycle"
            break
        chain.append(parent)
        parent = parents[parent]
    else:
        if fixed and parent != fixed:
            found = ", ".join([*chain[1:], parent]) if chain else "no frames"
            problem, thing = f"not above '{frame}'; above it are {found}", f"frame '{fixed}'"
        elif not chain:
            known = ", ".join(sorted(parents)) or "none"
            problem, thing = f"in no transform; there are {known}", f"frame '{frame}'"
    if problem:
        raise FrameError(problem, thing=thing, cure="record /tf and /tf_static, or set camera_frame or fixed_frame")
    # A map is corrected in jumps, odometry is not.
    return chain[: chain.index("odom")] if not fixed and "odom" in chain[1:] else chain


def _check_sources(
    recording: Recording, clock: Clock, chain: list[str], edges: tuple, fixed: str, topic: str
) -> list[str]:
    """Notes about frames with two publishers or two parents. Raises TwoSources where they contradict each other."""
    still, moving = edges
    notes, bad = [], []
    for child, others in recording.other_parents.items():
        first, series = recording.poses.get(child) or recording.static[child]
        counts = {first: len(series)} | {parent: len(poses) for parent, poses in others.items()}
        listed = " and ".join(f"'{parent}'" for parent in counts)
        notes.append(
            f"{topic}: frame '{child}' has several parents, {listed} ({', '.join(map(str, counts.values()))} times)"
            + (f"; '{(still | moving)[child][0]}' was taken" if child in chain else "; it is not used")
        )
    for child in chain:
        in_both = child in moving and child in still
        if in_both and _fixed_in_two_ways(child, still[child][0], _both(still[child][1], moving[child][1])):
            notes.append(
                f"{topic}: frame '{child}' is fixed in /tf_static and moves here, so it has two publishers; "
                "its motion was used"
            )
        if child not in moving:
            conflict = _fixed_in_two_ways(child, *still[child])
        else:
            parent, poses = moving[child]
            others = {} if parent == fixed else recording.other_parents.get(child, {})  # fixed: it was chosen
            conflict = check_frame(child, {parent: poses} | others, clock)
        if conflict and conflict.contradicts:
            bad.append(conflict)
        elif conflict:
            notes.append(
                f"{topic}: {conflict}" + "; the last one was taken, as tf2 does" * (conflict.kind is Kind.FIXED_FRAME)
            )
    if bad:
        parents = sorted({names[0] for conflict in bad for names in conflict.names})
        choice = len(parents) > 1 and len(bad) == 1 and bad[0].key == chain[-1]
        cure = f"or name the frame to measure in: fixed_frame: {' or '.join(parents)}"
        raise TwoSources(topic, bad, cure if choice else "")
    return notes


def _fixed_in_two_ways(child: str, parent: str, series: Series) -> Conflict | None:
    """The conflict about a frame that never moves and was published with several poses, or None."""
    values = pose_values(np.array(series.values))
    apart = np.abs(values - values[-1]).max(axis=1)
    if apart.max() <= SAME_PLACE:
        return None
    names, poses = ((parent,), (parent,)), (tuple(values[-1].tolist()), tuple(values[int(np.argmax(apart))].tolist()))
    contradicts, times = bool(apart.max() > OTHER_PLACE), int((apart > SAME_PLACE).sum())
    return Conflict(child, contradicts, times, names, poses, last_s=0.0, back_s=0.0, kind=Kind.FIXED_FRAME)


def _both(one: Series, other: Series) -> Series:
    return Series(values=[*one.values, *other.values])


def _at_rest(series: Series) -> tuple[np.ndarray, np.ndarray]:
    """(time [1], pose [1, 7]) of a frame that never moves."""
    return np.zeros(1), np.array(series.values[-1:])


def _composed(edges: Sequence[tuple[np.ndarray, np.ndarray]], at: np.ndarray) -> Transforms:
    """The first frame of a chain in the parent of its last, at `at` [N]. Each edge: (times [M], poses [M, 7])."""
    below, *above = [interpolate(times, (poses[:, :3], poses[:, 3:]), at) for times, poses in edges]
    for pose in above:
        below = compose(pose, below)
    return below


def _pose_track(series: Series, clock: Clock) -> Track:
    return Track(clock.times_s(series), clock.received_s(series), np.stack(series.values))
