"""The arm's table with an obstacle in the way, and pushes as a motion planner makes them: the world of the arm's loop.

The planner knows the arm, the table, the cube and the goal, and no obstacle. Its pushes are longer than those of
``candidates.py`` and come from other directions, so a model that is to choose among them should have learned from them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from astra_ros.control.motion_candidates import MotionSettings
from astra_ros.control.planning_errors import InCollision, NoPath, OutsideLimits, PlanningError, PlanningNotInstalled
from astra_ros.control.pushes import PushSettings, plan_pushes, plan_retreat
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.simulation.arm.candidates import random_play
from astra_ros.simulation.arm.episodes import PlayingArm
from astra_ros.simulation.arm.robots import RobotSpec, robot_description
from astra_ros.simulation.arm.scene import SceneSettings
from astra_ros.simulation.arm.world import ArmWorldSettings
from astra_ros.simulation.camera import CameraSettings
from astra_ros.simulation.worlds import Embodiment

# The obstacle stands in the straight way to the goal, up to a few centimetres beside its middle.
BLOCKED = SceneSettings(blocked_share=1.0, blocked_offset_m=0.05, distance_range=(0.2, 0.28))
PLANNED = "planned_push"
RANDOM_SHARE = 0.15  # of the behaviours of an episode
PLAYED_FROM = 8  # pushes are planned for each that is played
PLAN_LIMIT_S = 60.0  # against the clock; planning takes a fraction of a second


def motion_settings(count: int, time_limit_s: float = PLAN_LIMIT_S, seed: int = 0) -> MotionSettings:
    """How the pushes of this world are planned: fast enough that most end within the four seconds that models know."""
    return MotionSettings(count=count, time_limit_s=time_limit_s, velocity_scale=0.7, use_floor=True, seed=seed)


def push_settings(spec: RobotSpec) -> PushSettings:
    return PushSettings(spec.tool_link, height_m=spec.push_height_m)


class PlannedArm(PlayingArm):
    """`PlayingArm` that plays and proposes planned pushes around an obstacle. Needs the extra ``planning``."""

    @property
    def embodiment(self) -> Embodiment:
        return Embodiment("pushing", self.spec.name, "joints", self.joint_names)

    def play(self, rng: np.random.Generator, seconds: float) -> str:
        """One of the planned pushes, or random motion: at times, and where no push can be planned."""
        seed = int(rng.integers(2**31 - 2))
        proposals = [] if rng.random() < RANDOM_SHARE else self.propose(PLAYED_FROM, seed)
        if proposals:
            kind, plan = proposals[int(rng.integers(len(proposals)))]
        else:
            kind, plan = "random_play", random_play(self, seconds, seed)
        self.command(plan)
        return kind

    def propose(self, count: int, seed: int) -> list[tuple[str, JointPlan]]:
        """At most ``count`` pushes from here; none where the arm touches something, or nothing can be planned.

        Raises PlanningError where nothing could ever be planned: PlanningNotInstalled without the extra ``planning``.
        """
        state, urdf = self.state(), robot_description(self.spec, coarse=True)
        joints = dict(zip(self.joint_names, self.motion().tolist()))
        places = state.object_position, state.goal_position
        # A model should know bad pushes, too.
        pushing = replace(push_settings(self.spec), dead_ends=True)
        try:
            plans = plan_pushes(joints, places, urdf, motion_settings(count, seed=seed), pushing)
        except (InCollision, NoPath, OutsideLimits):
            return []
        return [(PLANNED, plan) for plan in plans]

    def between(self) -> JointPlan | None:
        """The way up and home; None at home, and where none can be planned. Raises as ``propose``."""
        home, settings = dict(zip(self.spec.joint_names, self.spec.ready)), motion_settings(1)
        joints = dict(zip(self.joint_names, self.motion().tolist()))
        urdf = robot_description(self.spec, coarse=True)
        try:
            return plan_retreat(joints, home, urdf, settings, push_settings(self.spec))
        except PlanningNotInstalled:
            raise
        except PlanningError:
            return None


def make(robot: str, size: int) -> PlannedArm:
    """A world of one arm, its camera ``size`` pixels wide and high."""
    return PlannedArm(ArmWorldSettings(robot=robot, camera=CameraSettings(size, size), scene=BLOCKED))
