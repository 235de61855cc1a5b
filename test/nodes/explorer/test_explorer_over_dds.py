"""A simulated rover explores over topics, and messages that cannot be used do not stop it."""

import json
import math

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")
pytest.importorskip("nav_msgs")

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Twist
from nav_msgs.msg import OccupancyGrid, Odometry
from small_models import BASE, SIZE, write_random_model
from visualization_msgs.msg import Marker, MarkerArray

from astra_ros.bridge.occupancy_grids import message_to_grid
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.nodes.qos import LATCHED, best_effort, reliable
from astra_ros.simulation.explore.world import make

pytestmark = [pytest.mark.ros, pytest.mark.slow]

WARN = DiagnosticStatus.WARN


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model with random weights that knows the rover's camera."""
    write_random_model(folder := tmp_path_factory.mktemp("model"))
    with make("rover", 48) as world:
        camera = PinholeCamera.from_dict(world.camera()).fitted(SIZE)
    card = json.loads((folder / "card.json").read_text())
    card["moving_cameras"][BASE.name]["camera"] = camera.to_dict()
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def test_a_rover_maps_a_house_and_bad_messages_are_named(graph, model):
    small = {"camera.width": 48, "camera.height": 48, "camera.rate_hz": 4.0, "real_time_factor": 2.0}
    graph.start("simulator", {"world": "explore", "robot": "rover", "seed": 3, **small})
    topics = {"image": "camera/image_raw", "depth": "depth/image_raw", "depth_info": "depth/camera_info"}
    own = {"model": str(model), "action_space": BASE.name, "use_sim_time": True, "act_s": 0.5}
    graph.start("explorer", own, topics)
    commands = graph.listen(Twist, "cmd_vel", reliable(50))
    maps = graph.listen(OccupancyGrid, "explorer/grid", LATCHED)
    drawn = graph.listen(MarkerArray, "explorer/frontiers", LATCHED)
    odometry = graph.listen(Odometry, "odom", best_effort(50))
    graph.until(lambda: any(msg.linear.x or msg.angular.z for msg in commands), "a motion")
    graph.until(lambda: len(maps) > 2 and len(drawn) > 1, "a map and frontiers")
    first, last = (message_to_grid(msg, "odom") for msg in (maps[0], maps[-1]))
    assert last.known_m2 >= first.known_m2 > 1.0
    here = odometry[-1].pose.pose.position
    assert last.free[tuple(last.cells_at([here.x, here.y]))]
    assert {marker.ns for marker in drawn[-1].markers} == {"frontiers", "label"}

    def moved():
        place = odometry[-1].pose.pose
        return len(odometry) > 1 and place != odometry[0].pose.pose

    graph.until(moved, "the rover moves")
    # What cannot be used is named; the node lives on.
    wrong = graph.publisher(Odometry, "odom", reliable(5))
    msg = Odometry()
    msg.header.frame_id = "odom"
    msg.pose.pose.position.x = math.nan
    graph.until(lambda: wrong.publish(msg) or "finite" in said(graph, "last_refusal"), "a refusal")
    assert graph.call("/explorer/pause").success
    assert graph.call("/explorer/reset").success
    emptied = [Marker.DELETEALL]
    graph.until(lambda: [each.action for each in drawn[-1].markers] == emptied, "no frontiers of the map that is gone")
    decided = said(graph, "decisions")
    assert graph.call("/explorer/resume").success
    graph.until(lambda: said(graph, "decisions") != decided, "another decision")
    assert graph.stop() == {"simulator": 0, "explorer": 0}


def test_a_map_of_another_frame_is_refused(graph, model):
    own = {"model": str(model), "action_space": BASE.name, "map_from": "topic"}
    graph.start("explorer", own)
    maps = graph.publisher(OccupancyGrid, "map", LATCHED)
    odometry = graph.publisher(Odometry, "odom", reliable(5))
    grid, pose = OccupancyGrid(), Odometry()
    grid.header.frame_id, pose.header.frame_id = "map", "odom"
    pose.pose.pose.orientation.w = 1.0

    def send():
        pose.header.stamp = graph.node.get_clock().now().to_msg()
        odometry.publish(pose)
        maps.publish(grid)

    graph.status_says("explorer: exploration", WARN, "in the frame 'map'", send)
    grid.header.frame_id = "odom"
    graph.status_says("explorer: exploration", WARN, "0 x 0", send)
    assert graph.stop()["explorer"] == 0


def said(graph, key):
    status = graph.status.get("explorer: exploration")
    return next((pair.value for pair in status.values if pair.key == key), "") if status else ""
