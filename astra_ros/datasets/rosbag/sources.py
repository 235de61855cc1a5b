"""Whether two publishers published the same joint, frame or velocity while a bag was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from astra_ros.datasets.rosbag.errors import TwoSources, summary
from astra_ros.datasets.rosbag.import_settings import AXES
from astra_ros.datasets.rosbag.recording import Recording, Series
from astra_ros.datasets.rosbag.resample import JUMP_BACK_S, Clock
from astra_ros.plans.turns import short_way
from astra_ros.robot.conflict import Conflict, Kind
from astra_ros.robot.joint_sources import FLOOR, SPEEDS, SourceWatch, pose_values


@dataclass(frozen=True)
class _Messages:
    """N messages about one joint, frame or velocity, in order of recording."""

    names: list[tuple[str, ...]]  # of each: the joints in its order, the frame's parent, or the frame of the header
    received_s: np.ndarray
    times_s: np.ndarray
    stamps_s: np.ndarray  # NaN without one
    values: np.ndarray  # [N, k]


def check_joints(
    recording: Recording, clock: Clock, names: Iterable[str], topic: str
) -> tuple[list[str], str, frozenset[str]]:
    """(notes about joints that have two publishers, why the episodes are unfit for training or '', the joints whose
    publishers contradict each other).

    Raises TwoSources where stamps of two clocks cut the recording at each message.
    """
    names, found = tuple(names), []
    for joint in names:
        parts = {
            order: (series, np.stack(series.values)[:, [order.index(joint)]])
            for order, series in recording.joints.items()
            if joint in order
        }
        if conflict := _conflict(joint, _together(parts, clock), clock, Kind.JOINT):
            found.append(conflict)
    agreeing = [conflict for conflict in found if not conflict.contradicts]
    notes, unfit = ([f"{topic}: {summary(agreeing)}"] if agreeing else []), ""
    if bad := [conflict for conflict in found if conflict.contradicts]:
        others = [name for name in names if name not in {conflict.key for conflict in bad}]
        cure = "or leave out what the robot does not need: `joints` " + " ".join(others) if others else ""
        error = TwoSources(topic, bad, cure)
        if clock.name == "header" and any(conflict.back_s > JUMP_BACK_S for conflict in bad):
            raise error
        unfit = str(error) + (" `force`" if others else "")  # the bag is in the folder by then
        notes.insert(0, f"{unfit}; `astra train` refuses these episodes")
    return notes, unfit, frozenset(conflict.key for conflict in bad)


def check_frame(frame: str, series: Mapping[str, Series], clock: Clock) -> Conflict | None:
    """The conflict about a frame that moves (`series`: parent -> poses in it). None where it has one publisher."""
    parts: dict[tuple[str, ...], tuple[Series, np.ndarray]] = {}
    for parent, poses in series.items():
        parts[(parent,)] = poses, pose_values(np.reshape(poses.values, (-1, 7)))
    return _conflict(frame, _together(parts, clock), clock, Kind.FRAME)


def check_velocities(recording: Recording, clock: Clock, only: tuple[str, ...] | None = None) -> list[Conflict]:
    """Conflicts about the components of a base's velocity whose publishers contradict each other in turn.

    A single publisher may look the same: a controller that only knows full speed and rest. `only`: the frame names of
    the messages to look at; None: all messages.
    """
    values, found = np.array(recording.velocities.values, dtype=np.float64), []
    for column, axis in enumerate(AXES):
        parts = {}
        for frames in dict.fromkeys(recording.velocity_frames if only is None else [only]):
            rows = [index for index, each in enumerate(recording.velocity_frames) if each == frames]
            parts[frames] = recording.velocities.rows(rows), values[rows, column, None]
        conflict = _conflict(axis, _together(parts, clock), clock, Kind.VELOCITY)
        if conflict and conflict.contradicts:
            found.append(conflict)
    return found


def _together(parts: Mapping[tuple[str, ...], tuple[Series, np.ndarray]], clock: Clock) -> _Messages:
    stamps = np.concatenate([np.array(series.stamps_ns, dtype=np.int64) for series, _ in parts.values()])
    received = np.concatenate([clock.received_s(series) for series, _ in parts.values()])
    times = np.concatenate([clock.times_s(series) for series, _ in parts.values()])
    values = np.concatenate([values for _, values in parts.values()])
    names = [order for order, (series, _) in parts.items() for _ in range(len(series))]
    good = np.isfinite(values).all(axis=1)
    order = np.flatnonzero(good)[np.argsort(received[good], kind="stable")]
    stamped = np.where(stamps == 0, np.nan, (stamps - clock.origin_ns) / 1e9)
    times = np.where(np.isnan(times), received, times)
    return _Messages([names[index] for index in order], received[order], times[order], stamped[order], values[order])


def _conflict(key: str, messages: _Messages, clock: Clock, kind: Kind) -> Conflict | None:
    if _even(messages, kind):
        return None
    watch = SourceWatch(kind)
    for name, received, stamp, value in zip(
        messages.names, messages.received_s.tolist(), messages.stamps_s.tolist(), messages.values.tolist()
    ):
        watch.add_one(key, tuple(value), received, None if stamp != stamp else stamp, name)
    conflict = watch.conflicts().get(key)
    if conflict is None:
        return None
    # Stamps that jump by so much cut the recording at each message.
    if clock.name == "header" and conflict.back_s > JUMP_BACK_S:
        return replace(conflict, contradicts=True)
    # Values are imported in order of their stamps. In that order a relay that is late agrees with its source.
    return replace(conflict, contradicts=conflict.contradicts and _contradicts_in_order(key, messages, kind))


def _contradicts_in_order(key: str, messages: _Messages, kind: Kind) -> bool:
    cuts = np.flatnonzero(np.diff(messages.times_s) < -JUMP_BACK_S) + 1
    for run in np.split(np.arange(len(messages.times_s)), cuts):
        watch = SourceWatch(kind)
        for index in run[np.argsort(messages.times_s[run], kind="stable")]:
            watch.add_one(
                key, tuple(messages.values[index].tolist()), float(messages.times_s[index]), None, messages.names[index]
            )
        if any(conflict.contradicts for conflict in watch.conflicts().values()):
            return True
    return False


def _even(messages: _Messages, kind: Kind) -> bool:
    """Whether a quick look shows that there is one source."""
    if len(set(messages.names)) > 1 or np.any(np.diff(messages.stamps_s[np.isfinite(messages.stamps_s)]) < 0):
        return False
    steps = np.diff(messages.values, axis=0)
    steps = np.abs(short_way(steps) if kind is Kind.JOINT else steps).max(axis=1, initial=0.0)
    return bool((steps <= FLOOR + SPEEDS[kind] * np.maximum(np.diff(messages.received_s), 0.0)).all())
