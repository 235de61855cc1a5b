"""The simulator node: a robot and a camera that behave like real ones.

An arm executes a trajectory on ``arm_controller/joint_trajectory`` from its header's stamp on, or at once when the
stamp is zero or has passed. A car follows a path on ``follow_path`` from when it arrives, a rover velocities
on ``cmd_vel``. The clock goes on over a reset.

All publish `camera/image_raw`, `camera/camera_info`, `/clock`, `~/truth` and /diagnostics, and answer `reset`; an arm
also `joint_states`, `goal_image` and `robot_description`, the others `odom`, a rover `depth/image_raw` and
`depth/camera_info`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMsg
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger

from astra_ros.bridge.images import pinhole_info, rgb_to_image
from astra_ros.bridge.stamps import stamp_of
from astra_ros.nodes.client.node_specs import CLOCK
from astra_ros.nodes.diagnostics import DiagnosticsPublisher, to_message
from astra_ros.nodes.executable import run
from astra_ros.nodes.imagine.settings import MOST_SEED
from astra_ros.nodes.parameters import SettingsParameters
from astra_ros.nodes.qos import reliable
from astra_ros.nodes.reports import OK, WARN, Conditions, Status, ThrottledReports
from astra_ros.nodes.simulator.simulated_robot import SimulatedRobot
from astra_ros.registry import UnknownName
from astra_ros.settings import check_ranges, setting
from astra_ros.simulation.camera import CameraSettings
from astra_ros.simulation.worlds import WORLDS

CAR_PHYSICS_HZ = 120  # a multiple of common camera rates, so that images come at their times


@dataclass(frozen=True)
class SimulatorSettings:
    """The simulated scene, and its speed."""

    world: str = setting(
        "arm",
        "the scene; 'arm' is an arm at a table with an object, an obstacle and a goal, 'drive' a car on roads with "
        "obstacles and traffic, 'explore' a rover in a house",
    )
    robot: str = setting(
        "panda", "the arm, 'panda' or 'kuka'; the drive world's robot is 'car', the explore world's 'rover'"
    )
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
    camera: CameraSettings = setting(CameraSettings(), "the camera; on a car, place and view are in the car's frame")

    def __post_init__(self) -> None:
        if self.world not in SIMULATED:
            raise UnknownName("world", self.world, list(SIMULATED))
        check_ranges(self)
        if not self.clock_topic:
            raise ValueError(f"clock_topic is empty; name the topic of the simulated time, such as {CLOCK}")


class RobotTopics(Protocol):
    """The topics of one kind of robot. ``what`` names what it executes, in the plural."""

    what: str

    def publish_scene(self, stamp: Time) -> None: ...

    def publish_state(self, stamp: Time) -> None: ...

    def look(self, stamp: Time) -> np.ndarray:
        """The camera's image, uint8 [height, width, 3] RGB; what else it measures is published."""

    def truth(self) -> dict[str, object]: ...


def make_arm(simulator: Simulator) -> tuple[SimulatedRobot, RobotTopics]:
    """An arm at its table."""
    from astra_ros.nodes.simulator.arm_topics import ArmTopics
    from astra_ros.nodes.simulator.simulated_arm import SimulatedArm
    from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings

    settings = simulator.settings
    arm = SimulatedArm(ArmWorld(ArmWorldSettings(robot=settings.robot, camera=settings.camera)), settings.seed)
    return arm, ArmTopics(simulator.node, arm, settings.camera_frame, simulator.told)


def make_car(simulator: Simulator) -> tuple[SimulatedRobot, RobotTopics]:
    """A car on its roads."""
    from astra_ros.nodes.simulator.car_topics import CarTopics
    from astra_ros.nodes.simulator.simulated_car import SimulatedCar
    from astra_ros.simulation.drive.world import DriveWorld, DriveWorldSettings

    settings = simulator.settings
    if settings.robot not in WORLDS["drive"].robots:
        raise UnknownName("robot of world 'drive'", settings.robot, list(WORLDS["drive"].robots))
    world = DriveWorld(DriveWorldSettings(camera=settings.camera, physics_hz=CAR_PHYSICS_HZ))
    car = SimulatedCar(world, settings.seed)
    return car, CarTopics(simulator.node, car, simulator.told)


def make_rover(simulator: Simulator) -> tuple[SimulatedRobot, RobotTopics]:
    """A rover in a house."""
    from astra_ros.nodes.simulator.rover_topics import RoverTopics
    from astra_ros.nodes.simulator.simulated_rover import SimulatedRover
    from astra_ros.simulation.explore.world import ExploreWorld, ExploreWorldSettings

    settings = simulator.settings
    if settings.robot != "rover":
        raise UnknownName("robot of world 'explore'", settings.robot, ["rover"])
    rover = SimulatedRover(ExploreWorld(ExploreWorldSettings(camera=settings.camera)), settings.seed)
    return rover, RoverTopics(simulator.node, rover, settings.camera_frame, simulator.told)


# world -> what makes its robot; imported when it is asked for, since one process simulates one world
SIMULATED = {"arm": make_arm, "drive": make_car, "explore": make_rover}


