"""Camera messages of a bag as RGB arrays, the same pictures that the nodes see.

`bridge/images.py` does this for a running robot; both unpack with `camera/pixels.py`.
"""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from astra_ros.camera.pixels import PixelError, UnknownEncoding, check_layout, unpack

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'


class BadPicture(ValueError):
    """One picture that is broken; others of its topic may be whole."""


class UnsupportedPicture(ValueError):
    """A kind of picture that is not for eyes, or not known here."""


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
    return unpack(encoding_name, height, width, message.step, data, bool(message.is_bigendian))


def _check_raw(message) -> tuple[str, tuple[int, int]]:
    try:
        check_layout(message.encoding, message.height, message.width, message.step,
                     len(message.data))
    except UnknownEncoding as error:
        raise UnsupportedPicture(str(error)) from error
    except PixelError as error:
        raise BadPicture(str(error)) from error
    return message.encoding, (message.height, message.width)


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
