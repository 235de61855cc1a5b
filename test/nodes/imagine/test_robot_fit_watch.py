"""The core of the imagine node watches whether the robot is where the camera sees it: a simulated arm."""

from dataclasses import replace
from types import SimpleNamespace as Fields

import numpy as np
import pytest
from imagine_bench import NS, CoreBench, image_message, joints_message

from astra_ros.inference.prediction_limit import PredictionLimit
from astra_ros.nodes.imagine import robot_fit_watch
from astra_ros.nodes.imagine.settings import ImagineSettings
from astra_ros.nodes.reports import OK, WARN
from astra_ros.ranking.robot_fit import NO_EDGES, OUT_OF_VIEW

pytest.importorskip("pybullet")

LIMIT = {"panda_joints": PredictionLimit(0.35, 0.001, 999)}


@pytest.fixture(scope="module")
def seen():
    """(uint8 [64, 64, 3], joint -> rad) of a simulated arm, its URDF, and the card of a shipped model."""
    from astra_ros.inference.card import ModelCard, model_directory
    from astra_ros.simulation.arm.robots import robot_description
    from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings
    from astra_ros.simulation.camera import CameraSettings

    with ArmWorld(ArmWorldSettings("panda", CameraSettings(64, 64))) as world:
        world.reset(3)
        joints = dict(zip(world.joint_names, world.state().joint_positions.tolist()))
        card = replace(ModelCard.read(model_directory("tiny")), robot_fit_limits=LIMIT)
        return Fields(image=world.render(), joints=joints, card=card, urdf=robot_description(world.spec, coarse=True))


class FitBench(CoreBench):
    """A core with a model of which only the card is there."""

    def __init__(self, seen, card=None, described=True, **own):
        from astra_ros.robot.plan_renders import PlanRenders

        super().__init__(ImagineSettings(action_space="panda_joints", **own), model=False)
        card = card or seen.card
        self.seen = seen
        self.imaginer.card = self.imaginer.model.card = card
        self.imaginer.plan_renders = PlanRenders(card.cameras, card.held_joints, card.image_size)
        if described:
            self.core.on_robot_description(Fields(data=seen.urdf))
        self.load()
        self.core.description.work_off()

    def watch(self, image, seconds=3.0, joints=None, hz=4):
        """Images of one kind and joint states at 4 Hz, the latter a little earlier and later; the status at the end."""
        joints = self.seen.joints if joints is None else joints
        for _ in range(round(seconds * hz)):
            for _ in range(2):
                self.pass_time(0.5 / hz)
                if joints:
                    self.core.on_joint_state(joints_message(self.ros_ns / NS, **joints))
            message = image_message((self.ros_ns - 40_000_000) / NS, size=image.shape[:2])
            message.data = image.tobytes()
            self.core.on_image(message)
        return self.status("robot_fit")


def test_a_shifted_image_is_a_warning_and_clears_when_it_fits_again(seen):
    bench = FitBench(seen)
    status = bench.watch(seen.image)
    assert status.level == OK and status.values["judgements"] >= 2 and float(status.values["misfit"]) < 0.35
    status = bench.watch(np.roll(seen.image, (-2, 4), axis=(0, 1)), seconds=2.5)
    assert status.level == WARN and (status.values["best_right_px"], status.values["best_down_px"]) == (4, -2)
    assert status.values["camera"] == "/camera" and float(status.values["misfit"]) > float(status.values["limit"])
    assert "4 px to the right" in status.message and "2 px higher" in status.message
    assert bench.watch(seen.image, seconds=2.5).level == OK
    assert sum("is not where" in line for line in bench.log.warnings) == 1


def test_joints_that_are_elsewhere_are_a_warning(seen):
    off = {name: value + (0.3 if name == "panda_joint1" else 0.0) for name, value in seen.joints.items()}
    assert FitBench(seen).watch(seen.image, joints=off).level == WARN


def test_it_can_be_turned_off(seen):
    status = FitBench(seen, check_robot_fit=False).watch(np.roll(seen.image, 5, axis=1))
    assert status.level == OK and status.values["judgements"] == 0


