"""A base's velocity at the times of its camera's frames: of its commands, or of its odometry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from astra_ros.learning.bags.config import AXES
from astra_ros.learning.bags.frames import Frames
from astra_ros.learning.bags.motion_error import MotionError, TwoSources
from astra_ros.learning.bags.reader import Recording
from astra_ros.learning.bags.resample import Clock, Track, mean_of_commands, mean_of_line, problems
from astra_ros.learning.bags.sources import check_frame
from astra_ros.learning.bags.topics import ODOMETRY, Choice
from astra_ros.learning.bags.twist_frame import Verdict, compare, turned_into_body

# Frames that stand still while robots move (REP 105).
FIXED_FRAMES = ('odom', 'map', 'earth', 'world')


class BaseMotion:
    """A base's mean velocity since the frame before: of its commands, or of its odometry."""

    continuous: tuple[str, ...] = ()
    cure = ''

    def __init__(self, recording: Recording, choice: Choice, clock: Clock):
        settings, series, self._topic = choice.settings, recording.velocities, choice.motion.name
        values = np.array(series.values, dtype=np.float64).reshape(-1, len(AXES))
        if not len(values):
            raise MotionError(self._topic, 'no velocity in it can be used' + recording.reasons(self._topic),
                              'record a topic that has velocities')
        times, received = clock.times_s(series, recording.stamped), clock.received_s(series)
        self.samples = len(values)
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self._gap_s, self._dt_s = settings.gap_s, settings.dt_s
        self._timeout_s = None if choice.motion.type == ODOMETRY else settings.command_timeout_s
        self._frames = None
        if self._timeout_s is None:
            self.how = 'odometry, mean since the frame before'
            times, received, values = self._checked(recording, clock, times, received, values)
        else:
            self.how = (f'commands, each held until the next, {self._timeout_s:g} s at most; mean '
                        'since the frame before')
            self._check_header(recording)
        used = values if self._frames is None else self._frames.example()
        moving = [name for index, name in enumerate(AXES) if np.abs(used[:, index]).max() > 1e-3]
        self.names = settings.axes or tuple(
            name for name in ('linear.x', 'linear.y', 'angular.z')
            if name in moving or name != 'linear.y')
        if unused := [name for name in moving if name not in self.names]:
            self.notes.append(f'{self._topic}: {", ".join(unused)} is not always 0, but not '
                              'used; name it under axes in the --config file if the base can do it')
        self._columns = [AXES.index(name) for name in self.names]
        if self._frames is None:
            self._track = Track(times, received, values[:, self._columns])

    def _checked(self, recording: Recording, clock: Clock, times: np.ndarray, received: np.ndarray,
                 values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """An odometry's velocities in the robot's frame, or its poses in `_frames`.

        Raises TwoSources where two publishers contradict each other, MotionError where they speak of two robots.
        """
        parent, child = recording.odometry_frames
        named = f"'{child}'" if child else 'child_frame_id (empty)'
        if len(recording.poses) > 1:
            counts = ', '.join(f"'{frame}' ({len(series)} times)" for frame, (_, series) in recording.poses.items())
            raise MotionError(self._topic, f'it speaks of several frames, {counts}',
                              'import the odometry of one robot, from a topic of its own')
        if child not in recording.poses:
            return times, received, values
        first, series = recording.poses[child]
        conflict = check_frame(child, {first: series, **recording.other_parents.get(child, {})}, clock)
        if conflict and conflict.contradicts:
            raise TwoSources(self._topic, [conflict], '')
        if conflict:
            self.warnings.append(f'{self._topic}: {conflict}')
        poses = np.array(recording.velocity_poses)
        found = compare(times, values, poses)
        if not values.any() and np.ptp(series.values, axis=0).max() > 1e-3:
            found = replace(found, verdict=Verdict.POSES)       # some odometries leave the velocity empty
        if found.verdict is Verdict.TURNED:
            said, seen = (f'{AXES[found.column]} {low:.2f} to {high:.2f}' for low, high in
                          (found.said[:, found.column], found.seen[:, found.column]))
            self.warnings.append(
                f"{self._topic}: its twist is in the frame of the header, '{parent}', and not in {named}, as "
                f'nav_msgs/Odometry says: {said} where the poses beside it say {seen}; it was turned into the '
                "robot's frame by the poses")
            self.how = "odometry's velocities turned into the robot's frame, mean since the frame before"
            good = np.isfinite(poses).all(axis=1)
            return times[good], received[good], turned_into_body(values[good], poses[good])
        if found.verdict is Verdict.POSES and parent != child:
            self._frames = Frames(recording, clock, child, first, self._topic)
            why = 'its velocities are all 0'
            if values.any():
                said, seen = (f'{AXES[found.column]} {low:.2f} to {high:.2f}' for low, high in
                              (found.said[:, found.column], found.seen[:, found.column]))
                why = 'its velocities do not fit them'
                self.warnings.append(
                    f"{self._topic}: its twist fits the poses beside it neither in {named}, as nav_msgs/Odometry says, "
                    f"nor in '{parent}': {said} where the poses say {seen}; the poses were used")
            self.how = f"odometry's poses ({why}), mean since the frame before"
        return times, received, values

    def _check_header(self, recording: Recording) -> None:
        """Commands whose headers say that they are in a frame which does not move with the robot."""
        for frame, count in recording.velocity_frames.most_common():
            if frame.rpartition('/')[2] in FIXED_FRAMES:
                self.warnings.append(
                    f"{self._topic}: the headers of {count} messages say that their velocities are in '{frame}', "
                    "which does not move with the robot; they were taken as in the robot's own frame. If they are not, "
                    'import its odometry with --motion-topic')

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
