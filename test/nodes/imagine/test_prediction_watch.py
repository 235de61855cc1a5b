"""What the imagine node does with frames of a plan that it handed on: by rule, and with a trained model in a loop."""

from dataclasses import replace
from types import SimpleNamespace as Fields

import numpy as np
import pytest
from imagine_bench import NS, CoreBench, image_message, joints_message

from astra_ros.inference.prediction_limit import PredictionLimit
from astra_ros.nodes.imagine.prediction_watch import PredictionWatch
from astra_ros.nodes.imagine.settings import ImagineSettings, NodeSettings, PlanTopicSettings
from astra_ros.nodes.reports import OK, WARN

LIMIT = PredictionLimit(2.0, 0.01, 100)


def by_rule(**own):
    bench = CoreBench(ImagineSettings(settle_s=0.1, horizon=8, **own), model=False)
    bench.imaginer.card.prediction_limits = {"arm": LIMIT}
    bench.load()
    bench.camera()
    bench.plan(0.8)
    bench.plan(1.0)
    assert len(bench.handed_on) == 1
    return bench


def execute(bench, values, follow=True):
    """Frames each 0.5 s after the plan was handed on, of these brightnesses; joint a goes to 1 within 1 s."""
    for index, value in enumerate(values, start=1):
        bench.pass_time(0.5)
        bench.joints(a=min(1.0, 0.5 * index) if follow else 0.0, b=0.0)
        bench.image(value)


def test_frames_as_imagined_are_fine():
    bench = by_rule()
    execute(bench, [1, 2, 3, 20, 15, 3, 2, 1])  # of 255; 0.1 is expected
    status = bench.status("prediction")
    assert status.level == OK and status.values["frames_compared"] == 8 and status.values["plans_compared"] == 1
    assert len(bench.compared) == 8 and bench.compared[3].ratio == pytest.approx((20 - 1) / 25.5, abs=0.05)
    assert bench.imaginer.uncertainty_factor < 1.0  # errors were smaller than expected


def test_other_frames_are_a_warning_with_the_limit():
    bench = by_rule()
    execute(bench, [1, 2, 150, 150, 150])
    status = bench.status("prediction")
    assert status.level == WARN and "1.0%" in status.message and status.values["limit"] == "2.00"
    assert bench.imaginer.uncertainty_factor == 1.0
    assert sum("does not fit" in line for line in bench.log.warnings) == 1


def test_a_plan_that_is_not_executed_is_no_warning():
    bench = by_rule()
    execute(bench, [150] * 6, follow=False)
    status = bench.status("prediction")
    assert status.level == OK and "'a'" in status.values["plan_not_followed"]


def test_it_can_be_turned_off():
    bench = by_rule(compare_frames=False)
    execute(bench, [150] * 6)
    assert not bench.compared and bench.status("prediction").level == OK


@pytest.mark.parametrize(("stride", "followed"), [(1, True), (4, False)])
def test_a_plan_that_was_imagined_coarsely_is_not_followed(stride, followed):
    watch = PredictionWatch(lambda found: None)
    made = Fields(
        imagined_steps=np.array([8]),
        strides=np.array([stride]),
        latents=np.zeros((1, 8, 1, 1, 1), np.float32),
        uncertainty=np.full((1, 8), 0.1, np.float32),
    )
    read = Fields(dt_s=0.5, current_latent=np.zeros((1, 1, 1), np.float32))
    prepared = Fields(space=Fields(name="arm", columns_are_joints=True), plans=(None,))
    watch.begin(Fields(prepared=prepared, names=("a",), imagination=made, critic_input=read), "a", 0)
    assert watch.on_frame(np.zeros((4, 4, 3), np.uint8), NS, {}) is followed


@pytest.fixture(scope="module")
def tiny():
    pytest.importorskip("torch")
    pytest.importorskip("pybullet")
    from astra_ros.inference import load_world_model

    return load_world_model("torch", "tiny", "cpu")


@pytest.mark.parametrize("bumped", [False, True])
def test_a_bumped_camera_is_noticed_within_two_seconds_and_a_still_one_is_not(tiny, bumped):
    from astra_ros.ranking.imaginer import Imaginer
    from astra_ros.simulation.arm.candidates import propose
    from astra_ros.simulation.arm.robots import robot_description
    from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings
    from astra_ros.simulation.camera import CameraSettings

    own = ImagineSettings(horizon=16, settle_s=0.1, action_space="panda_joints")
    bench = CoreBench(own, {"candidates": PlanTopicSettings("/plans", keep=1)}, model=False)
    bench.settings = NodeSettings(own, replace(bench.settings.scoring, veto_below=0.0), sources=bench.settings.sources)
    limits = {"panda_joints": PredictionLimit(1.8, 0.01, 100)}
    card = replace(tiny.card, prediction_limits=limits)
    imaginer = bench.imaginer = Imaginer(tiny, own)
    dt_s = card.dt_s
    with ArmWorld(ArmWorldSettings("panda", CameraSettings(64, 64))) as world:
        world.reset(7)
        imaginer.plan_renders.describe(robot_description(world.spec, coarse=True))
        bench.core.attach(imaginer)
        bench.core.prediction.attach(limits)
        bench.core.health.model_loaded(card, "a test", 0.1)

        def see(shift=0):
            bench.pass_time(dt_s)
            positions = dict(zip(world.joint_names, world.state().joint_positions.tolist()))
            bench.core.on_joint_state(joints_message(bench.ros_ns / NS, **positions))
            message = image_message(bench.ros_ns / NS, size=(64, 64))
            message.data = np.roll(world.render(), shift, axis=1).tobytes()
            bench.core.on_image(message)
            bench.serve_wanted()

        for _ in range(card.history):
            see()
        plan = next(plan for kind, plan in propose(world, 8, 7) if kind == "miss")
        bench._plans[b"plan"] = plan, 0
        bench.core.on_plan("candidates", b"plan")
        bench.serve_wanted()
        assert bench.handed_on == [b"plan"], bench.summaries
        world.command(plan)
        levels = []
        for step in range(1, 17):
            world.step(dt_s)
            see(shift=4 if bumped and step > 4 else 0)
            levels.append(bench.status("prediction").level)
    assert len(bench.compared) == 16
    # 2 s are 8 frames; the first four come before the bump.
    assert levels[:4] == [OK] * 4 and (WARN in levels[4:12]) is bumped and (levels[-1] == WARN) is bumped
