"""JPEG and PNG files as cameras send them: padded, cut off, with thumbnails and EXIF orientations."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from astra_ros.camera.image_files import ORIENTATION, decode, filled_up, read_container

RNG = np.random.default_rng(0)
IMAGE = cv2.GaussianBlur(RNG.integers(0, 255, (48, 80, 3), np.uint8), (9, 9), 2)
PADDINGS = {
    "none": b"",
    "zeros": bytes(5000),
    "ones": b"\xff" * 777,
    "block": b"\xa5" * (4096 - 17),
    "text": b"frame end",
}


def jpeg(image=IMAGE, **how):
    return cv2.imencode(".jpg", image, [v for pair in how.items() for v in pair])[1].tobytes()


def png(image=IMAGE):
    return cv2.imencode(".png", image)[1].tobytes()


def turned(turn, kind="jpeg", thumbnail=b""):
    """IMAGE with an EXIF orientation and, behind it, a thumbnail."""
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    if thumbnail:
        exif[0x927C] = thumbnail  # a maker's note, which may hold anything, so a whole JPEG too
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(IMAGE[..., ::-1])).save(file, kind, exif=exif, lossless=kind == "webp")
    return file.getvalue()


@pytest.mark.parametrize("padding", PADDINGS.values(), ids=PADDINGS)
@pytest.mark.parametrize("make", [jpeg, png])
def test_what_lies_behind_the_end_is_padding(make, padding):
    data = make()
    found = read_container(data + padding)
    assert (found.height, found.width, found.channels, found.bits) == (48, 80, 3, 8)
    assert found.end == len(data)
    np.testing.assert_array_equal(decode(data + padding), decode(data))


@pytest.mark.parametrize("padding", PADDINGS.values(), ids=PADDINGS)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("make", [jpeg, png])
def test_what_is_cut_off_has_no_end_however_it_is_padded(make, share, padding):
    data = make()
    assert read_container(data[: int(share * len(data))] + padding).end is None


@pytest.mark.parametrize("lost", [1, 2])
def test_half_an_end_mark_is_none(lost):
    assert read_container(jpeg()[:-lost]).end is None
    assert read_container(png()[:-lost]).end is None


@pytest.mark.parametrize("size", [16, 64])
def test_the_end_of_a_thumbnail_is_not_the_end_of_the_image(size):
    thumbnail = jpeg(cv2.resize(IMAGE, (size, size)))
    data = turned(1, thumbnail=thumbnail)
    assert data.count(b"\xff\xd9") == 2
    assert read_container(data).end == len(data)
    behind = data.index(b"\xff\xd9") + 2  # nearly all that is left is the thumbnail
    for length in (behind, behind + 200, len(data) - 2):
        assert read_container(data[:length]).end is None


def test_restart_marks_and_progressive_images_are_walked_through():
    for how in ({cv2.IMWRITE_JPEG_RST_INTERVAL: 2}, {cv2.IMWRITE_JPEG_PROGRESSIVE: 1}):
        data = cv2.imencode(".jpg", IMAGE, [v for pair in how.items() for v in pair])[1].tobytes()
        assert read_container(data + bytes(99)).end == len(data)
        assert read_container(data[:-40]).end is None


def test_motion_jpeg_without_huffman_tables_is_whole():
    data, out, at = jpeg(), b"\xff\xd8", 2
    while data[at + 1] != 0xDA:
        length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        out += data[at : at + length] if data[at + 1] != 0xC4 else b""
        at += length
    out += data[at:]
    assert len(out) < len(data) and read_container(out).end == len(out)
    np.testing.assert_array_equal(decode(out), decode(data))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_turn_marks_are_seen_and_pixels_stay(kind, turn):
    data = turned(turn, kind)
    found = read_container(data)
    assert found.turn == turn and (found.height, found.width) == (48, 80)
    pixels = decode(data)
    assert pixels.shape == (48, 80, 3)
    np.testing.assert_allclose(pixels.astype(int), IMAGE, atol=40 if kind == "jpeg" else 0)


def tiff(turn, image, order="<", big=False):
    """A TIFF of one strip, written down anew; OpenCV writes none with an orientation."""
    place, word = ("Q", 8) if big else ("I", 4)
    channels = 1 if image.ndim == 2 else 3
    entries = [
        (256, 3, image.shape[1]),
        (257, 3, image.shape[0]),
        (258, 3, 8 * image.itemsize),
        (259, 3, 1),
        (262, 3, 2 if channels == 3 else 1),
        (273, 4, 16),
        (274, 3, turn),
        (277, 3, channels),
        (278, 3, image.shape[0]),
        (279, 4, image.nbytes),
    ]
    if channels == 3:
        entries[2] = (258, 3, None)
    strip = image.astype(image.dtype.newbyteorder(order)).tobytes()
    at = 16 + len(strip)
    depths = at + (8 if big else 2) + len(entries) * (4 + 2 * word) + word
    out = struct.pack(order + ("HHHQ" if big else "HI8x"), *((43, 8, 0, at) if big else (42, at)))
    out = (b"II" if order == "<" else b"MM") + out + b"\0" * (14 - len(out)) + strip
    out += struct.pack(order + ("Q" if big else "H"), len(entries))
    for tag, kind, value in entries:
        if value is None and big:  # three numbers of two bytes fit into its place
            body, number = struct.pack(order + "HHH", 8, 8, 8), 3
        elif value is None:
            body, number = struct.pack(order + "I", depths), 3
        else:
            body, number = struct.pack(order + ("H" if kind == 3 else "I"), value), 1
        out += struct.pack(f"{order}HH{place}", tag, kind, number) + body.ljust(word, b"\0")
    return out + bytes(word) + struct.pack(order + "HHH", 8, 8, 8)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("pixels", [IMAGE[..., ::-1], IMAGE[..., 0], IMAGE[..., 0].astype(np.uint16) * 257])
def test_turn_marks_of_tiff_which_opencv_would_apply(pixels, order, big, turn):
    data = tiff(turn, pixels, order, big)
    found = read_container(data)
    assert found.turn == turn and (found.height, found.width) == (48, 80)
    np.testing.assert_array_equal(decode(data), pixels[..., ::-1] if pixels.ndim == 3 else pixels)


def test_a_tiff_that_is_cut_off_within_its_directory_has_no_turn():
    data = tiff(6, IMAGE[..., 0])
    for length in (4, 9, len(data) - 100, len(data) - 40):
        assert decode(data[:length]) is None or decode(data[:length]).shape == (48, 80)


def test_a_mark_that_stands_alone_has_no_body():
    data = jpeg()
    for mark in (b"\xff\x01", b"\xff\xd0"):  # TEM and a restart, before the first segment
        found = read_container(data[:2] + mark + data[2:])
        assert (found.height, found.width, found.end) == (48, 80, len(data) + 2)


def test_damaged_exif_does_not_matter():
    data = turned(6)
    broken = data.replace(b"Exif\0\0", b"Exif\0\0\xff\xff\xff\xff", 1)
    assert read_container(broken.replace(b"MM\0*", b"MM\0\0", 1)) is not None
    assert read_container(data.replace(b"MM\0*", b"??\0*", 1)).turn == 1


def test_grey_and_sixteen_bits():
    grey = read_container(jpeg(IMAGE[..., 0]))
    assert (grey.channels, grey.bits) == (1, 8)
    wide = read_container(png(IMAGE[..., 0].astype(np.uint16) * 257))
    assert (wide.channels, wide.bits) == (1, 16)


@pytest.mark.parametrize("data", [b"", b"no image", bytes(400), b"\0\0\0\1\x67" + bytes(99)])
def test_what_is_no_image(data):
    assert read_container(data) is None


@pytest.mark.parametrize("shape", [(48, 80, 3), (48, 80)])
def test_an_image_that_decoders_fill_with_grey_is_told_from_one_that_is_grey(shape):
    image = np.full(shape, 128, np.uint8)
    image[:24] = IMAGE[:24] if len(shape) == 3 else IMAGE[:24, :, 0]
    whole = jpeg(image)
    assert not filled_up(whole, read_container(whole), decode(whole))
    busy = jpeg(IMAGE if len(shape) == 3 else IMAGE[..., 0])
    for share in (0.4, 0.6, 0.9):
        lost = busy[: int(share * len(busy))] + b"\xff\xd9"
        assert np.all(decode(lost)[-1, -1] == 128)  # OpenCV reports no error
        assert filled_up(lost, read_container(lost), decode(lost))
