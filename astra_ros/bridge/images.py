"""Camera messages to RGB arrays and back.

The plain 8-bit encodings, which nearly all cameras send, go through ``cv_bridge``. The others are
unpacked here: the ``cv_bridge`` on PyPI ignores ``step``, cannot swap bytes with numpy 2, and knows
neither 16-bit nor YUV pictures; that of a ROS installation knows them, but two robots should not see
two pictures. OpenCV converts the colours.
"""

from __future__ import annotations

import array
import math
import sys
from dataclasses import dataclass

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from cv_bridge import CvBridge
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from astra_ros.bridge.errors import BridgeError


@dataclass(frozen=True)
class _Encoding:
    """How an encoding is laid out: bytes per number, numbers per pixel, way to RGB."""

    depth: int
    channels: int
    to_rgb: int | None


def _bayer(name: str, to_rgb: int) -> dict[str, _Encoding]:
    return {f"bayer_{name}{8 * depth}": _Encoding(depth, 1, to_rgb) for depth in (1, 2)}


# ROS names a Bayer pattern by its first row's first pixels, OpenCV by its second row's second ones.
ENCODINGS: dict[str, _Encoding] = {
    "rgb8": _Encoding(1, 3, None),
    "bgr8": _Encoding(1, 3, cv2.COLOR_BGR2RGB),
    "rgba8": _Encoding(1, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Encoding(1, 4, cv2.COLOR_BGRA2RGB),
    "mono8": _Encoding(1, 1, cv2.COLOR_GRAY2RGB),
    "rgb16": _Encoding(2, 3, None),
    "bgr16": _Encoding(2, 3, cv2.COLOR_BGR2RGB),
    "rgba16": _Encoding(2, 4, cv2.COLOR_RGBA2RGB),
    "bgra16": _Encoding(2, 4, cv2.COLOR_BGRA2RGB),
    "mono16": _Encoding(2, 1, cv2.COLOR_GRAY2RGB),
    **_bayer("rggb", cv2.COLOR_BayerBG2RGB),
    **_bayer("bggr", cv2.COLOR_BayerRG2RGB),
    **_bayer("gbrg", cv2.COLOR_BayerGR2RGB),
    **_bayer("grbg", cv2.COLOR_BayerGB2RGB),
    "yuv422": _Encoding(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": _Encoding(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": _Encoding(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": _Encoding(1, 2, cv2.COLOR_YUV2RGB_YUY2),
}


_BY_CV_BRIDGE = ("rgb8", "bgr8", "rgba8", "bgra8", "mono8")
_CV_BRIDGE = CvBridge()


def check_image(msg: Image, topic: str = "image") -> None:
    """Check that an image's encoding, size, step and data fit each other; costs no conversion.

    Raises:
        BridgeError: they do not.
    """
    encoding = ENCODINGS.get(msg.encoding)
    if encoding is None:
        raise BridgeError(
            f"{topic}: unknown encoding '{msg.encoding}'; known are {', '.join(ENCODINGS)}. "
            "Publish one of these, or put an image_proc node in between"
        )
    if msg.height == 0 or msg.width == 0:
        raise BridgeError(
            f"{topic}: the image is {msg.width} x {msg.height} pixels; both must be > 0. "
            "Check the camera driver"
        )
    if encoding.channels == 2 and msg.width % 2:
        raise BridgeError(
            f"{topic}: {msg.encoding} shares colour between two pixels, but the width is "
            f"{msg.width}; it must be even"
        )
    row = msg.width * encoding.channels * encoding.depth
    if msg.step < row:
        raise BridgeError(
            f"{topic}: step is {msg.step} bytes, but a row of {msg.width} pixels in "
            f"{msg.encoding} has {row}; set step to {row} or, with padded rows, more"
        )
    # Some drivers leave the padding of the last row away.
    least, full = msg.step * (msg.height - 1) + row, msg.step * msg.height
    if not least <= len(msg.data) <= full:
        raise BridgeError(
            f"{topic}: data has {len(msg.data)} bytes, but step {msg.step} x height "
            f"{msg.height} is {full}; the message was cut or its header is wrong"
        )


def image_to_rgb(msg: Image, topic: str = "image") -> np.ndarray:
    """Convert an image of any encoding in ``ENCODINGS``.

    Padded rows (``step``) and both byte orders are honoured. 16-bit numbers are scaled, so that
    65535 becomes 255, never cut; a picture that uses few of its 16 bits becomes dark.

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
    data = np.frombuffer(msg.data, dtype=np.uint8)
    rows = np.lib.stride_tricks.as_strided(
        data, shape=(msg.height, row), strides=(msg.step, 1), writeable=False
    )
    if encoding.depth == 2:
        order = ">" if msg.is_bigendian else "<"
        rows = np.ascontiguousarray(rows).view(np.dtype(np.uint16).newbyteorder(order))
        rows = rows.astype(np.uint16)
    shape = (msg.height, msg.width, encoding.channels)
    pixels = np.ascontiguousarray(rows).reshape(shape if encoding.channels > 1 else shape[:2])
    if encoding.to_rgb is not None:
        pixels = cv2.cvtColor(pixels, encoding.to_rgb)
    if encoding.depth == 2:
        # 65535 = 255 * 257: the exact inverse of repeating a byte.
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return pixels if pixels.flags.owndata and pixels.base is None else pixels.copy()


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
