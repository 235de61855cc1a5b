"""A topic of the imagine node is remapped once, so that its messages name the topic that it subscribes to."""

import pytest

rclpy = pytest.importorskip("rclpy")

from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402

from astra_ros.nodes.imagine.node import Imagine  # noqa: E402


class WithoutModel(Imagine):
    def load(self):
        pass


@pytest.mark.parametrize(
    "transport, rules, image",
    [
        ("raw", ["image:=/cam", "/cam:=/elsewhere"], "/cam"),
        ("compressed", ["image:=/cam", "/cam/compressed:=/jpeg", "/jpeg:=/elsewhere"], "/jpeg"),
    ],
)
def test_a_rule_for_the_name_that_another_rule_gave_is_not_applied_too(transport, rules, image):
    rules = [*rules, "plans:=/planner", "/planner:=/other"]
    context = rclpy.Context()
    rclpy.init(context=context)
    words = ["--ros-args", *(word for rule in rules for word in ("-r", rule))]
    given = [Parameter("image_transport", value=transport)]
    node = Node("imagine", context=context, cli_args=words, parameter_overrides=given)
    named = WithoutModel(node).topics
    subscribed = {each.topic_name for each in node.subscriptions}
    node.destroy_node()
    context.try_shutdown()
    assert named.image == image and {image, "/planner"} <= subscribed
    assert not {"/elsewhere", "/other"} & subscribed
