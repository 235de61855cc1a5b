"""Cameras of bags as drivers record them: depth beside colour, EXIF orientations, padding, camera_info."""

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from bag_maker import BagMaker
from PIL import Image
from user_errors import refusal

from astra_ros.datasets.dataset import load_episode
from astra_ros.datasets.rosbag.bag import Topic
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.datasets.rosbag.report import report_text
from astra_ros.datasets.rosbag.topics import select_topics

SETTINGS = BagSettings(robot="mine", world="lab", dt_s=0.2, image_size=(48, 80))
FIXED = {"position": [1.0, 0, 1], "quaternion": [0.0, 0, 0, 1]}
TIMES = np.arange(0, 4, 0.1)
IMAGE = np.zeros((48, 80, 3), np.uint8)
IMAGE[:24, :30], IMAGE[:24, 30:], IMAGE[24:, :30] = (200, 60, 40), (30, 160, 70), (50, 80, 190)
DEPTH = cv2.imencode(".png", np.full((48, 80), 1500, np.uint16))[1].ravel()
EMPTY = {"k": np.zeros(9), "p": np.zeros(12)}


def jpeg(image=IMAGE, turn=1):
    """`image` is RGB, or [H, W] of one number a pixel."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = turn
    Image.fromarray(image).save(file, "jpeg", quality=97, subsampling=0, exif=exif)
    return np.frombuffer(file.getvalue(), np.uint8)


COLOUR = jpeg()


def bag_of(path, *topics, joints=True, info=()):
    """`topics`: (topic, format, data of the first images, ..., data of all others);
    `info`: (seconds, fields of `camera_info`) each."""
    with BagMaker(path) as bag:
        for topic, format, *data in topics:
            for number, t in enumerate(TIMES):
                bag.compressed(t, topic, data=data[min(number, len(data) - 1)], format=format)
        for t, fields in info:
            bag.camera_info(t, **({"size": (48, 80)} | fields))
        for t in np.arange(-0.5, 4.5, 0.02):
            if joints:
                bag.joints(t, j1=0.2 * t)
            else:
                bag.frames(t, ("odom", "camera_optical", (0.2 * t, 0, 1), (0, 0, 0, 1)))
    return path


def taken(path, out, **changes):
    report = import_bag(path, out, replace(SETTINGS, **changes))
    return report, load_episode(out / f"{report['episodes'][0]['file']}.parquet")


def test_a_mosaic_is_stored_in_colours_as_the_raw_topic_is(tmp_path):
    mosaic = IMAGE[..., 1].copy()
    mosaic[::2, ::2], mosaic[1::2, 1::2] = IMAGE[::2, ::2, 0], IMAGE[1::2, 1::2, 2]
    bag_of(tmp_path / "compressed", ("/camera/image_raw/compressed", "bayer_rggb8; jpeg compressed ", jpeg(mosaic)))
    with BagMaker(tmp_path / "raw") as bag:
        for t in TIMES:
            bag.image(t, size=(48, 80), encoding="bayer_rggb8", step=80, data=mosaic.ravel())
            bag.joints(t, j1=t)
    for name in ("compressed", "raw"):
        _, episode = taken(tmp_path / name, tmp_path / f"out_{name}")
        for place in (10, 10), (10, 60), (40, 10):
            np.testing.assert_allclose(episode.frames[0][place].astype(int), IMAGE[place], atol=14)


@pytest.mark.parametrize(
    "format", ["16UC1; png compressed ", " 16uc1;PNG compressed", "16UC1; compressedDepth png", "png"]
)
@pytest.mark.parametrize("first", [[], [DEPTH[:40], DEPTH[:60]], [np.zeros(0, np.uint8)] * 5])
def test_depth_is_no_candidate_beside_a_colour_camera_also_where_it_begins_broken(tmp_path, format, first):
    bag_of(
        tmp_path / "bag",
        ("/a_depth/image/compressed", format, *first, DEPTH),
        ("/camera/image_raw/compressed", "jpeg", COLOUR[:50], COLOUR[:9], COLOUR),
    )
    report = import_bag(tmp_path / "bag", tmp_path / "out", SETTINGS, dry_run=True)
    assert report["camera"]["topic"] == "/camera/image_raw/compressed"


def test_depth_alone_is_refused_and_no_image_is_written(tmp_path):
    bag_of(tmp_path / "bag", ("/depth/image_raw/compressed", "16UC1; png compressed ", DEPTH))
    with refusal(BagError, tmp_path / "bag", "/depth/image_raw/compressed", "'16UC1'", "colour camera"):
        import_bag(tmp_path / "bag", tmp_path / "out", SETTINGS)
    assert not (tmp_path / "out").exists()


def test_video_is_refused_by_its_name(tmp_path):
    bag_of(tmp_path / "bag", ("/camera/h264", "h264", np.frombuffer(b"\0\0\0\1\x67" + bytes(300), np.uint8)))
    with refusal(BagError, tmp_path / "bag", "/camera/h264", "'h264'", "JPEG") as error:
        import_bag(tmp_path / "bag", tmp_path / "out", SETTINGS)
    assert error.value.cure == ""  # not to record a camera, which is there


@pytest.mark.parametrize(
    ("type", "transport"),
    [("ffmpeg_image_transport_msgs/msg/FFMPEGPacket", "ffmpeg"), ("foxglove_msgs/msg/CompressedVideo", "foxglove")],
)
def test_video_of_other_packages_is_named_with_what_decodes_it(type, transport):
    topics = [Topic("/cam/video", type, 9)]
    bag = SimpleNamespace(path=Path("bag"), notes=[], topics=topics, unusable=[], all_topics=topics)
    with refusal(BagError, "bag", "/cam/video", type, f"in_transport:={transport}"):
        select_topics(bag, SETTINGS)


def test_a_topic_without_a_whole_image_is_no_candidate_beside_one_that_has_some(tmp_path):
    bag_of(tmp_path / "bag", ("/a/compressed", "jpeg", COLOUR[:50]), ("/b/compressed", "jpeg", COLOUR))
    report = import_bag(tmp_path / "bag", tmp_path / "out", SETTINGS, dry_run=True)
    assert report["camera"]["topic"] == "/b/compressed"
    assert any(note.startswith("/a/compressed: ") for note in report["notes"])


@pytest.mark.parametrize(
    ("name", "chosen"), [("/camera/depth/image", True), ("/labels/image", True), ("/left/image", False)]
)
def test_grey_images_of_a_topic_named_for_depth_or_labels_give_way(tmp_path, name, chosen):
    grey = cv2.imencode(".png", IMAGE[..., 0])[1].ravel()
    bag_of(tmp_path / "bag", (name, "mono8; png compressed ", grey), ("/right/image", "jpeg", COLOUR))
    if not chosen:
        with refusal(BagError, "image_topic", name, "/right/image", cure=[name]):
            import_bag(tmp_path / "bag", tmp_path / "out", SETTINGS)
        return
    report = import_bag(tmp_path / "bag", tmp_path / "out", SETTINGS, dry_run=True)
    assert report["camera"]["topic"] == "/right/image"
    assert any(note.startswith(f"{name}: ") and "image_topic" in note for note in report["notes"])
    named = import_bag(tmp_path / "bag", tmp_path / "out", replace(SETTINGS, image_topic=name), dry_run=True)
    assert named["camera"]["topic"] == name


@pytest.mark.parametrize(
    ("name", "format", "data", "told"),
    [
        ("/depth/image_raw/compressed", "mono16; png compressed ", DEPTH, True),
        ("/camera/labels", "mono8; png compressed ", cv2.imencode(".png", IMAGE[..., 0])[1].ravel(), True),
        ("/camera/image/compressed", "mono16; png compressed ", DEPTH, False),
        ("/depth/colour", "jpeg", COLOUR, False),
    ],
)
def test_grey_images_of_a_topic_named_for_depth_or_labels_are_named_where_they_are_alone(
    tmp_path, name, format, data, told
):
    report = import_bag(bag_of(tmp_path / "bag", (name, format, data)), tmp_path / "out", SETTINGS, dry_run=True)
    notes = [note for note in report["notes"] if "depth or labels" in note]
    assert report["camera"]["topic"] == name and len(notes) == told
    assert all(name in note and "image_topic" in note for note in notes)
    named = import_bag(tmp_path / "bag", tmp_path / "out", replace(SETTINGS, image_topic=name), dry_run=True)
    assert not any("depth or labels" in note for note in named["notes"])  # who names it knows it


@pytest.mark.parametrize("turn", range(1, 9))
def test_images_and_lens_agree_under_every_turn_mark(tmp_path, turn):
    bag_of(
        tmp_path / "bag",
        ("/camera/image_raw/compressed", "jpeg", jpeg(turn=turn)),
        info=[(t, {"focal": 70.0}) for t in TIMES],
    )
    report, episode = taken(tmp_path / "bag", tmp_path / "out", camera_pose=FIXED)
    assert report["camera"]["sizes"] == [(80, 48)]
    for place in (10, 10), (10, 60), (40, 10):
        np.testing.assert_allclose(episode.frames[0][place].astype(int), IMAGE[place], atol=14)
    assert (episode.camera["width"], episode.camera["height"], episode.camera["fx"]) == (80, 48, 70.0)
    told = [note for note in report["notes"] if "EXIF orientation" in note]
    assert len(told) == (turn != 1) and all(f"orientation {turn}" in note for note in told)


@pytest.mark.parametrize("padding", [b"", bytes(9000), b"\xff" * 500])
def test_padded_images_are_whole_and_cut_ones_are_not(tmp_path, padding):
    behind = np.frombuffer(padding, np.uint8)
    whole = np.concatenate([COLOUR, behind])
    cut = np.concatenate([COLOUR[: len(COLOUR) // 2], behind])
    bag_of(tmp_path / "bag", ("/camera/image_raw/compressed", "jpeg", cut, cut, whole))
    report, episode = taken(tmp_path / "bag", tmp_path / "out")
    assert report["frames"]["dropped"].pop("broken pictures") == 2
    assert any("broken images: 2" in note and "without its end" in note for note in report["notes"])
    assert (episode.frames[:, 40, 10, 2] > 150).all()  # its lower half is there


def test_an_image_that_lost_its_middle_is_not_stored_grey(tmp_path):
    lost = np.concatenate([COLOUR[: 2 * len(COLOUR) // 3], np.uint8([0xFF, 0xD9])])
    assert cv2.imdecode(lost, cv2.IMREAD_COLOR) is not None
    bag_of(tmp_path / "bag", ("/camera/image_raw/compressed", "jpeg", lost, COLOUR))
    report, episode = taken(tmp_path / "bag", tmp_path / "out")
    assert report["frames"]["dropped"]["broken pictures"] == 1
    assert np.ptp(episode.frames[:, 10, 10, 0]) < 9


def fixed(tmp_path, info, topic="/camera/image_raw/compressed", **changes):
    bag_of(tmp_path / "bag", (topic, "jpeg", COLOUR), info=info)
    return import_bag(tmp_path / "bag", tmp_path / "out", replace(SETTINGS, **({"camera_pose": FIXED} | changes)))


def camera_of(report, out: Path):
    return load_episode(out / f"{report['episodes'][0]['file']}.parquet").camera


@pytest.mark.parametrize("size", [(48, 80), (0, 0)])
def test_a_camera_without_a_calibration_is_named_as_that(tmp_path, size):
    info = [(t, EMPTY | {"size": size}) for t in TIMES]
    with pytest.raises(BagError) as error:
        fixed(tmp_path, info)
    assert "/camera/camera_info: the camera is not calibrated" in str(error.value)
    assert "remap" not in str(error.value) and "camera_info_topic" not in str(error.value)
    report = import_bag(tmp_path / "bag", tmp_path / "free", SETTINGS, dry_run=True)  # nobody asked for it
    assert report["camera"]["lens"] == "/camera/camera_info: not calibrated"
    assert "\nlens     /camera/camera_info: not calibrated\n" in report_text(report)


def test_a_free_camera_without_a_calibration_is_imported_and_told_so(tmp_path):
    bag_of(tmp_path / "bag", ("/camera/image_raw/compressed", "jpeg", COLOUR), joints=False, info=[(1.0, EMPTY)])
    report, episode = taken(tmp_path / "bag", tmp_path / "out")
    (note,) = [note for note in report["notes"] if "camera_info" in note]
    assert "not calibrated" in note and "camera_info_topic" not in note
    assert episode.camera is None


K, P = np.float64([70, 0, 40, 0, 71, 24, 0, 0, 1]), np.float64([75, 0, 40, 0, 0, 76, 24, 0, 0, 0, 1, 0])
DOUBLE = {"size": (96, 160), "k": K * [2, 1, 2, 1, 2, 2, 1, 1, 1], "p": P * [2, 1, 2, 1, 1, 2, 2, 1, 1, 1, 1, 1]}


@pytest.mark.parametrize(
    ("topic", "info", "expected", "note"),
    [
        ("image_raw", [{"k": K, "p": P}], (70, 71, 40, 24), ""),
        ("image_rect", [{"k": K, "p": P}], (75, 76, 40, 24), ""),
        ("image_rect", [{"k": K, "p": np.zeros(12)}], (70, 71, 40, 24), "P is empty"),
        ("image_raw", [{"k": np.zeros(9), "p": P}], (75, 76, 40, 24), "K is empty"),
        ("image_raw", [EMPTY, EMPTY, {"k": K, "p": P}], (70, 71, 40, 24), ""),
        ("image_raw", [EMPTY | {"size": (0, 0)}, {"k": K, "p": P}], (70, 71, 40, 24), ""),
        ("image_raw", [DOUBLE | {"binning_x": 2, "binning_y": 2}], (70, 71, 40, 24), ""),
        ("image_rect", [DOUBLE | {"binning_x": 2, "binning_y": 2}], (75, 76, 40, 24), ""),
        ("image_raw", [DOUBLE | {"roi": (30, 20, 80, 48)}], (140, 142, 50, 28), ""),
        ("image_raw", [{"k": K, "p": P, "binning_x": 2, "binning_y": 2}], (70, 71, 40, 24), "binning 2 x 2"),
        (
            "image_raw",
            [DOUBLE | {"k": K, "p": P, "binning_x": 2, "binning_y": 2}],
            (70, 71, 40, 24),
            "middle of 80 x 48",
        ),
        ("image_raw", [{"k": K * [1, 1, 0.5, 1, 1, 0.5, 1, 1, 1]}], (70, 71, 20, 12), "calibration of 40 x 24"),
        ("image_raw", [{"k": K, "p": P, "distortion_model": "equidistant"}], (70, 71, 40, 24), "fisheye"),
        ("image_raw", [{"k": K, "p": P, "d": np.float64([0.2, 0, 0, 0, 0])}], (70, 71, 40, 24), "plumb_bob"),
    ],
)
def test_the_lens_is_what_topic_and_camera_info_say(tmp_path, topic, info, expected, note):
    times = np.linspace(0, 3, len(info))
    report = fixed(tmp_path, list(zip(times, info)), f"/camera/{topic}/compressed")
    camera = camera_of(report, tmp_path / "out")
    assert (camera["fx"], camera["fy"], camera["cx"], camera["cy"]) == pytest.approx(expected)
    notes = [text for text in report["notes"] if text.startswith("/camera/camera_info")]
    assert len(notes) == bool(note) and all(note in text for text in notes)
    words = report["camera"]["lens"]
    assert words.startswith("/camera/camera_info: focal length")
    assert ("sensor 160 x 96 with" in words) == (info[-1].get("size") == (96, 160))


def test_a_lens_of_much_larger_images_is_refused_or_told_where_nobody_asked_for_it(tmp_path):
    info = {"k": DOUBLE["k"], "p": DOUBLE["p"]}
    with refusal(BagError, "/camera/camera_info", "80 x 48", "160 x 96", cure=["camera_pose"]):
        fixed(tmp_path, [(1.0, info)])
    report = import_bag(tmp_path / "bag", tmp_path / "free", SETTINGS, dry_run=True)
    assert "calibration of 160 x 96" in report["camera"]["lens"]


def test_a_lens_that_changes_is_said_and_the_first_one_counts(tmp_path):
    info = [(t, {"focal": 70.0 if t < 2 else 140.0}) for t in TIMES]
    report = fixed(tmp_path, info)
    (note,) = [text for text in report["notes"] if "lens changes" in text]
    assert "70.0" in note and "140.0" in note and "from 2.00 s" in note
    assert camera_of(report, tmp_path / "out")["fx"] == 70.0
    steady = fixed(tmp_path / "b", [(t, {"focal": 70.0 + 0.1 * (t > 2)}) for t in TIMES])  # calibrating itself
    assert not [text for text in steady["notes"] if "lens changes" in text]


def test_a_camera_info_of_another_camera_is_said_with_its_size(tmp_path):
    with refusal(BagError, "/camera/camera_info", "160 x 96", "80 x 48", cure=["camera_info_topic"]):
        fixed(tmp_path, [(1.0, DOUBLE)])


def test_encodings_of_the_raw_topic_that_opencv_reads_are_imported(tmp_path):
    for encoding, pixels, fields in (
        ("nv12", cv2.cvtColor(IMAGE, cv2.COLOR_RGB2YUV_I420), {"step": 80}),
        ("8UC4", cv2.cvtColor(IMAGE, cv2.COLOR_RGB2BGRA), {"step": 320}),
    ):
        if encoding == "nv12":  # OpenCV writes the colours as two planes, NV12 has them in pairs
            pixels[48:] = pixels[48:].reshape(2, -1).T.reshape(24, 80)
        with BagMaker(tmp_path / encoding) as bag:
            for t in TIMES:
                bag.image(t, size=(48, 80), encoding=encoding, data=pixels.ravel(), **fields)
                bag.joints(t, j1=t)
        _, episode = taken(tmp_path / encoding, tmp_path / f"out_{encoding}")
        for place in (10, 10), (10, 60), (40, 10):
            np.testing.assert_allclose(episode.frames[0][place].astype(int), IMAGE[place], atol=9)


def test_a_broken_camera_info_message_is_left_out_and_counted(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for t in TIMES:
            bag.compressed(t, data=COLOUR)
            bag.joints(t, j1=t)
        bag.add(0.0, "/camera/camera_info", "sensor_msgs/msg/CameraInfo", b"\0\1\0\0\1\2")
        bag.camera_info(1.0, size=(48, 80), focal=70.0)
    report = import_bag(tmp_path / "bag", tmp_path / "out", replace(SETTINGS, camera_pose=FIXED))
    assert camera_of(report, tmp_path / "out")["fx"] == 70.0
    assert any(note.startswith("/camera/camera_info: 1 messages left out") for note in report["notes"])
