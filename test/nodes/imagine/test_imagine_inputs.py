"""What the imagine node stores, hands on, and refuses; without a node."""

import array
from types import SimpleNamespace

import numpy as np
import pytest
from user_errors import refusal

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image, JointState
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.images import rgb_to_image
from astra_ros.bridge.plan_adapters import JOINT_TRAJECTORY, plan_adapter
from astra_ros.bridge.stamps import stamp_of
from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.imagine.bridge_readers import bridge_readers
from astra_ros.nodes.imagine.inputs import ImagineInputs, Refused, Topics
from astra_ros.nodes.imagine.message_readers import NANOSECONDS, Clocks
from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings
from astra_ros.plans.joint_plan import JointPlan

CARD = SimpleNamespace(image_size=(4, 4), history=2, dt_s=0.5)
TIMEOUT_S = 2.0
OWN = ImagineSettings(camera_timeout_s=TIMEOUT_S)
TOPICS = Topics(image="/camera", goal_image="/goal", goal_pose="/goal_pose", joint_states="/joints")


class Bench:
    """Inputs with a clock that is turned by hand, and what they refused."""

    def __init__(self, model=True, **sources):
        self.now_s = 100.0
        self.ros_ns = 0
        self.refused = []
        self.told = []
        sources = sources or {"candidates": PlanTopicSettings(keep=2)}
        self.inputs = ImagineInputs(
            TOPICS,
            sources,
            bridge_readers(dict.fromkeys(sources, plan_adapter(JOINT_TRAJECTORY))),
            lambda kind, reason: self.refused.append((kind, reason)),
            self.told.append,
            Clocks(lambda: self.now_s, lambda: self.ros_ns),
        )
        if model:
            self.inputs.camera.expect(CARD)

    def image(self, stamp_s, value=0, size=(4, 4)):
        frame = np.full((*size, 3), value, np.uint8)
        self.inputs.on_image(rgb_to_image(frame, stamp_of(stamp_s), "cam"))

    def plan(self, end=1.0, source="candidates"):
        plan = JointPlan(("a",), np.array([0.0, 1.0]), np.array([[0.0], [end]]))
        data = serialize_message(plan_to_trajectory(plan))
        assert self.inputs.on_plan(source, data, OWN)
        return data

    def ready(self):
        self.image(1.0, 10)
        self.image(1.5, 20)
        self.plan()
        return self


def test_a_request_holds_what_came_last():
    bench = Bench()
    bench.image(1.0, 10)
    bench.image(1.5, 20)
    data = bench.plan()
    bench.now_s += 0.1
    request = bench.inputs.request(OWN)
    assert request.history[:, 0, 0, 0].tolist() == [10, 20]
    assert request.stamp_ns == 1_500_000_000 and request.frame_id == "cam"
    assert request.received_s == 100.0
    assert request.joints_now == {} and request.goal_frame is None
    assert [plan.name for plan in request.plans] == ["candidates/0"]
    assert [(name, each.source, each.message.data) for name, each in request.held.items()] == [
        ("candidates/0", "candidates", data)
    ]


def test_only_the_last_plans_are_kept_oldest_first():
    bench = Bench().ready()
    data = [bench.plan(end) for end in (2.0, 3.0)]
    request = bench.inputs.request(OWN)
    assert [plan.positions[-1, 0] for plan in request.plans] == [2.0, 3.0]
    assert request.held["candidates/1"].message.data is data[1]


def test_sources_keep_their_own_plans():
    bench = Bench(fast=PlanTopicSettings(keep=1), slow=PlanTopicSettings(keep=3))
    bench.image(1.0)
    bench.image(1.5)
    for source in ("slow", "fast", "fast", "slow"):
        bench.plan(source=source)
    names = [plan.name for plan in bench.inputs.request(OWN).plans]
    assert names == ["fast/0", "slow/0", "slow/1"]
    assert bench.inputs.plans.held == {"fast": 1, "slow": 2}


def test_plans_of_all_sources_come_oldest_first_and_too_old_ones_not_at_all():
    bench = Bench(a=PlanTopicSettings(keep=2, max_age_s=10.0), z=PlanTopicSettings(max_age_s=5.0))
    for source in ("z", "a"):
        bench.plan(source=source)
        bench.now_s += 4.0
    bench.image(1.0)
    bench.image(1.5)
    assert bench.inputs.plans.held == {"a": 1, "z": 0}
    assert [plan.name for plan in bench.inputs.request(OWN).plans] == ["a/0"]
    bench.plan(source="z")
    assert [plan.name for plan in bench.inputs.request(OWN).plans] == ["a/0", "z/1"]
    bench.now_s += 20.0
    bench.image(21.0)
    bench.image(21.5)
    with refusal(Refused, "", "max_age_s", "plans"):
        bench.inputs.request(OWN)


