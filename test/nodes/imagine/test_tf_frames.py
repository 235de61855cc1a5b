"""tf as the node asks it, by a stand-in: the real tf2_ros is in every ROS workspace, and not on PyPI."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")

from astra_ros.nodes.imagine.tf_frames import TfFrames
from astra_ros.plans.errors import PlanError, RobotUnknown


def vector(**fields):
    return SimpleNamespace(**fields)


@pytest.fixture
def tf(monkeypatch):
    """A tf2_ros that knows one transform; `listeners` were made."""
    module, made = ModuleType("tf2_ros"), []

    class TransformException(Exception):
        pass

    class Buffer:
        def lookup_transform(self, target, source, time):
            if (target, source) != ("odom", "map"):
                raise TransformException(f'"{source}" passed to lookupTransform argument source_frame does not exist.')
            turn = vector(x=0.0, y=0.0, z=2.0 if module.broken else 1.0, w=0.0)
            return vector(transform=vector(translation=vector(x=1.0, y=2.0, z=0.0), rotation=turn))

    module.TransformException, module.Buffer, module.broken = TransformException, Buffer, False
    module.TransformListener = lambda buffer, node: made.append(node)
    module.listeners = made
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    return module


def test_tf_is_listened_to_from_the_first_question_on(tf):
    frames = TfFrames("the node")
    assert not tf.listeners
    position, turn = frames("odom", "map")
    np.testing.assert_array_equal(position, [[1.0, 2.0, 0.0]])
    np.testing.assert_array_equal(turn, [[0.0, 0.0, 1.0, 0.0]])
    frames("odom", "map")
    assert tf.listeners == ["the node"]


def test_what_tf_does_not_know_yet_may_be_known_later(tf):
    frames = TfFrames("the node")
    with pytest.raises(RobotUnknown) as error:
        frames("odom", "moon")
    assert "'moon'" in error.value.problem and "odom" in error.value.cure
    tf.broken = True
    with pytest.raises(RobotUnknown):
        frames("odom", "map")


def test_without_tf_the_frame_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)  # as if it were not installed
    with pytest.raises(PlanError) as error:
        TfFrames("the node")("odom", "map")
    assert not isinstance(error.value, RobotUnknown) and "'map'" in error.value.problem and "odom" in error.value.cure
