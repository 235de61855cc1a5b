"""Raw images, laid out as in ``sensor_msgs/Image``, to RGB; without ROS.

Nodes and the import of bags unpack images here, so a model is trained on what it will see. OpenCV converts the
colours. The encodings are those of ``sensor_msgs/image_encodings.hpp``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np

from astra_ros.camera.errors import BadImage, UnsupportedImage
from astra_ros.texts import short


@dataclass(frozen=True)
class Encoding:
    """The layout of an encoding: bytes per number, numbers per pixel, OpenCV's conversion to RGB."""

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
    # ROS names a Bayer pattern by the first pixels of its first row, OpenCV by the second ones of its second row.
    **_both_depths("bayer_rggb", 1, cv2.COLOR_BayerBG2RGB),
    **_both_depths("bayer_bggr", 1, cv2.COLOR_BayerRG2RGB),
    **_both_depths("bayer_gbrg", 1, cv2.COLOR_BayerGR2RGB),
    **_both_depths("bayer_grbg", 1, cv2.COLOR_BayerGB2RGB),
    "yuv422": Encoding(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": Encoding(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": Encoding(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": Encoding(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    # OpenCV's types do not name colours; OpenCV's own order is meant.
    "8UC1": Encoding(1, 1, cv2.COLOR_GRAY2RGB),
    "8UC3": Encoding(1, 3, cv2.COLOR_BGR2RGB),
    "8UC4": Encoding(1, 4, cv2.COLOR_BGRA2RGB),
    "16UC3": Encoding(2, 3, cv2.COLOR_BGR2RGB),
    "16UC4": Encoding(2, 4, cv2.COLOR_BGRA2RGB),
}
GREY = ("mono8", "mono16", "8UC1")
UNNAMED_COLOURS = ("8UC3", "8UC4", "16UC3", "16UC4")


@dataclass(frozen=True)
class Planes:
    """A plane of brightness, then a plane of pairs of colour numbers, one byte each."""

    every: int  # columns and rows that share a pair of colours
    flipped: bool = False  # V comes before U

    def sizes(self, height: int, width: int, step: int) -> tuple[int, int]:
        """(bytes without the padding of the last row, bytes with it) of an image."""
        # As in V4L2: a row of colours is padded in proportion to its length.
        rows, row, stride = height // self.every, 2 * width // self.every, 2 * step // self.every
        return step * height + stride * (rows - 1) + row, step * height + stride * rows


# Bytes that a buffer of whole pages has too many, at most.
PAGE = 4096
ALIGNED = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SEMI_PLANAR = {"nv12": Planes(2), "nv21": Planes(2, flipped=True), "nv24": Planes(1)}
_NAMES = {name.lower(): name for name in (*ENCODINGS, *SEMI_PLANAR)}
_OPENCV_TYPE = re.compile(r"(8|16|32|64)[usf]c\d*")
_COMPRESSED = re.compile(r"jpe?g|mjpe?g|png|h\.?26\d|hevc|avc|av1|vp\d")


@dataclass(frozen=True)
class PixelLayout:
    """Where the rows of an image lie, from its encoding, size, step and number of bytes."""

    encoding: str  # a key of ENCODINGS or SEMI_PLANAR
    height: int  # pixels of the image; the height in a message may count the rows of all planes
    width: int
    step: int  # bytes from row to row
    remarks: tuple[str, ...] = ()  # each assumption and its reason, one sentence each


def known_encoding(name: str) -> str:
    """The encoding as ROS writes it, from any case and with spaces around it; '' where it is not known."""
    return _NAMES.get(name.strip().lower(), "")


def holds_numbers(name: str) -> bool:
    """Whether an encoding is one of depths, labels or other numbers without colours."""
    return not known_encoding(name) and bool(_OPENCV_TYPE.fullmatch(name.strip().lower()))


def no_colours(name: str) -> UnsupportedImage:
    """The error of an encoding of plain numbers."""
    numbers = f"encoding '{short(name.strip())}' is a depth image or plain numbers"
    problem = f"{numbers}, which have no colours and no fixed scale"
    return UnsupportedImage(problem, cure="choose the colour camera's topic")


def check_layout(name: str, height: int, width: int, step: int, size: int) -> PixelLayout:
    """Checks that the encoding, size, step and number of bytes (``size``) of an image fit each other.

    Raises:
        UnsupportedImage: the encoding is not known, or is one of plain numbers.
        BadImage: they do not fit.
    """
    known = known_encoding(name)
    if holds_numbers(name):
        raise no_colours(name)
    if not known:
        raise unknown_encoding(name)
    if height == 0 or width == 0:
        raise BadImage(f"the image is {width} x {height} pixels; both must be > 0", cure="check the camera driver")
    if known in SEMI_PLANAR:
        return _planes(known, height, width, step, size)
    encoding = ENCODINGS[known]
    if encoding.channels == 2 and width % 2:
        raise BadImage(f"{known} shares colour between two pixels, but the width is {width}; it must be even")
    row = width * encoding.channels * encoding.depth
    if step < row:
        problem = f"step is {step} bytes, but a row of {width} pixels in {known} has {row}"
        raise BadImage(problem, cure=f"set step to {row} or, with padded rows, more")
    # Some drivers omit the padding of the last row.
    if not step * (height - 1) + row <= size <= step * height:
        sizes = f"data has {size} bytes, but step {step} x height {height} is {step * height}"
        raise BadImage(f"{sizes}: the message was cut off or its header is wrong")
    unnamed = f"{known} does not say the order of colours; it is read as BGR, as in OpenCV"
    return PixelLayout(known, height, width, step, (unnamed,) * (known in UNNAMED_COLOURS))


def _planes(name: str, height: int, width: int, step: int, size: int) -> PixelLayout:
    planes = SEMI_PLANAR[name]
    more, less = 3, 2 if planes.every == 2 else 1  # rows of all planes, per rows of brightness
    low, high = planes.sizes(height, width, step)
    if step >= width and low <= size <= high:
        layout = PixelLayout(name, height, width, step)
    elif size == planes.sizes(height, width, width)[1]:
        text = f"step is {step}, but the data are rows of {width} bytes without padding; they are read as such"
        layout = PixelLayout(name, height, width, width, (text,))
    elif width <= step < 2 * width and step * (height - 1) + width <= size <= step * height and height % more == 0:
        rows = height * less // more
        text = f"height is {height}, but the data are the rows of all planes of {width} x {rows} pixels; "
        text += "they are read as such"
        layout = PixelLayout(name, rows, width, step, (text,))
    elif step >= width and high < size and _is_page_padding(planes, height, step, size):
        text = f"{size - high} bytes of padding after the image, as in a buffer of whole pages, are not read"
        layout = PixelLayout(name, height, width, step, (text,))
    else:
        layout = None
    odd = layout or PixelLayout(name, height, width, step)
    if odd.width % planes.every or odd.height % planes.every:
        shared = f"{name} shares colour between two pixels and two rows"
        raise BadImage(f"{shared}, but the image is {odd.width} x {odd.height} pixels; both must be even")
    if layout is None:
        raise BadImage(
            f"data has {size} bytes, but {name} of {width} x {height} pixels with step {step} has {high}",
            cure=f"set step to the bytes of a row of brightness, {width} or more with padding, and height to that "
            "of the image; where the driver leaves rows free between the planes, have it publish yuyv or rgb8",
        )
    return layout


def _is_page_padding(planes: Planes, height: int, step: int, size: int) -> bool:
    """Whether the surplus is the end of a buffer that V4L2 rounded up, and not further or longer rows."""
    high = planes.sizes(height, step, step)[1]
    if size - high > min(PAGE, high // 4):
        return False
    # Codecs round the number of rows and their length up; then the plane of colours begins elsewhere.
    heights, steps = ({-(-number // unit) * unit for unit in ALIGNED} for number in (height, step))
    return size not in {planes.sizes(h, s, s)[1] for h in heights for s in steps}


def unknown_encoding(name: str) -> UnsupportedImage:
    """The error of an encoding that is not known here."""
    if _COMPRESSED.search(name.lower()):
        cure = (
            "compressed data belong in a sensor_msgs/CompressedImage: have the driver publish JPEG or PNG there, or "
            "decoded pixels here"
        )
    else:
        cure = (
            "set the camera driver to one of these, such as rgb8 (usb_cam: pixel_format, v4l2_camera: output_encoding, "
            "camera_ros: format); image_proc and image_transport cannot convert what cv_bridge does not know"
        )
    known = ", ".join((*ENCODINGS, *SEMI_PLANAR))
    return UnsupportedImage(f"unknown encoding '{short(name)}'; known are {known}", cure=cure)


def unpack(layout: PixelLayout, data, is_bigendian: bool) -> np.ndarray:
    """An image with a layout from `check_layout` as uint8 [height, width, 3] RGB, contiguous, a copy.

    Padded rows (``step``) and both byte orders are honoured. 16-bit numbers are scaled, never cut: 65535 becomes 255,
    so an image that uses few of its 16 bits becomes dark.
    """
    data = np.frombuffer(data, dtype=np.uint8)
    if layout.encoding in SEMI_PLANAR:
        return _unpack_planes(SEMI_PLANAR[layout.encoding], layout, data)
    encoding = ENCODINGS[layout.encoding]
    numbers = _numbers(layout, data, is_bigendian)
    shape = (layout.height, layout.width, encoding.channels)[: 2 if encoding.channels == 1 else 3]
    return as_rgb(np.ascontiguousarray(numbers).reshape(shape), encoding.to_rgb)


def brightest_number(layout: PixelLayout, data, is_bigendian: bool) -> int | None:
    """The greatest 16-bit number of an image; None where numbers have 8 bits. Arguments as in ``unpack``."""
    if layout.encoding in SEMI_PLANAR or ENCODINGS[layout.encoding].depth == 1:
        return None
    return int(_numbers(layout, np.frombuffer(data, dtype=np.uint8), is_bigendian).max())


def _numbers(layout: PixelLayout, data: np.ndarray, is_bigendian: bool) -> np.ndarray:
    """[height, numbers of a row], uint8 or uint16, without padding."""
    encoding = ENCODINGS[layout.encoding]
    numbers = _rows(data, layout.height, layout.width * encoding.channels * encoding.depth, layout.step)
    if encoding.depth == 1:
        return numbers
    stored = np.dtype(">u2" if is_bigendian else "<u2")
    return np.ascontiguousarray(numbers).view(stored).astype(np.uint16, copy=False)


def as_rgb(pixels: np.ndarray, conversion: int | None) -> np.ndarray:
    """uint8 or uint16 pixels, after one of OpenCV's colour conversions, as uint8 [H, W, 3], a copy."""
    if conversion is not None:
        pixels = cv2.cvtColor(pixels, conversion)
    if pixels.dtype == np.uint16:
        # 65535 = 255 * 257: the exact inverse of repeating a byte.
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return pixels if pixels.flags.owndata else pixels.copy()


def _unpack_planes(planes: Planes, layout: PixelLayout, data: np.ndarray) -> np.ndarray:
    height, width, step = layout.height, layout.width, layout.step
    bright = _rows(data, height, width, step)
    colours = _rows(data[step * height :], height // planes.every, 2 * width // planes.every, 2 * step // planes.every)
    if planes.every == 2:
        code = cv2.COLOR_YUV2RGB_NV21 if planes.flipped else cv2.COLOR_YUV2RGB_NV12
        return as_rgb(np.concatenate([bright, colours]), code)
    # OpenCV has no conversion for a colour per pixel, so each pixel is given to it as a pair of equal ones.
    colours = colours.reshape(height, width, 2)
    pairs = np.stack([colours[..., 0], bright, colours[..., 1], bright], axis=-1)
    return np.ascontiguousarray(as_rgb(pairs.reshape(height, 2 * width, 2), cv2.COLOR_YUV2RGB_UYVY)[:, ::2])


def _rows(data: np.ndarray, rows: int, row: int, step: int) -> np.ndarray:
    return np.lib.stride_tricks.as_strided(data, (rows, row), (step, 1), writeable=False)
