"""Which goal counts: the newest of goal images and goal poses, until it is taken back or too old; without a node."""

import warnings

import numpy as np
import pytest
from user_errors import refusal

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped

from astra_ros.bridge import BridgeError
from astra_ros.bridge.images import image_to_rgb, rgb_to_image
from astra_ros.bridge.poses import pose_to_position
from astra_ros.bridge.scores import diagnostics_to_scores, scores_to_diagnostics
from astra_ros.critics.scoring import PlanScore
from astra_ros.nodes.imagine.goal_inputs import GoalInputs, described

REACH_M = 10.0


class Bench:
    """Goals with a clock that is turned by hand."""

    def __init__(self):
        self.now_s = 50.0
        self.goals = GoalInputs(image_to_rgb, pose_to_position, lambda: self.now_s)

    def image(self, value=200, stamp=Time(sec=3)):
        self.goals.on_image(rgb_to_image(np.full((4, 4, 3), value, np.uint8), stamp, "cam"), "/goal_image")

    def pose(self, x=0.5, **more):
        self.goals.on_pose(pose(x, **more), "world", REACH_M, "/goal_pose")


def pose(x=0.5, y=0.0, z=0.0, frame="world", stamp=Time(sec=7)):
    msg = PoseStamped()
    msg.header.frame_id, msg.header.stamp = frame, stamp
    msg.pose.position.x, msg.pose.position.y, msg.pose.position.z = x, y, z
    return msg


def test_the_newest_goal_of_either_kind_counts_by_arrival():
    bench = Bench()
    assert bench.goals.now() is None
    bench.image()
    assert bench.goals.now().kind == "image" and bench.goals.now().position is None
    bench.pose()
    assert bench.goals.now().position.tolist() == [0.5, 0.0, 0.0] and bench.goals.now().image is None
    bench.image(value=90, stamp=Time())  # older by its stamp, newer by arrival: what a simulator's reset sends
    assert bench.goals.now().kind == "image" and bench.goals.now().image.max() == 90


def test_a_goal_that_cannot_be_used_replaces_none():
    bench = Bench()
    bench.image()
    for x, more in ((1e6, {}), (0.5, {"frame": "map"}), (float("nan"), {})):
        with pytest.raises(BridgeError):
            bench.pose(x, **more)
    assert bench.goals.now().kind == "image"


def test_a_goal_can_be_taken_back_of_either_kind():
    bench = Bench()
    assert bench.goals.clear() == ""
    bench.image()
    assert bench.goals.clear() == "goal image of /goal_image" and bench.goals.now() is None
    bench.image()
    bench.pose()
    assert bench.goals.clear() == "goal pose of /goal_pose"
    assert bench.goals.now() is None, "the image before the pose does not come back"


def test_a_goal_may_have_an_age_limit():
    bench = Bench()
    bench.pose()
    bench.now_s += 5.0
    assert bench.goals.now(max_age_s=6.0) and bench.goals.now(max_age_s=0.0)
    assert bench.goals.now(max_age_s=4.0) is None
    assert bench.goals.outdated(4.0) == "goal pose of /goal_pose" and bench.goals.outdated(6.0) == ""
    assert bench.goals.describe(4.0)["goal_kind"] == "none"


def test_what_counts_is_in_the_header_of_every_score():
    bench = Bench()
    scores = [PlanScore(f"s/{k}", k, 0.5, "accepted", {}, ()) for k in range(2)]
    none = {"goal_kind": "none", "goal_topic": "", "goal_stamp_s": "", "goal_age_s": ""}
    assert described(None, 0.0) == none
    bench.pose()
    bench.now_s += 1.25
    msg = scores_to_diagnostics(scores, Time(), "cam", "tiny", bench.goals.describe())
    assert isinstance(msg, DiagnosticArray) and len(msg.status) == 2
    for status in msg.status:
        values = {pair.key: pair.value for pair in status.values}
        assert {key: values[key] for key in none} == {
            "goal_kind": "pose", "goal_topic": "/goal_pose", "goal_stamp_s": "7.000000000", "goal_age_s": "1.250"
        }  # fmt: skip
    assert diagnostics_to_scores(msg) == scores


@pytest.mark.parametrize(
    "position", [(1e308, 1e308, 1e308), (-1e308, 0.0, 0.0), (1e6, 0, 0), (7.1, 7.1, 0), (0, 0, 10.01)]
)
def test_a_goal_out_of_reach_is_refused_by_name(position):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with refusal(BridgeError, "/g", f"{REACH_M:g} m", "'world'", cure=["goal_reach_m"]):
            GoalInputs(image_to_rgb, pose_to_position, lambda: 0.0).on_pose(
                pose(*map(float, position)), "world", REACH_M, "/g"
            )


@pytest.mark.parametrize(
    "position, reach_m", [((7.0, 7.0, 0.0), 10.0), ((0.0, 0.0, 0.0), 0.01), ((1e6, 0.0, 0.0), 0.0)]
)
def test_a_goal_within_reach_is_taken(position, reach_m):
    assert pose_to_position(pose(*position), "world", "/g", reach_m).tolist() == list(position)


def test_the_orientation_of_a_goal_is_not_looked_at():
    msg = pose(0.5)
    msg.pose.orientation.x = float("nan")
    msg.pose.orientation.w = 1e308
    assert pose_to_position(msg, "world").tolist() == [0.5, 0.0, 0.0]