def test_a_plan_can_become_too_old_while_it_is_imagined():
    bench = Bench(a=PlanTopicSettings(max_age_s=5.0))
    bench.plan(source="a")
    bench.image(1.0)
    bench.image(1.5)
    request = bench.inputs.request(OWN)
    assert not bench.inputs.plans.too_old(request.held["a/0"])
    bench.now_s += 5.1
    assert bench.inputs.plans.too_old(request.held["a/0"])


def test_what_is_missing_is_said():
    bench = Bench(model=False)
    refused = []
    for provide in (lambda: bench.inputs.camera.expect(CARD), lambda: bench.image(1.0), bench.ready):
        with pytest.raises(Refused) as error:
            bench.inputs.request(OWN)
        assert str(error.value) == bench.inputs.not_ready(TIMEOUT_S)
        refused.append(str(error.value))
        provide()
    assert "model is not loaded" in refused[0]
    assert "no camera image yet on /camera" in refused[1]
    assert "no plans yet; publish some on plans" in refused[2]
    assert bench.inputs.not_ready(TIMEOUT_S) is None


def test_too_few_frames():
    bench = Bench()
    bench.image(1.0)
    bench.plan()
    with refusal(Refused, "", "1 of 2 frames", "0.5 s"):
        bench.inputs.request(OWN)


def test_a_silent_camera_is_refused_until_it_speaks_again():
    bench = Bench().ready()
    bench.now_s += 3.2
    assert bench.inputs.camera.age_s == pytest.approx(3.2)
    with refusal(Refused, "", "/camera", "3.2 s", "camera_timeout_s = 2"):
        bench.inputs.request(OWN)
    bench.image(2.0)
    assert bench.inputs.request(OWN)


def test_joint_states_without_positions_are_valid_and_no_refusal():
    bench = Bench().ready()
    bench.inputs.on_joints(JointState(name=["a"], position=[1.0]))
    for _ in range(3):
        bench.inputs.on_joints(JointState(name=["wheel_l", "wheel_r"], velocity=[3.0, 3.0]))
    assert bench.refused == [] and bench.inputs.request(OWN).joints_now == {"a": 1.0}
    bench.inputs.on_joints(JointState(name=["a", "b", "a"], position=[5.0, 0.0, 6.0]))
    assert [kind for kind, _ in bench.refused] == ["joint_states"]
    assert bench.inputs.request(OWN).joints_now == {"a": 1.0}


def test_joints_are_merged_and_grow_old():
    bench = Bench().ready()
    bench.inputs.on_joints(JointState(name=["a", "b"], position=[1.0, 2.0]))
    bench.inputs.on_joints(JointState(name=["b"], position=[3.0]))
    assert bench.inputs.request(OWN).joints_now == {"a": 1.0, "b": 3.0}
    bench.now_s += 1.9
    bench.inputs.on_joints(JointState(name=["gripper"], position=[0.1]))
    bench.image(2.0)
    bench.now_s += 0.2
    # The gripper still speaks; where the arm is, nobody knows.
    assert bench.inputs.request(OWN).joints_now == {"gripper": 0.1}
    bench.now_s += 1.9
    bench.image(2.5)
    assert bench.inputs.request(OWN).joints_now == {}


def test_a_camera_whose_images_are_refused_is_not_called_silent():
    bench = Bench()
    bench.plan()
    bench.inputs.on_image(Image(encoding="smoke", height=1, width=1, step=1, data=b"x"))
    assert bench.inputs.not_ready(TIMEOUT_S).startswith("images arrive, and none can be used: /camera: ")
    bench.now_s += 2.5
    assert bench.inputs.not_ready(TIMEOUT_S).startswith("no camera image yet")
    bench.ready()
    bench.now_s += 2.5
    assert "has been silent for 2.5 s" in bench.inputs.not_ready(TIMEOUT_S)


def test_goal_and_frames_are_scaled_to_the_model():
    bench = Bench()
    for stamp_s in (1.0, 1.5):
        bench.image(stamp_s, 50, size=(8, 16))
    bench.plan()
    goal = np.full((16, 16, 3), 200, np.uint8)
    bench.inputs.on_goal_image(rgb_to_image(goal, Time(), ""))
    request = bench.inputs.request(OWN)
    assert request.history.shape == (2, 4, 4, 3) and request.goal_frame.shape == (4, 4, 3)
    assert request.goal_frame.min() == 200


def goal_pose(x=0.5, frame="world"):
    msg = PoseStamped()
    msg.header.frame_id = frame
    msg.pose.position.x = x
    return msg


