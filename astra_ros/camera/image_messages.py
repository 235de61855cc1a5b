"""Raw and compressed image messages as RGB; without ROS.

Nodes (``bridge/images.py``) and the import of bags (``datasets/rosbag/``) read every image here. Messages have the
fields of ``sensor_msgs/Image`` or ``sensor_msgs/CompressedImage``, and come from rclpy or from rosbags.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np

from astra_ros.camera.errors import BadImage, ImageError, UnsupportedImage
from astra_ros.camera.image_files import PNG_SIGNATURE, Container, decode, filled_up, read_container
from astra_ros.camera.pixels import (
    ENCODINGS,
    GREY,
    as_rgb,
    brightest_number,
    check_layout,
    holds_numbers,
    known_encoding,
    no_colours,
    unknown_encoding,
    unpack,
)
from astra_ros.texts import short

_VIDEO = re.compile(r"h\.?26[345]|hevc|avc1?|av1|vp[89]|theora|ffmpeg|(lib)?x26[45]|mpeg-?[24]|mp4v?")
_UNREAD = re.compile(r"qoi|jxl|jpegxl|jpegxs|rvl|zstd|zlib|gzip|lz4")
_FILES = {"jpg": "JPEG", "jpeg": "JPEG", "mjpg": "JPEG", "mjpeg": "JPEG", "png": "PNG"}
COLOUR_TOPIC = "choose the colour camera's topic"
_RECORD_JPEG = "record the camera's raw topic or its JPEG (image_transport's 'compressed') instead"
_BY_TRANSPORT = "make raw images of it with: ros2 run image_transport republish --ros-args -p in_transport:="
_CHECK_LINK = "check the camera's link"
_REPUBLISH = "decode it with the package that made it, and use the raw images or JPEG"


@dataclass(frozen=True)
class ImageFacts:
    """The header of an image, without its pixels; sizes are of pixels as they are stored."""

    encoding: str  # the message's encoding or format, for reports
    height: int
    width: int
    is_grey: bool
    remarks: tuple[str, ...] = ()  # what the user should know about how it is read, one sentence each, without topic
    bits: int = 8  # of each number, 8 or 16

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) pixels."""
        return self.height, self.width


@dataclass(frozen=True)
class Format:
    """The parts of ``CompressedImage.format``. image_transport writes 'ORIGINAL; CODEC compressed TARGET'."""

    original: str  # the encoding before compression, as ROS writes it where it is known; or ''
    codec: str  # "jpeg", "png", "h264", ..., or ''
    target: str  # the encoding that was compressed, or ''
    is_depth: bool  # compressed_depth_image_transport wrote it


def read_format(text: str) -> Format:
    head, _, tail = text.partition(";")
    words = (tail if tail.strip() else head).lower().split()
    original = head.strip() if tail.strip() else ""
    if not original and words and (known_encoding(words[0]) or holds_numbers(words[0])):
        original = words.pop(0)
    is_depth = "compresseddepth" in words or "compresseddepth" in head.lower()
    rest = [word.strip(";,") for word in words if word not in ("compressed", "compresseddepth")]
    codec, target = (rest + ["", ""])[:2]
    return Format(known_encoding(original) or original, codec, known_encoding(target) or target, is_depth)


def check_raw(message) -> ImageFacts:
    """The header of a raw image, checked; no pixels are converted.

    Raises:
        UnsupportedImage: a depth image, or an unknown encoding.
        BadImage: its size, step and data do not fit each other.
    """
    layout = _layout(message)
    bits = 8 * ENCODINGS[layout.encoding].depth if layout.encoding in ENCODINGS else 8
    return ImageFacts(message.encoding, layout.height, layout.width, layout.encoding in GREY, layout.remarks, bits)


def raw_to_rgb(message) -> np.ndarray:
    """A raw image as uint8 [H, W, 3] RGB. Raises the errors of ``check_raw``."""
    return unpack(_layout(message), message.data, bool(message.is_bigendian))


def check_compressed(message) -> ImageFacts:
    """The header of a compressed image, checked; JPEG and PNG are not decoded.

    Raises:
        UnsupportedImage: a depth image, labels, video, or another kind that is not read here.
        BadImage: it is not an image, or was cut off.
    """
    form, container, _ = _read(message)
    said = short(message.format.strip()) or container.kind.lower()
    is_grey, remarks = container.channels == 1 and not _is_mosaic(form, container), tuple(_remarks(form, container))
    return ImageFacts(said, container.height, container.width, is_grey, remarks, container.bits)


def compressed_to_rgb(message) -> np.ndarray:
    """A compressed image as uint8 [H, W, 3] RGB. Raises the errors of ``check_compressed``.

    An EXIF orientation is not applied: camera_info describes the pixels as they are stored, and subscribers of
    image_transport give the same. Bayer mosaics become colours as on the raw topic.
    """
    form, container, data = _read(message)
    pixels = decode(data)
    if pixels is None:
        raise BadImage(f"OpenCV cannot decode it (format '{short(message.format)}')", cure="check the camera driver")
    if filled_up(data, container, pixels):
        raise BadImage(f"a JPEG whose data end before the image does: {len(data)} bytes", cure=_CHECK_LINK)
    return as_rgb(pixels, _conversion(form, container, pixels))


