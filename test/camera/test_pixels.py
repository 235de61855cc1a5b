"""Every layout of raw images against a known image: planes, padded rows, wrong headers; numbers are no colours."""

import numpy as np
import pytest
from user_errors import refusal

from astra_ros.camera.errors import BadImage, UnsupportedImage
from astra_ros.camera.pixels import ENCODINGS, SEMI_PLANAR, check_layout, holds_numbers, known_encoding, unpack

# 4 rows, 6 columns; each block of 2 x 2 has one colour, so that sharing colours loses nothing.
COLOURS = np.array([[(255, 0, 0), (0, 255, 0), (0, 0, 255)], [(255, 255, 255), (20, 40, 200), (128, 128, 128)]])
IMAGE = COLOURS.repeat(2, axis=0).repeat(2, axis=1).astype(np.uint8)
HEIGHT, WIDTH = IMAGE.shape[:2]


def yuv(rgb) -> np.ndarray:
    """BT.601, limited range, written down anew: uint8 [..., 3]."""
    r, g, b = np.moveaxis(np.asarray(rgb, float) / 255, -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    u, v = (b - y) / 1.772, (r - y) / 1.402
    return np.round(np.stack([16 + 219 * y, 128 + 224 * u, 128 + 224 * v], axis=-1)).astype(np.uint8)


def planes(name: str, step: int = WIDTH, last: bool = True) -> bytes:
    """IMAGE as V4L2 lays these formats out; padding is 0xEE, that of the last row optional."""
    numbers = yuv(IMAGE)
    pairs = numbers[..., [2, 1]] if name == "nv21" else numbers[..., [1, 2]]
    if name != "nv24":
        pairs = pairs[::2, ::2]
    bright = [row.tobytes() for row in numbers[..., 0]]
    colours = [row.tobytes() for row in pairs]
    stride = step * len(colours[0]) // WIDTH
    rows = [row + b"\xee" * (step - WIDTH) for row in bright]
    rows += [row + b"\xee" * (stride - len(row)) for row in colours]
    return b"".join(rows) if last else b"".join(rows)[: len(colours[0]) - stride]


def read(name, data, height=HEIGHT, width=WIDTH, step=WIDTH):
    return unpack(check_layout(name, height, width, step, len(data)), data, False)


@pytest.mark.parametrize("step", [WIDTH, WIDTH + 4])
@pytest.mark.parametrize("name", ["nv12", "nv21", "nv24"])
def test_planes_of_brightness_and_colour_show_the_known_image(name, step):
    rgb = read(name, planes(name, step), step=step)
    assert rgb.shape == IMAGE.shape and rgb.dtype == np.uint8 and rgb.flags.c_contiguous
    np.testing.assert_allclose(rgb.astype(int), IMAGE, atol=3)


@pytest.mark.parametrize("name", ["nv12", "nv21", "nv24"])
def test_planes_without_the_padding_of_the_last_row(name):
    np.testing.assert_allclose(read(name, planes(name, 10, last=False), step=10).astype(int), IMAGE, atol=3)


@pytest.mark.parametrize("name", ["nv12", "nv21", "nv24"])
@pytest.mark.parametrize("wrong", ["height", "step"])
def test_a_header_that_counts_planes_otherwise_is_read_by_the_data_and_said(name, wrong):
    data = planes(name)
    # as an OpenCV matrix of all planes has it, or bytes per pixel x width
    header = {"height": len(data) // WIDTH} if wrong == "height" else {"step": len(data) // HEIGHT}
    layout = check_layout(name, **({"height": HEIGHT, "width": WIDTH, "step": WIDTH} | header), size=len(data))
    assert (layout.height, layout.width, layout.step) == (HEIGHT, WIDTH, WIDTH)
    assert len(layout.remarks) == 1 and layout.remarks[0].startswith(f"{wrong} is ")
    np.testing.assert_allclose(unpack(layout, data, False).astype(int), IMAGE, atol=3)


def test_a_header_that_fits_needs_no_remark():
    assert check_layout("nv12", HEIGHT, WIDTH, WIDTH, len(planes("nv12"))).remarks == ()


@pytest.mark.parametrize("name", ["nv12", "nv21", "nv24"])
@pytest.mark.parametrize("cut", [1, WIDTH, 13])
def test_planes_that_were_cut_are_refused(name, cut):
    whole = len(planes(name))
    with refusal(BadImage, "", "data", whole - cut, name, f"{WIDTH} x {HEIGHT}", whole):
        read(name, planes(name)[:-cut])


@pytest.mark.parametrize("name", ["nv12", "nv21", "nv24"])
@pytest.mark.parametrize("surplus", [2, 9])
@pytest.mark.parametrize("step", [WIDTH, WIDTH + 2])
def test_what_is_too_much_behind_the_planes_is_padding(name, surplus, step):
    data = planes(name, step) + b"\x55" * surplus
    layout = check_layout(name, HEIGHT, WIDTH, step, len(data))
    assert len(layout.remarks) == 1 and f"{surplus} bytes of padding" in layout.remarks[0]
    np.testing.assert_allclose(unpack(layout, data, False).astype(int), IMAGE, atol=3)


@pytest.mark.parametrize(("height", "width"), [(100, 160), (480, 640), (1080, 1920), (144, 176), (270, 480)])
@pytest.mark.parametrize(("name", "scale"), [("nv12", 1.5), ("nv21", 1.5), ("nv24", 3)])
def test_buffers_of_whole_pages_are_read(name, scale, height, width):
    size = int(height * width * scale)
    layout = check_layout(name, height, width, width, -(-size // 4096) * 4096)
    assert (layout.height, layout.width, layout.step) == (height, width, width) and len(layout.remarks) == (
        size % 4096 > 0
    )
    with refusal(BadImage, "", "data", size + 4097, name, f"{width} x {height}", size):
        check_layout(name, height, width, width, size + 4097)


@pytest.mark.parametrize(
    ("height", "width", "rows", "step"),
    [(120, 160, 128, 160), (1080, 1920, 1088, 1920), (144, 176, 144, 192), (180, 320, 192, 320)],
)
def test_rows_that_are_longer_or_more_than_the_header_says_are_no_padding_behind_the_planes(height, width, rows, step):
    size = rows * step * 3 // 2
    with refusal(BadImage, "", "data", size, "nv12", f"{width} x {height}", cure=["yuyv or rgb8"]):
        check_layout("nv12", height, width, width, size)


@pytest.mark.parametrize("name", ["nv12", "nv21", "nv24"])
def test_a_buffer_for_two_bytes_a_pixel_is_not_guessed_at(name):
    # As a driver makes it that takes sensor_msgs' numChannels, 2, for bytes per pixel.
    with refusal(BadImage, "", "data", 96, name, "8 x 6", "step 16", cure=["step", 8]):
        check_layout(name, 6, 8, 16, 16 * 6)


@pytest.mark.parametrize(("height", "width"), [(4, 5), (3, 6)])
def test_shared_colours_need_even_sizes(height, width):
    with refusal(BadImage, "", "nv12", f"{width} x {height}", "even"):
        check_layout("nv12", height, width, width + width % 2, (width + width % 2) * height * 3 // 2)


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("order", ["UYVY", "YUYV"])
def test_pairs_in_both_orders_show_the_known_image(order, padding):
    numbers = yuv(IMAGE)
    pairs = numbers.reshape(HEIGHT, WIDTH // 2, 2, 3)
    values = {"Y": pairs[..., 0], "U": pairs[..., 0, 1], "V": pairs[..., 0, 2]}
    seen, rows = 0, []
    for letter in order:
        rows.append(values["Y"][..., seen] if letter == "Y" else values[letter])
        seen += letter == "Y"
    rows = np.stack(rows, axis=-1).reshape(HEIGHT, -1)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xEE).tobytes()
    for name in {"UYVY": ("yuv422", "uyvy"), "YUYV": ("yuv422_yuy2", "yuyv")}[order]:
        np.testing.assert_allclose(read(name, data, step=2 * WIDTH + padding).astype(int), IMAGE, atol=3, err_msg=name)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(("name", "depth"), [("8UC3", 1), ("8UC4", 1), ("16UC3", 2), ("16UC4", 2)])
def test_types_of_opencv_are_blue_first_and_say_so(name, depth, padding):
    pixels = np.concatenate([IMAGE[..., ::-1], np.full((HEIGHT, WIDTH, 1), 9, np.uint8)], axis=-1)
    pixels = pixels[..., : int(name[-1])].astype("<u2") * 257 if depth == 2 else pixels[..., : int(name[-1])]
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(HEIGHT, -1)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xEE).tobytes()
    layout = check_layout(name, HEIGHT, WIDTH, rows.shape[1] + padding, len(data))
    np.testing.assert_array_equal(unpack(layout, data, False), IMAGE)
    assert "order of colours" in layout.remarks[0]


@pytest.mark.parametrize(
    "name", ["16UC1", "32FC1", "64FC1", "16SC1", "32SC1", "8SC1", "8UC2", "16UC2", "32FC2", "32FC3", "32fc1", " 16UC1 "]
)
def test_numbers_are_not_colours(name):
    assert holds_numbers(name)
    with refusal(UnsupportedImage, "", f"'{name.strip()}'", "depth image", cure=["colour camera"]):
        check_layout(name, 2, 2, 100, 200)


def test_every_encoding_of_ros_is_read_or_named_as_numbers():
    # sensor_msgs/image_encodings.hpp of Jazzy, Kilted and Rolling
    colours = "rgb8 rgba8 rgb16 rgba16 bgr8 bgra8 bgr16 bgra16 mono8 mono16 uyvy yuv422 yuyv yuv422_yuy2 nv12 nv21 nv24"
    patterns = [f"bayer_{pattern}{bits}" for pattern in ("rggb", "bggr", "gbrg", "grbg") for bits in (8, 16)]
    types = [f"{kind}C{n}" for kind in ("8U", "8S", "16U", "16S", "32S", "32F", "64F") for n in (1, 2, 3, 4)]
    for name in [*colours.split(), *patterns]:
        assert known_encoding(name) == name
    for name in types:
        assert bool(known_encoding(name)) != holds_numbers(name)
    assert {name for name in types if known_encoding(name)} == {"8UC1", "8UC3", "8UC4", "16UC3", "16UC4"}
    assert {*ENCODINGS, *SEMI_PLANAR} == {*colours.split(), *patterns, "8UC1", "8UC3", "8UC4", "16UC3", "16UC4"}


@pytest.mark.parametrize(("name", "cure"), [("yuv420", "pixel_format"), ("h264", "CompressedImage"), ("", "rgb8")])
def test_an_unknown_encoding_comes_with_a_cure(name, cure):
    with pytest.raises(UnsupportedImage) as error:
        check_layout(name, 2, 2, 6, 12)
    assert f"unknown encoding '{name}'" in str(error.value) and cure in str(error.value)
