"""Images that repeat to the byte, and 16-bit images that use few bits."""

import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from astra_ros.camera.image_messages import brightest, check_compressed, check_raw
from astra_ros.camera.repeated_images import RepeatWatch
from astra_ros.camera.significant_bits import LEAST, SignificantBits

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, 20_000, np.uint8)


@pytest.mark.parametrize("kind", [bytes, lambda data: data, lambda data: array.array("B", data.tobytes())])
def test_the_same_bytes_are_a_repeat_and_one_that_differs_is_none(kind):
    watch = RepeatWatch()
    found = []
    for at in (None, None, None, 0, 0, 19_999, 12_345, None):
        data = NOISE.copy()
        if at is not None:
            data[at] ^= 1
        found.append((watch.add(kind(data)), watch.in_a_row))
    assert found == [(False, 0), (True, 1), (True, 2), (False, 0), (True, 1), (False, 0), (False, 0), (False, 0)]


def test_images_of_another_length_are_no_repeat():
    watch = RepeatWatch()
    assert [watch.add(data) for data in (b"", b"", NOISE, NOISE[:-1], NOISE[:-1])] == [False, True, False, False, True]


def raw(numbers, encoding, order="<", padding=0):
    height, width = numbers.shape[:2]
    rows = np.ascontiguousarray(numbers, f"{order}u{numbers.itemsize}").view(np.uint8).reshape(height, -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    return SimpleNamespace(height=height, width=width, encoding=encoding, step=rows.shape[1], data=rows.ravel(),
                           is_bigendian=int(order == ">"))  # fmt: skip


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize(("encoding", "channels"), [("mono16", 1), ("bayer_grbg16", 1), ("rgb16", 3), ("bgra16", 4)])
def test_the_greatest_number_of_16_bits(encoding, channels, order, padding):
    numbers = RNG.integers(0, 2000, (6, 8, channels), np.uint16)
    numbers[3, 5, 0] = 2345
    message = raw(numbers, encoding, order, padding)
    assert check_raw(message).bits == 16 and brightest(message) == 2345


@pytest.mark.parametrize("encoding", ["mono8", "bayer_rggb8"])
def test_numbers_of_8_bits_are_not_asked(encoding):
    message = raw(np.full((6, 8), 9, np.uint8), encoding)
    assert check_raw(message).bits == 8 and brightest(message) is None


@pytest.mark.parametrize("format", ["mono16; png compressed ", "bayer_rggb16; png compressed "])
def test_the_greatest_number_of_a_16_bit_png(format):
    for numbers, expected in (np.full((6, 8), 3000, np.uint16), 3000), (np.full((6, 8), 30, np.uint8), None):
        message = SimpleNamespace(format=format, data=cv2.imencode(".png", numbers)[1].ravel())
        assert brightest(message) == expected and check_compressed(message).bits == (8 if expected is None else 16)


@pytest.mark.parametrize(
    ("brightest_of_all", "bits"),
    [(0, 8), (255, 8), (256, 10), (1023, 10), (4095, 12), (4096, 14), (16383, 14), (16384, None), (65520, None)],
)
def test_how_many_bits_are_used(brightest_of_all, bits):
    used = SignificantBits()
    for number in (*np.linspace(0, brightest_of_all, LEAST - 1).astype(int).tolist(), 0):
        assert used.used is None  # so few tell nothing
        used.add(number)
    assert used.used == bits and used.brightest == brightest_of_all


def test_one_bright_image_is_enough():
    used = SignificantBits()
    for number in [4095] * 20:
        used.add(number)
    assert used.used == 12 and used.is_open
    used.add(60_000)
    assert used.used is None and not used.is_open  # whatever comes


@pytest.mark.parametrize(("images", "most"), [(400, 60), (20_000, 80)])
def test_few_images_of_a_long_stream_are_looked_at_from_its_beginning_to_its_end(images, most):
    used, looked = SignificantBits(), []
    for number in range(images):
        if used.is_due():
            looked.append(number)
            used.add(3000)
    assert looked[:LEAST] == list(range(LEAST)) and len(looked) <= most
    assert looked[-1] > 0.75 * images  # a stream that becomes bright late is still noticed
    assert used.used == 12 and used.is_open
    used.add(60_000)
    assert not any(used.is_due() for _ in range(images))


def test_images_of_8_bits_use_all_of_them():
    used = SignificantBits()
    for _ in range(20):
        used.add(None)
    assert used.used is None and used.brightest is None
