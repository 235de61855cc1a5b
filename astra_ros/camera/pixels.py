"""Raw camera pictures, as ``sensor_msgs/Image`` lays them out, to RGB; without ROS.

The nodes and the import of bags unpack pictures here, so that a model is trained on what it will see.
OpenCV converts the colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


class PixelError(ValueError):
    """A picture whose size, step and data do not fit each other."""


class UnknownEncoding(PixelError):
    """An encoding that is not known here, or that is no colour picture."""


@dataclass(frozen=True)
class Encoding:
    """How an encoding is laid out: bytes per number, numbers per pixel, OpenCV's way to RGB."""

    depth: int
    channels: int
    to_rgb: int | None


def _both_depths(name: str, channels: int, to_rgb: int | None) -> dict[str, Encoding]:
    return {f"{name}{8 * depth}": Encoding(depth, channels, to_rgb) for depth in (1, 2)}


ENCODINGS: dict[str, Encoding] = {
    **_both_depths("rgb", 3, None),
    **_both_depths("bgr", 3, cv2.COLOR_BGR2RGB),
    **_both_depths("rgba", 4, cv2.COLOR_RGBA2RGB),
    **_both_depths("bgra", 4, cv2.COLOR_BGRA2RGB),
    **_both_depths("mono", 1, cv2.COLOR_GRAY2RGB),
    # ROS names a Bayer pattern by its first row's first pixels, OpenCV by its second row's second ones.
    **_both_depths("bayer_rggb", 1, cv2.COLOR_BayerBG2RGB),
    **_both_depths("bayer_bggr", 1, cv2.COLOR_BayerRG2RGB),
    **_both_depths("bayer_gbrg", 1, cv2.COLOR_BayerGR2RGB),
    **_both_depths("bayer_grbg", 1, cv2.COLOR_BayerGB2RGB),
    "yuv422": Encoding(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": Encoding(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": Encoding(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": Encoding(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    # OpenCV's types, which say nothing of colours: its own order is meant.
    "8UC1": Encoding(1, 1, cv2.COLOR_GRAY2RGB),
    "8UC3": Encoding(1, 3, cv2.COLOR_BGR2RGB),
}
NO_COLOURS = ("16UC1", "32FC1", "16SC1", "64FC1")


def check_layout(name: str, height: int, width: int, step: int, size: int) -> None:
    """Check that a picture's encoding, size, step and bytes of data fit each other.

    Raises:
        UnknownEncoding: the encoding is not in ``ENCODINGS``.
        PixelError: they do not fit.
    """
    if name in NO_COLOURS:
        raise UnknownEncoding(
            f"encoding '{name}' is a depth image or plain numbers, which have no colours and no fixed "
            "scale; choose the colour camera's topic"
        )
    encoding = ENCODINGS.get(name)
    if encoding is None:
        raise UnknownEncoding(
            f"unknown encoding '{name}'; known are {', '.join(ENCODINGS)}. Publish one of these, or "
            "put an image_proc node in between"
        )
    if height == 0 or width == 0:
        raise PixelError(f"the image is {width} x {height} pixels; both must be > 0. Check the camera driver")
    if encoding.channels == 2 and width % 2:
        raise PixelError(
            f"{name} shares colour between two pixels, but the width is {width}; it must be even"
        )
    row = width * encoding.channels * encoding.depth
    if step < row:
        raise PixelError(
            f"step is {step} bytes, but a row of {width} pixels in {name} has {row}; set step to {row} "
            "or, with padded rows, more"
        )
    # Some drivers leave the padding of the last row away.
    if not step * (height - 1) + row <= size <= step * height:
        raise PixelError(
            f"data has {size} bytes, but step {step} x height {height} is {step * height}; the message "
            "was cut or its header is wrong"
        )


def unpack(name: str, height: int, width: int, step: int, data, is_bigendian: bool) -> np.ndarray:
    """A picture whose layout was checked, as RGB.

    Padded rows (``step``) and both byte orders are honoured. 16-bit numbers are scaled, so that
    65535 becomes 255, never cut; a picture that uses few of its 16 bits becomes dark.

    Args:
        data: its bytes, a buffer or uint8 array.

    Returns:
        uint8 [height, width, 3] RGB, contiguous, a copy.
    """
    encoding = ENCODINGS[name]
    row = width * encoding.channels * encoding.depth
    numbers = np.lib.stride_tricks.as_strided(
        np.frombuffer(data, dtype=np.uint8), (height, row), (step, 1), writeable=False
    )
    if encoding.depth == 2:
        order = ">" if is_bigendian else "<"
        numbers = np.ascontiguousarray(numbers).view(np.dtype(np.uint16).newbyteorder(order))
        numbers = numbers.astype(np.uint16)
    shape = (height, width, encoding.channels)[: 2 if encoding.channels == 1 else 3]
    pixels = np.ascontiguousarray(numbers).reshape(shape)
    if encoding.to_rgb is not None:
        pixels = cv2.cvtColor(pixels, encoding.to_rgb)
    if encoding.depth == 2:
        # 65535 = 255 * 257: the exact inverse of repeating a byte.
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return pixels if pixels.flags.owndata else pixels.copy()
