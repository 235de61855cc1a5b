"""An arm that stands still before its camera, over DDS: its joint states and images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sensor_msgs.msg import Image, JointState

from astra_ros.bridge.images import rgb_to_image


class StillArm:
    """Sends joint states and a grey image. Call it again and again: what is sent best effort may be lost.

    Args:
        graph: of ``test/nodes/conftest.py``; its nodes that listen are already started.
        joint_names, positions: where it stands, rad.
        listeners: nodes that listen to joint states.
    """

    def __init__(self, graph, joint_names: Sequence[str], positions: Sequence[float], listeners: int = 1) -> None:
        self._graph = graph
        self._states = JointState(name=list(joint_names), position=[float(each) for each in positions])
        self._joints = graph.publisher(JointState, "joint_states", 5, listeners)
        self._camera = graph.publisher(Image, "image", 5)

    def __call__(self) -> None:
        self._joints.publish(self._states)
        now = self._graph.node.get_clock().now().to_msg()
        self._camera.publish(rgb_to_image(np.full((64, 64, 3), 90, np.uint8), now, "camera"))

    def until_its_limits_are_known(self) -> None:
        """Wait until the imagine node has read the limits of the panda's description."""

        def known():
            self()
            status = self._graph.status.get("imagine: plans")
            return status and any(
                pair.key == "limits" and "9 joints of robot_description" in pair.value for pair in status.values
            )

        self._graph.until(known, "limits")
