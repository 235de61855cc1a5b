"""One reading for both: what the running node makes of a message is what the import of a bag makes of it.

Every message is made with rclpy, heard by the node's own inputs, and then, byte for byte as it would be recorded, read
with rosbags as the import reads it.
"""

import array
import io
import math
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rosbags")

from PIL import Image as PillowImage
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState, RegionOfInterest

from astra_ros.bridge import BridgeError
from astra_ros.bridge.images import check_compressed_image, check_image
from astra_ros.bridge.stamps import stamp_of
from astra_ros.bridge.trajectories import joint_state_to_positions
from astra_ros.camera.errors import BadImage, UnsupportedImage
from astra_ros.camera.pixels import ENCODINGS, SEMI_PLANAR
from astra_ros.datasets.rosbag.bag import Bag
from astra_ros.datasets.rosbag.calibration import camera_on_robot, lens_in_words
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.datasets.rosbag.message_types import COMPRESSED, IMAGE
from astra_ros.datasets.rosbag.reader import read_recording
from astra_ros.datasets.rosbag.recording import image_facts, to_rgb
from astra_ros.datasets.rosbag.topics import select_topics
from astra_ros.nodes.imagine.bridge_readers import read_image
from astra_ros.nodes.imagine.camera_inputs import CameraInputs, ImageReader
from astra_ros.nodes.imagine.joint_inputs import JointInputs
from astra_ros.nodes.imagine.message_readers import Clocks

STORE = get_typestore(Stores.LATEST)
HEIGHT, WIDTH = 16, 24
POSE = {"position": [1.0, 0, 1], "quaternion": [0.0, 0, 0, 1]}
TYPES = {
    Image: IMAGE,
    CompressedImage: COMPRESSED,
    JointState: "sensor_msgs/msg/JointState",
    CameraInfo: "sensor_msgs/msg/CameraInfo",
}


def in_a_bag(msg):
    """The same message as rosbags reads it."""
    return STORE.deserialize_cdr(serialize_message(msg), TYPES[type(msg)])


def write_bag(path, messages):
    """messages: (topic, message), 0.1 s apart and so stamped."""
    connections = {}
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for number, (topic, msg) in enumerate(messages):
            msg.header.stamp = stamp_of(100.0 + 0.1 * number)
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, TYPES[type(msg)], typestore=STORE)
            writer.write(connections[topic], round((100.0 + 0.1 * number) * 1e9), serialize_message(msg))
    return path


# Images


def image(encoding, rows, row, big=False, **fields):
    """`rows` rows of `row` random bytes; `fields` replace those of the message."""
    step, data = row, np.random.default_rng(len(encoding)).integers(0, 255, rows * row, np.uint8)
    values = (
        dict(
            encoding=encoding,
            height=HEIGHT,
            width=WIDTH,
            step=step,
            is_bigendian=int(big),
            data=array.array("B", data.tobytes()),
        )
        | fields
    )
    return Image(**values)


def bytes_of(encoding):
    """(rows, bytes of a row) of an image."""
    if encoding in SEMI_PLANAR:
        return HEIGHT * 3 if encoding == "nv24" else HEIGHT * 3 // 2, WIDTH
    return HEIGHT, WIDTH * ENCODINGS[encoding].channels * ENCODINGS[encoding].depth


