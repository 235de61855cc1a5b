"""Cameras that take turns on the node's topic, hang while the robot moves, or use few bits of their images."""

import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from user_errors import refusal

pytest.importorskip("rclpy")

from imagine_bench import CoreBench
from sensor_msgs.msg import CompressedImage, Image, JointState

from astra_ros.bridge.stamps import stamp_of
from astra_ros.nodes.imagine import camera_inputs
from astra_ros.nodes.imagine.bridge_readers import bridge_readers
from astra_ros.nodes.imagine.inputs import Refused, Topics
from astra_ros.nodes.imagine.settings import ImagineSettings
from astra_ros.nodes.reports import OK, WARN

STEP_S = 0.1


class Bench(CoreBench):
    """A core whose clock goes on with each image."""

    def __init__(self):
        super().__init__(ImagineSettings(auto_imagine=False), readers=bridge_readers({}), topics=Topics("/cam/image"))
        self.inputs.camera.expect(SimpleNamespace(image_size=(4, 6), history=3, dt_s=0.2))
        self.plan()
        self.log.infos.clear()

    def image(self, value=0, frame="cam", size=(4, 6), joints=None):
        """All grey. `joints`: where they are before it."""
        self.pass_time(STEP_S)
        if joints is not None:
            self.core.on_joint_state(JointState(name=list(joints), position=[float(at) for at in joints.values()]))
        height, width = size
        data = np.full(height * width * 3, value, np.uint8)
        msg = Image(height=height, width=width, step=3 * width, encoding="rgb8", data=array.array("B", data.tobytes()))
        self.hear(msg, frame)

    def hear(self, msg, frame="cam"):
        msg.header.stamp, msg.header.frame_id = stamp_of(self.now_s), frame
        self.core.on_image(msg)

    def request(self):
        return self.inputs.request(self.settings.own)

    @property
    def lacks(self):
        return self.inputs.camera.history_lacks


def warned(bench, words):
    return len([line for line in bench.log.warnings if words in line])


TURNS = [
    ({"frame": "left"}, {"frame": "right"}, "frames 'left' and 'right'"),
    ({"frame": "right"}, {"frame": "left"}, "frames 'left' and 'right'"),
    ({"size": (4, 6)}, {"size": (8, 12)}, "12 x 8 and 6 x 4 pixels"),
]


@pytest.mark.parametrize(("one", "other", "words"), TURNS)
@pytest.mark.parametrize("every", [2, 4])
@pytest.mark.parametrize("alone", [0, 30])
def test_two_cameras_in_turn_are_named_and_never_mixed(one, other, words, every, alone):
    bench = Bench()
    for k in range(alone):
        bench.image(k, **one)
    for k in range(40):
        second = k % every == 1
        bench.image(200 if second else 20 + k, **(other if second else one))
        if bench.lacks == "":
            shown = bench.request().history[:, 0, 0, 0]
            assert (shown == 200).all() or (shown != 200).all()
    assert words in bench.lacks and "remap image" in bench.lacks
    with refusal(Refused, "", "/cam/image", words, "remap image"):
        bench.request()
    assert len(bench.log.infos) <= 3 and bench.log.errors == []  # no flood in the log


def test_it_is_over_when_one_of_the_cameras_is_stopped():
    bench = Bench()
    for k in range(20):
        bench.image(k, frame=("left", "right")[k % 2])
    for k in range(60):
        bench.image(k, frame="left")
    assert bench.lacks == "" and bench.request().frame_id == "left"


def test_another_camera_starts_the_history_anew_and_is_told():
    bench = Bench()
    for k in range(20):
        bench.image(k, frame="left")
    assert bench.lacks == "" and bench.log.infos == []
    bench.image(99, frame="right")
    assert bench.inputs.camera.frames_held == 1 and bench.inputs.camera.two_cameras == ""
    assert bench.log.infos == [
        "/cam/image: the images changed from frame 'left' to frame 'right'; the frame history starts anew"
    ]


def test_images_with_numbers_as_frames_are_one_camera():
    bench = Bench()
    for k in range(20):
        bench.image(k, frame=f"image_{k}")
    assert bench.request().history[:, 0, 0, 0].tolist() == [15, 17, 19] and bench.log.infos == []


