"""The arm planner node: a goal in, candidate trajectories out on ``plans``, planned with OMPL from the robot's URDF.

A goal is a pose of the tool (``tool_goal``), joint positions (``joint_goal``) or a goal image (``goal_image``). An
image does not say where the tool must go. So the candidates then go to different places of a region, and the imagine
node, which gets the image too, finds out which of them serves it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from geometry_msgs.msg import PoseStamped
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.poses import pose_to_pose
from astra_ros.bridge.trajectories import joint_state_to_positions, plan_to_trajectory
from astra_ros.control.motion_candidates import MOST_SEED, Goal, MotionSettings
from astra_ros.control.motion_planner import MotionPlanner
from astra_ros.control.planning_errors import AtGoal, PlanningError
from astra_ros.control.tool_goals import ToolPose, ToolRegion
from astra_ros.errors import UserError
from astra_ros.nodes.diagnostics import DiagnosticsPublisher
from astra_ros.nodes.executable import run
from astra_ros.nodes.imagine.settings import LONGEST_S
from astra_ros.nodes.parameters import SettingsParameters
from astra_ros.nodes.qos import LATCHED, best_effort, reliable
from astra_ros.nodes.reports import OK, WARN, Status, ThrottledReports
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.settings import setting

Corner = tuple[float, float, float]


@dataclass(frozen=True)
class ArmPlannerSettings(MotionSettings):
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


class ArmPlanner:
    """Plans the newest goal in a thread of its own, so that messages never wait for a plan."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._parameters = SettingsParameters(node)
        self.settings = self._parameters.declare("", ArmPlannerSettings())
        self._parameters.warn_of_unknown()
        self._parameters.on_change = self._reconfigure
        self._planner = MotionPlanner(self.settings.motion)
        self._wake = threading.Condition()
        self._description = ""
        self._joints: dict[str, float] = {}
        self._goal: Goal | None = None
        self._due = self._closed = False
        self._plannings, self._sent, self._last = 0, 0, "no goal yet"
        self._refused = ThrottledReports(node.get_logger().error)
        self._plans = node.create_publisher(JointTrajectory, "plans", reliable(64))
        listen = node.create_subscription
        listen(String, "robot_description", self._on_description, LATCHED)
        listen(JointState, "joint_states", self._on_joints, best_effort(5))
        listen(PoseStamped, "tool_goal", self._reading("tool_goal", self._tool_goal), reliable(5))
        listen(JointState, "joint_goal", self._reading("joint_goal", self._joint_goal), reliable(5))
        listen(Image, "goal_image", self._reading("goal_image", self._image_goal), LATCHED)
        node.create_service(Trigger, "~/propose", self._on_propose)
        DiagnosticsPublisher(node, self._statuses, lambda: self.settings.tool_link)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(self.settings.period_s or 1.0, self._plan_soon, clock=steady)
        if not self.settings.period_s:
            self._timer.cancel()
        self._thread = threading.Thread(target=self._work, name="planning", daemon=True)
        self._thread.start()

    def close(self) -> bool:
        """End the thread and the planner's process."""
        self._timer.cancel()
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._planner.close()
        self._thread.join(10.0)
        return not self._thread.is_alive()

    def _reconfigure(self) -> None:
        self.settings = self._parameters[""]
        self._timer.cancel()
        if self.settings.period_s > 0:
            self._timer.timer_period_ns = round(self.settings.period_s * 1e9)
            self._timer.reset()

    def _on_description(self, msg: String) -> None:
        with self._wake:
            self._description = msg.data
            self._wake.notify()

    def _on_joints(self, msg: JointState) -> None:
        try:
            positions = joint_state_to_positions(msg, self._topic("joint_states"))
        except UserError as error:
            self._refused.add(str(error))
            return
        with self._wake:
            self._joints |= positions  # several drivers may each publish their part
            self._wake.notify()

    def _reading(self, topic: str, read: Callable[..., Goal]) -> Callable[..., None]:
        """A callback that takes what a message says as the newest goal."""

        def on_message(msg) -> None:
            try:
                goal = read(msg)
            except UserError as error:
                self._refused.add(f"{self._topic(topic)}: {error.problem}; {error.cure}")
                return
            with self._wake:
                self._goal = goal
            self._plan_soon()

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

    def _topic(self, name: str) -> str:
        return self._node.resolve_topic_name(name)

    def _plan_soon(self) -> None:
        with self._wake:
            self._due = self._goal is not None
            self._wake.notify()

    def _work(self) -> None:
        try:
            self._planner.start()
        except UserError as error:
            self._refused.add(str(error))
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or (self._due and self._description and self._joints))
                if self._closed:
                    return
                self._due = False
                goal, joints, description = self._goal, dict(self._joints), self._description
            assert goal is not None
            motion = self.settings.motion
            # Other candidates each time.
            self._planner.settings = replace(motion, seed=(motion.seed + self._plannings) % MOST_SEED)
            self._plannings += 1
            try:
                self._send(self._planner.plan(joints, goal, description))
            except AtGoal as error:
                self._last = error.problem
            except (UserError, RuntimeError) as error:
                if self._closed:
                    return
                self._last = str(error)
                self._refused.add(str(error))

    def _send(self, candidates: list[JointPlan]) -> None:
        for each in candidates:
            self._plans.publish(plan_to_trajectory(each))
        self._sent += len(candidates)
        self._refused.settle(float("inf"))
        self._last = f"sent {len(candidates)} plans"

    def _on_propose(self, _, response: Trigger.Response) -> Trigger.Response:
        missing = self._missing()
        self._plan_soon()
        response.success = not missing
        response.message = (
            f"waiting for {', '.join(missing)}" if missing else "planning; the plans follow on their topic"
        )
        return response

    def _missing(self) -> list[str]:
        has = {"robot_description": self._description, "joint_states": self._joints, "a goal": self._goal is not None}
        return [name if name == "a goal" else self._topic(name) for name, there in has.items() if not there]

    def _statuses(self) -> list[Status]:
        missing, recent = self._missing(), self._refused.open and self._refused.last
        values = {
            "plans_sent": self._sent,
            "listeners": self._plans.get_subscription_count(),
            "refused": self._refused.count,
            "last_refusal": self._refused.last,
        }
        text = recent or (f"waiting for {', '.join(missing)}" if missing else self._last)
        return [Status("plans", WARN if recent else OK, text, values)]


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return run("arm_planner", ArmPlanner, argv)


if __name__ == "__main__":
    sys.exit(main())