@pytest.mark.parametrize(
    ("case", "reason"), [("dark", NO_EDGES), ("away", OUT_OF_VIEW), ("no joints", ""), ("no description", "drawn")]
)
def test_what_cannot_be_judged_is_no_alarm_and_says_why(seen, case, reason):
    card, image = seen.card, np.roll(seen.image, 5, axis=1)
    if case == "away":  # the camera looks elsewhere
        cameras = {name: camera | {"cx": camera["cx"] + 10 * camera["width"]} for name, camera in card.cameras.items()}
        card = replace(card, cameras=cameras)
    bench = FitBench(seen, card, described=case != "no description")
    status = bench.watch(np.zeros_like(image) if case == "dark" else image, joints={} if case == "no joints" else None)
    assert status.level == OK and status.values["judgements"] == 0 and reason in status.values["not_judged"]


def test_without_a_limit_nothing_is_drawn(seen):
    bench = FitBench(seen, replace(seen.card, robot_fit_limits={}))
    bench.imaginer.plan_renders.draw = None
    status = bench.watch(seen.image)
    assert status.level == OK and "astra monitor --scenes 0 --fit-data FOLDER --write" in status.message


def test_a_moving_arm_is_drawn_where_it_was_when_the_image_was_taken(seen):
    """Images come 0.2 s late, and joint 1 turns by 0.5 rad/s: the newest joint state would be 0.1 rad off."""
    bench = FitBench(seen)
    drawn = []
    inner = bench.imaginer.plan_renders.draw
    bench.imaginer.plan_renders.draw = lambda space, motion: (drawn.append(motion[0, 0, 0]), inner(space, motion))[1]
    taken = []
    for _ in range(30):
        bench.pass_time(0.1)
        now_s = bench.ros_ns / NS
        turned = seen.joints | {"panda_joint1": 0.5 * (now_s - 1000)}
        bench.core.on_joint_state(joints_message(now_s, **turned))
        message = image_message(now_s - 0.2, size=(64, 64))
        message.data = seen.image.tobytes()
        bench.core.on_image(message)
        taken.append(0.5 * (now_s - 0.2 - 1000))
    assert len(drawn) >= 4 and all(min(abs(value - each) for each in taken) < 1e-6 for value in drawn)


@pytest.mark.parametrize(("right", "level"), [(0, OK), (4, WARN)])
def test_a_judgement_does_not_outlast_the_images(seen, right, level):
    bench = FitBench(seen)
    image = np.roll(seen.image, right, axis=1)
    assert bench.watch(image).level == level
    bench.pass_time(bench.settings.own.camera_timeout_s - 0.1)
    assert bench.status("robot_fit").level == level
    bench.pass_time(0.2)
    status = bench.status("robot_fit")
    assert status.level == OK and status.values["misfit"] == "" and "silent" in status.values["not_judged"]
    assert status.message == f"not judged: {status.values['not_judged']}"
    assert not any("where the robot is seen" in line for line in bench.log.infos), "nobody saw it right again"
    assert bench.watch(image).level == level


def test_a_judgement_does_not_outlast_a_stamp_that_stands_unless_a_request_takes_the_time(seen):
    bench = FitBench(seen)
    image = np.roll(seen.image, 4, axis=1)
    assert bench.watch(image).level == WARN
    message = image_message((bench.ros_ns - 40_000_000) / NS, size=(64, 64))
    message.data = image.tobytes()
    for _ in range(11):
        bench.pass_time(0.5)
        bench.core.on_image(message)
    status = bench.status("robot_fit")
    assert status.level == OK and status.message.startswith("not judged") and status.values["not_judged"]
    bench.core.health.begin()
    bench.pass_time(0.1)
    assert bench.status("robot_fit").level == WARN


def test_no_callback_waits_while_edges_are_compared(seen, monkeypatch):
    bench, inner, held = FitBench(seen), robot_fit_watch.edge_agreement, []
    monkeypatch.setattr(
        robot_fit_watch, "edge_agreement", lambda *of: (held.append(bench.core.robot_fit._lock.locked()), inner(*of))[1]
    )
    assert bench.watch(seen.image).values["judgements"] >= 2
    assert held and not any(held)
