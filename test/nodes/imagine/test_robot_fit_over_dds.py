"""The imagine node over DDS says that the robot is not where the camera sees it, and that it is there again."""

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from astra_ros.bridge.images import rgb_to_image
from astra_ros.inference.card import write_robot_fit_limits
from astra_ros.inference.prediction_limit import PredictionLimit
from astra_ros.nodes.qos import LATCHED
from astra_ros.simulation.arm.robots import robot_description

pytestmark = [pytest.mark.ros, pytest.mark.slow]

OK, WARN = DiagnosticStatus.OK, DiagnosticStatus.WARN


@pytest.fixture
def model(tmp_path):
    import shutil

    from astra_ros.inference.card import model_directory

    folder = tmp_path / "model"
    shutil.copytree(model_directory("tiny"), folder)
    write_robot_fit_limits(folder, {"panda_joints": PredictionLimit(0.35, 0.001, 999)})
    return folder


def test_a_moved_camera_is_named_without_any_plan_and_the_warning_clears(graph, model):
    from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings
    from astra_ros.simulation.camera import CameraSettings

    with ArmWorld(ArmWorldSettings("panda", CameraSettings(64, 64))) as world:
        world.reset(3)
        joints = JointState(name=list(world.joint_names), position=world.state().joint_positions.tolist())
        image, urdf = world.render(), robot_description(world.spec, coarse=True)
    descriptions = graph.node.create_publisher(String, "robot_description", LATCHED)
    descriptions.publish(String(data=urdf))
    graph.start("imagine", {"model": str(model)})
    states, camera = graph.publisher(JointState, "joint_states", 5), graph.publisher(Image, "image", 5)

    def see(seen):
        joints.header.stamp = graph.node.get_clock().now().to_msg()
        camera.publish(rgb_to_image(seen, joints.header.stamp, "camera"))
        states.publish(joints)

    def values(status):
        return {pair.key: pair.value for pair in status.values}

    fits = "the robot is where the camera sees it"
    graph.status_says("imagine: robot_fit", OK, fits, lambda: see(image))
    moved = np.roll(image, 5, axis=1)
    status = graph.status_says("imagine: robot_fit", WARN, "/image: the robot is not where", lambda: see(moved))
    graph.status_says("imagine: robot_fit", WARN, "5 px to the right", lambda: see(moved))
    found = values(status)
    assert found["camera"] == "/image" and float(found["misfit"]) > float(found["limit"]) == 0.35
    graph.status_says("imagine: robot_fit", OK, fits, lambda: see(image))
    assert graph.stop() == {"imagine": 0}
