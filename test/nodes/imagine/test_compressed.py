"""A compressed camera, found beside the raw topic wherever that was remapped to."""

import array

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import CompressedImage

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def image(graph, data):
    msg = CompressedImage(format="jpeg", data=array.array("B", data))
    msg.header.stamp = graph.node.get_clock().now().to_msg()
    return msg


def test_a_remapped_compressed_camera_is_seen_and_a_broken_image_survived(graph, small_model):
    parameters = {"model": str(small_model), "image_transport": "compressed"}
    graph.start("imagine", parameters, {"image": "/wrist/image_raw"})
    camera = graph.publisher(CompressedImage, "/wrist/image_raw/compressed", 5)
    jpeg = cv2.imencode(".jpg", np.full((128, 128, 3), 90, np.uint8))[1].tobytes()
    graph.status_says(
        "imagine: camera", DiagnosticStatus.OK, "images arrive",
        lambda: camera.publish(image(graph, jpeg)),
    )  # fmt: skip
    status = graph.status_says(
        "imagine: camera", DiagnosticStatus.ERROR, "without its end",
        lambda: camera.publish(image(graph, jpeg[:20])),
    )  # fmt: skip
    assert status.message.startswith("/wrist/image_raw/compressed: ")
    assert graph.running["imagine"].poll() is None
    assert graph.stop() == {"imagine": 0}
