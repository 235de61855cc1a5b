"""CompressedImage.format says what the pixels are: mosaics, depth, video, colours; and where the data contradict it."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from user_errors import refusal

from astra_ros.camera.errors import BadImage, UnsupportedImage
from astra_ros.camera.image_messages import Format, check_compressed, compressed_to_rgb, raw_to_rgb, read_format

PATTERNS = {"rggb": (0, 1, 1, 2), "bggr": (2, 1, 1, 0), "gbrg": (1, 2, 0, 1), "grbg": (1, 0, 2, 1)}
SCENE = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (32, 48, 3), np.uint8), (15, 15), 5)
SCENE[8:24, 12:30] = (210, 60, 30)


def mosaic(pattern, bits=8):
    out = np.empty(SCENE.shape[:2], np.uint8)
    for k, channel in enumerate(PATTERNS[pattern]):
        out[k // 2 :: 2, k % 2 :: 2] = SCENE[k // 2 :: 2, k % 2 :: 2, channel]
    return out if bits == 8 else out.astype(np.uint16) * 257


def message(format, pixels, kind=".png", quality=100):
    """pixels [H, W] or [H, W, 3] RGB, padded with zeros."""
    pixels = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    data = cv2.imencode(kind, pixels, [cv2.IMWRITE_JPEG_QUALITY, quality] if kind == ".jpg" else [])[1].ravel()
    return SimpleNamespace(format=format, data=np.concatenate([data, np.zeros(100, np.uint8)]))


def raw(encoding, pixels):
    data = np.frombuffer(np.ascontiguousarray(pixels).tobytes(), np.uint8)
    return SimpleNamespace(
        encoding=encoding, height=len(pixels), width=pixels.shape[1], step=len(data) // len(pixels),
        is_bigendian=0, data=data,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("bayer_rggb8; jpeg compressed ", ("bayer_rggb8", "jpeg", "", False)),
        ("bayer_rggb8; jpeg compressed mono8", ("bayer_rggb8", "jpeg", "mono8", False)),
        ("rgb8; jpeg compressed bgr8", ("rgb8", "jpeg", "bgr8", False)),
        ("  BAYER_RGGB8 ;JPEG  compressed", ("bayer_rggb8", "jpeg", "", False)),
        ("16uc1;png compressed", ("16uc1", "png", "", False)),
        ("jpeg", ("", "jpeg", "", False)),
        (" PNG ", ("", "png", "", False)),
        ("jpg;", ("", "jpg", "", False)),
        ("; jpeg compressed bgr8", ("", "jpeg", "bgr8", False)),
        ("", ("", "", "", False)),
        ("bgr8", ("bgr8", "", "", False)),
        ("8uc1 png", ("8UC1", "png", "", False)),
        ("h264", ("", "h264", "", False)),
        ("16UC1; compressedDepth png", ("16UC1", "png", "", True)),
        ("32FC1; CompressedDepth", ("32FC1", "", "", True)),
        ("compressedDepth png", ("", "png", "", True)),
    ],
)
def test_a_format_is_taken_apart_whatever_its_case_and_spaces(text, parts):
    assert read_format(text) == Format(*parts)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("bits", [8, 16])
def test_a_mosaic_becomes_the_same_colours_as_the_raw_topic(pattern, bits):
    encoding, pixels = f"bayer_{pattern}{bits}", mosaic(pattern, bits)
    from_png = compressed_to_rgb(message(f"{encoding}; png compressed ", pixels))
    np.testing.assert_array_equal(from_png, raw_to_rgb(raw(encoding, pixels)))
    inside = (slice(10, 22), slice(14, 28))
    np.testing.assert_array_equal(from_png[inside], np.broadcast_to(np.uint8([210, 60, 30]), (12, 14, 3)))


@pytest.mark.parametrize("format", ["{}; jpeg compressed ", "{}; jpeg compressed {}", " {} ;JPEG compressed", "{}"])
def test_a_mosaic_in_a_jpeg_is_coloured_whatever_the_spaces(format):
    rgb = compressed_to_rgb(message(format.format("bayer_grbg8", "bayer_grbg8"), mosaic("grbg"), ".jpg"))
    assert np.abs(rgb[12:20, 16:26].astype(int) - (210, 60, 30)).max() <= 12


def test_sixteen_bit_mosaics_in_eight_bit_jpegs_are_coloured_too():
    rgb = compressed_to_rgb(message("bayer_rggb16; jpeg compressed ", mosaic("rggb"), ".jpg"))
    assert np.abs(rgb[12:20, 16:26].astype(int) - (210, 60, 30)).max() <= 12


def test_colours_that_the_driver_made_are_not_made_again():
    msg = message("bayer_rggb8; jpeg compressed bgr8", SCENE, ".jpg")
    assert np.abs(compressed_to_rgb(msg).astype(int) - SCENE)[10:22, 14:28].max() <= 12
    facts = check_compressed(msg)
    assert "have colours already" in facts.remarks[0] and not facts.is_grey


def test_a_mosaic_that_was_made_grey_stays_grey_and_says_that_colours_are_lost():
    grey = cv2.cvtColor(SCENE, cv2.COLOR_RGB2GRAY)
    msg = message("bayer_rggb8; jpeg compressed mono8", grey, ".jpg")
    assert np.abs(compressed_to_rgb(msg).astype(int) - grey[..., None]).max() <= 6
    facts = check_compressed(msg)
    assert facts.is_grey and "jpeg_compress_bayer" in facts.remarks[0]


@pytest.mark.parametrize(
    ("format", "pixels"),
    [
        ("mono8; png compressed ", SCENE[..., 0]),
        ("mono16; png compressed ", SCENE[..., 0].astype(np.uint16) * 257),
        ("rgb8; png compressed bgr8", SCENE),
        ("bgr8; png compressed bgr8", SCENE),
        ("rgb16; png compressed bgr16", SCENE.astype(np.uint16) * 257),
        ("yuv422_yuy2; png compressed bgr8", SCENE),
        ("png", SCENE),
        ("", SCENE),
    ],
)
def test_lossless_images_are_exact(format, pixels):
    expected = SCENE if pixels.ndim == 3 else np.repeat(SCENE[..., :1], 3, axis=2)
    msg = message(format, pixels)
    np.testing.assert_array_equal(compressed_to_rgb(msg), expected)
    assert check_compressed(msg).remarks == () and check_compressed(msg).size == (32, 48)


@pytest.mark.parametrize("encoding", ["bgr8", "rgb8", "bgr16", "rgb16", "mono8", "bayer_rggb16"])
def test_tiff_is_read_in_the_order_in_which_image_transport_writes_it(encoding):
    # The plugin hands the raw numbers to OpenCV as they are, so of rgb8 the file says that red is blue.
    numbers = {"bgr": SCENE[..., ::-1], "rgb": SCENE, "mon": SCENE[..., 0], "bay": mosaic("rggb")}[encoding[:3]]
    numbers = numbers.astype(np.uint16) * 257 if encoding.endswith("16") else numbers
    data = cv2.imencode(".tiff", numbers)[1].ravel()
    rgb = compressed_to_rgb(SimpleNamespace(format=f"{encoding}; tiff compressed ", data=data))
    np.testing.assert_array_equal(rgb, raw_to_rgb(raw(encoding, numbers)))


@pytest.mark.parametrize(
    "format",
    ["16UC1; png compressed ", "16uc1;PNG compressed", "32FC1; tiff compressed ", "32SC1; png compressed ",
     "8UC2; png compressed", "16UC1; jpeg compressed mono8", "16UC1; compressedDepth png",
     "compressedDepth png", "16UC1"],
)  # fmt: skip
@pytest.mark.parametrize("whole", [True, False])
def test_depth_and_labels_are_refused_by_what_the_format_says_also_where_the_data_are_broken(format, whole):
    msg = message(format, np.full((8, 8), 1500, np.uint16))
    msg.data = msg.data if whole else msg.data[:30]
    with refusal(UnsupportedImage, "", f"'{format.strip()}'", "depth image", cure=["colour camera"]):
        check_compressed(msg)


@pytest.mark.parametrize("format", ["png", "", "foo; png compressed"])
def test_sixteen_bits_of_grey_without_a_name_are_not_taken_for_brightness(format):
    with refusal(UnsupportedImage, "", f"'{format}'", "16 bits", cure=["'mono16; png compressed '"]):
        check_compressed(message(format, np.full((8, 8), 1500, np.uint16)))


@pytest.mark.parametrize(
    "format",
    ["h264", "H264", "h.265", "hevc", "av1", "vp9", "theora", "libx264", "bgr8; h264 compressed", "h264;baseline"],
)
def test_video_is_refused_by_name_with_a_cure(format):
    with pytest.raises(UnsupportedImage) as error:
        check_compressed(SimpleNamespace(format=format, data=np.frombuffer(b"\x12\0\x0a\x0b" * 40, np.uint8)))
    text = str(error.value)
    assert "is video" in text and "compressed" in text and "isaac_ros_h264_decoder" in text


def test_video_is_known_by_its_data_too():
    for start in (b"\0\0\0\1\x67", b"\0\0\1\x09"):
        with refusal(UnsupportedImage, "", "'jpeg'", "h264 or h265"):
            check_compressed(SimpleNamespace(format="jpeg", data=start + bytes(99)))


@pytest.mark.parametrize(
    ("format", "kind", "cure"),
    [
        ("rgb8; qoi compressed rgb8", "qoi", "in_transport:=compressed"),
        ("zstd", "zstd", "in_transport:=zstd"),
        ("nv12", "nv12", "sensor_msgs/Image"),
        ("bayer_rggb12; png compressed ", "bayer_rggb12", "rgb8"),
    ],
)
def test_other_kinds_are_named(format, kind, cure):
    data = message("", SCENE[..., 0]).data if "png" in format else np.arange(200, dtype=np.uint8)
    with refusal(UnsupportedImage, "", f"'{kind}'", cure=[cure]):
        check_compressed(SimpleNamespace(format=format, data=data))


def test_a_compressed_depth_image_without_a_format_is_known_by_its_header():
    data = bytes(12) + message("", np.full((8, 8), 1500, np.uint16)).data.tobytes()
    with refusal(UnsupportedImage, "", "compressedDepth", cure=["colour camera"]):
        check_compressed(SimpleNamespace(format="", data=data))


@pytest.mark.parametrize("format", ["rgb8; jpeg compressed bgr8", "h264"])
def test_data_that_contradict_the_format_are_believed_and_it_is_said(format):
    msg = message(format, SCENE)
    np.testing.assert_array_equal(compressed_to_rgb(msg), SCENE)
    assert "the data are PNG" in check_compressed(msg).remarks[0]


@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_cut_images_are_refused(kind):
    data = message("jpeg", SCENE, kind).data[:-100]
    for part in (data[: len(data) // 2], np.concatenate([data[: len(data) // 2], np.zeros(9000, np.uint8)])):
        with refusal(BadImage, "", "without its end", f"{len(part)} bytes"):
            compressed_to_rgb(SimpleNamespace(format="jpeg", data=part))


def test_a_jpeg_that_lost_its_middle_is_refused_when_it_is_decoded():
    data = message("jpeg", SCENE, ".jpg").data[:-100]
    lost = np.concatenate([data[: len(data) // 2], np.uint8([0xFF, 0xD9])])
    with refusal(BadImage, "", "end before", f"{len(lost)} bytes"):
        compressed_to_rgb(SimpleNamespace(format="jpeg", data=lost))


def test_damaged_files_are_read_or_refused_and_never_anything_else():
    rng = np.random.default_rng(3)
    files = [message("", SCENE, kind).data.tobytes() for kind in (".jpg", ".png")] + [
        message("", SCENE[..., 0].astype(np.uint16)).data.tobytes()
    ]
    formats = [
        "",
        "jpeg",
        "bayer_rggb8; jpeg compressed ",
        "mono16; png compressed ",
        "h264",
        "nv12",
        ";;;",
        "\0",
        "é; é",
    ]
    outcomes = set()
    for number in range(300):
        data = bytearray(files[number % 3])
        for _ in range(rng.integers(0, 4)):
            at = rng.integers(len(data))
            junk = bytes(rng.integers(0, 256, 30, np.uint8))
            data = [data[: at + 1], data + junk, data[:at] + b"\xff\xd8" + data[at:]][rng.integers(3)]
        msg = SimpleNamespace(format=formats[rng.integers(len(formats))], data=np.frombuffer(bytes(data), np.uint8))
        try:
            facts = check_compressed(msg)
            rgb = compressed_to_rgb(msg)
        except (BadImage, UnsupportedImage) as error:
            outcomes.add(type(error))
        else:
            assert rgb.shape == (*facts.size, 3) and rgb.dtype == np.uint8
            outcomes.add("read")
    assert outcomes == {"read", BadImage, UnsupportedImage}
