"""Camera messages to RGB arrays and back.

The plain 8-bit encodings, which nearly all cameras send, go through ``cv_bridge``. The others are
unpacked in ``camera/pixels.py``: the ``cv_bridge`` on PyPI ignores ``step``, cannot swap bytes with
numpy 2, and knows neither 16-bit nor YUV pictures; that of a ROS installation knows them, but two
robots should not see two pictures.
"""

from __future__ import annotations

import array
import math
import sys

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from cv_bridge import CvBridge
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from astra_ros.bridge.errors import BridgeError
from astra_ros.camera.pixels import ENCODINGS, PixelError, check_layout, unpack


_BY_CV_BRIDGE = ("rgb8", "bgr8", "rgba8", "bgra8", "mono8")
_CV_BRIDGE = CvBridge()


def check_image(msg: Image, topic: str = "image") -> None:
    """Check that an image's encoding, size, step and data fit each other; costs no conversion.

    Raises:
        BridgeError: they do not.
    """
    try:
        check_layout(msg.encoding, msg.height, msg.width, msg.step, len(msg.data))
    except PixelError as error:
        raise BridgeError(f"{topic}: {error}") from error


def image_to_rgb(msg: Image, topic: str = "image") -> np.ndarray:
    """Convert an image of any encoding that ``camera/pixels.py`` knows.

    Args:
        msg: the image.
        topic: its name in error messages.

    Returns:
        uint8 [H, W, 3] RGB, contiguous, a copy.

    Raises:
        BridgeError: unknown encoding, or size, step and data do not fit.
    """
    check_image(msg, topic)
    encoding = ENCODINGS[msg.encoding]
    row = msg.width * encoding.channels * encoding.depth
    if msg.encoding in _BY_CV_BRIDGE and msg.step == row and not msg.is_bigendian:
        return np.array(_CV_BRIDGE.imgmsg_to_cv2(msg, "rgb8"))  # a copy, also of what was RGB before
    return unpack(msg.encoding, msg.height, msg.width, msg.step, msg.data, bool(msg.is_bigendian))


def compressed_to_rgb(msg: CompressedImage, topic: str = "image/compressed") -> np.ndarray:
    """Decode a JPEG or PNG image.

    Returns:
        uint8 [H, W, 3] RGB; of a 16-bit PNG the high bytes.

    Raises:
        BridgeError: empty, not a picture, or a depth image.
    """
    if "compressedDepth" in msg.format:
        raise BridgeError(
            f"{topic}: format is '{msg.format}', a depth image; remap to the colour camera's topic"
        )
    data = np.frombuffer(msg.data, dtype=np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:  # such as a header that promises more pixels than OpenCV allows
        pixels = None
    if pixels is None:
        raise BridgeError(
            f"{topic}: {data.size} bytes with format '{msg.format}' are no picture that OpenCV can "
            "decode; publish JPEG or PNG"
        )
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def rgb_to_image(frame: np.ndarray, stamp: Time, frame_id: str) -> Image:
    """A picture as an ``rgb8`` message.

    Args:
        frame: uint8 [H, W, 3] RGB.
        stamp, frame_id: the header.

    Raises:
        BridgeError: the array is not a picture.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise BridgeError(f"expected a uint8 [H, W, 3] picture, not {frame.dtype} {frame.shape}")
    msg = Image()
    msg.header.stamp = stamp
    msg.header.frame_id = frame_id
    msg.height, msg.width = frame.shape[:2]
    msg.encoding = "rgb8"
    msg.is_bigendian = int(sys.byteorder == "big")
    msg.step = 3 * msg.width
    data = array.array("B")
    data.frombytes(memoryview(np.ascontiguousarray(frame)).cast("B"))
    msg.data = data
    return msg


def pinhole_info(
    width: int, height: int, fov_deg: float, stamp: Time, frame_id: str
) -> CameraInfo:
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
