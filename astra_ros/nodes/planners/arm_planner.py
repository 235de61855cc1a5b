"""The arm planner node: a goal in, candidate trajectories out on ``plans``, planned with OMPL from the robot's URDF.

A goal is a pose of the tool (``tool_goal``), joint positions (``joint_goal``) or a goal image (``goal_image``). An
image does not say where the tool must go. So the candidates then go to different places of a region, and the imagine
node, which gets the image too, finds out which of them serves it.

It also reads `robot_description` and `joint_states`, answers `~/propose`, and publishes /diagnostics.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.poses import pose_to_pose
from astra_ros.bridge.trajectories import joint_state_to_positions, plan_to_trajectory
from astra_ros.control.motion_candidates import Goal, MotionSettings
from astra_ros.control.motion_planner import MotionPlanner
from astra_ros.control.planning_errors import AtGoal, PlanningError
from astra_ros.control.tool_goals import ToolPose, ToolRegion
from astra_ros.errors import UserError, as_user_error
from astra_ros.nodes.executable import run
from astra_ros.nodes.imagine.joint_inputs import JointInputs
from astra_ros.nodes.imagine.settings import LONGEST_S
from astra_ros.nodes.planners.proposer import Proposer, RobotStateSettings
from astra_ros.nodes.qos import LATCHED, best_effort, reliable
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.settings import MOST_SEED, setting
from astra_ros.texts import listed

Corner = tuple[float, float, float]


@dataclass(frozen=True)
class ArmPlannerSettings(RobotStateSettings, MotionSettings):
    """Which motions to plan, and when."""

    tool_link: str = setting("", "link that tool goals and goal images are about; '' takes joint goals only")
    world_frame: str = setting("world", "frame_id that tool goals must have; it stands for the robot's base link")
    region_low: Corner = setting((0.3, -0.3, 0.02), "m, a corner of the region that goal images send the tool to")
    region_high: Corner = setting((0.7, 0.3, 0.3), "m, the opposite corner")
    period_s: float = setting(
        5.0,
        "seconds between two plannings of the same goal; 0 plans once per goal and when ~/propose is called",
        0.01,
        LONGEST_S,
        "s",
        "once",
    )

    @property
    def motion(self) -> MotionSettings:
        """The part that the planner itself reads."""
        return MotionSettings(**{item.name: getattr(self, item.name) for item in fields(MotionSettings)})


class ArmPlanner(Proposer[ArmPlannerSettings]):
    """Plans the newest goal in a thread of its own, so that messages never wait for a plan."""

    def __init__(self, node: Node) -> None:
        super().__init__(node, ArmPlannerSettings(), JointTrajectory)
        self._planner = MotionPlanner(self.settings.motion)
        self._wake = threading.Condition()
        self._joints = JointInputs(joint_state_to_positions, time.monotonic)
        self._description = ""
        self._goal: Goal | None = None
        self._due = self._closed = False
        self._plannings, self._dropped, self._last = 0, 0, "no goal yet"
        listen = node.create_subscription
        listen(String, "robot_description", self._on_description, LATCHED)
        listen(JointState, "joint_states", self._on_joints, best_effort(5))
        listen(PoseStamped, "tool_goal", self._reading("tool_goal", self._tool_goal), reliable(5))
        listen(JointState, "joint_goal", self._reading("joint_goal", self._joint_goal), reliable(5))
        listen(Image, "goal_image", self._reading("goal_image", self._image_goal), LATCHED)
        self._thread = threading.Thread(target=self._work, name="planning", daemon=True)
        self._thread.start()

    def close(self) -> bool:
        """End the thread and the planner's process."""
        super().close()
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._planner.close()
        self._thread.join(10.0)
        return not self._thread.is_alive()

    def propose(self) -> None:
        with self._wake:
            self._due = self._goal is not None
            self._wake.notify()

    def answer(self) -> tuple[bool, str]:
        if self._goal is None:
            return False, "waiting for a goal"
        self.propose()
        return True, "planning; the plans follow on their topic"

    def hardware_id(self) -> str:
        return self.settings.tool_link

    def missing(self) -> str:
        has = {"robot_description": bool(self._description), "joint_states": bool(self._joints.heard)}
        missing = [self.topic(name) for name, there in has.items() if not there]
        return f"waiting for {', '.join(missing + ['a goal'] * (self._goal is None))}" if missing else ""

    def stale(self) -> str:
        """Also joints that are not planned must be known: planned motions must not touch them."""
        timeout_s, topic = self.settings.state_timeout_s, self.topic("joint_states")
        if doubted := sorted(name for name, each in self._joints.conflicts.items() if each.contradicts):
            said = f"two publishers on {topic} contradict each other about {listed(doubted)}"
            return f"{said}; no plan is sent; stop one of them"
        if old := sorted(self._joints.heard - self._joints.now(timeout_s).keys()):
            said = f"no joint state of {listed(old)} came on {topic} within state_timeout_s = {timeout_s:g}"
            return f"{said}; no plan is sent; check the joints' driver"
        return ""

    def _on_description(self, msg: String) -> None:
        with self._wake:
            self._description = msg.data
            self._wake.notify()

    def _on_joints(self, msg: JointState) -> None:
        try:
            self._joints.on_joints(msg, self.topic("joint_states"))
        except UserError as error:
            self.refused.add(str(error))
            return
        with self._wake:
            self._wake.notify()

    def _reading(self, topic: str, read: Callable[..., Goal]) -> Callable[..., None]:
        """A callback that takes what a message says as the newest goal."""

        def on_message(msg) -> None:
            try:
                goal = read(msg)
            except UserError as error:
                self.refused.add(f"{self.topic(topic)}: {error.problem}; {error.cure}")
                return
            with self._wake:
                self._goal = goal
            self.propose()

        return on_message

    def _tool_goal(self, msg: PoseStamped) -> Goal:
        position, quaternion = pose_to_pose(msg, self.settings.world_frame)
        return ToolPose(self._tool(), position, quaternion)

    def _joint_goal(self, msg: JointState) -> Goal:
        return joint_state_to_positions(msg)

    def _image_goal(self, _: Image) -> Goal:
        return ToolRegion(self._tool(), self.settings.region_low, self.settings.region_high)

    def _tool(self) -> str:
        if not self.settings.tool_link:
            raise PlanningError(
                "it is about the tool, and tool_link is not set", cure="set tool_link, or use joint_goal"
            )
        return self.settings.tool_link

    def _work(self) -> None:
        try:
            self._planner.start()
        except Exception as error:  # noqa: BLE001 - each planning starts it anew, and tells what fails
            self.refused.add(str(as_user_error(error)))
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or (self._due and not self.missing() and not self.stale()))
                if self._closed:
                    return
                joints = self._joints.now(self.settings.state_timeout_s)
                if joints.keys() != self._joints.heard:  # since a moment ago
                    continue
                self._due = False
                goal, description = self._goal, self._description
            assert goal is not None
            motion = self.settings.motion
            # Other candidates each time.
            self._planner.settings = replace(motion, seed=(motion.seed + self._plannings) % MOST_SEED)
            self._plannings += 1
            candidates: list[JointPlan] = []
            failure: Exception | None = None
            try:
                candidates = self._planner.plan(joints, goal, description)
            except Exception as error:  # noqa: BLE001 - whatever fails, the next goal is planned
                failure = error
            with self._wake:  # so that no newer goal comes between the check and the plans
                if self._closed:
                    return
                try:
                    self._take(candidates, failure, self._outdated(goal, description))
                except Exception as error:  # noqa: BLE001
                    self._last = str(as_user_error(error))
                    self.refused.add(self._last)

    def _outdated(self, goal: Goal, description: str) -> str:
        """What changed while motions were planned, so that they must not be sent; or ''."""
        if goal != self._goal:
            return "the goal changed"
        return "robot_description changed" if description != self._description else self.stale()

    def _take(self, candidates: list[JointPlan], failure: Exception | None, outdated: str) -> None:
        """Send what was planned, or say why not."""
        if outdated:
            self._due = True
            self._dropped += len(candidates)
            self._last = f"dropped {len(candidates)} plans: meanwhile, {outdated}"
        elif isinstance(failure, AtGoal):
            self._last = failure.problem
            self.refused.settle(float("inf"))
        elif failure is not None:
            self._last = str(as_user_error(failure))
            self.refused.add(self._last)
        else:
            self.send([plan_to_trajectory(each) for each in candidates])
            self._last = f"sent {len(candidates)} plans"

    def values(self) -> dict[str, object]:
        return {"plans_dropped": self._dropped}

    def says(self) -> str:
        return "waiting for a goal" if self._goal is None else self._last


def declared_settings() -> dict[str, object]:
    """Namespace -> the settings that the node declares."""
    return {"": ArmPlannerSettings()}


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return run("arm_planner", ArmPlanner, declared_settings, argv)


if __name__ == "__main__":
    sys.exit(main())
