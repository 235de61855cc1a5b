"""Camera messages of a bag as RGB arrays, the same pictures that the nodes see.

`bridge/images.py` does this for a running robot, in ROS's own message classes and with `cv_bridge`;
here there is no ROS. A test holds the two against each other.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'


class BadPicture(ValueError):
    """One picture that is broken; others of its topic may be whole."""


class UnsupportedPicture(ValueError):
    """A kind of picture that is not for eyes, or not known here."""


@dataclass(frozen=True)
class _Encoding:
    """Bytes per number, numbers per pixel, OpenCV's way to RGB."""

    depth: int
    channels: int
    to_rgb: int | None


# ROS names a Bayer pattern by its first row's first pixels, OpenCV by its second row's second ones.
_BAYER = {'rggb': cv2.COLOR_BayerBG2RGB, 'bggr': cv2.COLOR_BayerRG2RGB,
          'gbrg': cv2.COLOR_BayerGR2RGB, 'grbg': cv2.COLOR_BayerGB2RGB}
_UYVY, _YUYV = (_Encoding(1, 2, code) for code in (cv2.COLOR_YUV2RGB_UYVY, cv2.COLOR_YUV2RGB_YUY2))
ENCODINGS: dict[str, _Encoding] = {
    **{f'{name}{8 * depth}': _Encoding(depth, channels, to_rgb)
       for depth in (1, 2)
       for name, channels, to_rgb in (
           ('rgb', 3, None), ('bgr', 3, cv2.COLOR_BGR2RGB), ('rgba', 4, cv2.COLOR_RGBA2RGB),
           ('bgra', 4, cv2.COLOR_BGRA2RGB), ('mono', 1, cv2.COLOR_GRAY2RGB),
           *((f'bayer_{pattern}', 1, code) for pattern, code in _BAYER.items()))},
    'yuv422': _UYVY, 'uyvy': _UYVY, 'yuv422_yuy2': _YUYV, 'yuyv': _YUYV,
    # OpenCV's types, which say nothing of colours: its own order is meant.
    '8UC1': _Encoding(1, 1, cv2.COLOR_GRAY2RGB), '8UC3': _Encoding(1, 3, cv2.COLOR_BGR2RGB),
}
_DEPTH_IMAGES = ('16UC1', '32FC1', '16SC1', '64FC1')


def check_picture(kind: str, message) -> tuple[str, tuple[int, int]]:
    """What a picture is, without decoding it.

    Args:
        kind: type of the message, IMAGE or COMPRESSED.

    Returns:
        (encoding or format, (height, width) in pixels).

    Raises:
        BadPicture: it was cut off, or its size, step and data do not fit.
        UnsupportedPicture: a depth image, or an unknown encoding.
    """
    return _check_compressed(message) if kind == COMPRESSED else _check_raw(message)


def to_rgb(kind: str, message) -> np.ndarray:
    """A picture as uint8 [H, W, 3] RGB; errors as in `check_picture`."""
    encoding_name, (height, width) = check_picture(kind, message)
    data = np.asarray(message.data, dtype=np.uint8)
    if kind == COMPRESSED:
        try:
            pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
        except cv2.error:   # such as a header that promises more pixels than OpenCV allows
            pixels = None
        if pixels is None:
            raise BadPicture(f"OpenCV cannot decode it (format '{encoding_name}')")
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    encoding = ENCODINGS[encoding_name]
    row = width * encoding.channels * encoding.depth
    rows = np.lib.stride_tricks.as_strided(data, shape=(height, row), strides=(message.step, 1),
                                           writeable=False)
    if encoding.depth == 2:
        order = '>' if message.is_bigendian else '<'
        rows = np.ascontiguousarray(rows).view(np.dtype(np.uint16).newbyteorder(order))
        rows = rows.astype(np.uint16)
    shape = (height, width, encoding.channels)[:2 if encoding.channels == 1 else 3]
    pixels = np.ascontiguousarray(rows).reshape(shape)
    if encoding.to_rgb is not None:
        pixels = cv2.cvtColor(pixels, encoding.to_rgb)
    if encoding.depth == 2:
        # 65535 = 255 * 257: scaled, never cut.
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return pixels


def _check_raw(message) -> tuple[str, tuple[int, int]]:
    name, height, width = message.encoding, message.height, message.width
    if name in _DEPTH_IMAGES:
        raise UnsupportedPicture(f"encoding '{name}' is a depth image or plain numbers, which have "
                                 "no colours and no fixed scale; choose the colour camera's topic")
    if name not in ENCODINGS:
        raise UnsupportedPicture(f"encoding '{name}' is not known; known are "
                                 + ', '.join(ENCODINGS))
    encoding = ENCODINGS[name]
    row = width * encoding.channels * encoding.depth
    if not height or not width:
        raise BadPicture(f'{width} x {height} pixels')
    if encoding.channels == 2 and width % 2:
        raise BadPicture(f'{name} shares colour between two pixels, but it is {width} wide')
    if message.step < row:
        raise BadPicture(f'step is {message.step}, but a row of {width} pixels in {name} has {row} '
                         'bytes')
    # Some drivers leave the padding of the last row away.
    if not message.step * (height - 1) + row <= len(message.data) <= message.step * height:
        raise BadPicture(f'{len(message.data)} bytes of data; step {message.step} x height '
                         f'{height} is {message.step * height}')
    return name, (height, width)


def _check_compressed(message) -> tuple[str, tuple[int, int]]:
    if 'compressedDepth' in message.format:
        raise UnsupportedPicture(f"format '{message.format}' is a depth image; choose the colour "
                                 "camera's topic")
    data = np.asarray(message.data, dtype=np.uint8).tobytes()
    try:
        with Image.open(io.BytesIO(data)) as picture:   # reads the header only
            width, height = picture.size
            kind = picture.format
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise BadPicture(f"{len(data)} bytes with format '{message.format}' are no JPEG or PNG "
                         'picture') from error
    # OpenCV fills what is missing of a JPEG with grey, which a model would learn. An end marker
    # cannot occur within the picture's data; one in the first half is that of a thumbnail.
    if kind == 'JPEG' and data.rfind(b'\xff\xd9') < len(data) // 2 or (
            kind == 'PNG' and b'IEND' not in data[-64:]):
        raise BadPicture(f'a {kind} without its end: {len(data)} bytes')
    return message.format or kind.lower(), (height, width)
