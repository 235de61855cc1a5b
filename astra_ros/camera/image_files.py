"""Headers of JPEG, PNG and other image files, read without decoding the pixels where that is possible."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

# Pixels as they are stored: all bits, no added colours, and no EXIF orientation applied.
AS_STORED = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
ORIENTATION = 0x0112  # EXIF and TIFF: 1 is upright
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EXIF = b"Exif\0\0"
# In the coded data of a JPEG, 0xFF is followed by 0 or by a restart mark. Any other byte ends them.
_END_OF_DATA = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_SOI, _EOI, _SOS, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1
_ALONE = {0x00, 0x01, *range(0xD0, 0xD8)}
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True)
class Container:
    """The header of an image file; sizes are of pixels as they are stored."""

    kind: str  # "JPEG", "PNG", or "image" for other kinds
    height: int
    width: int
    channels: int  # numbers per pixel: 1, or 3 with colours
    bits: int  # per number
    turn: int = 1  # the EXIF orientation, 1 to 8; 1 where the file has none
    end: int | None = None  # bytes up to the end mark, or None where the image was cut off; later bytes are padding


def read_container(data: bytes) -> Container | None:
    """The header of an image file; None where OpenCV does not read it."""
    if data[:3] == b"\xff\xd8\xff":
        return _jpeg(data)
    if data[:8] == PNG_SIGNATURE:
        return _png(data)
    pixels = decode(data)
    if pixels is None:
        return None
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    turn = _tiff_mark(data)[1] if _is_tiff(data) else _webp_turn(data)
    return Container("image", pixels.shape[0], pixels.shape[1], channels, 8 * pixels.itemsize, turn, len(data))


def decode(data: bytes) -> np.ndarray | None:
    """The pixels as OpenCV gives them, [H, W] or [H, W, 3] with blue first, or None."""
    if not data:
        return None
    if _is_tiff(data):
        data = _without_turn(data)
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), AS_STORED)
    except cv2.error:  # such as a header with more pixels than OpenCV allows
        return None


def filled_up(data: bytes, container: Container, pixels: np.ndarray) -> bool:
    """Whether the coded data of a JPEG end before its pixels do, although it has an end mark.

    This happens where a camera lost a part of a frame. Decoders fill the rest with middle grey and report no error.
    """
    if container.kind != "JPEG" or container.end is None or np.any(pixels[-1, -1] != 128):
        return False
    # A decoder that lacks data reads bytes before the end mark; a decoder that has all data ignores them.
    more = decode(data[: container.end - 2] + b"\x55" * 64 + data[container.end - 2 :])
    return more is None or not np.array_equal(more, pixels)


def _jpeg(data: bytes) -> Container | None:
    """Reads segment by segment: the end mark of a thumbnail lies in one, and is not taken for the image's."""
    frame, turn, end, at, coded = (0, 0, 0, 0), 1, None, 2, False
    while (at := data.find(b"\xff", at)) >= 0:
        at += 1
        if at == len(data):
            break
        mark = data[at]
        if mark == 0xFF:  # a fill byte before the mark
            continue
        at += 1
        if mark == _EOI:
            end = at if coded else None
            break
        if mark == _SOI:  # the next image: this one was cut off
            break
        if mark in _ALONE:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        body = data[at + 2 : at + length]
        if length < 2 or len(body) < length - 2:
            break
        at += length
        if mark in _FRAMES and len(body) >= 6:
            bits, height, width, channels = struct.unpack(">BHHB", body[:6])
            frame = height, width, 1 if channels == 1 else 3, bits
        elif mark == _APP1 and body.startswith(_EXIF):
            turn = _turn(body)
        elif mark == _SOS:
            coded = True
            found = _END_OF_DATA.search(data, at)
            if found is None:
                break
            at = found.start()
    return Container("JPEG", *frame, turn, end)


def _png(data: bytes) -> Container | None:
    if len(data) < 26:
        return Container("PNG", 0, 0, 0, 0)
    width, height, bits, colours = struct.unpack(">IIBB", data[16:26])
    turn, end, at = 1, None, 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"eXIf":
            turn = _turn(_EXIF + data[at + 8 : at + 8 + length])
        at += 12 + length
        if kind == b"IEND":
            end = at if at <= len(data) else None
            break
    return Container("PNG", height, width, 1 if colours == 0 else 3, 16 if bits == 16 else 8, turn, end)


def _is_tiff(data: bytes) -> bool:
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # + is BigTIFF


def _tiff_mark(data: bytes) -> tuple[int, int]:
    """(offset of the 2 bytes of the orientation in a TIFF's first directory, or 0; the orientation, 1 to 8)"""
    order = "<" if data[:2] == b"II" else ">"
    place, count, value = ("Q", "Q", 12) if b"+" in data[2:4] else ("I", "H", 8)
    try:
        (at,) = struct.unpack_from(order + place, data, value - 4)
        (entries,) = struct.unpack_from(order + count, data, at)
        first, step = at + struct.calcsize(order + count), value + struct.calcsize(order + place)
        for entry in range(first, first + step * entries, step):
            tag, kind, number, turn = struct.unpack_from(f"{order}HH{place}H", data, entry)
            if (tag, kind, number) == (ORIENTATION, 3, 1):  # 3: a number of 2 bytes
                return entry + value, turn if 2 <= turn <= 8 else 1
    except struct.error:  # cut off
        pass
    return 0, 1


def _without_turn(data: bytes) -> bytes:
    """The TIFF with the upright orientation: OpenCV turns the pixels of a TIFF whatever its flags."""
    at, turn = _tiff_mark(data)
    if turn == 1:
        return data
    return data[:at] + struct.pack("<H" if data[:2] == b"II" else ">H", 1) + data[at + 2 :]


def _webp_turn(data: bytes) -> int:
    at = 12 if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else len(data)
    while at + 8 <= len(data):
        kind, (length,) = data[at : at + 4], struct.unpack_from("<I", data, at + 4)
        if kind == b"EXIF":
            body = data[at + 8 : at + 8 + length]
            return _turn(body if body.startswith(_EXIF) else _EXIF + body)
        at += 8 + length + length % 2
    return 1


def _turn(exif: bytes) -> int:
    marks = Image.Exif()
    try:
        marks.load(exif)
        turn = int(marks.get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - Pillow raises errors of many kinds for damaged EXIF; the pixels may be whole
        return 1
    return turn if 2 <= turn <= 8 else 1
