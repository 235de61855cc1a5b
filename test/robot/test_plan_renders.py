"""What the robot is drawn by: the newest description that can be used, prepared ahead, from any thread."""

import threading

import numpy as np
import pytest

from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.action_spaces.twist import TwistSpace
from astra_ros.robot import plan_renders as plan_renders_module
from astra_ros.robot.plan_renders import PlanRenders
from astra_ros.robot.renderer import RobotRenderer

pytest.importorskip("yourdfpy")

CAMERA = PinholeCamera(64, 64, 32.0, 32.0, 31.5, 31.5, np.eye(4))


def space(name: str = "arm_joints", joints=("turn",)):
    return JointSpace(name, joints, *(np.ones(len(joints)),) * 3)


def urdf(side: float = 0.5, joint: str = "turn", shape: str = "") -> str:
    """A box before the camera, 1 m away, on a joint."""
    return f"""<robot name="arm"><link name="base"/><link name="hand"><visual><origin xyz="0 0 1"/>
      <geometry>{shape or f'<box size="{side} {side} 0.01"/>'}</geometry></visual></link>
      <joint name="{joint}" type="revolute"><parent link="base"/><child link="hand"/><axis xyz="0 0 1"/>
      <limit lower="-1" upper="1" effort="1" velocity="1"/></joint></robot>"""


MISSING = urdf(shape='<mesh filename="package://not_there/hand.stl"/>')


def make(*spaces) -> PlanRenders:
    spaces = spaces or (space(),)
    return PlanRenders({one.name: CAMERA.to_dict() for one in spaces}, {}, (64, 64))


def covered(plan_renders: PlanRenders, of=None) -> int | None:
    """Pixels that the robot covers, or None where it is not drawn."""
    of = of or space()
    drawn = plan_renders.draw(of, np.zeros((1, 1, len(of.motion_names))))
    return None if drawn is None else int((np.asarray(drawn)[0, 0, 0] == 255).sum())


def broken_mesh(tmp_path) -> str:
    (tmp_path / "hand.obj").write_text("v 0 0 0\n")
    return urdf(shape=f'<mesh filename="{tmp_path / "hand.obj"}"/>')


def test_the_newest_description_counts():
    plan_renders = make()
    assert covered(plan_renders) is None and plan_renders.problem == plan_renders_module.NOTHING_CAME
    assert plan_renders.describe(urdf(0.5)) is None
    assert covered(plan_renders) == 16**2 and plan_renders.problem is None and plan_renders.warning is None
    assert plan_renders.describe(urdf(0.25)) is None and covered(plan_renders) == 8**2
    assert plan_renders.describe(None) is None and covered(plan_renders) is None


@pytest.mark.parametrize("text", ["", "no XML", "<robot name='r'/>", MISSING, "<sdf/>"])
def test_a_description_that_is_seen_to_be_broken_does_not_replace_a_good_one(text):
    plan_renders = make()
    plan_renders.describe(urdf())
    reason = plan_renders.describe(text)
    assert "robot description: " in reason and reason in plan_renders.warning
    assert plan_renders.describe(text) == reason  # the same one again
    assert covered(plan_renders) == 16**2 and plan_renders.problem is None and reason in plan_renders.warning
    plan_renders.describe(urdf(0.25))
    assert covered(plan_renders) == 8**2 and plan_renders.warning is None


def test_a_broken_description_alone_is_a_problem_and_the_mesh_is_named():
    plan_renders = make()
    assert "package://not_there/hand.stl" in plan_renders.describe(MISSING)
    assert covered(plan_renders) is None
    assert "package://not_there/hand.stl" in plan_renders.problem and "AMENT_PREFIX_PATH" in plan_renders.problem


@pytest.mark.parametrize("built_before", [True, False])
def test_a_mesh_that_turns_out_broken_does_not_replace_a_good_description(tmp_path, built_before):
    plan_renders = make()
    plan_renders.describe(urdf())
    if built_before:
        assert plan_renders.prepare([space()]) is None
    bad = broken_mesh(tmp_path)
    assert plan_renders.describe(bad) is None  # the file is there
    assert "hand.obj" in plan_renders.prepare([space()])
    assert covered(plan_renders) == 16**2 and "hand.obj" in plan_renders.warning
    # Two broken ones after each other, then the good one again.
    assert plan_renders.describe(bad + " ") is None and covered(plan_renders) == 16**2
    plan_renders.describe(urdf())
    assert covered(plan_renders) == 16**2 and plan_renders.warning is None


def box_mesh(path, side: float) -> None:
    import trimesh

    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.creation.box([side, side, 0.01]).export(path)


