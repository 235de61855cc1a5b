"""Cameras that take turns on the node's topic, hang while the robot moves, or use few bits of their images."""

import array
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from rclpy.node import Node  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image, JointState  # noqa: E402

from astra_ros.bridge.stamps import stamp_of  # noqa: E402
from astra_ros.bridge.trajectories import plan_to_trajectory  # noqa: E402
from astra_ros.nodes.imagine import camera_inputs  # noqa: E402
from astra_ros.nodes.imagine.health import ImagineHealth  # noqa: E402
from astra_ros.nodes.imagine.inputs import ImagineInputs, Refused  # noqa: E402
from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings  # noqa: E402
from astra_ros.plans.joint_plan import JointPlan  # noqa: E402

OK, WARN = DiagnosticStatus.OK, DiagnosticStatus.WARN
STEP_S = 0.1


class Bench:
    """Inputs whose clock goes on with each image, and what they refused and told; with `health`, its log and status."""

    def __init__(self, health=None):
        self.now_s, self.refused, self.told = 100.0, [], []
        self.inputs = ImagineInputs(
            "/cam/image",
            {"candidates": PlanTopicSettings(keep=2)},
            lambda kind, reason: self.refused.append((kind, reason)),
            self.told.append,
            clock=lambda: self.now_s,
        )
        self.inputs.expect(SimpleNamespace(image_size=(4, 6), history=3, dt_s=0.2))
        plan = JointPlan(("a",), np.array([0.0, 1.0]), np.array([[0.0], [1.0]]))
        self.inputs.on_plan("candidates", plan_to_trajectory(plan), b"")
        self.health = health
        if health:
            health.inputs = self.inputs

    def image(self, value=0, frame="cam", size=(4, 6), joints=None):
        """All grey. `joints`: where they are before it."""
        self.now_s += STEP_S
        if joints is not None:
            self.inputs.on_joints(
                JointState(name=list(joints), position=[float(at) for at in joints.values()]), "/joints"
            )
        height, width = size
        data = np.full(height * width * 3, value, np.uint8)
        msg = Image(height=height, width=width, step=3 * width, encoding="rgb8", data=array.array("B", data.tobytes()))
        self.hear(msg, frame)

    def hear(self, msg, frame="cam"):
        msg.header.stamp, msg.header.frame_id = stamp_of(self.now_s), frame
        self.inputs.on_image(msg)

    @property
    def camera(self):
        return next(each for each in self.health.report() if each.name.endswith(": camera"))


@pytest.fixture
def health():
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    node = Node("imagine", context=context, use_global_arguments=False)
    yield ImagineHealth(node, ImagineSettings)
    node.destroy_node()
    context.try_shutdown()


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
        if bench.inputs.history_lacks == "":
            shown = bench.inputs.request(9.0).history[:, 0, 0, 0]
            assert (shown == 200).all() or (shown != 200).all()
    assert words in bench.inputs.history_lacks and "remap image" in bench.inputs.history_lacks
    with pytest.raises(Refused, match="/cam/image: .*come in turn"):
        bench.inputs.request(9.0)
    assert len(bench.told) <= 3 and bench.refused == []  # no flood in the log


def test_it_is_over_when_one_of_the_cameras_is_stopped():
    bench = Bench()
    for k in range(20):
        bench.image(k, frame=("left", "right")[k % 2])
    for k in range(60):
        bench.image(k, frame="left")
    assert bench.inputs.history_lacks == "" and bench.inputs.request(9.0).frame_id == "left"


def test_another_camera_starts_the_history_anew_and_is_told():
    bench = Bench()
    for k in range(20):
        bench.image(k, frame="left")
    assert bench.inputs.history_lacks == "" and bench.told == []
    bench.image(99, frame="right")
    assert bench.inputs.frames_held == 1 and bench.inputs.two_cameras == ""
    assert bench.told == [
        "/cam/image: the images changed from frame 'left' to frame 'right'; the frame history starts anew"
    ]


