"""Statuses as messages on /diagnostics."""

import pytest

rclpy = pytest.importorskip("rclpy")

from rclpy.node import Node  # noqa: E402

from astra_ros.nodes.diagnostics import DiagnosticsPublisher  # noqa: E402
from astra_ros.nodes.reports import WARN, Status  # noqa: E402


def test_statuses_are_named_after_the_node_and_its_namespace():
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    node = Node("imagine", namespace="robot1", context=context, use_global_arguments=False)
    publisher = DiagnosticsPublisher(node, lambda: [Status("camera", WARN, "silent", {"age_s": 2.5})], lambda: "model")
    sent = []
    publisher._publisher = type("Recorder", (), {"publish": staticmethod(sent.append)})
    publisher.publish()
    (status,) = sent[0].status
    assert (status.name, status.level, status.message) == ("robot1/imagine: camera", WARN, "silent")
    assert status.hardware_id == "model" and [(each.key, each.value) for each in status.values] == [("age_s", "2.5")]
    node.destroy_node()
    context.try_shutdown()
