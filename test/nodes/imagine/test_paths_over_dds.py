"""A path of a Nav2-like planner through a real imagine node: handed on byte for byte, and refused with the reason."""

import math

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("nav_msgs")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion
from nav_msgs.msg import Odometry, Path
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from astra_ros.bridge.images import rgb_to_image
from astra_ros.bridge.paths import motion_to_odometry
from astra_ros.bridge.scores import diagnostics_to_scores
from astra_ros.nodes.qos import LATCHED, reliable
from astra_ros.plans.base_now import BaseNow

pytestmark = [pytest.mark.ros, pytest.mark.slow]

WARN = DiagnosticStatus.WARN


def nav2_path(now, frame="odom", bend=0.0, count=60):
    """As Nav2's planners publish them: a pose each 5 cm, all with one stamp, headings only at the end."""
    poses = []
    for k in range(count):
        place = Point(x=0.05 * k, y=bend * (0.05 * k) ** 2)
        turn = Quaternion(w=1.0) if k < count - 1 else Quaternion(z=math.sin(0.1), w=math.cos(0.1))
        poses.append(PoseStamped(header=Header(stamp=now, frame_id=frame), pose=Pose(position=place, orientation=turn)))
    return Path(header=Header(stamp=now, frame_id=frame), poses=poses)


def test_the_best_path_is_handed_on_byte_for_byte(graph, small_car_model):
    graph.start("imagine", {
        "model": str(small_car_model), "collision.veto_above": 1.0, "scoring.veto_below": 0.0, "settle_s": 0.05,
        "candidates.type": "nav_msgs/msg/Path", "candidates.keep": 2, "vehicle.min_radius": 0.5,
    })  # fmt: skip
    camera = graph.publisher(Image, "image", 5)
    odometry = graph.publisher(Odometry, "odom", 5)
    plans = graph.publisher(Path, "plans", reliable(5))
    scores = graph.listen(DiagnosticArray, "imagine/scores", LATCHED)
    best = graph.listen(Path, "imagine/best_path", reliable(10), raw=True)

    def now():
        return graph.node.get_clock().now().to_msg()

    def world(base=None):
        camera.publish(rgb_to_image(np.full((64, 64, 3), 90, np.uint8), now(), "camera"))
        if base is not None:
            odometry.publish(motion_to_odometry(base, now()))

    here = BaseNow("odom", 0.0, 0.0, 0.0, {"linear.x": 0.5})
    graph.status_says("imagine: model", DiagnosticStatus.OK, "loaded", world)
    graph.status_says("imagine: odometry", WARN, "no odometry came on /odom", world)
    sent = [serialize_message(nav2_path(now(), bend=bend)) for bend in (0.0, 0.1)]
    for message in sent:
        plans.publish(message)
    graph.status_says("imagine: plans", WARN, "no odometry came on /odom", world)
    assert not best
    graph.until(lambda: world(here) or best, "the best path")
    assert best[0] in sent
    assert {score.name for score in diagnostics_to_scores(scores[-1])} == {"candidates/0", "candidates/1"}
    # tf2_ros is not on PyPI: where it is missing, the frame is refused by name; where it is, tf says nothing of it.
    for message in (nav2_path(now(), frame="map"), nav2_path(now(), frame="map", bend=0.1)):
        plans.publish(serialize_message(message))
    graph.status_says("imagine: requests", WARN, "it is in the frame 'map', and the odometry in 'odom'",
                      lambda: world(here))  # fmt: skip
    plans.publish(serialize_message(nav2_path(now(), count=1)))
    graph.status_says("imagine: plans", WARN, "it has 1 pose", lambda: world(here))
    assert len(best) == 1 and "Traceback" not in graph.log("imagine")
    assert graph.stop() == {"imagine": 0}
