"""Camera messages against images worked out by hand."""

import array

import numpy as np
import pytest
from user_errors import refusal

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CompressedImage, Image

from astra_ros.bridge import BridgeError
from astra_ros.bridge.images import compressed_to_rgb, image_to_rgb, pinhole_info, rgb_to_image
from astra_ros.camera.pixels import ENCODINGS

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
# Two rows, three columns, every pixel another colour.
IMAGE = np.array([[RED, GREEN, BLUE], [(10, 20, 30), (40, 50, 60), (255, 255, 255)]], dtype=np.uint8)


def message(encoding: str, rows: np.ndarray, width: int, padding: int = 0, big: bool = False):
    """An Image whose rows are the bytes of rows[i], each followed by padding bytes of 0xEE."""
    packed = [row.tobytes() + b"\xee" * padding for row in rows]
    msg = Image(height=len(rows), width=width, encoding=encoding, is_bigendian=int(big))
    msg.step = len(packed[0])
    msg.data = array.array("B", b"".join(packed))
    return msg


def in_encoding(encoding: str) -> np.ndarray:
    channels = {"rgb": [0, 1, 2], "bgr": [2, 1, 0]}[encoding[:3]]
    out = IMAGE[..., channels]
    if encoding[3] == "a":
        out = np.concatenate([out, np.full((2, 3, 1), 77, np.uint8)], axis=-1)
    return out


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8"])
def test_eight_bit_colour_with_and_without_padded_rows(encoding, padding):
    msg = message(encoding, in_encoding(encoding), 3, padding)
    np.testing.assert_array_equal(image_to_rgb(msg), IMAGE)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", ["rgb16", "bgr16", "rgba16", "bgra16"])
def test_sixteen_bit_colour_in_both_byte_orders(encoding, big):
    # A byte b repeated is b * 257, and that is what 16 bits make of the same brightness.
    wide = in_encoding(encoding).astype(">u2" if big else "<u2") * 257
    msg = message(encoding, wide.astype(">u2" if big else "<u2"), 3, padding=4, big=big)
    np.testing.assert_array_equal(image_to_rgb(msg), IMAGE)


def test_mono8_becomes_grey():
    grey = np.array([[0, 128, 255]], dtype=np.uint8)
    np.testing.assert_array_equal(image_to_rgb(message("mono8", grey, 3))[0, :, 1], [0, 128, 255])


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_mono16_is_scaled_and_not_cut(order):
    # 300 is a little over one 257th: 1. Cut to eight bits it would be 44.
    grey = np.array([[0, 300, 32896, 65535]], dtype=order)
    rgb = image_to_rgb(message("mono16", grey, 4, big=order[0] == ">"))
    np.testing.assert_array_equal(rgb[0, :, 0], [0, 1, 128, 255])


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_of_a_plain_colour(pattern, bits):
    colour = {"r": 200, "g": 100, "b": 50}
    tile = np.array([[colour[c] for c in pattern[:2]], [colour[c] for c in pattern[2:]]])
    mosaic = np.tile(tile, (4, 4))
    mosaic = mosaic.astype(np.uint8) if bits == 8 else (mosaic * 257).astype("<u2")
    rgb = image_to_rgb(message(f"bayer_{pattern}{bits}", mosaic, 8))
    np.testing.assert_array_equal(rgb, np.broadcast_to(np.uint8([200, 100, 50]), (8, 8, 3)))


@pytest.mark.parametrize(
    "encoding, order", [("yuv422", "UYVY"), ("uyvy", "UYVY"), ("yuv422_yuy2", "YUYV"), ("yuyv", "YUYV")]
)
def test_yuv_pairs(encoding, order):
    # BT.601, limited range: pure red is Y 81, U 90, V 240; OpenCV rounds to within two.
    values = {"Y": 81, "U": 90, "V": 240}
    row = np.array([[values[c] for c in order]], dtype=np.uint8)
    rgb = image_to_rgb(message(encoding, row, 2)).astype(int)
    assert np.abs(rgb - np.array(RED)).max() <= 2