def brightest(message) -> int | None:
    """The greatest number of a raw or compressed image of 16-bit numbers; None where they have 8."""
    if hasattr(message, "encoding"):
        return brightest_number(_layout(message), message.data, bool(message.is_bigendian))
    _, container, data = _read(message)
    pixels = decode(data) if container.bits == 16 else None
    return None if pixels is None else int(pixels.max())


def _layout(message):
    return check_layout(message.encoding, message.height, message.width, message.step, len(message.data))


def _read(message) -> tuple[Format, Container, bytes]:
    """(format, header, data) of a message, checked, the cheap checks first."""
    said = f"format '{short(message.format.strip())}'"
    form = read_format(message.format)
    if form.is_depth:
        raise UnsupportedImage(f"{said} is a depth image", cure=COLOUR_TOPIC)
    wrong: ImageError | None = None
    if holds_numbers(form.original):
        wrong = no_colours(form.original)
    elif form.original.lower().startswith("bayer") and form.original not in ENCODINGS:
        wrong = unknown_encoding(form.original)
    if wrong is not None:
        wrong.problem = f"{said}: {wrong.problem}"
        raise wrong
    data = bytes(message.data)
    container = read_container(data)
    if container is None:
        raise _unreadable(said, form, data)
    if container.end is None:
        problem = f"a {container.kind} without its end: {len(data)} bytes are not a whole image"
        raise BadImage(problem, cure=_CHECK_LINK)
    if min(container.height, container.width) < 1:
        raise BadImage(f"a {container.kind} of {container.width} x {container.height} pixels")
    if container.bits > 16 or (container.bits == 16 and container.channels == 1 and not known_encoding(form.original)):
        raise UnsupportedImage(
            f"{said} does not say whether its numbers of {container.bits} bits are depth or brightness",
            cure="if it is a camera, let the format begin with the encoding: 'mono16; png compressed '; else "
            + COLOUR_TOPIC,
        )
    return form, container, data


def _unreadable(said: str, form: Format, data: bytes) -> ImageError:
    if data[12:20] == PNG_SIGNATURE:
        return UnsupportedImage(f"{said} holds a compressedDepth image", cure=COLOUR_TOPIC)
    video = _VIDEO.fullmatch(form.codec) or _VIDEO.fullmatch(form.original.lower())
    if video or data[:4] == b"\0\0\0\1" or data[:3] == b"\0\0\1":
        name = video.group() if video else "h264 or h265, by its first bytes"
        problem = f"{said} is video ({name}), whose images cannot be read one by one"
        cure = f"{_RECORD_JPEG}, or {_REPUBLISH} (Isaac ROS: isaac_ros_h264_decoder)"
        return UnsupportedImage(problem, cure=cure)
    if _UNREAD.fullmatch(form.codec):
        transport = {"zstd": "zstd", "qoi": "compressed"}.get(form.codec)
        cure = f"{_BY_TRANSPORT}{transport} -p out_transport:=raw" if transport else _REPUBLISH
        return UnsupportedImage(f"{said}: '{short(form.codec)}' is not read here", cure=f"{_RECORD_JPEG}, or {cure}")
    if known_encoding(form.original) and not form.codec:
        problem = f"{said} names raw pixels, but a CompressedImage has no width and height"
        return UnsupportedImage(problem, cure=f"publish them as sensor_msgs/Image with encoding '{form.original}'")
    problem = f"{len(data)} bytes with {said} are not a JPEG or PNG, and OpenCV cannot decode them"
    return BadImage(problem, cure="publish JPEG or PNG")


def _is_mosaic(form: Format, container: Container) -> bool:
    """Whether the pixels are those of a Bayer pattern: one number each, not made grey before compression."""
    return form.original.startswith("bayer_") and container.channels == 1 and not form.target.startswith("mono")


def _conversion(form: Format, container: Container, pixels: np.ndarray) -> int | None:
    if pixels.ndim == 2:
        return ENCODINGS[form.original].to_rgb if _is_mosaic(form, container) else cv2.COLOR_GRAY2RGB
    return None if _tiff_keeps_order(form) else cv2.COLOR_BGR2RGB


def _tiff_keeps_order(form: Format) -> bool:
    """Whether red comes first where OpenCV says blue.

    For TIFF, compressed_image_transport gives OpenCV the numbers of the raw image as they are.
    """
    return form.codec in ("tif", "tiff") and form.original.startswith("rgb") and not form.target


def _remarks(form: Format, container: Container):
    if container.turn != 1:
        stored = "pixels stay as they are stored, as camera_info describes them"
        yield f"images have EXIF orientation {container.turn}, which is not applied: {stored}"
    if form.original.startswith("bayer_") and not _is_mosaic(form, container):
        if container.channels == 3:
            yield f"the format names {form.original}, but the images have colours already; they are read as they are"
        else:
            yield (
                f"{form.original} was made grey before compression ({short(form.target)}), so the colours are lost; "
                "set image_transport's jpeg_compress_bayer to true or its format to png, or use the colour topic"
            )
    file = _FILES.get(form.codec, container.kind if not _VIDEO.fullmatch(form.codec) else "video")
    if container.kind in ("JPEG", "PNG") and file != container.kind:
        yield f"the format says {short(form.codec)}, but the data are {container.kind} and are read as such"
    if _tiff_keeps_order(form):
        yield "TIFF of rgb images is read with red first, as image_transport writes it"