def test_a_goal_pose_counts_in_the_world_frame_only():
    bench = Bench().ready()
    assert bench.inputs.request(OWN).goal_position is None
    bench.inputs.on_goal_pose(goal_pose(), OWN)
    bench.inputs.on_goal_pose(goal_pose(frame="map"), OWN)
    bench.inputs.on_goal_pose(goal_pose(float("nan")), OWN)
    assert bench.inputs.request(OWN).goal_position.tolist() == [0.5, 0.0, 0.0]
    (_, elsewhere), (_, broken) = bench.refused
    assert elsewhere.startswith("/goal_pose: ") and "'map'" in elsewhere and "'world'" in elsewhere
    assert broken.startswith("/goal_pose: ") and "not finite" in broken


def test_broken_inputs_are_refused_with_their_topic_and_change_nothing():
    bench = Bench().ready()
    image = rgb_to_image(np.zeros((4, 4, 3), np.uint8), Time(sec=9), "cam")
    image.step = 1
    bench.inputs.on_image(image)
    image.data = array.array("B")
    bench.inputs.on_goal_image(image)
    bench.inputs.on_joints(JointState(name=["a"], position=[1.0, 2.0]))
    assert bench.inputs.on_plan("candidates", serialize_message(JointTrajectory()), OWN) is False
    kinds = [kind for kind, _ in bench.refused]
    assert kinds == ["images", "goal_images", "joint_states", "plans"]
    for (_, reason), topic in zip(bench.refused, ("/camera", "/goal", "/joints", "plans")):
        assert reason.startswith(f"{topic}: ")
    request = bench.inputs.request(OWN)
    assert request.stamp_ns // NANOSECONDS == 1 and len(request.plans) == 1


def test_a_jump_back_in_time_starts_anew_and_is_told():
    bench = Bench().ready()
    bench.image(0.2)
    assert "jumped back" in bench.told[0] and bench.inputs.camera.frames_held == 1


def test_forgetting_frames():
    bench = Bench().ready()
    bench.inputs.camera.forget()
    with refusal(Refused, "", "no camera frame"):
        bench.inputs.request(OWN)


def test_camera_info_of_another_camera_is_noticed():
    bench = Bench().ready()
    assert bench.inputs.camera.size_mismatch == ""
    bench.inputs.camera.on_info(CameraInfo(width=640, height=480))
    assert "640 x 480 pixels, images have 4 x 4" in bench.inputs.camera.size_mismatch
    bench.inputs.camera.on_info(CameraInfo(width=4, height=4))
    assert bench.inputs.camera.size_mismatch == ""


def test_images_out_of_order_are_counted_and_the_newest_one_stays():
    bench = Bench().ready()
    bench.image(1.3, 99)
    request = bench.inputs.request(OWN)
    assert request.stamp_ns == 1_500_000_000 and request.history[:, 0, 0, 0].tolist() == [10, 20]
    assert bench.inputs.camera.left_out["images_out_of_order"] == 1 and bench.told == [] and bench.refused == []


def test_an_image_that_comes_late_does_not_make_the_newest_one_younger():
    bench = Bench().ready()
    bench.now_s += 1.0
    bench.image(1.3)
    assert bench.inputs.camera.age_s == 0.0  # the camera speaks
    assert bench.inputs.request(OWN).received_s == 100.0


def test_images_without_stamps_take_the_time_of_their_arrival_and_say_so():
    bench = Bench()
    for k in range(6):
        bench.ros_ns = (50 + k) * 500_000_000
        bench.image(0.0, k)
    bench.plan()
    request = bench.inputs.request(OWN)
    assert request.history[:, 0, 0, 0].tolist() == [4, 5] and request.stamp_ns == 27_500_000_000
    assert bench.inputs.camera.no_stamps.startswith("/camera: ") and "header.stamp" in bench.inputs.camera.no_stamps
    assert bench.inputs.camera.stamp_age_s is None
    bench.image(20.0)
    assert bench.inputs.camera.stamp_age_s == 7.5


@pytest.mark.parametrize("stamp_s", [0.0, 1234.5])
def test_stamps_that_stand_still_are_the_reason_and_not_the_history(stamp_s):
    bench = Bench()
    bench.plan()
    bench.ros_ns = 3_000_000_000  # so does the node's clock, of a simulation that does not run
    for _ in range(8):
        bench.image(stamp_s)
    with pytest.raises(Refused) as error:
        bench.inputs.request(OWN)
    assert f"still at {stamp_s or 3.0:.3f} s" in str(error.value) and "ready in" not in str(error.value)


def test_a_paused_simulation_with_a_full_history_is_still_imagined():
    bench = Bench().ready()
    for _ in range(8):
        bench.image(1.5, 30)
    assert bench.inputs.request(OWN).history[:, 0, 0, 0].tolist() == [10, 30]
