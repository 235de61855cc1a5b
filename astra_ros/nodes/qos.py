"""Quality of service of the topics, in one place.

Latched (transient local) topics reach subscribers that join late: images and scores of the last request, the goal, the
robot's description. The best plan is not latched: a controller that starts late must not execute an old plan.
"""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(depth: int, reliability, durability=DurabilityPolicy.VOLATILE) -> QoSProfile:
    return QoSProfile(depth=depth, history=HistoryPolicy.KEEP_LAST, reliability=reliability, durability=durability)


def reliable(depth: int) -> QoSProfile:
    """Every message arrives, as long as at most ``depth`` wait."""
    return _profile(depth, ReliabilityPolicy.RELIABLE)


def best_effort(depth: int) -> QoSProfile:
    """Fits every publisher; lost messages are not sent again."""
    return _profile(depth, ReliabilityPolicy.BEST_EFFORT)


CAMERA = best_effort(5)
"""Subscriptions to cameras: new images matter more than all images, but a short stall of this process must not leave
a gap in the frame history."""

LATCHED = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
"""The last message is kept for subscribers that join late."""
