"""Depth images as metres (REP 118), without ROS.

``32FC1`` is in m; ``16UC1`` is in mm, with 0 for what was not measured.
"""

from __future__ import annotations

import numpy as np

from astra_ros.camera.errors import BadImage, UnsupportedImage
from astra_ros.texts import short

# encoding -> type of a number, and metres of one
DEPTHS = {"32FC1": ("f4", 1.0), "16UC1": ("u2", 0.001), "mono16": ("u2", 0.001)}


def raw_to_depth(message) -> np.ndarray:
    """A raw depth image as float32 [H, W] m, NaN for what was not measured.

    Raises:
        UnsupportedImage: its encoding is not one of depth.
        BadImage: its size, step and data do not fit each other.
    """
    if message.encoding not in DEPTHS:
        problem = f"encoding '{short(message.encoding)}' is not depth"
        raise UnsupportedImage(problem, cure="publish depth as 32FC1 (m) or 16UC1 (mm)")
    kind, metres = DEPTHS[message.encoding]
    number = np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<")
    height, width, step = message.height, message.width, message.step
    if min(height, width) < 1 or step < width * number.itemsize or len(message.data) < height * step:
        problem = f"{width} x {height} pixels of {number.itemsize} bytes, step {step} and {len(message.data)} bytes"
        raise BadImage(f"{problem} do not fit each other", cure="check the camera driver")
    rows = np.frombuffer(message.data, np.uint8, height * step).reshape(height, step)
    values = np.ascontiguousarray(rows[:, : width * number.itemsize]).view(number)
    depth = values.astype(np.float32) * np.float32(metres)
    return np.where(np.isfinite(depth) & (depth > 0.0), depth, np.float32(np.nan))
