"""Images and camera_info as drivers send them, heard by the imagine node's inputs as the import reads them."""

import array
import io
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")

from PIL import Image as PillowImage
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest

from astra_ros.bridge.images import compressed_to_rgb, image_to_rgb
from astra_ros.bridge.stamps import stamp_of
from astra_ros.camera.image_messages import compressed_to_rgb as import_compressed
from astra_ros.camera.image_messages import raw_to_rgb
from astra_ros.camera.pixels import ENCODINGS, SEMI_PLANAR
from astra_ros.nodes.imagine.bridge_readers import bridge_readers
from astra_ros.nodes.imagine.inputs import ImagineInputs, Topics
from astra_ros.nodes.imagine.settings import PlanTopicSettings

IMAGE = np.zeros((48, 80, 3), np.uint8)
IMAGE[:24, :30], IMAGE[:24, 30:], IMAGE[24:, :30] = (200, 60, 40), (30, 160, 70), (50, 80, 190)
PLACES = ((10, 10), (10, 60), (40, 10))


class Bench:
    """Inputs whose newest frame has the size of IMAGE, and what they refused and told."""

    def __init__(self, topic="/cam/image"):
        self.refused, self.told, self.count = [], [], 0
        self.inputs = ImagineInputs(
            Topics(topic),
            {"candidates": PlanTopicSettings(keep=2)},
            bridge_readers({}),
            lambda kind, reason: self.refused.append((kind, reason)),
            self.told.append,
        )
        self.inputs.camera.expect(SimpleNamespace(image_size=(48, 80), history=1, dt_s=0.1))

    def hear(self, msg):
        self.count += 1
        msg.header.stamp = stamp_of(0.1 * self.count)
        self.inputs.on_image(msg)

    @property
    def newest(self):
        return self.inputs.camera.take()[0][-1]

    def shows_the_image(self, within=14):
        assert self.refused == []
        for place in PLACES:
            np.testing.assert_allclose(self.newest[place].astype(int), IMAGE[place], atol=within)


def compressed(data, format="jpeg"):
    return CompressedImage(format=format, data=array.array("B", bytes(data)))


def jpeg(image=IMAGE, turn=1):
    exif, file = PillowImage.Exif(), io.BytesIO()
    exif[0x0112] = turn
    PillowImage.fromarray(image).save(file, "jpeg", quality=97, subsampling=0, exif=exif)
    return file.getvalue()


def raw(encoding, pixels, step=None):
    pixels = np.ascontiguousarray(pixels)
    msg = Image(height=48, width=80, encoding=encoding, step=step or pixels.strides[0])
    msg.data = array.array("B", pixels.tobytes())
    return msg


def nv12():
    numbers = cv2.cvtColor(IMAGE, cv2.COLOR_RGB2YUV_I420)
    numbers[48:] = numbers[48:].reshape(2, -1).T.reshape(24, 80)
    return raw("nv12", numbers)


def test_a_mosaic_in_a_padded_jpeg_is_seen_in_colours():
    mosaic = IMAGE[..., 1].copy()
    mosaic[::2, ::2], mosaic[1::2, 1::2] = IMAGE[::2, ::2, 0], IMAGE[1::2, 1::2, 2]
    bench = Bench()
    bench.hear(compressed(jpeg(mosaic) + bytes(9000), "bayer_rggb8; jpeg compressed "))
    bench.shows_the_image()


@pytest.mark.parametrize("make", [nv12, lambda: raw("8UC4", cv2.cvtColor(IMAGE, cv2.COLOR_RGB2BGRA))])
def test_encodings_that_opencv_reads_are_seen_by_camera_and_goal(make):
    bench = Bench()
    bench.hear(make())
    bench.shows_the_image(within=9)
    bench.inputs.on_goal_image(make())
    assert bench.refused == []
    goal = bench.inputs.goals.now().image
    for place in PLACES:
        np.testing.assert_allclose(goal[place].astype(int), IMAGE[place], atol=9)


@pytest.mark.parametrize("turn", range(1, 9))
def test_turn_marks_are_not_applied_and_that_is_told_once(turn):
    bench = Bench()
    bench.inputs.camera.on_info(info(80, 48))
    for _ in range(3):
        bench.hear(compressed(jpeg(turn=turn)))
    bench.shows_the_image()
    assert bench.inputs.camera.size_mismatch == ""
    assert len(bench.told) == (turn != 1)
    assert all(text.startswith("/cam/image: ") and f"orientation {turn}" in text for text in bench.told)


