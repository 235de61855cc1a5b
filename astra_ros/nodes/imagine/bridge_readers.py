"""The bridge's conversions of ROS messages, for the core of the imagine node."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image

from astra_ros.bridge.errors import BridgeError
from astra_ros.bridge.images import check_compressed_image, check_image, compressed_to_rgb, image_to_rgb
from astra_ros.bridge.plan_adapters import PlanAdapter
from astra_ros.bridge.poses import pose_to_position
from astra_ros.bridge.stamps import to_nanoseconds
from astra_ros.bridge.trajectories import joint_state_to_positions
from astra_ros.camera.image_messages import ImageFacts
from astra_ros.nodes.imagine.message_readers import FrameLookup, MessageReaders, PlanMessage, no_frames, no_odometry
from astra_ros.plans.errors import PlanError
from astra_ros.texts import short


def bridge_readers(adapters: Mapping[str, PlanAdapter], frames: FrameLookup = no_frames) -> MessageReaders:
    """Readers of rclpy's messages, with the adapter of each plan source."""
    odometry = next((each.to_motion for each in adapters.values() if each.start_topic == "odom"), no_odometry)
    plan, starts = partial(_read_plan, adapters), frozenset(each.start_topic for each in adapters.values())
    return MessageReaders(read_image, joint_state_to_positions, pose_to_position, plan, odometry, frames, starts)


def read_image(msg: Image | CompressedImage, topic: str) -> tuple[np.ndarray, ImageFacts]:
    """An image message as uint8 [H, W, 3] RGB, and the facts that it states. Raises BridgeError."""
    if isinstance(msg, CompressedImage):
        facts = check_compressed_image(msg, topic)
        return compressed_to_rgb(msg, topic), facts
    facts = check_image(msg, topic)
    return image_to_rgb(msg, topic), facts


def _read_plan(adapters: Mapping[str, PlanAdapter], source: str, topic: str, data: bytes) -> PlanMessage:
    adapter = adapters[source]
    try:
        msg: Any = deserialize_message(data, adapter.message)
    except Exception as error:  # the middleware raises exceptions of several kinds
        wanted = f"{adapter.message.__module__.partition('.')[0]}/msg/{adapter.message.__name__}"
        problem = f"{len(data)} bytes that are not a {wanted} ({short(error, 200)})"
        raise BridgeError(problem, thing=topic) from error
    try:
        return PlanMessage(adapter.to_plan(msg, source), to_nanoseconds(adapter.stamp(msg)), data)
    except PlanError as error:
        error.thing = f"{topic}: plan '{source}'"
        raise
