"""Camera messages of a bag as RGB arrays: `camera/image_messages.py`, by the type of the message."""

from __future__ import annotations

import numpy as np

from astra_ros.camera.errors import BadImage, UnsupportedImage
from astra_ros.camera.image_messages import ImageFacts, check_compressed, check_raw, compressed_to_rgb, raw_to_rgb
from astra_ros.datasets.rosbag.message_types import COMPRESSED

__all__ = ["BadImage", "ImageFacts", "UnsupportedImage", "check_picture", "to_rgb"]


def check_picture(kind: str, message) -> ImageFacts:
    """What a picture is, without decoding it where that is possible.

    Args:
        kind: type of the message, IMAGE or COMPRESSED.

    Raises:
        BadImage: it was cut off, or its size, step and data do not fit.
        UnsupportedImage: a depth image, labels, video, or an unknown encoding.
    """
    return check_compressed(message) if kind == COMPRESSED else check_raw(message)


def to_rgb(kind: str, message) -> np.ndarray:
    """A picture as uint8 [H, W, 3] RGB; errors as in `check_picture`."""
    return compressed_to_rgb(message) if kind == COMPRESSED else raw_to_rgb(message)
