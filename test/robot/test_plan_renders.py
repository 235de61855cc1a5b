"""What the robot is drawn by: the newest description that can be used, prepared ahead, from any thread."""

import threading

import numpy as np
import pytest

from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.action_spaces.twist import TwistSpace
from astra_ros.robot import plan_renders as drawings_module
from astra_ros.robot.plan_renders import Drawings
from astra_ros.robot.renderer import RobotDrawing

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


def make(*spaces) -> Drawings:
    spaces = spaces or (space(),)
    return Drawings({one.name: CAMERA.to_dict() for one in spaces}, {}, (64, 64))


def covered(drawings: Drawings, of=None) -> int | None:
    """Pixels that the robot covers, or None where it is not drawn."""
    of = of or space()
    drawn = drawings.draw(of, np.zeros((1, 1, len(of.motion_names))))
    return None if drawn is None else int((drawn[0, 0, 0] == 255).sum())


def broken_mesh(tmp_path) -> str:
    (tmp_path / "hand.obj").write_text("v 0 0 0\n")
    return urdf(shape=f'<mesh filename="{tmp_path / "hand.obj"}"/>')


def test_the_newest_description_counts():
    drawings = make()
    assert covered(drawings) is None and drawings.problem == drawings_module.NOTHING_CAME
    assert drawings.describe(urdf(0.5)) is None
    assert covered(drawings) == 16**2 and drawings.problem is None and drawings.warning is None
    assert drawings.describe(urdf(0.25)) is None and covered(drawings) == 8**2
    assert drawings.describe(None) is None and covered(drawings) is None


@pytest.mark.parametrize("text", ["", "no XML", "<robot name='r'/>", MISSING, "<sdf/>"])
def test_a_description_that_is_seen_to_be_broken_does_not_replace_a_good_one(text):
    drawings = make()
    drawings.describe(urdf())
    reason = drawings.describe(text)
    assert "robot description: " in reason and reason in drawings.warning
    assert drawings.describe(text) == reason  # the same one again
    assert covered(drawings) == 16**2 and drawings.problem is None and reason in drawings.warning
    drawings.describe(urdf(0.25))
    assert covered(drawings) == 8**2 and drawings.warning is None


def test_a_broken_description_alone_is_a_problem_and_the_mesh_is_named():
    drawings = make()
    assert "package://not_there/hand.stl" in drawings.describe(MISSING)
    assert covered(drawings) is None
    assert "package://not_there/hand.stl" in drawings.problem and "AMENT_PREFIX_PATH" in drawings.problem


@pytest.mark.parametrize("built_before", [True, False])
def test_a_mesh_that_turns_out_broken_does_not_replace_a_good_description(tmp_path, built_before):
    drawings = make()
    drawings.describe(urdf())
    if built_before:
        assert drawings.prepare([space()]) is None
    bad = broken_mesh(tmp_path)
    assert drawings.describe(bad) is None  # the file is there
    assert "hand.obj" in drawings.prepare([space()])
    assert covered(drawings) == 16**2 and "hand.obj" in drawings.warning
    # Two broken ones after each other, then the good one again.
    assert drawings.describe(bad + " ") is None and covered(drawings) == 16**2
    drawings.describe(urdf())
    assert covered(drawings) == 16**2 and drawings.warning is None


def box_mesh(path, side: float) -> None:
    import trimesh

    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.creation.box([side, side, 0.01]).export(path)


@pytest.mark.parametrize("before", ["", urdf(0.25)])
def test_the_same_description_again_has_missing_meshes_looked_for_again(tmp_path, monkeypatch, before):
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    drawings, text = make(), urdf(shape='<mesh filename="package://later/hand.stl"/>')
    if before:
        drawings.describe(before)
        assert covered(drawings) == 8**2
    assert "package://later/hand.stl" in drawings.describe(text) == drawings.describe(text)
    assert covered(drawings) == (8**2 if before else None)
    box_mesh(tmp_path / "share" / "later" / "hand.stl", 0.5)
    assert drawings.describe(text) is None and drawings.prepare([space()]) is None
    assert covered(drawings) == 16**2 and drawings.warning is None and drawings.problem is None


