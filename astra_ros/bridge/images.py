"""Camera messages to RGB arrays and back.

The plain 8-bit encodings, which nearly all cameras send, go through ``cv_bridge``. All others are read in
``camera/image_messages.py``: the ``cv_bridge`` on PyPI ignores ``step``, cannot swap bytes with numpy 2, and knows
neither 16-bit nor YUV images. The one of a ROS installation knows them, but two robots must not see different images.
"""

from __future__ import annotations

import array
import math
import sys
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from builtin_interfaces.msg import Time
from cv_bridge import CvBridge
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from astra_ros.bridge.errors import BridgeError
from astra_ros.camera.errors import ImageError
from astra_ros.camera.image_messages import ImageFacts, check_compressed, check_raw, raw_to_rgb
from astra_ros.camera.image_messages import compressed_to_rgb as _compressed_to_rgb
from astra_ros.camera.pixels import ENCODINGS

Message = TypeVar("Message")
Read = TypeVar("Read")
_BY_CV_BRIDGE = ("rgb8", "bgr8", "rgba8", "bgra8", "mono8")
_CV_BRIDGE = CvBridge()


def check_image(msg: Image, topic: str = "image") -> ImageFacts:
    """Checks that the encoding, size, step and data of an image fit each other; no pixels are converted.

    Raises:
        BridgeError: they do not.
    """
    return _with_topic(check_raw, msg, topic)


def check_compressed_image(msg: CompressedImage, topic: str = "image/compressed") -> ImageFacts:
    """Checks that a compressed image is whole and has colours or grey; JPEG and PNG are not decoded.

    Raises:
        BridgeError: it cannot be used.
    """
    return _with_topic(check_compressed, msg, topic)


def image_to_rgb(msg: Image, topic: str = "image") -> np.ndarray:
    """An image of any encoding that ``camera/pixels.py`` knows, as RGB.

    Args:
        msg: the image.
        topic: named in errors.

    Returns:
        uint8 [H, W, 3] RGB, contiguous, a copy.

    Raises:
        BridgeError: unknown encoding, or size, step and data do not fit.
    """
    if msg.encoding in _BY_CV_BRIDGE and not msg.is_bigendian:
        check_image(msg, topic)
        if msg.step == msg.width * ENCODINGS[msg.encoding].channels:
            return np.array(_CV_BRIDGE.imgmsg_to_cv2(msg, "rgb8"))  # a copy, also of RGB
    return _with_topic(raw_to_rgb, msg, topic)


def compressed_to_rgb(msg: CompressedImage, topic: str = "image/compressed") -> np.ndarray:
    """A compressed image, decoded as in ``camera/image_messages.py``.

    Returns:
        uint8 [H, W, 3] RGB.

    Raises:
        BridgeError: empty, cut off, not an image, video, or a depth image.
    """
    return _with_topic(_compressed_to_rgb, msg, topic)


def _with_topic(read: Callable[[Message], Read], msg: Message, topic: str) -> Read:
    try:
        return read(msg)
    except ImageError as error:
        raise BridgeError(
            error.problem, thing=topic, cure=error.cure, found=error.found, expected=error.expected
        ) from error


def rgb_to_image(frame: np.ndarray, stamp: Time, frame_id: str) -> Image:
    """An RGB array as an ``rgb8`` message.

    Args:
        frame: uint8 [H, W, 3] RGB.
        stamp, frame_id: the header.

    Raises:
        BridgeError: the array has another type or shape.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise BridgeError(
            f"the frame is {frame.dtype} {frame.shape}; expected uint8 [H, W, 3]", found=(str(frame.dtype), frame.shape)
        )
    msg = Image()
    msg.header.stamp = stamp
    msg.header.frame_id = frame_id
    msg.height, msg.width = frame.shape[:2]
    msg.encoding = "rgb8"
    msg.is_bigendian = int(sys.byteorder == "big")
    msg.step = 3 * msg.width
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(frame).data.cast("B"))
    msg.data = data
    return msg


def pinhole_info(width: int, height: int, fov_deg: float, stamp: Time, frame_id: str) -> CameraInfo:
    """The CameraInfo of an undistorted pinhole camera with square pixels.

    Args:
        width, height: pixels.
        fov_deg: vertical field of view.
        stamp, frame_id: the header of the image that it belongs to.
    """
    focal = height / 2 / math.tan(math.radians(fov_deg) / 2)
    centre_x, centre_y = width / 2, height / 2
    msg = CameraInfo()
    msg.header.stamp = stamp
    msg.header.frame_id = frame_id
    msg.width, msg.height = width, height
    msg.distortion_model = "plumb_bob"
    msg.d = [0.0] * 5
    msg.k = [focal, 0.0, centre_x, 0.0, focal, centre_y, 0.0, 0.0, 1.0]
    msg.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    msg.p = [focal, 0.0, centre_x, 0.0, 0.0, focal, centre_y, 0.0, 0.0, 0.0, 1.0, 0.0]
    return msg
