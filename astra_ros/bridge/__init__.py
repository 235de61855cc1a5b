"""ROS messages to the types of the other rooms and back.

Functions take a message and return plain values, or the reverse. Messages that cannot be converted raise
``BridgeError`` or ``PlanError``. Nodes, parameters and threads are elsewhere.
"""

from astra_ros.bridge.errors import BridgeError

__all__ = ["BridgeError"]
