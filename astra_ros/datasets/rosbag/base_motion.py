"""A base's velocity at the times of its camera's frames, from its commands or its odometry."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from astra_ros.datasets.rosbag.errors import MotionError, SeveralOdometries, TwoSources, summary
from astra_ros.datasets.rosbag.frame_motion import FrameMotion
from astra_ros.datasets.rosbag.import_settings import AXES
from astra_ros.datasets.rosbag.message_types import ODOMETRY
from astra_ros.datasets.rosbag.recording import Recording, Series
from astra_ros.datasets.rosbag.resample import Clock, Track, mean_of_commands, mean_of_line, problems
from astra_ros.datasets.rosbag.sources import check_frame, check_velocities
from astra_ros.datasets.rosbag.topics import TopicSelection
from astra_ros.datasets.rosbag.twist_frame import TwistFrame, compare, turned_into_body

# FrameMotion that stand still while robots move (REP 105).
FIXED_FRAMES = ("odom", "map", "earth", "world")
# An odometry with other frames and only this many messages comes from a start-up. It is not another odometry.
FEW = 3


class BaseMotion:
    """A base's mean velocity since the frame before, from its commands or its odometry."""

    continuous: tuple[str, ...] = ()
    unfit = cure = ""

    def __init__(self, recording: Recording, selection: TopicSelection, clock: Clock):
        settings, series, self._topic = selection.settings, recording.velocities, selection.motion.name
        values = np.array(series.values, dtype=np.float64).reshape(-1, len(AXES))
        problem = "no velocity in it can be used" + recording.reasons(self._topic)
        nothing = MotionError(self._topic, problem, "record a topic that has velocities")
        if not len(values):
            raise nothing
        times, received = clock.times_s(series, recording.stamped), clock.received_s(series)
        self.samples = len(values)
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self._gap_s, self._dt_s, self._fixed = settings.gap_s, settings.dt_s, settings.fixed_frame
        self._timeout_s = None if selection.motion.type == ODOMETRY else settings.command_timeout_s
        self._frames: FrameMotion | None = None
        if self._timeout_s is None:
            self.how = "odometry, mean since the frame before"
            times, received, values = self._checked(recording, clock, times, received, values)
        else:
            self.how = f"commands, each held until the next, {self._timeout_s:g} s at most; mean since the frame before"
            self._check_header(recording)
            self._check_sources(recording, clock)
        if not len(values) and self._frames is None:
            raise nothing
        used = values if self._frames is None else self._frames.example()
        moving = [name for index, name in enumerate(AXES) if np.abs(used[:, index]).max() > 1e-3]
        self.names = settings.axes or tuple(
            name for name in ("linear.x", "linear.y", "angular.z") if name in moving or name != "linear.y"
        )
        if unused := [name for name in moving if name not in self.names]:
            self.notes.append(
                f"{self._topic}: {', '.join(unused)} is not always 0, but not used; add it to axes if it is motion"
            )
        self._columns = [AXES.index(name) for name in self.names]
        if self._frames is None:
            self._track = Track(times, received, values[:, self._columns])

    def _checked(
        self, recording: Recording, clock: Clock, times: np.ndarray, received: np.ndarray, values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times and velocities of an odometry in the robot's frame. Where its poses are used, they are in `_frames`.

        Raises TwoSources where two publishers contradict each other, SeveralOdometries where they name other frames.
        """
        parent, child = pair = self._one_odometry(recording)
        own = np.array([frames == pair for frames in recording.velocity_frames])
        times, received, values = times[own], received[own], values[own]
        named = f"'{child}'" if child else "child_frame_id (empty)"
        series = _poses_of(recording, pair)
        if series is None:
            return times, received, values
        conflict = check_frame(child, {parent: series}, clock)
        if conflict and conflict.contradicts:
            raise TwoSources(self._topic, [conflict], "")
        if conflict:
            self.warnings.append(f"{self._topic}: {conflict}")
        poses = np.array(recording.velocity_poses)[own]
        found = compare(times, values, poses)
        if not values.any() and np.ptp(series.values, axis=0).max() > 1e-3:
            found = replace(found, frame=TwistFrame.POSES)  # some odometries leave the velocity empty
        # With a known frame, the poses show that the velocities come from two publishers.
        if found.frame is TwistFrame.UNKNOWN and (conflicts := check_velocities(recording, clock, pair)):
            raise TwoSources(self._topic, conflicts, "")
        column = found.column
        ranges = found.said[:, column], found.seen[:, column]
        said, seen = (f"{AXES[column]} {low:.2f} to {high:.2f}" for low, high in ranges)
        if found.frame is TwistFrame.TURNED:
            self.warnings.append(
                f"{self._topic}: its twist is in the frame of the header, '{parent}', and not in {named}, as "
                f"nav_msgs/Odometry defines it: {said} where the poses say {seen}; the poses rotated it into the "
                "robot's frame"
            )
            self.how = "odometry's velocities rotated into the robot's frame, mean since the frame before"
            good = np.isfinite(poses).all(axis=1)
            return times[good], received[good], turned_into_body(values[good], poses[good])
        if found.frame is TwistFrame.POSES:
            self._frames = FrameMotion([child], {child: (parent, series)}, (), clock, self._topic)
            self.notes += self._frames.notes
            why = "its velocities are all 0"
            if values.any():
                why = "its velocities contradict them"
                self.warnings.append(
                    f"{self._topic}: its twist contradicts its poses, both in {named}, as nav_msgs/Odometry defines "
                    f"it, and in '{parent}': {said} where the poses say {seen}; the poses were used"
                )
            self.how = f"odometry's poses ({why}), mean since the frame before"
        return times, received, values

    def _check_header(self, recording: Recording) -> None:
        """Warns of commands whose headers name a frame that does not move with the robot."""
        for frame, count in Counter(frame for frames in recording.velocity_frames for frame in frames).most_common():
            if frame.rpartition("/")[2] in FIXED_FRAMES:
                self.warnings.append(
                    f"{self._topic}: the headers of {count} messages say that their velocities are in '{frame}', "
                    "which does not move with the robot; they were used as velocities in the robot's frame. If they "
                    "are not, import its odometry instead"
                )

    def _check_sources(self, recording: Recording, clock: Clock) -> None:
        """Warns of commands of two publishers, such as navigation and a joystick at rest."""
        if conflicts := check_velocities(recording, clock):
            self.warnings.append(
                f"{self._topic}: {summary(conflicts)}; each command holds until the next, so the stored velocity lies "
                "between the two. If there are two publishers, stop one and record again (`ros2 topic info -v "
                f"{self._topic}` lists them), or import the odometry instead"
            )

    def _one_odometry(self, recording: Recording) -> tuple[str, str]:
        """(header.frame_id, child_frame_id) of the odometry to use: the only one, else the one in `fixed_frame`."""
        counts = recording.odometry_frames
        fitting = [pair for pair, count in counts.items() if count > FEW] or [counts.most_common(1)[0][0]]
        if len(fitting) > 1 and self._fixed:
            fitting = [pair for pair in fitting if pair[0] == self._fixed]
        if len(fitting) != 1:
            raise SeveralOdometries(self._topic, counts)
        if len(counts) > 1:
            others = ", ".join(
                f"'{child}' in '{parent}' ({counts[parent, child]} messages)"
                for parent, child in counts
                if (parent, child) != fitting[0]
            )
            parent, child = fitting[0]
            self.warnings.append(
                f"{self._topic}: the odometry of '{child}' in '{parent}' was taken; left out were "
                f"those of other frames: {others}"
            )
        return fitting[0]

    def problems(self, times: np.ndarray, received_s: float) -> np.ndarray:
        if self._timeout_s is not None:  # without a command the base rests
            return np.full(len(times), "", dtype=object)
        if self._frames is not None:
            return self._frames.problems(times, received_s, self._dt_s, self._gap_s)
        samples = self._track.run(received_s)[0]
        now, before = (problems(samples, at, self._gap_s) for at in (times, times - self._dt_s))
        return np.where(now == "", before, now)

    def rows(self, begin: np.ndarray, end: np.ndarray, received_s: float) -> np.ndarray:
        if self._frames is not None:
            return self._frames.velocities(begin, end, received_s)[:, self._columns]
        if self._timeout_s is None:
            return mean_of_line(*self._track.run(received_s), begin, end)
        return mean_of_commands(*self._track.run(received_s), self._timeout_s, begin, end)

    def labels(self, times: np.ndarray, received_s: float) -> dict[str, np.ndarray]:
        return {}


def _poses_of(recording: Recording, pair: tuple[str, str]) -> Series | None:
    """The poses of an odometry, named by (header.frame_id, child_frame_id)."""
    parent, child = pair
    first, series = recording.poses.get(child, (None, None))
    return series if first == parent else recording.other_parents.get(child, {}).get(parent)
