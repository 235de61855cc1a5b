"""Where a mobile base is, and the paths that it is to follow from there. Without ROS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from astra_ros.control.path_tracking import FollowedPath, track
from astra_ros.control.vehicle import VehicleState
from astra_ros.control.vehicle_controller import VehicleController
from astra_ros.control.vehicle_settings import VehicleSettings
from astra_ros.nodes.imagine.message_readers import FrameLookup
from astra_ros.plans.base_now import BaseNow
from astra_ros.plans.errors import PlanError, RobotUnknown
from astra_ros.plans.path_plan import PathPlan
from astra_ros.plans.plan import Plan
from astra_ros.rotations import rotate


@dataclass(eq=False)
class BaseState:
    """The newest odometry, and what paths become from there. Safe to use from several threads.

    Attributes:
        topic: of the odometry, in the graph.
        read: (odometry message, topic) -> the motion; raises UserError.
        frames: where one frame is in another.
    """

    topic: str
    read: Callable[[object, str], BaseNow]
    frames: FrameLookup
    clock: Callable[[], float]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _newest: tuple[float, BaseNow] | None = None  # (when it arrived, what it says)

    def on_odometry(self, msg) -> None:
        """Take a message. Raises UserError."""
        motion = self.read(msg, self.topic)
        with self._lock:
            self._newest = self.clock(), motion

    def now(self, timeout_s: float) -> BaseNow | None:
        """The newest motion, if it is at most ``timeout_s`` old."""
        with self._lock:
            newest = self._newest
        return None if newest is None or self.clock() - newest[0] > timeout_s else newest[1]

    @property
    def age_s(self) -> float | None:
        """Since the newest odometry arrived; None before the first one."""
        with self._lock:
            return None if self._newest is None else self.clock() - self._newest[0]

    def unknown(self, frames: Iterable[str], timeout_s: float) -> str | None:
        """Why paths in these frames cannot be compared with where the robot is, or None."""
        try:
            motion = self._known(self.now(timeout_s), "paths")
            for frame in frames:
                if frame != motion.frame:
                    self.frames(motion.frame, frame)
        except PlanError as error:
            return str(error)
        return None

    def followed(
        self, plans: Sequence[Plan | PathPlan], motion: BaseNow | None, settings: VehicleSettings, span_s: float
    ) -> tuple[list[Plan], dict[str, PlanError]]:
        """Plans as they can be imagined: paths as what a controller makes of them from a motion, over ``span_s``.

        Returns the plans, and the name of each path that cannot be followed -> why.
        """
        made: list[Plan] = []
        refused: dict[str, PlanError] = {}
        controller = VehicleController(settings, settings)
        for plan in plans:
            if not isinstance(plan, PathPlan):
                made.append(plan)
                continue
            try:
                path, state = self._here(plan, motion)
                made.append(track(path, state, controller, settings, span_s).plan)
            except PlanError as error:
                refused[plan.name] = error
        return made, refused

    def check_start(self, plan: PathPlan, settings: VehicleSettings, timeout_s: float) -> None:
        """Raises PlanError where a path does not lead past where the robot is now."""
        path, state = self._here(plan, self.now(timeout_s))
        FollowedPath(path, state, VehicleController(settings, settings), settings)

    def _here(self, plan: PathPlan, motion: BaseNow | None) -> tuple[PathPlan, VehicleState]:
        """The path in the frame of the odometry, and the vehicle there."""
        motion = self._known(motion, plan.title)
        if plan.frame != motion.frame:
            try:
                position, turn = self.frames(motion.frame, plan.frame)
            except PlanError as error:
                error.thing = plan.title
                raise
            turns = np.repeat(turn, len(plan.positions), axis=0)
            plan = plan.moved(motion.frame, rotate(turns, plan.positions) + position)
        twist = motion.velocities
        speed, rate = twist.get("linear.x", 0.0), twist.get("angular.z", 0.0)
        return plan, VehicleState(motion.x, motion.y, motion.yaw, speed, rate)

    def _known(self, motion: BaseNow | None, thing: str) -> BaseNow:
        if motion is None:
            problem = f"no odometry came on {self.topic} within camera_timeout_s, so it is not known where the robot is"
            raise RobotUnknown(problem, thing=thing, cure="remap odom to the robot's odometry")
        return motion
