"""The simulator node: an arm, a table and a camera that behave like real ones.

A trajectory on ``arm_controller/joint_trajectory`` is executed from its header's stamp on, or at once when the stamp is
zero or has passed. The clock goes on over a reset.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMsg
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.images import pinhole_info, rgb_to_image
from astra_ros.bridge.stamps import stamp_of, to_seconds
from astra_ros.bridge.trajectories import positions_to_joint_state, trajectory_to_plan
from astra_ros.nodes.client.node_specs import CLOCK
from astra_ros.nodes.diagnostics import DiagnosticsPublisher, to_message
from astra_ros.nodes.executable import run
from astra_ros.nodes.imagine.settings import MOST_SEED
from astra_ros.nodes.parameters import SettingsParameters
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.nodes.reports import OK, WARN, Conditions, Status, ThrottledReports
from astra_ros.nodes.simulator.simulated_arm import SimulatedArm
from astra_ros.plans.errors import PlanError
from astra_ros.registry import UnknownName
from astra_ros.settings import check_ranges, setting
from astra_ros.simulation.arm.robots import robot_description
from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings, CameraSettings

WORLDS = ("arm",)
TRAJECTORIES = "arm_controller/joint_trajectory"


@dataclass(frozen=True)
class SimulatorSettings:
    """The simulated scene, and its speed."""

    world: str = setting("arm", "the scene; 'arm' is an arm at a table with an object, an obstacle and a goal")
    robot: str = setting("panda", "the arm, 'panda' or 'kuka'")
    seed: int = setting(0, "layout and look of the scene; a change takes effect at the next reset", 0, MOST_SEED)
    real_time_factor: float = setting(
        1.0, "simulated seconds per second; 0 is as fast as possible", 1e-6, 1000.0, off="as fast as possible"
    )
    state_rate_hz: float = setting(
        24.0,
        "joint states and clock messages per simulated second, rounded to a multiple of the camera's rate",
        0.01,
        1000.0,
        "Hz",
    )
    camera_frame: str = setting("camera", "frame_id of the camera's images")
    clock_topic: str = setting(
        CLOCK,
        "where the simulated time is published; nodes with use_sim_time listen to /clock, so where several simulators "
        "run, give each a topic of its own, and remap /clock of the nodes that belong to it",
    )
    camera: CameraSettings = setting(CameraSettings(), "the camera")

    def __post_init__(self) -> None:
        if self.world not in WORLDS:
            raise UnknownName("world", self.world, list(WORLDS))
        check_ranges(self)
        if not self.clock_topic:
            raise ValueError(f"clock_topic is empty; name the topic of the simulated time, such as {CLOCK}")


class Simulator:
    """Steps a ``SimulatedArm`` on a timer and publishes what its sensors see."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._parameters = SettingsParameters(node)
        at_start: tuple[str, ...] = ("world", "robot", "state_rate_hz", "camera_frame", "clock_topic")
        at_start += tuple(item.name for item in fields(CameraSettings) if item.name != "rate_hz")
        self.settings = self._parameters.declare("", SimulatorSettings(), read_only=at_start)
        self._parameters.warn_of_unknown()
        self._parameters.on_change = self._reconfigure
        camera = self.settings.camera
        world = ArmWorld(ArmWorldSettings(robot=self.settings.robot, camera=camera))
        self.arm = SimulatedArm(world, self.settings.seed)
        self._next_image_s = self._image_after(self.arm.time_s)
        self._taken = 0
        self._refused = ThrottledReports(node.get_logger().error)
        self._conditions = Conditions(node.get_logger().warning, node.get_logger().info)

        self._clock = node.create_publisher(ClockMsg, self.settings.clock_topic, reliable(10))
        self._joints = node.create_publisher(JointState, "joint_states", reliable(10))
        self._image = node.create_publisher(Image, "camera/image_raw", reliable(5))
        self._info = node.create_publisher(CameraInfo, "camera/camera_info", reliable(5))
        self._goal = node.create_publisher(Image, "goal_image", LATCHED)
        self._description = node.create_publisher(String, "robot_description", LATCHED)
        self._truth = node.create_publisher(DiagnosticArray, "~/truth", reliable(50))
        node.create_subscription(JointTrajectory, TRAJECTORIES, self._on_trajectory, reliable(10))
        node.create_service(Trigger, "reset", self._on_reset)
        DiagnosticsPublisher(node, self._statuses, lambda: self.settings.robot)

        # The meshes that the simulator itself draws.
        self._description.publish(String(data=robot_description(world.spec, coarse=True)))
        self._publish_goal()
        self._timer = node.create_timer(self._pace(), self._on_tick, clock=Clock(clock_type=ClockType.STEADY_TIME))
        images = f"{camera.width} x {camera.height} at {camera.rate_hz:g} Hz"
        node.get_logger().info(f"{self.settings.robot} at its table, seed {self.settings.seed}, camera {images}")

    def close(self) -> None:
        self._timer.cancel()
        self.arm.close()

    def _pace(self) -> float:
        """Set the simulated length of a tick; returns its real length, s."""
        # Whole ticks between two images, or images would wait for the tick after their time.
        per_image = max(1, round(self.settings.state_rate_hz / self.settings.camera.rate_hz))
        self._tick_s = 1.0 / (per_image * self.settings.camera.rate_hz)
        factor = self.settings.real_time_factor
        return self._tick_s / factor if factor > 0 else 1e-4

    def _reconfigure(self) -> None:
        self.settings = self._parameters[""]
        self._next_image_s = self._image_after(self.arm.time_s)
        self._timer.timer_period_ns = round(self._pace() * 1e9)
        self._timer.reset()  # or the next tick would still come after the old period

    def _on_tick(self) -> None:
        self.arm.advance(self._tick_s)
        now_s = self.arm.time_s
        stamp = stamp_of(now_s)
        self._clock.publish(ClockMsg(clock=stamp))
        state = self.arm.world.state()
        self._joints.publish(positions_to_joint_state(self.arm.world.spec.joint_names, state.joint_positions, stamp))
        # Half a physics step of slack: frames are due at times that floats miss by a little.
        slack_s = 0.5 / self.arm.world.settings.physics_hz
        if now_s >= self._next_image_s - slack_s:
            self._next_image_s = self._image_after(now_s + slack_s)
            self._publish_camera(stamp)

    def _image_after(self, now_s: float) -> float:
        """The next time that is a multiple of the camera's period."""
        rate_hz = self.settings.camera.rate_hz
        return (int(now_s * rate_hz) + 1) / rate_hz

    def _publish_camera(self, stamp) -> None:
        camera, frame_id = self.settings.camera, self.settings.camera_frame
        self._publish_truth(stamp)
        self._info.publish(pinhole_info(camera.width, camera.height, camera.fov_deg, stamp, frame_id))
        self._image.publish(rgb_to_image(self.arm.world.render(), stamp, frame_id))

    def _publish_goal(self) -> None:
        image, stamp = self.arm.world.goal_image(), stamp_of(self.arm.time_s)
        self._goal.publish(rgb_to_image(image, stamp, self.settings.camera_frame))

    def _publish_truth(self, stamp) -> None:
        truth = self.arm.truth()
        values = {
            "plan_elapsed_s": f"{truth.plan_elapsed_s:.6f}",
            "goal_distance_m": f"{truth.goal_distance_m:.6f}",
            "progress": f"{truth.progress:.6f}",
            "collision": int(truth.collision),
            "outcome": f"{truth.outcome:.6f}",
            "object_contact": int(truth.object_contact),
            "object_position": " ".join(f"{x:.6f}" for x in truth.object_position),
            "tool_position": " ".join(f"{x:.6f}" for x in truth.tool_position),
        }
        msg = DiagnosticArray(status=[to_message(Status("truth", OK, "since the last plan began", values), "truth")])
        msg.header.stamp = stamp
        self._truth.publish(msg)

    def _on_trajectory(self, msg: JointTrajectory) -> None:
        try:
            self.arm.command(trajectory_to_plan(msg, "commanded"), to_seconds(msg.header.stamp) or None)
            self._taken += 1
        except PlanError as error:
            self._refused.add(f"{TRAJECTORIES}: {error}")

    def _on_reset(self, _, response: Trigger.Response) -> Trigger.Response:
        self.arm.reset(self.settings.seed)
        self._publish_goal()
        response.success = True
        response.message = f"reset to seed {self.settings.seed}"
        self._node.get_logger().info(response.message)
        return response

    def _statuses(self) -> list[Status]:
        recent = self._refused.recent
        values = {
            "robot": self.settings.robot,
            "seed": self.settings.seed,
            "simulated_s": f"{self.arm.time_s:.3f}",
            "trajectories_taken": self._taken,
            "trajectories_refused": self._refused.count,
            "last_refusal": self._refused.last,
        }
        return [Status("trajectories", WARN if recent else OK, recent or "running", values), self._clock_status()]

    def _clock_status(self) -> Status:
        topic = self._clock.topic_name
        publishers = self._node.count_publishers(topic)
        shared = publishers > 1 and (
            f"{topic} has several publishers, so time jumps between theirs; give each simulator a clock_topic of its "
            "own (the launch file's namespace does)"
        )
        text = self._conditions.see(topic, shared or "")
        values = {"topic": topic, "publishers": publishers}
        return Status("clock", WARN if text else OK, text or "one publisher", values)


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return run("simulator", Simulator, argv)


if __name__ == "__main__":
    sys.exit(main())
