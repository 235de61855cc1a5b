"""The stand-in for camera and planner of the benchmark."""

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from astra_ros.nodes.client.node_client import ClientError
from astra_ros.nodes.client.topic_latency import NodeUnderTest


@pytest.fixture
def node():
    """One without a graph."""
    made = NodeUnderTest.__new__(NodeUnderTest)
    made._watch, made._unserved, made._scores = lambda: None, False, None
    return made


def test_a_request_that_was_not_served_is_told_at_once(node):
    node.check()
    node._on_scores(DiagnosticArray())
    with pytest.raises(ClientError) as error:
        node.check()
    assert error.value.thing == "imagine" and node._scores is None


def test_scores_are_an_answer(node):
    node._on_scores(DiagnosticArray(status=[DiagnosticStatus(name="candidates/0")]))
    node.check()
    assert node._scores is not None