def default_settings(world: str) -> SimulatorSettings:
    """The settings of a world: its first robot and its camera. Unknown worlds are refused later, with the others."""
    shown = SimulatorSettings().camera
    if world == "drive":
        from astra_ros.simulation.drive.world import DASHBOARD_CAMERA

        own, robot = DASHBOARD_CAMERA, "car"
    elif world == "explore":
        from astra_ros.simulation.explore.world import ExploreWorldSettings

        own, robot = ExploreWorldSettings().camera, "rover"
    else:
        return SimulatorSettings()
    camera = replace(own, width=shown.width, height=shown.height, rate_hz=shown.rate_hz)
    return SimulatorSettings(world=world, robot=robot, camera=camera)


class Simulator:
    """Steps a simulated robot on a timer and publishes what its sensors see."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._parameters = SettingsParameters(node)
        at_start: tuple[str, ...] = ("world", "robot", "state_rate_hz", "camera_frame", "clock_topic")
        at_start += tuple(item.name for item in fields(CameraSettings) if item.name != "rate_hz")
        default = default_settings(self._parameters.given("world", SimulatorSettings().world))
        self.settings = self._parameters.declare("", default, read_only=at_start)
        self._parameters.warn_of_unknown()
        self._parameters.on_change = self._reconfigure
        self._taken = 0
        self._refused = ThrottledReports(node.get_logger().error)
        self._conditions = Conditions(node.get_logger().warning, node.get_logger().info)
        self.robot, self._topics = SIMULATED[self.settings.world](self)
        self._next_image_s = self._image_after(self.robot.time_s)

        self._clock = node.create_publisher(ClockMsg, self.settings.clock_topic, reliable(10))
        self._image = node.create_publisher(Image, "camera/image_raw", reliable(5))
        self._info = node.create_publisher(CameraInfo, "camera/camera_info", reliable(5))
        self._truth = node.create_publisher(DiagnosticArray, "~/truth", reliable(50))
        node.create_service(Trigger, "reset", self._on_reset)
        DiagnosticsPublisher(node, self._statuses, lambda: self.settings.robot)

        self._topics.publish_scene(stamp_of(self.robot.time_s))
        self._timer = node.create_timer(self._pace(), self._on_tick, clock=Clock(clock_type=ClockType.STEADY_TIME))
        camera = self.settings.camera
        images = f"{camera.width} x {camera.height} at {camera.rate_hz:g} Hz"
        scene = f"{self.settings.robot} in the world '{self.settings.world}', seed {self.settings.seed}"
        node.get_logger().info(f"{scene}, camera {images}")

    def told(self, refusal: str) -> None:
        """Note a command: '' when it was taken, else why it was refused."""
        if refusal:
            self._refused.add(refusal)
        else:
            self._taken += 1

    def close(self) -> None:
        self._timer.cancel()
        self.robot.close()

    def _pace(self) -> float:
        """Set the simulated length of a tick; returns its real length, s."""
        # Whole ticks between two images, or images would wait for the tick after their time.
        per_image = max(1, round(self.settings.state_rate_hz / self.settings.camera.rate_hz))
        self._tick_s = 1.0 / (per_image * self.settings.camera.rate_hz)
        factor = self.settings.real_time_factor
        return self._tick_s / factor if factor > 0 else 1e-4

    def _reconfigure(self) -> None:
        self.settings = self._parameters[""]
        self._next_image_s = self._image_after(self.robot.time_s)
        self._timer.timer_period_ns = round(self._pace() * 1e9)
        self._timer.reset()  # or the next tick would still come after the old period

    def _on_tick(self) -> None:
        self.robot.advance(self._tick_s)
        now_s = self.robot.time_s
        stamp = stamp_of(now_s)
        self._clock.publish(ClockMsg(clock=stamp))
        self._topics.publish_state(stamp)
        # Half a physics step of slack: frames are due at times that floats miss by a little.
        slack_s = 0.5 / self.robot.physics_hz
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
        self._image.publish(rgb_to_image(self._topics.look(stamp), stamp, frame_id))

    def _publish_truth(self, stamp) -> None:
        status = Status("truth", OK, "since the last plan began", self._topics.truth())
        msg = DiagnosticArray(status=[to_message(status, "truth")])
        msg.header.stamp = stamp
        self._truth.publish(msg)

    def _on_reset(self, _, response: Trigger.Response) -> Trigger.Response:
        self.robot.reset(self.settings.seed)
        self._topics.publish_scene(stamp_of(self.robot.time_s))
        response.success = True
        response.message = f"reset to seed {self.settings.seed}"
        self.node.get_logger().info(response.message)
        return response

    def _statuses(self) -> list[Status]:
        recent = self._refused.recent
        values = {
            "robot": self.settings.robot,
            "seed": self.settings.seed,
            "simulated_s": f"{self.robot.time_s:.3f}",
            f"{self._topics.what}_taken": self._taken,
            f"{self._topics.what}_refused": self._refused.count,
            "last_refusal": self._refused.last,
        }
        return [Status(self._topics.what, WARN if recent else OK, recent or "running", values), self._clock_status()]

    def _clock_status(self) -> Status:
        topic = self._clock.topic_name
        publishers = self.node.count_publishers(topic)
        shared = publishers > 1 and (
            f"{topic} has several publishers, so time jumps between theirs; give each simulator a clock_topic of its "
            "own (the launch file's namespace does)"
        )
        text = self._conditions.see(topic, shared or "")
        values = {"topic": topic, "publishers": publishers}
        return Status("clock", WARN if text else OK, text or "one publisher", values)


def declared_settings() -> dict[str, object]:
    """Namespace -> the settings that the node declares."""
    return {"": SimulatorSettings()}


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return run("simulator", Simulator, declared_settings, argv)


if __name__ == "__main__":
    sys.exit(main())
