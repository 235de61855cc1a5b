"""What the imagine node says of itself while it works, and of what it served."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped  # noqa: E402
from rclpy.node import Node  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402

from astra_ros.bridge.images import rgb_to_image  # noqa: E402
from astra_ros.bridge.stamps import stamp_of  # noqa: E402
from astra_ros.bridge.trajectories import plan_to_trajectory  # noqa: E402
from astra_ros.nodes.health import ERROR, OK, WARN  # noqa: E402
from astra_ros.nodes.imagine import health as imagine_health  # noqa: E402
from astra_ros.nodes.imagine.health import ImagineHealth, LastRequest  # noqa: E402
from astra_ros.nodes.imagine.inputs import ImagineInputs  # noqa: E402
from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings  # noqa: E402
from astra_ros.plans.action_spaces import action_space_class  # noqa: E402
from astra_ros.plans.joint_plan import JointPlan  # noqa: E402


@pytest.fixture
def health():
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    node = Node("imagine", namespace="robot1", context=context, use_global_arguments=False)
    made = ImagineHealth(node, ImagineSettings)
    sources = {"candidates": PlanTopicSettings()}
    made.inputs = ImagineInputs("/robot1/image", sources, made.refuse, made.note.add)
    yield made
    node.destroy_node()
    context.try_shutdown()


def requests(health):
    return next(each for each in health.report() if each.name.endswith(": requests"))


def test_statuses_are_named_after_the_node_and_its_namespace(health):
    names = {each.name.partition(": ")[0] for each in health.report()}
    assert names == {"robot1/imagine"}


def test_a_camera_that_is_missed_is_named_and_logged_once(health, monkeypatch, capfd):
    def camera():
        return next(each for each in health.report() if each.name.endswith(": camera"))

    assert camera().message == "no image yet on /robot1/image" and "no images come" not in capfd.readouterr().err
    monkeypatch.setattr(imagine_health, "CAMERA_STARTS_S", 0.0)
    camera(), camera()
    assert capfd.readouterr().err.count("no images come on /robot1/image; check") == 1
    health.inputs.on_image(rgb_to_image(np.zeros((4, 4, 3), np.uint8), stamp_of(1.0), "camera"))
    camera(), camera()
    assert capfd.readouterr().err.count("images come on /robot1/image") == 1


def test_a_camera_whose_images_cannot_be_used_is_not_missed(health, monkeypatch, capfd):
    monkeypatch.setattr(imagine_health, "CAMERA_STARTS_S", 0.0)
    health.refuse("images", "/robot1/image: a kind of picture that is not known")
    status = next(each for each in health.report() if each.name.endswith(": camera"))
    assert "not known" in status.message and "images come" not in capfd.readouterr().err


def test_images_of_which_no_history_can_be_made_are_a_warning(health):
    health.inputs.expect(SimpleNamespace(image_size=(4, 4), history=4, dt_s=0.25))
    for _ in range(8):  # a driver that does not stamp its images
        health.inputs.on_image(rgb_to_image(np.zeros((4, 4, 3), np.uint8), stamp_of(0.0), "camera"))
    status = next(each for each in health.report() if each.name.endswith(": camera"))
    assert status.level == WARN and status.message.startswith("images arrive, but cannot be used yet: ")


def test_plans_that_are_all_too_old_are_a_warning(health, monkeypatch):
    def plans():
        return next(each for each in health.report() if each.name.endswith(": plans"))

    assert plans().message == "no plans yet"
    plan = JointPlan(("a",), np.array([0.0, 1.0]), np.array([[0.0], [1.0]]))
    health.inputs.on_plan("candidates", plan_to_trajectory(plan), b"")
    assert plans().message == "plans arrive"
    monkeypatch.setattr(health.inputs, "_clock", lambda: time.monotonic() + 61.0)
    assert plans().level == WARN and "all plans are older than their source's max_age_s" in plans().message


def test_a_request_that_takes_long_is_seen_while_it_lasts(health, monkeypatch):
    health.begin()
    assert requests(health).level == OK
    monkeypatch.setattr(imagine_health, "SLOW_S", 0.0)
    assert requests(health).level == WARN and "so far" in requests(health).message
    health.end()
    assert requests(health).level == OK


def test_all_vetoed_is_worth_a_warning(health):
    health.done(LastRequest(plans=2, summary="2 plans imagined, all vetoed", all_vetoed=True))
    assert requests(health).level == WARN
    health.done(LastRequest(plans=2, summary="2 plans imagined, best is a"))
    status = requests(health)
    assert status.level == OK and {v.key: v.value for v in status.values}["requests_done"] == "2"


def test_complaints_about_joint_states_and_goals_do_not_hide_what_is_wrong_with_plans_and_camera(health):
    def message(part):
        return next(each for each in health.report() if each.name.endswith(f": {part}")).message

    health.refuse("plans", "/plans: a plan without points")
    health.refuse("joint_states", "/joint_states: 7 names but 0 positions")
    health.inputs.on_image(rgb_to_image(np.zeros((4, 4, 3), np.uint8), stamp_of(0.0), "camera"))
    for _ in range(3):
        health.inputs.on_image(rgb_to_image(np.zeros((4, 4, 3), np.uint8), stamp_of(0.0), "camera"))
    health.refuse("goal_images", "/goal_image: a depth image")
    health.refuse("markers", "no link 'tool'")
    assert message("plans") == "/plans: a plan without points"
    assert message("joint_states") == "/joint_states: 7 names but 0 positions"
    assert "header.stamp of the images is 0" in message("camera") and message("goal") == "/goal_image: a depth image"
    assert message("markers") == "no link 'tool'"


def levels(health):
    return {each.name.partition(": ")[2]: each.level for each in health.report()}


@pytest.mark.parametrize("kind", ["goal_images", "goal_poses"])
def test_a_refused_goal_is_a_warning_of_the_goal_and_not_of_the_camera(health, kind):
    health.inputs.on_image(rgb_to_image(np.zeros((4, 4, 3), np.uint8), stamp_of(1.0), "camera"))
    health.refuse(kind, "/goal: cannot be used")
    found = levels(health)
    assert found["goal"] == WARN and found["camera"] == OK


@pytest.mark.parametrize("contradicts", [True, False])
def test_only_publishers_that_contradict_each_other_are_a_warning_of_the_plans(health, contradicts):
    health.contradictions = lambda: ("/joint_states: 'a' has two publishers", frozenset({("a", contradicts)}))
    found = levels(health)
    assert found["joint_states"] == WARN and found["plans"] == (WARN if contradicts else OK)


def test_what_is_beyond_the_limits_is_reckoned_once_a_report(health):
    asked = []
    plans = ("/plans: a reaches 45", frozenset({("/plans", "a")}))
    health.beyond_limits = lambda: asked.append(1) or (("", frozenset()), plans)
    found = levels(health)
    assert len(asked) == 1 and found["plans"] == WARN and found["joint_states"] == OK


def part_of(health, part):
    return next(each for each in health.report() if each.name.endswith(f": {part}"))


def picture(stamp_s, side=4):
    return rgb_to_image(np.zeros((side, side, 3), np.uint8), stamp_of(stamp_s), "camera")


def broken(stamp_s):
    msg = picture(stamp_s)
    msg.encoding = "yuv420"
    return msg


def test_a_good_picture_ends_the_complaint_about_a_bad_one_at_once(health):
    health.inputs.on_image(broken(1.0))
    assert part_of(health, "camera").level == ERROR
    health.inputs.on_image(picture(2.0))
    status = part_of(health, "camera")
    assert status.level == OK and {v.key: v.value for v in status.values}["images_refused"] == "1"
    health.inputs.on_image(broken(3.0))
    assert part_of(health, "camera").level == ERROR


def goal_pose(frame="world"):
    msg = PoseStamped()
    msg.header.frame_id, msg.pose.position.x = frame, 0.4
    return msg


def test_a_good_goal_ends_the_complaint_about_a_bad_one_at_once_and_a_bad_one_stays(health):
    health.inputs.on_goal(broken(1.0), "/goal_image")
    assert part_of(health, "goal").level == WARN
    health.inputs.on_goal_pose(goal_pose(), "world", "/goal_pose")
    status = part_of(health, "goal")
    assert status.level == OK and "yuv420" in {v.key: v.value for v in status.values}["last_refusal"]
    health.inputs.on_goal_pose(goal_pose("map"), "world", "/goal_pose")
    assert part_of(health, "goal").level == WARN and "/goal_pose" in part_of(health, "goal").message


def card(modality="joints", **outcomes):
    spaces = dict.fromkeys(outcomes, action_space_class(modality))
    fields = {"sha256": "", "path": "", "image_size": (4, 4), "dt_s": 0.25, "history": 4, "continuous_joints": {}}
    return SimpleNamespace(name="m", action_spaces=spaces, outcomes=outcomes, cameras={}, **fields)


def test_a_goal_pose_that_the_model_can_never_score_is_a_warning(health):
    health.inputs.on_goal_pose(goal_pose(), "world", "/goal_pose")
    health.model.card = card(arm=("object_position",), mine=())
    assert part_of(health, "goal").level == OK, "of which robot plans will be is not known yet"
    health.done(LastRequest(space="mine"))
    assert part_of(health, "goal").level == WARN and "object_position" in part_of(health, "goal").message
    health.done(LastRequest(space="arm"))
    assert part_of(health, "goal").level == OK
    health.model.card = card(mine=())
    health.done(LastRequest())
    assert part_of(health, "goal").level == WARN
    health.inputs.on_goal(picture(1.0), "/goal_image")
    assert part_of(health, "goal").level == OK


def test_joint_states_that_an_arm_needs_and_that_do_not_come_are_a_warning_and_logged_once(health, monkeypatch, capfd):
    health.joint_topic = "/robot1/joint_states"
    assert part_of(health, "joint_states").level == OK, "the model is not there yet"
    health.model.card = card(arm=())
    status = part_of(health, "joint_states")
    assert status.level == WARN and "/robot1/joint_states" in status.message and "start_tolerance" in status.message
    assert "no joint states came" not in capfd.readouterr().err
    monkeypatch.setattr(imagine_health, "CAMERA_STARTS_S", 0.0)
    for _ in range(3):
        part_of(health, "joint_states")
    assert capfd.readouterr().err.count("no joint states came") == 1
    health.inputs.on_joints(JointState(name=["a"], position=[0.0]), "/robot1/joint_states")
    assert part_of(health, "joint_states").level == OK
    assert capfd.readouterr().err.count("joint states come on") == 1


@pytest.mark.parametrize("how", [{"start_tolerance": 0.0}, {"modality": "twist"}])
def test_joint_states_that_nobody_needs_are_not_missed(health, how):
    health.model.card = card(how.get("modality", "joints"), arm=())
    health._settings = lambda: ImagineSettings(start_tolerance=how.get("start_tolerance", 0.1))
    assert part_of(health, "joint_states").level == OK


def test_critics_of_goals_are_missed_only_where_a_goal_is_wanted(health):
    missing = {"goal": "no goal image", "goal_pose": "no goal pose"}
    health.done(LastRequest(summary="1 plan imagined", missing=missing))
    assert requests(health).level == OK and requests(health).message == "1 plan imagined"
    assert {v.key: v.value for v in requests(health).values}["goal.missing"] == "no goal image"
    health.done(LastRequest(missing=missing | {"collision": "no outcome"}))
    assert requests(health).level == WARN and requests(health).message.startswith("collision does not score")
    health.done(LastRequest(missing=missing))
    health.inputs.on_goal_pose(goal_pose(), "world", "/goal_pose")
    assert requests(health).level == WARN and "goal_pose does not score" in requests(health).message
    health.inputs.clear_goal()
    assert requests(health).level == OK
    health.inputs.on_goal_pose(goal_pose("map"), "world", "/goal_pose")
    assert requests(health).level == WARN, "one is wanted, and was refused"
    health.goal_cleared()
    assert requests(health).level == OK and part_of(health, "goal").level == OK


def test_how_many_plans_were_lost_is_said(health):
    plan = JointPlan(("a",), np.array([0.0, 1.0]), np.array([[0.0], [1.0]]))
    for _ in range(11):
        health.inputs.on_plan("candidates", plan_to_trajectory(plan), b"")
    assert part_of(health, "plans").level == WARN and "(3 of 11 so far)" in part_of(health, "plans").message


def test_nothing_is_all_right_again_before_a_description_is_looked_at(health, capfd):
    health.model.card = card(arm=())
    states = iter([(False, "none has come"), (True, ""), (False, "a mesh is missing"), (True, ""), (False, "")])
    levels_seen = []
    for state in states:
        health.description = SimpleNamespace(state=state, text="")
        levels_seen.append(part_of(health, "robot_description").level)
        if state[1] or state[0]:
            assert "all right again" not in capfd.readouterr().err
    assert levels_seen == [WARN, OK, WARN, OK, OK] and "robot_description: all right again" in capfd.readouterr().err
