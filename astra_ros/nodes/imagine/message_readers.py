"""What the core of the imagine node is given: messages' conversions and clocks. Without ROS.

Messages are read by their fields, so those of rclpy and of rosbags are the same here. Their conversions and the
clocks come from outside: from the node, from a replay, or from a test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from astra_ros.camera.image_messages import ImageFacts
from astra_ros.plans.base_now import BaseNow
from astra_ros.plans.errors import PlanError
from astra_ros.plans.path_plan import PathPlan
from astra_ros.plans.plan import Plan
from astra_ros.rotations import Transforms
from astra_ros.texts import short

NANOSECONDS = 1_000_000_000

ReadImage = Callable[[object, str], tuple[np.ndarray, ImageFacts]]
ReadPosition = Callable[[object, str, str, float], np.ndarray]
# (target frame, source frame) -> the transform that takes points of the source into the target, N = 1. Raises
# RobotUnknown where it is not known yet, PlanError where it is not looked up.
FrameLookup = Callable[[str, str], Transforms]


def no_frames(target: str, source: str) -> Transforms:
    """Refuses every frame but that of the odometry."""
    problem = f"it is in the frame '{short(source)}', and the odometry in '{short(target)}'; no transform is looked up"
    raise PlanError(problem, cure=f"publish it in '{target}'")


def no_odometry(msg: object, topic: str) -> BaseNow:
    raise AssertionError("no plan type asks for odometry")


@dataclass(frozen=True)
class Clocks:
    """Monotonic seconds, for ages and timeouts, and the clock whose time is written into stamps, simulated or real."""

    monotonic_s: Callable[[], float] = time.monotonic
    ros_time_ns: Callable[[], int] = time.time_ns


@dataclass(frozen=True)
class PlanMessage:
    """A plan as it was received: when it begins (0: when it is handed on), and the message's bytes."""

    plan: Plan | PathPlan
    stamp_ns: int
    data: bytes


@dataclass(frozen=True)
class MessageReaders:
    """Conversions of messages; each raises `UserError` for a message that cannot be used.

    Attributes:
        image: (image message, topic) -> uint8 [H, W, 3] RGB, and the facts that it states.
        joints: (joint state message, topic) -> joint name -> rad (m for sliding joints).
        position: (pose message, frame, topic, reach in m) -> float64 [3] m.
        plan: (name of the plan source, topic, bytes) -> the plan.
        odometry: (odometry message, topic) -> where the base is.
        frames: where one frame is in another.
        starts: the topics, relative, that say where the robot is as plans begin.
    """

    image: ReadImage
    joints: Callable[[object, str], Mapping[str, float]]
    position: ReadPosition
    plan: Callable[[str, str, bytes], PlanMessage]
    odometry: Callable[[object, str], BaseNow] = no_odometry
    frames: FrameLookup = no_frames
    starts: frozenset[str] = frozenset({"joint_states"})


def stamp_ns(msg) -> int:
    """``header.stamp`` of a message, ns."""
    return msg.header.stamp.sec * NANOSECONDS + msg.header.stamp.nanosec
