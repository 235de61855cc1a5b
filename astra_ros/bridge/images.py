"""Camera messages to RGB arrays and back.

The plain 8-bit encodings, which nearly all cameras send, go through ``cv_bridge``. All others are read in
``camera/image_messages.py``: the ``cv_bridge`` on PyPI ignores ``step``, cannot swap bytes with numpy 2, and knows
neither 16-bit nor YUV images. The one of a ROS installation knows them, but two robots must not see different images.
"""

from __future__ import annotations

import array
import math
import sys

import numpy as np
from builtin_interfaces.msg import Time
from cv_bridge import CvBridge
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from astra_ros.bridge.errors import BridgeError, about
from astra_ros.camera.depth_images import raw_to_depth
from astra_ros.camera.image_messages import ImageFacts, check_compressed, check_raw, raw_to_rgb
from astra_ros.camera.image_messages import compressed_to_rgb as _compressed_to_rgb
from astra_ros.camera.pixels import ENCODINGS

_BY_CV_BRIDGE = ("rgb8", "bgr8", "rgba8", "bgra8", "mono8")
_CV_BRIDGE = CvBridge()


def check_image(msg: Image, topic: str = "image") -> ImageFacts:
    """Checks that the encoding, size, step and data of an image fit each other; no pixels are converted.

    Raises:
        BridgeError: they do not.
    """
    with about(topic):
        return check_raw(msg)


def check_compressed_image(msg: CompressedImage, topic: str = "image/compressed") -> ImageFacts:
    """Checks that a compressed image is whole and has colours or grey; JPEG and PNG are not decoded.

    Raises:
        BridgeError: it cannot be used.
    """
    with about(topic):
        return check_compressed(msg)


def image_to_rgb(msg: Image, topic: str = "image") -> np.ndarray:
    """An image of any encoding that ``camera/pixels.py`` knows: uint8 [H, W, 3] RGB, contiguous, a copy.

    Raises:
        BridgeError: unknown encoding, or size, step and data do not fit.
    """
    with about(topic):
        if msg.encoding in _BY_CV_BRIDGE and not msg.is_bigendian:
            check_raw(msg)
            if msg.step == msg.width * ENCODINGS[msg.encoding].channels:
                return np.array(_CV_BRIDGE.imgmsg_to_cv2(msg, "rgb8"))  # a copy, also of RGB
        return raw_to_rgb(msg)


def compressed_to_rgb(msg: CompressedImage, topic: str = "image/compressed") -> np.ndarray:
    """A compressed image, decoded as in ``camera/image_messages.py``: uint8 [H, W, 3] RGB.

    Raises:
        BridgeError: empty, cut off, not an image, video, or a depth image.
    """
    with about(topic):
        return _compressed_to_rgb(msg)


def rgb_to_image(frame: np.ndarray, stamp: Time, frame_id: str) -> Image:
    """A frame uint8 [H, W, 3] RGB as an ``rgb8`` message.

    Raises:
        BridgeError: the array has another type or shape.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise BridgeError(f"the frame is {frame.dtype} {frame.shape}; expected uint8 [H, W, 3]")
    height, width = frame.shape[:2]
    msg = Image(header=Header(stamp=stamp, frame_id=frame_id), height=height, width=width, encoding="rgb8")
    msg.is_bigendian = int(sys.byteorder == "big")
    msg.step = 3 * width
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(frame).data.cast("B"))
    msg.data = data  # the constructor would copy it
    return msg


def image_to_depth(msg: Image, topic: str = "depth") -> np.ndarray:
    """A depth image, as in ``camera/depth_images.py``: float32 [H, W] m, NaN for what was not measured.

    Raises:
        BridgeError: its encoding is not one of depth, or size, step and data do not fit.
    """
    with about(topic):
        return raw_to_depth(msg)


def depth_to_image(depth: np.ndarray, stamp: Time, frame_id: str) -> Image:
    """Depth float [H, W] m as a ``32FC1`` message."""
    height, width = depth.shape
    msg = Image(header=Header(stamp=stamp, frame_id=frame_id), height=height, width=width, encoding="32FC1")
    msg.is_bigendian, msg.step = 0, 4 * width
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(depth, "<f4").tobytes())
    msg.data = data
    return msg


def pinhole_info(width: int, height: int, fov_deg: float, stamp: Time, frame_id: str) -> CameraInfo:
    """The CameraInfo of an undistorted pinhole camera of square pixels, with a vertical field of view."""
    focal = height / 2 / math.tan(math.radians(fov_deg) / 2)
    rows = np.array([[focal, 0.0, width / 2, 0.0], [0.0, focal, height / 2, 0.0], [0.0, 0.0, 1.0, 0.0]])
    return CameraInfo(
        header=Header(stamp=stamp, frame_id=frame_id),
        width=width,
        height=height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=rows[:, :3].ravel(),
        r=np.eye(3).ravel(),
        p=rows.ravel(),
    )