def raw_images():
    for encoding in (*ENCODINGS, *SEMI_PLANAR):
        rows, row = bytes_of(encoding)
        for big in (False, True):
            for padding in (0, 4):
                name = f"{encoding}, big endian {big}, padding {padding}"
                yield pytest.param(image(encoding, rows, row + padding, big), id=name)
    wrong = {
        "case and spaces": image(" RGB8 ", HEIGHT, 3 * WIDTH),
        "unknown": image("rgb565", HEIGHT, 2 * WIDTH),
        "no name": image("", HEIGHT, WIDTH),
        "depth": image("16UC1", HEIGHT, 2 * WIDTH),
        "numbers": image("32FC1", HEIGHT, 4 * WIDTH),
        "labels": image("32SC1", HEIGHT, 4 * WIDTH),
        "jpeg": image("jpeg", HEIGHT, WIDTH),
        "no pixels": image("rgb8", HEIGHT, 3 * WIDTH, height=0),
        "step too small": image("rgb8", HEIGHT, 3 * WIDTH, step=WIDTH),
        "cut": image("bgr8", HEIGHT - 1, 3 * WIDTH),
        "too long": image("mono8", HEIGHT + 1, WIDTH),
        "without the padding of the last row": image("rgb8", 1, 80 * HEIGHT - 8, step=80),
        "odd width of pairs": image("yuv422", HEIGHT, 2 * WIDTH, width=WIDTH - 1),
        "odd width of planes": image("nv12", HEIGHT * 3 // 2, WIDTH, width=WIDTH - 1),
        "planes in the height": image("nv21", HEIGHT * 3 // 2, WIDTH, height=HEIGHT * 3 // 2),
        "planes, step of two bytes": image("nv12", HEIGHT * 3 // 2, WIDTH, step=2 * WIDTH),
    }
    yield from (pytest.param(msg, id=name) for name, msg in wrong.items())


def compressed(data, format="jpeg"):
    return CompressedImage(format=format, data=array.array("B", bytes(data)))


def pillow(kind, mode="RGB", **options):
    """An image as Pillow writes it."""
    file = io.BytesIO()
    shape = (16, 24) if mode == "L" else (16, 24, len(mode))
    image = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    PillowImage.fromarray(cv2.blur(image, (5, 5)), mode).save(file, kind, **options)
    return file.getvalue()


def compressed_images():
    rng = np.random.default_rng(2)
    eight, sixteen = (rng.integers(0, top, (16, 24), dtype) for top, dtype in ((255, np.uint8), (65535, np.uint16)))
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    jpeg, png = pillow("jpeg"), pillow("png")
    table = {
        "JPEG": compressed(jpeg, "rgb8; jpeg compressed bgr8"),
        "JPEG of grey": compressed(pillow("jpeg", "L"), "mono8; jpeg compressed "),
        "JPEG, no format": compressed(jpeg, ""),
        "JPEG turned": compressed(pillow("jpeg", exif=exif)),
        "JPEG filled up": compressed(jpeg + bytes(500), "mjpeg"),
        "JPEG cut": compressed(jpeg[:-40]),
        "JPEG without its middle": compressed(jpeg[: len(jpeg) // 2] + jpeg[-2:]),
        "JPEG called PNG": compressed(jpeg, "rgb8; png compressed bgr8"),
        "JPEG called video": compressed(jpeg, "h264"),
        "PNG": compressed(png, "bgr8; png compressed bgr8"),
        "PNG with alpha": compressed(pillow("png", "RGBA"), "rgba8; png compressed bgra8"),
        "PNG cut": compressed(png[:-20], "png"),
        "mosaic of 8 bits": compressed(cv2.imencode(".png", eight)[1], "bayer_rggb8; png compressed "),
        "mosaic of 16 bits": compressed(cv2.imencode(".png", sixteen)[1], "bayer_gbrg16; png compressed "),
        "mosaic as JPEG": compressed(cv2.imencode(".jpg", eight)[1], "BAYER_GRBG8;  jpeg compressed"),
        "mosaic made grey": compressed(pillow("jpeg", "L"), "bayer_bggr8; jpeg compressed mono8"),
        "16 bits of grey": compressed(cv2.imencode(".png", sixteen)[1], "mono16; png compressed "),
        "depth": compressed(cv2.imencode(".png", sixteen)[1], "16UC1; png compressed "),
        "depth without a name": compressed(cv2.imencode(".png", sixteen)[1], "png"),
        "compressedDepth": compressed(
            bytes(12) + cv2.imencode(".png", sixteen)[1].tobytes(), "16UC1; compressedDepth png"
        ),
        "TIFF": compressed(pillow("tiff"), "rgb8; tiff compressed "),
        "WebP": compressed(pillow("webp"), "webp"),
        "video": compressed(b"\0\0\0\1" + bytes(99), "h264"),
        "video without a name": compressed(b"\0\0\0\1" + bytes(99), ""),
        "qoi": compressed(b"qoif" + bytes(99), "rgb8; qoi compressed rgb8"),
        "zstd": compressed(b"\x28\xb5\x2f\xfd" + bytes(99), "zstd"),
        "raw pixels": compressed(bytes(99), "rgb8"),
        "rubbish": compressed(b"no image", "jpeg"),
        "nothing": compressed(b"", "jpeg"),
    }
    yield from (pytest.param(msg, id=name) for name, msg in table.items())


@pytest.mark.parametrize("msg", [*raw_images(), *compressed_images()])
def test_images_facts_remarks_and_refusals(msg):
    kind, told = TYPES[type(msg)], []
    recorded = in_a_bag(msg)
    try:
        facts = image_facts(kind, recorded)
        expected, why = to_rgb(kind, recorded), ""
    except (BadImage, UnsupportedImage) as error:
        facts, expected, why = None, None, str(error)
    reader = ImageReader(read_image, told.append)
    if why:
        with pytest.raises(BridgeError) as caught:
            reader(msg, "/cam")
        assert str(caught.value) == f"/cam: {why}"
        return
    np.testing.assert_array_equal(reader(msg, "/cam")[0], expected)
    assert expected.dtype == np.uint8 and expected.shape == (*facts.size, 3)
    assert told == [f"/cam: {remark}" for remark in facts.remarks]
    assert (check_image if kind == IMAGE else check_compressed_image)(msg) == facts


def test_the_table_of_images_holds_what_is_read_and_what_is_refused():
    read = []
    for param in (*raw_images(), *compressed_images()):
        (msg,) = param.values
        try:
            ImageReader(read_image, lambda text: None)(msg, "/cam")
            read.append(param.id)
        except BridgeError:
            pass
    assert len(read) >= 4 * (len(ENCODINGS) + len(SEMI_PLANAR)) * 3 // 4
    assert {"JPEG", "JPEG turned", "mosaic of 16 bits", "TIFF", "WebP", "case and spaces"} <= set(read)
    assert not {"depth", "cut", "video", "JPEG cut", "unknown", "rubbish", "compressedDepth"} & set(read)


# Joints


def joints(names, positions, velocities=()):
    return JointState(name=list(names), position=[float(v) for v in positions], velocity=[float(v) for v in velocities])


JOINTS = {
    "two": joints(["a", "b"], [0.5, -1.5]),
    "another order": joints(["b", "a"], [0.25, 2.0]),
    "one more": joints(["a", "b", "finger"], [0.5, 1.0, 0.02]),
    "names of other alphabets": joints(["größe", "關節"], [1.0, 2.0]),
    "not finite": joints(["a", "b"], [math.nan, 1.0]),
    "infinite": joints(["a", "b"], [1.0, -math.inf]),
    "none is finite": joints(["a", "b"], [math.nan, math.nan]),
    "fewer positions": joints(["a", "b"], [1.0]),
    "more positions": joints(["a"], [1.0, 2.0]),
    "velocities alone": joints(["a", "b"], [], [1.0, 2.0]),
    "a name twice": joints(["a", "b", "a"], [1.0, 2.0, 3.0]),
    "nothing": joints([], []),
    "no names": joints([], [1.0]),
}


@pytest.mark.parametrize("name", JOINTS)
def test_joint_states_and_why_one_is_not_used(tmp_path, name):
    good, msg = joints(["z"], [7.0]), JOINTS[name]
    node, refused = JointInputs(joint_state_to_positions, lambda: 1.0), ""
    try:
        node.on_joints(msg, "/states")
    except BridgeError as error:
        refused = str(error)
    path = write_bag(tmp_path / "bag", [("/cam", image("mono8", HEIGHT, WIDTH)), ("/states", good), ("/states", msg)])
    with Bag(path) as bag:
        recording = read_recording(bag, select_topics(bag, BagSettings(modality="joints")))
    (bad,) = recording.bad["/states"] or [""]
    stored = {
        joint: float(value)
        for names, series in recording.joints.items()
        if names != ("z",)
        for joint, value in zip(names, series.values[0])
    }
    assert node.now(10.0) == {joint: value for joint, value in stored.items() if math.isfinite(value)}
    if bad.startswith("it has no position of any joint"):  # no error: nothing to keep, and nothing to say of it live
        assert not refused and stored == {} and not msg.position
    elif bad:
        assert refused.startswith(f"/states: {bad}; ") and stored == {}
    else:
        # That no position is finite is said of each joint where a bag's are put together.
        assert bool(refused) == (not any(map(math.isfinite, stored.values())))


# The lens


def info(
    width=WIDTH, height=HEIGHT, focal=10.0, axis=None, binning=0, roi=(0, 0, 0, 0), p=..., model="plumb_bob", d=()
):
    """roi: left, top, width, height; p: focal length in P, None for an empty one."""
    x, y = axis or (width / 2, height / 2)
    fields = dict(zip(("x_offset", "y_offset", "width", "height"), roi))
    msg = CameraInfo(
        width=width,
        height=height,
        binning_x=binning,
        binning_y=binning,
        roi=RegionOfInterest(**fields),
        distortion_model=model,
        d=[float(v) for v in d],
    )
    msg.k = [focal, 0.0, x, 0.0, focal, y, 0.0, 0.0, float(focal > 0)]
    focal = focal if p is ... else p or 0.0
    msg.p = [focal, 0.0, x, 0.0, 0.0, focal, y, 0.0, 0.0, 0.0, float(focal > 0), 0.0]
    return msg


LENSES = {
    "whole": info(),
    "empty": CameraInfo(),
    "without focal lengths": info(focal=0.0),
    "K alone": info(p=None),
    "P alone": info(focal=0.0, p=12.0),
    "P of other focal lengths": info(p=12.0),
    "NaN": info(focal=math.nan),
    "no size": info(0, 0, axis=(12.0, 8.0)),
    "another size": info(640, 480),
    "binned": info(4 * WIDTH, 4 * HEIGHT, 40.0, binning=4),
    "binned, K of the images": info(4 * WIDTH, 4 * HEIGHT, 10.0, axis=(12.0, 8.0), binning=4),
    "binning said and not done": info(binning=2),
    "region": info(40, 30, 20.0, roi=(10, 10, WIDTH, HEIGHT)),
    "region outside": info(WIDTH, HEIGHT, roi=(8, 0, WIDTH, HEIGHT)),
    "K of much larger images": info(focal=60.0, axis=(36.0, 24.0)),
    "axis off the middle": info(axis=(2.0, 8.0)),
    "bends": info(d=[0.1, 0.01, 0, 0, 0]),
    "fisheye": info(model="equidistant", d=[0.0] * 4),
}


@pytest.mark.parametrize("topic", ["/cam/image_raw", "/cam/image_rect"])
@pytest.mark.parametrize("name", LENSES)
def test_the_lens_and_what_is_said_of_it(tmp_path, name, topic):
    msg, seen = LENSES[name], image("mono8", HEIGHT, WIDTH)
    camera = CameraInputs(topic, read_image, lambda text: None, Clocks(lambda: 1.0))
    camera.expect(SimpleNamespace(image_size=(HEIGHT, WIDTH), history=1, dt_s=0.1))
    seen.header.stamp = stamp_of(1.0)
    camera.on_image(seen)
    camera.on_info(msg)
    path = write_bag(tmp_path / "bag", [(topic, seen), ("/cam/camera_info", msg), ("/states", joints(["a"], [0.0]))])
    notes = []
    with Bag(path) as bag:
        choice = select_topics(bag, BagSettings(modality="joints", camera_pose=POSE, image_size=(HEIGHT, WIDTH)))
        recording = read_recording(bag, choice)
    words = lens_in_words(recording, choice).removeprefix("/cam/camera_info: ")
    try:
        found = camera_on_robot(recording, choice, notes)
    except BagError as error:
        assert camera.lens == words and (words == "not calibrated" or words.startswith("cannot be used: "))
        assert words == "not calibrated" or words.removeprefix("cannot be used: ") in str(error)
        return
    remarks = [note.removeprefix("/cam/camera_info: ") for note in notes]
    assert camera.lens == "; ".join([words, *remarks])
    assert f"focal length {found['fx']:.1f}, {found['fy']:.1f}" in camera.lens