@pytest.mark.parametrize("before", ["", urdf(0.25)])
def test_the_same_description_again_has_missing_meshes_looked_for_again(tmp_path, monkeypatch, before):
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    plan_renders, text = make(), urdf(shape='<mesh filename="package://later/hand.stl"/>')
    if before:
        plan_renders.describe(before)
        assert covered(plan_renders) == 8**2
    assert "package://later/hand.stl" in plan_renders.describe(text) == plan_renders.describe(text)
    assert covered(plan_renders) == (8**2 if before else None)
    box_mesh(tmp_path / "share" / "later" / "hand.stl", 0.5)
    assert plan_renders.describe(text) is None and plan_renders.prepare([space()]) is None
    assert covered(plan_renders) == 16**2 and plan_renders.warning is None and plan_renders.problem is None


def test_the_same_description_again_has_broken_meshes_read_again(tmp_path):
    plan_renders, text = make(), broken_mesh(tmp_path)
    plan_renders.describe(urdf(0.25))
    assert plan_renders.describe(text) is None and "hand.obj" in plan_renders.prepare([space()])
    assert plan_renders.describe(text) is None and "hand.obj" in plan_renders.prepare([space()])  # still broken
    assert covered(plan_renders) == 8**2 and "hand.obj" in plan_renders.warning
    box_mesh(tmp_path / "hand.obj", 0.5)
    assert covered(plan_renders) == 8**2  # nobody has said that there is something new
    assert plan_renders.describe(text) is None and plan_renders.prepare([space()]) is None
    assert covered(plan_renders) == 16**2 and plan_renders.warning is None


def test_what_no_mesh_can_mend_is_not_looked_at_again(monkeypatch):
    plan_renders = make()
    plan_renders.describe(urdf())
    assert covered(plan_renders) == 16**2
    reason = plan_renders.describe("no XML")
    monkeypatch.setattr(plan_renders_module, "LinkPoses", None)  # would fail
    monkeypatch.setattr(plan_renders_module, "RobotRenderer", None)
    assert plan_renders.describe("no XML") == reason and covered(plan_renders) == 16**2


def test_a_description_of_another_robot_is_named_for_the_plans_it_does_not_fit():
    one, other = space(), space("lift_joints", ("lift",))
    plan_renders = make(one, other)
    plan_renders.describe(urdf())
    assert "no joint lift" in plan_renders.prepare([one, other])
    assert covered(plan_renders, one) == 16**2 and plan_renders.warning is None
    assert covered(plan_renders, other) is None and "no joint lift" in plan_renders.problem
    plan_renders.describe(urdf(0.25, "lift"))
    assert covered(plan_renders, other) == 8**2 and plan_renders.warning is None
    assert covered(plan_renders, one) == 16**2 and "no joint turn" in plan_renders.warning


def test_once_a_description_was_drawn_no_earlier_one_is_fallen_back_on():
    one, other = space(), space("lift_joints", ("lift",))
    for drawn_first, pixels in ((one, 16**2), (other, None)):
        plan_renders = make(one, other)
        plan_renders.describe(urdf())
        plan_renders.describe(urdf(0.25, "lift"))
        covered(plan_renders, drawn_first)
        assert covered(plan_renders, other) == 8**2 and covered(plan_renders, one) == pixels
    assert "no joint turn" in plan_renders.problem


def test_what_is_prepared_is_built_once_whoever_asks(monkeypatch):
    built, begun, go_on = [], threading.Event(), threading.Event()

    class Slow(RobotRenderer):
        def __init__(self, *args, **kwargs):
            built.append(args[1])
            begun.set()
            assert go_on.wait(30)
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(plan_renders_module, "RobotRenderer", Slow)
    plan_renders, seen = make(), []
    plan_renders.describe(urdf())
    threads = [threading.Thread(target=plan_renders.prepare, args=([space()],))]
    threads += [threading.Thread(target=lambda: seen.append(covered(plan_renders))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert begun.wait(30)
    # Neither describing nor asking for the same again waits for what is being built.
    assert plan_renders.describe(urdf()) is None and plan_renders.describe("no XML")
    assert seen == []
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert built == [("turn",)] and seen == [16**2] * 3
    plan_renders.prepare([space()])
    assert len(built) == 1


def test_spaces_that_are_never_drawn_cost_nothing(monkeypatch):
    monkeypatch.setattr(plan_renders_module, "RobotRenderer", None)
    plan_renders = make()
    plan_renders.describe(urdf())
    rover = TwistSpace("rover_twist", ("linear.x", "angular.z"), np.ones(2), np.ones(2))
    assert plan_renders.prepare([space("unknown_joints"), rover]) is None


def test_absurd_sizes_are_named_and_drawn_all_the_same():
    plan_renders = make()
    plan_renders.describe(urdf(100.0))
    assert plan_renders.prepare([space()]) is None
    assert "link 'hand'" in plan_renders.warning and "100 m" in plan_renders.warning
    assert covered(plan_renders) == 64**2 and plan_renders.problem is None
    plan_renders.describe(urdf())
    assert covered(plan_renders) == 16**2 and plan_renders.warning is None