def test_two_cameras_are_a_warning_that_is_logged_once():
    bench = Bench()
    for k in range(30):
        bench.image(k, frame=("left", "right")[k % 2])
        if k > 10:
            assert (
                bench.status("camera").level == WARN
                and "frames 'left' and 'right' come in turn" in bench.status("camera").message
            )
    assert warned(bench, "come in turn") == 1


@pytest.mark.parametrize("name", ["j1", "gripper"])
def test_a_camera_that_hangs_while_a_joint_moves_is_a_warning_that_ends(name):
    bench = Bench()
    for k in range(10):
        bench.image(k, joints={"j1": 0.1, "gripper": 0.0} | {name: 0.02 * k})
    assert bench.inputs.frozen == "" and bench.status("camera").level == OK
    for k in range(10, 30):
        bench.image(9, joints={"j1": 0.1, "gripper": 0.0} | {name: 0.02 * k})
    assert f"joint '{name}' moves" in bench.inputs.frozen and bench.inputs.frozen.startswith("/cam/image: ")
    status = bench.status("camera")
    assert status.level == WARN and status.message == bench.inputs.frozen
    assert bench.request()  # it warns, no more
    bench.image(50, joints={name: 0.6})
    assert bench.inputs.frozen == "" and bench.status("camera").level == OK
    assert warned(bench, "hangs") == 1


@pytest.mark.parametrize(
    "at",
    [
        lambda k: 0.3,
        lambda k: 0.3 + 0.001 * (k % 2),  # an encoder's noise
        lambda k: (np.pi - 1e-3) * (-1) ** k,  # half a turn, said on either side
        lambda k: 0.3 + 0.5 * (k == 30),  # a wrong value
        lambda k: 0.3 + 0.5 * (k >= 57),  # the camera is a little behind
    ],
)
def test_a_scene_that_stands_still_may_repeat_in_silence(at):
    bench = Bench()
    for k in range(60):
        bench.image(7, joints={"j1": at(k)})
    assert bench.inputs.frozen == ""


def test_images_that_repeat_are_no_fault_where_no_joint_is_known():
    bench = Bench()
    for _ in range(60):
        bench.image(7)
    assert bench.inputs.frozen == "" and bench.lacks == ""


@pytest.mark.parametrize("encoding", ["mono16", "bayer_rggb16", "png"])
@pytest.mark.parametrize(("brightest", "bits"), [(4000, 12), (1000, 10), (60_000, None)])
def test_images_that_use_few_of_their_16_bits_are_said_once(encoding, brightest, bits):
    bench = Bench()
    for k in range(40):
        bench.pass_time(STEP_S)
        pixels = np.linspace(0, brightest - 40 + k, 24).astype(np.uint16).reshape(4, 6)
        if encoding == "png":
            data = array.array("B", cv2.imencode(".png", pixels)[1].tobytes())
            bench.hear(CompressedImage(format="mono16; png compressed ", data=data))
        else:
            data = array.array("B", pixels.tobytes())
            bench.hear(Image(height=4, width=6, step=12, encoding=encoding, data=data))
        if k > 12:
            bench.status("camera")  # is looked at, and the brightest number grows
    text, used = bench.inputs.camera.few_bits
    assert used == bits and bench.status("camera").level == (WARN if bits else OK)
    assert (f"is {brightest - 1} of 65535" in text and f"{bits} bits" in text) == bool(bits)
    assert warned(bench, "brightest value") == bool(bits)


def test_images_of_8_bits_say_nothing_of_their_bits():
    bench = Bench()
    for k in range(40):
        bench.image(k % 5)
    assert bench.inputs.camera.few_bits == ("", None)


def test_few_images_of_many_are_decoded_a_second_time_for_their_bits(monkeypatch):
    looked, brightest = [], camera_inputs.brightest
    monkeypatch.setattr(camera_inputs, "brightest", lambda msg: looked.append(msg) or brightest(msg))
    bench, data = Bench(), array.array("B", np.full(24, 4000, np.uint16).tobytes())
    for _ in range(300):
        bench.pass_time(STEP_S)
        bench.hear(Image(height=4, width=6, step=12, encoding="mono16", data=data))
    assert len(looked) < 70 and bench.inputs.camera.few_bits[1] == 12
