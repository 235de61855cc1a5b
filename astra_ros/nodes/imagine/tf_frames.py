"""Where one frame is in another, by tf2_ros where that is installed: it is in every ROS workspace, and not on PyPI."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.time import Time

from astra_ros.plans.errors import PlanError, RobotUnknown
from astra_ros.rotations import Transforms
from astra_ros.texts import short


class TfFrames:
    """Looks frames up for a node. It listens to tf from the first question on, so until then tf costs nothing."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._buffer: Any = None
        self._listener: Any = None

    def __call__(self, target: str, source: str) -> Transforms:
        """See `FrameLookup`."""
        said = f"it is in the frame '{short(source)}', and the odometry in '{short(target)}'"
        try:
            buffer = self._listening(tf2_ros := import_module("tf2_ros"))
        except ImportError as error:
            problem, cure = f"{said}; tf2_ros is not installed to look up the transform", f"publish it in '{target}'"
            raise PlanError(problem, cure=f"{cure}, or install tf2_ros") from error
        try:
            found = buffer.lookup_transform(target, source, Time()).transform
        except tf2_ros.TransformException as error:
            problem = f"{said}, and tf does not say where that is ({short(error, 200)})"
            raise RobotUnknown(problem, cure=f"publish the transform from '{target}' to '{source}' on /tf") from error
        position = np.array([[found.translation.x, found.translation.y, found.translation.z]])
        turn = np.array([[found.rotation.x, found.rotation.y, found.rotation.z, found.rotation.w]])
        if not (np.isfinite(position).all() and abs(np.linalg.norm(turn) - 1.0) < 0.1):
            raise RobotUnknown(f"{said}, and the transform between them is not one", cure="mend its publisher on /tf")
        return position, turn / np.linalg.norm(turn)

    def _listening(self, tf2_ros: Any) -> Any:
        with self._lock:
            if self._buffer is None:
                self._buffer = tf2_ros.Buffer()
                self._listener = tf2_ros.TransformListener(self._buffer, self._node)
            return self._buffer