def test_agrees_with_cv_bridge_where_cv_bridge_works():
    cv_bridge = pytest.importorskip("cv_bridge")
    rng = np.random.default_rng(0)
    for encoding in ("rgb8", "bgr8", "rgba8", "bgra8", "mono8", "bayer_rggb8", "bayer_gbrg8"):
        numbers = 8 * ENCODINGS[encoding].channels
        msg = message(encoding, rng.integers(0, 256, (6, numbers), dtype=np.uint8), 8)
        theirs = cv_bridge.CvBridge().imgmsg_to_cv2(msg, "rgb8")
        np.testing.assert_array_equal(image_to_rgb(msg), theirs, err_msg=encoding)


def test_last_row_may_come_without_its_padding():
    msg = message("rgb8", IMAGE, 3, padding=5)
    msg.data = msg.data[:-5]
    np.testing.assert_array_equal(image_to_rgb(msg), IMAGE)


def test_the_result_is_a_writable_copy():
    msg = message("rgb8", IMAGE, 3)
    rgb = image_to_rgb(msg)
    rgb[:] = 0
    assert rgb.flags.c_contiguous and msg.data[0] == 255


def broken(**changes):
    msg = message("rgb8", IMAGE, 3)
    for name, value in changes.items():
        setattr(msg, name, value)
    return msg


@pytest.mark.parametrize(
    "msg, words",
    [
        (broken(encoding="32FC1"), "is a depth image or plain numbers"),
        (broken(encoding=""), "unknown encoding ''"),
        (broken(step=8), "step is 8 bytes, but a row of 3 pixels in rgb8 has 9"),
        (broken(height=3), "data has 18 bytes, but step 9 x height 3 is 27"),
        (broken(height=1), "data has 18 bytes, but step 9 x height 1 is 9"),
        (broken(width=0), "0 x 2 pixels"),
        (broken(data=array.array("B")), "data has 0 bytes"),
        (broken(encoding="yuyv"), "the width is 3; it must be even"),
    ],
)
def test_a_broken_image_is_refused_with_its_topic_and_the_reason(msg, words):
    with pytest.raises(BridgeError) as error:
        image_to_rgb(msg, topic="/left/image")
    assert str(error.value).startswith("/left/image: ") and words in str(error.value)


def test_image_to_message_and_back():
    msg = rgb_to_image(IMAGE[:, ::-1], Time(sec=3, nanosec=5), "camera")
    assert (msg.height, msg.width, msg.encoding, msg.step) == (2, 3, "rgb8", 9)
    assert (msg.header.stamp.sec, msg.header.stamp.nanosec) == (3, 5)
    assert msg.header.frame_id == "camera"
    assert isinstance(msg.data, array.array) and len(msg.data) == 18
    np.testing.assert_array_equal(image_to_rgb(msg), IMAGE[:, ::-1])


def test_only_images_become_messages():
    with refusal(BridgeError, "", "float64 (2, 2, 3)", "uint8 [H, W, 3]"):
        rgb_to_image(np.zeros((2, 2, 3)), Time(), "camera")


def test_png_is_decoded_exactly_and_jpeg_nearly():
    cv2 = pytest.importorskip("cv2")
    image = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    for extension, allowed in ((".png", 0), (".jpg", 3)):
        data = cv2.imencode(extension, image[..., ::-1])[1].tobytes()
        msg = CompressedImage(format=extension[1:], data=array.array("B", data))
        assert np.abs(compressed_to_rgb(msg).astype(int) - image).max() <= allowed


@pytest.mark.parametrize("form, data", [("jpeg", b""), ("jpeg", b"no image"), ("16UC1; compressedDepth png", b"x")])
def test_compressed_data_that_is_no_colour_image_is_refused(form, data):
    with refusal(BridgeError, "cam", f"'{form}'"):
        compressed_to_rgb(CompressedImage(format=form, data=array.array("B", data)), topic="cam")


def test_pinhole_focal_length():
    # 90 degrees over 100 rows: the focal length is half the height.
    info = pinhole_info(200, 100, 90.0, Time(), "camera")
    assert info.k[0] == pytest.approx(50.0) and info.k[4] == pytest.approx(50.0)
    assert (info.k[2], info.k[5]) == (100.0, 50.0)
    assert list(info.p[:3]) == list(info.k[:3]) and info.width == 200