def test_images_with_numbers_as_frames_are_one_camera():
    bench = Bench()
    for k in range(20):
        bench.image(k, frame=f"image_{k}")
    assert bench.inputs.request(9.0).history[:, 0, 0, 0].tolist() == [15, 17, 19] and bench.told == []


def test_two_cameras_are_a_warning_that_is_logged_once(health, capfd):
    bench = Bench(health)
    for k in range(30):
        bench.image(k, frame=("left", "right")[k % 2])
        if k > 10:
            assert bench.camera.level == WARN and "frames 'left' and 'right' come in turn" in bench.camera.message
    time.sleep(0.01)
    assert capfd.readouterr().err.count("come in turn") == 1


@pytest.mark.parametrize("name", ["j1", "gripper"])
def test_a_camera_that_hangs_while_a_joint_moves_is_a_warning_that_ends(health, name, capfd):
    bench = Bench(health)
    for k in range(10):
        bench.image(k, joints={"j1": 0.1, "gripper": 0.0} | {name: 0.02 * k})
    assert bench.inputs.frozen == "" and bench.camera.level == OK
    for k in range(10, 30):
        bench.image(9, joints={"j1": 0.1, "gripper": 0.0} | {name: 0.02 * k})
    assert f"joint '{name}' moves" in bench.inputs.frozen and bench.inputs.frozen.startswith("/cam/image: ")
    status = bench.camera
    assert status.level == WARN and status.message == bench.inputs.frozen
    assert bench.inputs.request(9.0)  # it warns, no more
    bench.image(50, joints={name: 0.6})
    assert bench.inputs.frozen == "" and bench.camera.level == OK
    assert capfd.readouterr().err.count("hangs") == 1


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
    assert bench.inputs.frozen == "" and bench.inputs.history_lacks == ""


@pytest.mark.parametrize("encoding", ["mono16", "bayer_rggb16", "png"])
@pytest.mark.parametrize(("brightest", "bits"), [(4000, 12), (1000, 10), (60_000, None)])
def test_images_that_use_few_of_their_16_bits_are_said_once(health, capfd, encoding, brightest, bits):
    bench = Bench(health)
    for k in range(40):
        bench.now_s += STEP_S
        pixels = np.linspace(0, brightest - 40 + k, 24).astype(np.uint16).reshape(4, 6)
        if encoding == "png":
            data = array.array("B", cv2.imencode(".png", pixels)[1].tobytes())
            bench.hear(CompressedImage(format="mono16; png compressed ", data=data))
        else:
            data = array.array("B", pixels.tobytes())
            bench.hear(Image(height=4, width=6, step=12, encoding=encoding, data=data))
        if k > 12:
            _ = bench.camera  # is looked at, and the brightest number grows
    text, used = bench.inputs.few_bits
    assert used == bits and bench.camera.level == (WARN if bits else OK)
    assert (f"is {brightest - 1} of 65535" in text and f"{bits} bits" in text) == bool(bits)
    assert capfd.readouterr().err.count("brightest number") == bool(bits)


def test_images_of_8_bits_say_nothing_of_their_bits():
    bench = Bench()
    for k in range(40):
        bench.image(k % 5)
    assert bench.inputs.few_bits == ("", None)


def test_few_images_of_many_are_decoded_a_second_time_for_their_bits(monkeypatch):
    looked, brightest = [], camera_inputs.brightest
    monkeypatch.setattr(camera_inputs, "brightest", lambda msg: looked.append(msg) or brightest(msg))
    bench, data = Bench(), array.array("B", np.full(24, 4000, np.uint16).tobytes())
    for _ in range(300):
        bench.now_s += STEP_S
        bench.hear(Image(height=4, width=6, step=12, encoding="mono16", data=data))
    assert len(looked) < 70 and bench.inputs.few_bits[1] == 12