def test_the_same_description_again_has_broken_meshes_read_again(tmp_path):
    drawings, text = make(), broken_mesh(tmp_path)
    drawings.describe(urdf(0.25))
    assert drawings.describe(text) is None and "hand.obj" in drawings.prepare([space()])
    assert drawings.describe(text) is None and "hand.obj" in drawings.prepare([space()])  # still broken
    assert covered(drawings) == 8**2 and "hand.obj" in drawings.warning
    box_mesh(tmp_path / "hand.obj", 0.5)
    assert covered(drawings) == 8**2  # nobody has said that there is something new
    assert drawings.describe(text) is None and drawings.prepare([space()]) is None
    assert covered(drawings) == 16**2 and drawings.warning is None


def test_what_no_mesh_can_mend_is_not_looked_at_again(monkeypatch):
    drawings = make()
    drawings.describe(urdf())
    assert covered(drawings) == 16**2
    reason = drawings.describe("no XML")
    monkeypatch.setattr(drawings_module, "LinkPoses", None)  # would fail
    monkeypatch.setattr(drawings_module, "RobotDrawing", None)
    assert drawings.describe("no XML") == reason and covered(drawings) == 16**2


def test_a_description_of_another_robot_is_named_for_the_plans_it_does_not_fit():
    one, other = space(), space("lift_joints", ("lift",))
    drawings = make(one, other)
    drawings.describe(urdf())
    assert "no joint lift" in drawings.prepare([one, other])
    assert covered(drawings, one) == 16**2 and drawings.warning is None
    assert covered(drawings, other) is None and "no joint lift" in drawings.problem
    drawings.describe(urdf(0.25, "lift"))
    assert covered(drawings, other) == 8**2 and drawings.warning is None
    assert covered(drawings, one) == 16**2 and "no joint turn" in drawings.warning


def test_once_a_description_was_drawn_no_earlier_one_is_fallen_back_on():
    one, other = space(), space("lift_joints", ("lift",))
    for drawn_first, pixels in ((one, 16**2), (other, None)):
        drawings = make(one, other)
        drawings.describe(urdf())
        drawings.describe(urdf(0.25, "lift"))
        covered(drawings, drawn_first)
        assert covered(drawings, other) == 8**2 and covered(drawings, one) == pixels
    assert "no joint turn" in drawings.problem


def test_what_is_prepared_is_built_once_whoever_asks(monkeypatch):
    built, begun, go_on = [], threading.Event(), threading.Event()

    class Slow(RobotDrawing):
        def __init__(self, *args, **kwargs):
            built.append(args[1])
            begun.set()
            assert go_on.wait(30)
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(drawings_module, "RobotDrawing", Slow)
    drawings, seen = make(), []
    drawings.describe(urdf())
    threads = [threading.Thread(target=drawings.prepare, args=([space()],))]
    threads += [threading.Thread(target=lambda: seen.append(covered(drawings))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert begun.wait(30)
    # Neither describing nor asking for the same again waits for what is being built.
    assert drawings.describe(urdf()) is None and drawings.describe("no XML")
    assert seen == []
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert built == [("turn",)] and seen == [16**2] * 3
    drawings.prepare([space()])
    assert len(built) == 1


def test_spaces_that_are_never_drawn_cost_nothing(monkeypatch):
    monkeypatch.setattr(drawings_module, "RobotDrawing", None)
    drawings = make()
    drawings.describe(urdf())
    rover = TwistSpace("rover_twist", ("linear.x", "angular.z"), np.ones(2), np.ones(2))
    assert drawings.prepare([space("unknown_joints"), rover]) is None


def test_absurd_sizes_are_named_and_drawn_all_the_same():
    drawings = make()
    drawings.describe(urdf(100.0))
    assert drawings.prepare([space()]) is None
    assert "link 'hand'" in drawings.warning and "100 m" in drawings.warning
    assert covered(drawings) == 64**2 and drawings.problem is None
    drawings.describe(urdf())
    assert covered(drawings) == 16**2 and drawings.warning is None
