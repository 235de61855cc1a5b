"""The robot's description: the last good one stays, its shapes are made ahead, and what is wrong is told once."""

import threading
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("yourdfpy")

from astra_ros.nodes.imagine import robot_description as description_module
from astra_ros.nodes.imagine.robot_description import RobotDescription
from astra_ros.robot.limits import Limits

SHAPE = "<visual><geometry><{}/></geometry></visual>"
BOX = SHAPE.format('box size="0.1 0.1 0.1"')
LOST = SHAPE.format('mesh filename="package://nowhere/lost.stl"')


def urdf(shape=BOX, joint="a", kind="revolute"):
    limit = '<limit lower="-1" upper="1" effort="1" velocity="1"/>'
    return (
        f'<robot name="r"><link name="base"/><link name="arm">{shape}</link><joint name="{joint}" type="{kind}">'
        f'<parent link="base"/><child link="arm"/><axis xyz="0 0 1"/>{limit}</joint></robot>'
    )


def space(*joints):
    return SimpleNamespace(name="_".join(joints), motion_names=joints, columns_are_joints=True)


def card(spaces, drawn, turning=()):
    return SimpleNamespace(
        action_spaces={each.name: each for each in spaces},
        cameras=dict.fromkeys(drawn, {}),
        continuous_joints={spaces[0].name: tuple(turning)},
    )


class FakePlanRenders:
    """Records what is asked of `PlanRenders`."""

    def __init__(self, takes_s=0.0):
        self.described, self.prepared, self.warning = [], [], None
        self.takes_s = takes_s

    def describe(self, text):
        self.described.append(text)
        if "lost.stl" in text or "</robot>" not in text:
            self.warning = "the newest cannot be used, an earlier one is: it is broken"
            return "it is broken"
        self.warning = None
        return None

    def prepare(self, spaces):
        time.sleep(self.takes_s)
        self.prepared.append([each.name for each in spaces])
        return None


class Bench:
    def __init__(self):
        self.refused, self.told = [], []
        self.description = RobotDescription("/desc", self.refused.append, self.told.append)
        self._thread = threading.Thread(target=self.description.work, daemon=True)
        self._thread.start()

    def close(self):
        """True where the thread has ended."""
        self.description.stop()
        self._thread.join(5.0)
        return not self._thread.is_alive()

    def send(self, text):
        self.description.on_text(text)
        self.description.wait(0.0)


@pytest.fixture
def bench():
    made = Bench()
    yield made
    assert made.close()


def test_a_broken_description_does_not_replace_a_good_one(bench):
    plan_renders, good = FakePlanRenders(), urdf()
    bench.description.attach(plan_renders, card([space("a")], ["a"]))
    bench.send(good)
    assert bench.description.text == good and bench.description.problem == "" and bench.refused == []
    for _ in range(3):
        bench.send("<robot")
    assert bench.description.text == good and len(bench.refused) == 1
    assert bench.description.problem.startswith("/desc: the newest cannot be used, an earlier one is")
    bench.send(good)
    assert bench.description.problem == ""


def test_one_whose_meshes_are_not_installed_still_says_where_the_tool_goes(bench):
    plan_renders, good, lost = FakePlanRenders(), urdf(), urdf(LOST)
    bench.description.attach(plan_renders, card([space("a")], ["a"]))
    bench.send(good)
    bench.send(lost)
    assert bench.description.text == lost and bench.refused == ["/desc: it is broken"]


def test_what_came_before_the_model_is_drawn_once_it_is_there_in_order(bench):
    good = urdf()
    bench.send(good)
    bench.send("no XML")
    assert bench.description.text == good and bench.description.problem.startswith("/desc: ")
    plan_renders = FakePlanRenders()
    bench.description.attach(plan_renders, card([space("a")], ["a"]))
    bench.description.wait(0.0)
    assert plan_renders.described == [good, "no XML"] and plan_renders.prepared == [["a"]]


def test_shapes_are_made_ahead_for_the_robot_that_is_described(bench):
    plan_renders = FakePlanRenders(takes_s=0.2)
    bench.description.attach(plan_renders, card([space("a"), space("x", "y")], ["a", "x_y"]))
    bench.description.on_text(urdf())
    said = []
    bench.description.wait(0.0, lambda: said.append(bench.description.preparing))
    assert said == [True] and plan_renders.prepared == [["a"]] and not bench.description.preparing
    bench.send(urdf(joint="other"))  # none of the model's robots: that is for PlanRenders to say
    assert plan_renders.prepared[-1] == ["a", "x_y"]


def test_the_same_description_again_is_looked_at_again_where_its_meshes_were_missing(bench):
    """Someone installs them, and robot_state_publisher says the same once more."""
    plan_renders, lost = FakePlanRenders(), urdf(LOST)
    bench.description.attach(plan_renders, card([space("a")], ["a"]))
    bench.send(lost)
    bench.send(lost)
    assert plan_renders.described == [lost, lost] and bench.refused == ["/desc: it is broken"]  # said once
    plan_renders.describe, plan_renders.warning = plan_renders.described.append, None  # installed
    bench.send(lost)
    assert plan_renders.described == [lost] * 3 and bench.description.problem == ""
    bench.send(lost)
    assert len(plan_renders.described) == 3


