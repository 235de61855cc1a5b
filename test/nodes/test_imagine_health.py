"""What the imagine node says of itself while it works, and of what it served."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from rclpy.node import Node  # noqa: E402

from astra_ros.bridge.images import rgb_to_image  # noqa: E402
from astra_ros.bridge.stamps import stamp_of  # noqa: E402
from astra_ros.bridge.trajectories import plan_to_trajectory  # noqa: E402
from astra_ros.nodes import imagine_health  # noqa: E402
from astra_ros.nodes.health import OK, WARN  # noqa: E402
from astra_ros.nodes.imagine_health import ImagineHealth, LastRequest  # noqa: E402
from astra_ros.nodes.imagine_inputs import ImagineInputs  # noqa: E402
from astra_ros.nodes.imagine_settings import ImagineSettings, PlanTopicSettings  # noqa: E402
from astra_ros.planning.plans import JointPlan  # noqa: E402


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
    for _ in range(8):      # a driver that does not stamp its images
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
    health.beyond_limits = lambda: asked.append(1) or ("/plans: a reaches 45", frozenset({("/plans", "a")}))
    found = levels(health)
    assert len(asked) == 1 and found["plans"] == found["joint_states"] == WARN
