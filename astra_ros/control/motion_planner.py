"""The motion planner: candidates from a process of its own, which is ended when it does not answer in time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from astra_ros.control.motion_candidates import Goal, MotionSettings
from astra_ros.control.planning_process import PlanningProcess
from astra_ros.control.pushes import PushSettings
from astra_ros.control.tool_goals import ToolPose
from astra_ros.plans.joint_plan import JointPlan

GRACE_S = 1.0  # beyond the time limit, for timing the last motion on a busy machine


class MotionPlanner:
    """Plans motions of any serial arm from its URDF, with OMPL (RRTConnect, AORRTC) and TOPP-RA.

    OMPL holds Python's lock while it plans, and nothing can interrupt it. So it runs in a process of its own, which
    starts with the first call and is started anew after a timeout.

    Args:
        settings: a change counts from the next call on.
        start_limit_s: how long the process may take to start, and then to read a robot that it does not know.
    """

    def __init__(self, settings: MotionSettings = MotionSettings(), start_limit_s: float = 60.0) -> None:
        self.settings = settings
        self._start_limit_s = start_limit_s
        self._process = PlanningProcess(start_limit_s)

    def plan(self, initial: Mapping[str, float], goal: Goal, robot_urdf: str) -> list[JointPlan]:
        """Distinct, time-parameterised motions from a state to a goal; see ``plan_motions``.

        Raises:
            KinematicsError, PlanningError: as ``plan_motions``.
            PlanningTimeout: no answer within the time limit and a second.
        """
        wanted = dict(goal) if isinstance(goal, Mapping) else goal
        request = (dict(initial), wanted, robot_urdf, self.settings)
        self._prepare(*request)
        return self._process.call("plan", request, self.settings.time_limit_s + GRACE_S)

    def push(
        self,
        initial: Mapping[str, float],
        places: tuple[np.ndarray, np.ndarray],
        robot_urdf: str,
        pushing: PushSettings,
    ) -> list[JointPlan]:
        """Pushes of an object from a place towards another; see ``plan_pushes``. Raises as ``plan``."""
        tool = ToolPose(pushing.tool_link, (0.0, 0.0, 0.0))
        self._prepare(dict(initial), tool, robot_urdf, self.settings)
        request = (dict(initial), places, robot_urdf, self.settings, pushing)
        return self._process.call("push", request, self.settings.time_limit_s + GRACE_S)

    def retreat(
        self, initial: Mapping[str, float], home: Mapping[str, float], robot_urdf: str, pushing: PushSettings
    ) -> JointPlan | None:
        """Up and home, or None where the arm is there; see ``plan_retreat``. Raises as ``plan``."""
        request = (dict(initial), dict(home), robot_urdf, self.settings, pushing)
        self._prepare(dict(initial), ToolPose(pushing.tool_link, (0.0, 0.0, 0.0)), robot_urdf, self.settings)
        return self._process.call("retreat", request, self.settings.time_limit_s + GRACE_S)

    def _prepare(self, *request) -> None:
        """Have the robot read, which may take longer than a plan; later calls with it return at once."""
        self._process.call("prepare", request, self._start_limit_s)

    def start(self) -> None:
        """Start the process now, so that the first plan does not wait for it."""
        self._process.start()

    def close(self) -> None:
        """End the process."""
        self._process.close()