def test_missing_meshes_do_not_push_out_what_came_before_the_model(bench):
    good, lost = urdf(), urdf(LOST)
    bench.send(good)
    for _ in range(6):
        bench.send(lost)
    plan_renders = FakePlanRenders()
    bench.description.attach(plan_renders, card([space("a")], ["a"]))
    bench.description.wait(0.0)
    assert plan_renders.described == [good, lost]


def test_limits_and_meshes_with_y_up_are_known_from_the_description(bench):
    mast = SHAPE.format('mesh filename="package://nowhere/mast.glb"')
    for _ in range(2):
        bench.send(urdf(mast))
        bench.send(urdf(mast, kind="continuous"))
    assert bench.description.limits == {}
    bench.send(urdf(mast))
    assert bench.description.limits == {"a": Limits(-1.0, 1.0)}
    assert len(bench.told) == 1 and "package://nowhere/mast.glb" in bench.told[0] and "y up" in bench.told[0]


def test_the_same_description_again_costs_nothing(bench):
    plan_renders = FakePlanRenders()
    bench.description.attach(plan_renders, card([space("a")], ["a"]))
    for _ in range(5):
        bench.send(urdf())
    assert len(plan_renders.described) == len(plan_renders.prepared) == 1


def test_that_none_came_is_named_with_the_topic_if_the_model_sees_the_robot(bench):
    assert bench.description.problem == ""  # the model is not there yet
    began = time.monotonic()
    bench.description.wait(0.1)
    assert 0.1 <= time.monotonic() - began < 2.0
    bench.description.attach(FakePlanRenders(), card([space("a")], ["a"]))
    assert "no robot_description has arrived on /desc" in bench.description.problem
    bench.description.attach(FakePlanRenders(), card([space("a")], []))
    assert bench.description.problem == ""
    bench.description.attach(FakePlanRenders(), card([space("a"), space("b")], ["b"]))  # whose plans will come?
    assert bench.description.problem == ""
    bench.description.note_undrawn()
    assert "no robot_description has arrived on /desc" in bench.description.problem


def test_a_robot_that_the_model_never_saw_drawn_needs_no_shapes(bench):
    plan_renders = FakePlanRenders()
    bench.description.attach(plan_renders, card([space("a"), space("x", "y")], ["x_y"]))
    bench.send(urdf())
    assert plan_renders.prepared == [["a"]] and bench.description.problem == ""  # which `PlanRenders` does not draw


def test_a_mesh_of_a_robot_that_the_model_never_saw_drawn_is_not_missed(bench):
    """Such as an arm of one's own beside the simulated ones that the model began with."""
    bench.description.attach(FakePlanRenders(), card([space("a"), space("x", "y")], ["x_y"]))
    bench.send(urdf(LOST))
    assert bench.description.problem == "" and bench.refused == [] and bench.description.text == urdf(LOST)
    bench.send("<robot")
    assert bench.description.problem.startswith("/desc: ")
    assert description_module.WITHOUT not in bench.description.problem
    bench.send(urdf(LOST, joint="other"))  # of none of the model's robots
    assert bench.description.problem.startswith("/desc: ")


def test_state_is_of_one_moment(bench):
    bench.description.attach(FakePlanRenders(takes_s=0.3), card([space("a")], ["a"]))
    bench.description.on_text(urdf(LOST))
    assert bench.description.state == (True, "")
    bench.description.wait(0.0)
    preparing, problem = bench.description.state
    assert not preparing and problem


def test_it_says_which_joints_turn_without_end(bench):
    bench.send(urdf(kind="continuous"))
    assert bench.description.continuous == {"a"} and bench.description.limited == frozenset()
    bench.send(urdf())
    assert bench.description.continuous == frozenset() and bench.description.limited == {"a"}


def test_a_description_that_contradicts_the_model_is_named(bench):
    bench.description.attach(FakePlanRenders(), card([space("a")], [], turning=["a"]))
    bench.send(urdf(kind="continuous"))
    assert bench.description.contradiction == ""
    bench.send(urdf(kind="revolute"))
    assert bench.description.contradiction.startswith("/desc: a has limits here")
    bench.send(urdf(kind="revolute", joint="other"))  # another robot's
    assert bench.description.contradiction == ""


def test_whoever_waits_is_let_go_at_the_end():
    bench = Bench()
    waiting = threading.Thread(target=bench.description.wait, args=(60.0,))
    waiting.start()
    assert bench.close()
    waiting.join(5.0)
    assert not waiting.is_alive()


def test_shapes_that_take_too_long_do_not_hold_the_model_up_and_that_is_told(bench, monkeypatch):
    monkeypatch.setattr(description_module, "PREPARED_WITHIN_S", 0.05)
    bench.description.attach(FakePlanRenders(takes_s=0.6), card([space("a")], ["a"]))
    began = time.monotonic()
    bench.send(urdf())
    assert time.monotonic() - began < 0.5 and bench.description.preparing
    assert [text for text in bench.told if "/desc: " in text and "0.05 s" in text]
    monkeypatch.undo()
    bench.description.wait(0.0)
    assert not bench.description.preparing and bench.description.problem == ""
