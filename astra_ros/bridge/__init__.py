"""ROS messages to the types of the other packages and back, and nothing else.

No node, no parameter, no thread lives here: every function takes a message or plain values and
returns the other. What cannot be converted raises ``BridgeError`` or ``PlanError``.
"""

from astra_ros.bridge.errors import BridgeError

__all__ = ["BridgeError"]
