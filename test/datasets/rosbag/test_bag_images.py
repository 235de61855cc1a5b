"""Every encoding of a bag's images, against numbers by hand and against what the nodes see."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from user_errors import refusal

from astra_ros.camera.errors import BadImage, UnsupportedImage
from astra_ros.camera.pixels import ENCODINGS
from astra_ros.datasets.rosbag.message_types import COMPRESSED, IMAGE
from astra_ros.datasets.rosbag.recording import to_rgb


def raw(encoding, pixels, big=False, padding=0):
    """A message of `pixels` [H, W] or [H, W, C], with `padding` bytes behind each row."""
    pixels = np.asarray(pixels)
    order = pixels.dtype.newbyteorder(">" if big else "<")
    rows = np.frombuffer(pixels.astype(order).tobytes(), np.uint8).reshape(len(pixels), -1)
    step = rows.shape[1] + padding
    data = np.full((len(rows), step), 77, np.uint8)
    data[:, : rows.shape[1]] = rows
    return SimpleNamespace(
        encoding=encoding,
        height=pixels.shape[0],
        width=pixels.shape[1],
        step=step,
        is_bigendian=int(big),
        data=data.ravel(),
    )


RED, TEAL = (200, 30, 40), (0, 130, 120)
RGB = np.array([[RED, TEAL], [TEAL, RED], [RED, RED]], np.uint8)


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8", "8UC3"])
def test_colours_and_padded_rows(encoding, padding):
    pixels = RGB[..., ::-1] if "bgr" in encoding or encoding == "8UC3" else RGB
    if "a8" in encoding:
        pixels = np.concatenate([pixels, np.full((3, 2, 1), 9, np.uint8)], axis=2)
    np.testing.assert_array_equal(to_rgb(IMAGE, raw(encoding, pixels, padding=padding)), RGB)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey(encoding):
    np.testing.assert_array_equal(to_rgb(IMAGE, raw(encoding, np.uint8([[1, 250]]))), [[[1] * 3, [250] * 3]])


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", ["rgb16", "mono16"])
def test_sixteen_bits_are_scaled_in_both_byte_orders(encoding, big):
    pixels = np.uint16([[0, 257 * 3], [65535, 128]])
    pixels = np.repeat(pixels[..., None], 3, axis=2) if encoding == "rgb16" else pixels
    got = to_rgb(IMAGE, raw(encoding, pixels, big, padding=2))
    np.testing.assert_array_equal(got[..., 0], [[0, 3], [255, 0]])


def test_a_bayer_pattern_of_one_colour():
    pattern = np.tile(np.uint8([[200, 50], [50, 20]]), (8, 8))  # rggb
    np.testing.assert_array_equal(to_rgb(IMAGE, raw("bayer_rggb8", pattern))[4, 4], [200, 50, 20])


@pytest.mark.parametrize(
    ("encoding", "pair"),
    [
        ("yuv422", (90, 81, 240, 81)),
        ("uyvy", (90, 81, 240, 81)),
        ("yuyv", (81, 90, 81, 240)),
        ("yuv422_yuy2", (81, 90, 81, 240)),
    ],
)
def test_red_in_shared_colours(encoding, pair):
    got = to_rgb(IMAGE, raw(encoding, np.uint8([pair, pair]).reshape(2, 2, 2)))
    np.testing.assert_allclose(got, np.tile([255, 0, 0], (2, 2, 1)), atol=3)


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_compressed(kind):
    image = np.full((32, 48, 3), RED, np.uint8)
    data = cv2.imencode(f".{kind}", image[..., ::-1])[1].ravel()
    got = to_rgb(COMPRESSED, SimpleNamespace(format="", data=data))
    np.testing.assert_allclose(got, image, atol=3)


@pytest.mark.parametrize(
    ("error", "facts", "change"),
    [
        (UnsupportedImage, ("'32FC1'", "depth image"), {"encoding": "32FC1"}),
        (UnsupportedImage, ("unknown", "'h264'", "rgb8"), {"encoding": "h264"}),
        (BadImage, ("0 x 3 pixels",), {"width": 0}),
        (BadImage, ("step", 5, "2 pixels", "rgb8", 6), {"step": 5}),
        (BadImage, ("data", "18 bytes", "step 6", "height 4", 24), {"height": 4}),
    ],
)
def test_what_does_not_fit_is_said(error, facts, change):
    message = raw("rgb8", RGB)
    for name, value in change.items():
        setattr(message, name, value)
    with refusal(error, "", *facts):
        to_rgb(IMAGE, message)


def test_compressed_depth_and_rubbish():
    with refusal(UnsupportedImage, "", "'16UC1; compressedDepth'", "depth image", cure=["colour camera"]):
        to_rgb(COMPRESSED, SimpleNamespace(format="16UC1; compressedDepth", data=np.zeros(9)))
    with refusal(BadImage, "", "9 bytes", "'jpeg'", "JPEG or PNG"):
        to_rgb(COMPRESSED, SimpleNamespace(format="jpeg", data=np.zeros(9, np.uint8)))


def test_training_sees_what_the_nodes_see():
    images = pytest.importorskip("astra_ros.bridge.images")
    from sensor_msgs.msg import CompressedImage, Image

    rng = np.random.default_rng(0)
    for name, encoding in ENCODINGS.items():
        depth = np.uint16 if encoding.depth == 2 else np.uint8
        pixels = rng.integers(0, np.iinfo(depth).max, (8, 10, encoding.channels)).astype(depth)
        for big in (False, True)[: encoding.depth]:
            message = raw(name, pixels, big, padding=4)
            ros = Image(encoding=name, height=8, width=10, step=message.step, is_bigendian=int(big))
            ros.data = message.data.tolist()
            np.testing.assert_array_equal(to_rgb(IMAGE, message), images.image_to_rgb(ros), name)
    data = cv2.imencode(".jpg", rng.integers(0, 255, (16, 16, 3), np.uint8))[1].ravel()
    message = SimpleNamespace(format="jpeg", data=data)
    np.testing.assert_array_equal(
        to_rgb(COMPRESSED, message), images.compressed_to_rgb(CompressedImage(format="jpeg", data=data.tolist()))
    )
