"""What others publish under other types or qualities of service is named by the running node."""

import numpy as np
import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.images import rgb_to_image
from astra_ros.bridge.stamps import stamp_of
from astra_ros.nodes.qos import best_effort

pytestmark = [pytest.mark.ros, pytest.mark.slow]

WARN = DiagnosticStatus.WARN


def test_topics_that_cannot_be_heard_are_named_with_the_way_out(graph, small_model):
    made = graph.node.create_publisher
    camera, words = made(CompressedImage, "cam/compressed", 5), made(String, "joint_states", 5)
    plans, goal = made(JointTrajectory, "plans", best_effort(5)), made(Image, "goal_image", 5)
    graph.start("imagine", {"model": str(small_model)}, {"image": "cam"})
    graph.status_says("imagine: model", DiagnosticStatus.OK, "loaded")
    graph.status_says("imagine: topics", WARN, "/cam/compressed has sensor_msgs/msg/CompressedImage")

    def seen():
        return {pair.key: pair.value for pair in graph.status["imagine: topics"].values}

    # DDS discovers one topic after the other.
    graph.until(lambda: all(seen()[name] for name in ("image", "joint_states", "plans", "goal_image")), "all topics")
    texts = seen()
    assert texts["image"].endswith("set image_transport:=compressed") and texts["camera_info"] == ""
    assert "/test publishes std_msgs/msg/String, but sensor_msgs/msg/JointState is expected" in texts["joint_states"]
    assert "/test publishes best effort" in texts["plans"] and "transient_local" in texts["goal_image"]
    # It is the answer to whoever asks, too, and stands in the log once.
    graph.until(lambda: graph.status["imagine: camera"].message == texts["image"], "the camera's status")
    assert graph.call("/imagine/imagine", Trigger).message == texts["image"]
    log = graph.log("imagine")
    assert all(f"[imagine]: {text}\n" in log for text in texts.values() if text) and "check the topic's name" not in log
    # What is then published as it should be is not named any more.
    good = graph.publisher(Image, "cam", 5)
    image = rgb_to_image(np.zeros((8, 8, 3), np.uint8), stamp_of(1.0), "camera")

    def heard():
        good.publish(image)
        return not seen()["image"]

    graph.until(heard, "images that are heard")
    for each in (camera, words, plans, goal, good):
        graph.node.destroy_publisher(each)
    assert graph.stop() == {"imagine": 0}
