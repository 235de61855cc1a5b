"""Topics that cannot be heard: what is said of them, and the way out. Without a graph."""

from dataclasses import replace

import pytest

pytest.importorskip("rclpy")

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from astra_ros.nodes.imagine.topic_types import COMPRESSED, IMAGE, Publisher, Subscribed, complaint
from astra_ros.nodes.qos import CAMERA, LATCHED, best_effort, reliable

RAW = Subscribed("image", "/cam/image_raw", IMAGE, CAMERA, needed=True)
JPEG = Subscribed("image", "/cam/image_raw/compressed", COMPRESSED, CAMERA, needed=True)
STATES = Subscribed("joint_states", "/joint_states", "sensor_msgs/msg/JointState", best_effort(10), needed=True)
PLANS = Subscribed("plans", "/plans", "trajectory_msgs/msg/JointTrajectory", reliable(16), cure="send trajectories")
GOAL = Subscribed("goal_image", "/goal_image", IMAGE, LATCHED, cure="republish it")
DISPLAY = "moveit_msgs/msg/DisplayTrajectory"


def said(wanted, *types, topics=None, qos=LATCHED):
    publishers = [Publisher(kind, "/other/node", qos) for kind in types]
    return complaint(wanted, publishers, topics or {})


@pytest.mark.parametrize("wanted", [RAW, JPEG, STATES, PLANS, GOAL])
def test_nothing_is_said_where_what_is_expected_is_published_or_nothing(wanted):
    assert said(wanted, wanted.type) == "" and said(wanted) == ""
    assert said(wanted, DISPLAY, wanted.type) == ""  # the other publisher's business


@pytest.mark.parametrize(
    "wanted, types",
    [(RAW, [COMPRESSED]), (JPEG, [IMAGE]), (STATES, ["control_msgs/msg/DynamicJointState"]), (PLANS, [DISPLAY]),
     (GOAL, [COMPRESSED])],
)  # fmt: skip
def test_both_types_the_topic_and_who_publishes_are_named(wanted, types):
    text = said(wanted, *types)
    assert text.startswith(f"{wanted.topic}: /other/node publishes {types[0]}, but {wanted.type} is expected; ")


def test_the_transport_that_fits_is_named():
    text = said(RAW, COMPRESSED)
    assert "set image_transport:=compressed and remap /cam/image_raw/compressed to /cam/image_raw" in text
    under_its_name = Subscribed("image", "/cam/image/compressed", IMAGE, CAMERA)
    assert "remap image to /cam/image and set image_transport:=compressed" in said(under_its_name, COMPRESSED)
    assert "image_transport:=raw" in said(JPEG, IMAGE)


def test_the_other_transport_beside_an_empty_topic_is_found():
    assert "set image_transport:=compressed" in said(RAW, topics={"/cam/image_raw/compressed": [COMPRESSED]})
    assert "set image_transport:=raw" in said(JPEG, topics={"/cam/image_raw": [IMAGE]})
    assert said(GOAL, topics={"/goal_image/compressed": [COMPRESSED]}) == ""  # optional


def test_topics_that_have_the_type_are_named():
    topics = {f"/arm{k}/states": [STATES.type] for k in range(6)} | {"/plans2": [PLANS.type]}
    text = said(STATES, topics=topics)
    assert "published on /arm0/states, /arm1/states, /arm2/states, /arm3/states and 2 more: remap joint_states" in text
    assert "published on /plans2: remap plans; or send trajectories" in said(PLANS, DISPLAY, topics=topics)
    assert said(PLANS, topics=topics) == ""  # one source of several may start later
    assert "published on /plans2: remap plans" in said(replace(PLANS, needed=True), topics=topics)


@pytest.mark.parametrize(
    "wanted, reliability, durability, cure",
    [
        (PLANS, ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE, "publish with reliable QoS"),
        (GOAL, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, "publish with durability transient_local"),
        (RAW, ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE, ""),
        (PLANS, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL, ""),
    ],
)
def test_a_quality_of_service_that_does_not_fit_is_named(wanted, reliability, durability, cure):
    text = said(wanted, wanted.type, qos=QoSProfile(depth=1, reliability=reliability, durability=durability))
    assert text.endswith(cure) and bool(text) == bool(cure) and (not text or "/other/node" in text)


def test_two_cameras_on_one_topic_are_named():
    mixed = [Publisher(IMAGE, node, CAMERA) for node in ("/left", "/right", "/left")]
    wanted = Subscribed("image", "/cam/image_raw", IMAGE, CAMERA, single=True)
    assert "several nodes publish there, /left, /right; stop all but one" in complaint(wanted, mixed, {})
    assert complaint(wanted, mixed[::2], {}) == ""  # one node with two publishers
    assert complaint(STATES, [Publisher(STATES.type, n, CAMERA) for n in ("/arm", "/gripper")], {}) == ""


def test_a_publisher_that_is_not_heard_is_named_beside_one_that_is():
    lossy = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    offers = {"/good": reliable(1), "/bad": lossy}
    publishers = [Publisher(PLANS.type, node, qos) for node, qos in offers.items()]
    for order in (publishers, publishers[::-1]):
        text = complaint(PLANS, order, {})
        assert "/bad publishes best effort" in text and "/good" not in text
    assert complaint(PLANS, publishers[:1], {}) == ""
