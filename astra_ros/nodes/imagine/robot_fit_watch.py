"""Whether the robot, drawn from its description and joint states, is where the camera sees it. Without ROS.

Images and joint states come from the executor's threads; the model's thread draws and judges between its requests.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from astra_ros.nodes.reports import OK, WARN, Status
from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.ranking.imaginer import Imaginer
from astra_ros.ranking.robot_fit import EVERY_S, IMAGES, NANOSECONDS, RobotFitMonitor
from astra_ros.robot.joint_track import JointTrack
from astra_ros.robot.silhouette_fit import edge_agreement

CURE = (
    "check whether the camera was moved or its pose in the model's card is another one (calibrate it again, or put it "
    "back), whether robot_description is that of this robot, whether joint_states are right (the zero of each joint) "
    "and stamped on the clock of the images, and whether something stands before the robot"
)
NO_JOINTS = "joint_states of the time of the images have not come; stamp both on one clock"
NO_LIMIT = (
    "no limit is known for this model: astra monitor --scenes 0 --fit-data FOLDER --write computes one from recordings "
    "of a robot of your own, astra monitor --scenes 0 --write one for the simulated arms"
)


@dataclass(frozen=True)
class _Seen:
    stamp_ns: int
    frame: np.ndarray
    came_s: float  # on the watch's clock


class RobotFitWatch:
    """Safe to use from several threads; ``judge`` runs on the model's thread. `clock`: seconds, never set back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._track = JointTrack()
        self._waiting: deque[_Seen] = deque(maxlen=IMAGES)
        self._taken_ns: int | None = None  # stamp of the last image that was taken
        self._judged_s = clock()  # when the image that was judged last came
        self._reason = "no image was judged yet"  # why the last image was not judged, or ''
        self._monitor = RobotFitMonitor({})
        self._spaces: tuple[ActionSpace, ...] = ()  # whose robot the model sees drawn

    def attach(self, card, action_space: str) -> None:
        """Begin anew with a loaded model. Only the named action space counts; '' takes that of the joints that come."""
        with self._lock:
            self._monitor = RobotFitMonitor(card.robot_fit_limits)
            self._spaces = tuple(
                space
                for name, space in card.action_spaces.items()
                if name in card.cameras and action_space in ("", name)
            )
            self._waiting.clear()
            self._taken_ns = None

    def on_joints(self, stamp_ns: int, positions: Mapping[str, float]) -> None:
        with self._lock:
            if self._spaces:
                self._track.add(stamp_ns, positions)

    def on_frame(self, frame: np.ndarray, stamp_ns: int) -> bool:
        """Take a frame at the model's size, one each `EVERY_S`; whether ``judge`` has something to do."""
        with self._lock:
            if not self._track.has_joints or not any(space.name in self._monitor.limits for space in self._spaces):
                return False
            if self._taken_ns is not None and 0 <= stamp_ns - self._taken_ns < EVERY_S * NANOSECONDS:
                return False
            # The frames before have waited for joint states that came later than they.
            ready = bool(self._waiting)
            self._taken_ns = stamp_ns
            self._waiting.append(_Seen(stamp_ns, frame, self._clock()))
            return ready or self._joints(stamp_ns) is not None

    def _joints(self, stamp_ns: int) -> tuple[ActionSpace, np.ndarray] | None:
        """The action space whose joints are known at a time, and their positions [J]."""
        there = self._track.at(stamp_ns)
        for space in self._spaces:
            if all(name in there for name in space.motion_names):
                return space, np.array([there[name] for name in space.motion_names])
        return None

    def judge(self, imaginer: Imaginer, known: Mapping[str, float]) -> None:
        """Judge the frames that wait and whose joint states came; ``known``: joints that are not in doubt."""
        while (found := self._next(known)) is not None:
            seen, space, joints = found
            renders = imaginer.plan_renders.draw(space, joints[None, None])
            if renders is None:
                with self._lock:
                    self._monitor.forget()
                    self._reason = f"the robot cannot be drawn: {imaginer.plan_renders.problem}"
                continue
            coverage = np.asarray(renders)[0, 0, 0]
            agreement = edge_agreement(seen.frame, coverage)  # takes milliseconds, for which no callback must wait
            with self._lock:
                self._monitor.append(space.name, seen.stamp_ns, agreement)
                self._judged_s, self._reason = seen.came_s, self._monitor.unseen

    def _next(self, known: Mapping[str, float]) -> tuple[_Seen, ActionSpace, np.ndarray] | None:
        with self._lock:
            while self._waiting:
                found = self._joints(self._waiting[0].stamp_ns)
                if found is not None and all(name in known for name in found[0].motion_names):
                    return (self._waiting.popleft(), *found)
                if len(self._waiting) == 1:  # its joint states may still come
                    return None
                self._waiting.popleft()
                self._monitor.forget()
                self._reason = NO_JOINTS
            return None

    def status(self, on: bool, image_topic: str, silent: str, most_age_s: float) -> Status:
        """Whether the robot is where the camera on this topic sees it.

        A judgement counts no longer where the camera is `silent` (why, or ''), or its image is older than `most_age_s`.
        """
        with self._lock:
            monitor, fault, fit, limit = self._monitor, self._monitor.fault, self._monitor.fit, self._monitor.limit
            reason, drawn, age_s = self._reason, bool(self._spaces), self._clock() - self._judged_s
        if fit is not None and (silent or age_s > most_age_s):
            reason = silent or f"the last image that was judged came {age_s:.1f} s ago"
            fault = fit = None
        values = {
            "camera": image_topic,
            "misfit": "" if fit is None else f"{fit.misfit:.3f}",
            "limit": "" if limit is None else f"{limit.limit:.3f}",
            "false_alarms_per_plan": "" if limit is None else f"{limit.false_alarms:g}",
            "best_misfit": "" if fit is None else f"{fit.best_misfit:.3f}",
            "best_right_px": "" if fit is None else fit.shift[0],
            "best_down_px": "" if fit is None else fit.shift[1],
            "outline_agrees": "" if fit is None else f"{fit.agreement:.2f}",
            "judgements": monitor.judged,
            "not_judged": reason,
        }
        if not on:
            return Status("robot_fit", OK, "check_robot_fit is off", values)
        if not drawn:
            return Status("robot_fit", OK, "no robot is drawn for this model and these plans", values)
        if fault is not None and limit is not None:
            text = f"{image_topic}: the robot is not where the camera sees it: {fault.in_words(limit.limit)}; {CURE}"
            return Status("robot_fit", WARN, text, values)
        if not monitor.limits:
            return Status("robot_fit", OK, NO_LIMIT, values)
        if fit is None:
            text = f"not judged: {reason or f'images of {EVERY_S * IMAGES:g} s are judged together'}"
            return Status("robot_fit", OK, text, values)
        return Status("robot_fit", OK, "the robot is where the camera sees it", values)