@pytest.mark.parametrize("padding", [b"", bytes(9000), b"\xff" * 500])
def test_padded_images_are_seen_and_cut_ones_refused(padding):
    bench = Bench()
    data = jpeg()
    bench.hear(compressed(data[: len(data) // 2] + padding))
    bench.hear(compressed(data[: 2 * len(data) // 3] + b"\xff\xd9" + padding))
    assert [kind for kind, _ in bench.refused] == ["images", "images"]
    assert all(reason.startswith("/cam/image: a JPEG") for _, reason in bench.refused)
    bench.refused.clear()
    bench.hear(compressed(data + padding))
    bench.shows_the_image()


@pytest.mark.parametrize(("format", "word"), [("16UC1; png compressed ", "colour camera"), ("h264", "is video")])
def test_depth_and_video_are_refused_with_the_topic(format, word):
    data = cv2.imencode(".png", np.full((48, 80), 1500, np.uint16))[1] if "png" in format else b"\0\0\0\1" + bytes(99)
    bench = Bench()
    bench.hear(compressed(data, format))
    ((kind, reason),) = bench.refused
    assert kind == "images" and reason.startswith("/cam/image: ") and word in reason


def test_the_node_sees_every_raw_encoding_as_the_import_does():
    rng = np.random.default_rng(0)
    for name in (*ENCODINGS, *SEMI_PLANAR):
        if name in SEMI_PLANAR:
            rows, row = 8 * (3 if name == "nv24" else 1.5), 14
        else:
            rows, row = 8, 10 * ENCODINGS[name].channels * ENCODINGS[name].depth
        data = rng.integers(0, 255, int(rows) * row, np.uint8)
        for big in (0, 1):
            msg = Image(encoding=name, height=8, width=10, step=row, is_bigendian=big, data=array.array("B", data))
            seen = image_to_rgb(msg)
            np.testing.assert_array_equal(seen, raw_to_rgb(msg), err_msg=name)
            assert seen.shape == (8, 10, 3)


def test_the_node_sees_compressed_images_as_the_import_does():
    mosaic = np.random.default_rng(0).integers(0, 65535, (48, 80), np.uint16)
    for format, data in (
        ("bayer_gbrg16; png compressed ", cv2.imencode(".png", mosaic)[1]),
        ("mono16; png compressed ", cv2.imencode(".png", mosaic)[1]),
        ("rgb8; jpeg compressed bgr8", jpeg(turn=6) + bytes(99)),
    ):
        msg = compressed(data, format)
        np.testing.assert_array_equal(compressed_to_rgb(msg), import_compressed(msg))


def info(width, height, focal=70.0, binning=0, roi=(0, 0, 0, 0)):
    """roi: left, top, width, height"""
    fields = dict(zip(("x_offset", "y_offset", "width", "height"), roi))
    msg = CameraInfo(width=width, height=height, binning_x=binning, binning_y=binning, roi=RegionOfInterest(**fields))
    msg.k = [focal, 0.0, width / 2, 0.0, focal, height / 2, 0.0, 0.0, float(focal > 0)]
    return msg


def calibrated_on(width, height, msg):
    """With K of images of another size than the message says."""
    msg.k[2], msg.k[5] = width / 2, height / 2
    return msg


@pytest.mark.parametrize(
    ("msg", "focal", "remark"),
    [
        (info(80, 48), 70.0, ""),
        (info(160, 96, 140.0, binning=2), 70.0, ""),
        (info(160, 96, 70.0, roi=(40, 10, 80, 48)), 70.0, ""),
        (info(320, 192, 140.0, binning=2, roi=(40, 10, 160, 96)), 70.0, ""),
        (info(80, 48, binning=2), 70.0, "binning 2 x 2"),
        (calibrated_on(80, 48, info(160, 96, binning=2)), 70.0, "middle of 80 x 48"),
        (calibrated_on(40, 24, info(80, 48)), 70.0, "calibration of 40 x 24"),
    ],
)
def test_binned_sensors_and_regions_are_of_the_same_camera(msg, focal, remark):
    bench = Bench()
    bench.hear(compressed(jpeg()))
    bench.inputs.camera.on_info(msg)
    assert bench.inputs.camera.size_mismatch == ""
    assert f"focal length {focal:.1f}" in bench.inputs.camera.lens and remark in bench.inputs.camera.lens


@pytest.mark.parametrize("msg", [info(320, 240), info(160, 96, binning=3), info(160, 96, roi=(0, 0, 10, 10))])
def test_a_camera_info_of_another_size_is_of_another_camera(msg):
    bench = Bench()
    bench.hear(compressed(jpeg()))
    bench.inputs.camera.on_info(msg)
    assert "images have 80 x 48; remap camera_info" in bench.inputs.camera.size_mismatch


@pytest.mark.parametrize("msg", [CameraInfo(), info(80, 48, 0.0)])
def test_a_camera_that_is_not_calibrated_is_named_as_that_once_and_nothing_is_to_be_remapped(msg):
    bench = Bench()
    bench.hear(compressed(jpeg()))
    for _ in range(3):
        bench.inputs.camera.on_info(msg)
    assert bench.inputs.camera.size_mismatch == ""
    assert bench.inputs.camera.lens == "not calibrated"
    assert len(bench.told) == 1 and "not calibrated" in bench.told[0] and "remap" not in bench.told[0]


def test_a_lens_of_much_larger_images_cannot_be_used():
    bench = Bench()
    bench.hear(compressed(jpeg()))
    bench.inputs.camera.on_info(calibrated_on(480, 288, info(80, 48)))
    assert (
        bench.inputs.camera.lens.startswith("cannot be used: ")
        and "calibration of 480 x 288" in bench.inputs.camera.lens
    )


def test_rectified_topics_take_p():
    msg = info(80, 48)
    msg.p = [99.0, 0.0, 40.0, 0.0, 0.0, 99.0, 24.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    for topic, focal in (("/cam/image_raw", 70.0), ("/cam/image_rect/compressed", 99.0)):
        bench = Bench(topic)
        bench.hear(compressed(jpeg()))
        bench.inputs.camera.on_info(msg)
        assert f"focal length {focal:.1f}" in bench.inputs.camera.lens
