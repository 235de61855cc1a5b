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
from astra_ros.plans.joint_plan import JointPlan

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


def begin(watch, begins_ns=0, stride=1):
    """Have joint a go from 0 to 0.1 in eight steps of 0.5 s, imagined without any change."""
    made = Fields(
        imagined_steps=np.array([8]),
        strides=np.array([stride]),
        latents=np.zeros((1, 8, 1, 1, 1), np.float32),
        uncertainty=np.full((1, 8), 0.1, np.float32),
    )
    read = Fields(dt_s=0.5, current_latent=np.zeros((1, 1, 1), np.float32))
    plan = JointPlan(("a",), np.array([0.0, 4.0]), np.array([[0.0], [0.1]]))
    prepared = Fields(space=Fields(name="arm", columns_are_joints=True), plans=(plan,))
    watch.begin(Fields(prepared=prepared, names=("a",), imagination=made, critic_input=read), "a", begins_ns)


def frame(value):
    return np.full((4, 4, 3), value, np.uint8)


@pytest.mark.parametrize(("stride", "followed"), [(1, True), (4, False)])
def test_a_plan_that_was_imagined_coarsely_is_not_followed(stride, followed):
    watch = PredictionWatch(lambda found: None)
    begin(watch, stride=stride)
    assert watch.on_frame(frame(0), NS, {}) is followed


def test_a_plan_that_is_not_followed_ends_the_one_before():
    watch, found, encoder = watched()
    begin(watch)
    assert watch.on_frame(frame(0), NS, {"a": 0.025})
    begin(watch, NS, stride=4)
    assert not watch.on_frame(frame(0), 2 * NS, {"a": 0.05})
    watch.compare(encoder)
    assert len(found) == 1  # the frame that came before
    begin(watch, 3 * NS)
    assert watch.on_frame(frame(0), 4 * NS, {"a": 0.025})


class Encoder:
    """An imaginer whose latents are the mean brightness; `batches`: how many frames it encoded each time."""

    def __init__(self):
        self.model, self.batches, self.fails, self.uncertainty_factor = self, [], False, 1.0

    def encode(self, frames):
        self.batches.append(len(frames))
        if self.fails:
            raise RuntimeError("out of memory")
        return (frames.mean(axis=(1, 2, 3)) / 255).astype(np.float32)[:, None, None, None]


def watched():
    found, encoder = [], Encoder()
    watch = PredictionWatch(found.append)
    watch.attach({"arm": LIMIT})
    return watch, found, encoder


def film(watch, first_s, last_s, hz=60, begins_s=0.0):
    """Frames that get brighter; yields after each that is wanted."""
    for index in range(round((last_s - first_s) * hz)):
        time_s = first_s + index / hz
        if watch.on_frame(frame(int(30 * time_s)), round((begins_s + time_s) * NS), {"a": 0.025 * time_s}):
            yield time_s


def test_a_model_that_is_busy_for_a_whole_plan_compares_what_an_idle_one_does():
    """Four seconds at 60 Hz: 240 frames, of which 8 are compared."""
    idle, at_once, encoder = watched()
    begin(idle)
    for _ in film(idle, 0.0, 4.0):
        idle.compare(encoder)
    busy, later, encoder = watched()
    begin(busy)
    assert len(list(film(busy, 0.0, 4.0))) == 8
    busy.compare(encoder)
    assert encoder.batches == [8] and later == at_once and len(later) == 8
    values = busy.status(True).values
    assert values["frames_compared"] == 8 and values["plans_compared"] == 1 and values["frames_lost"] == 0
    assert values["frames_between_steps"] == 240 - 15 - 8, "the first 15 frames come before the first step's"


def test_frames_of_a_plan_that_come_while_the_next_one_is_imagined_are_compared_too():
    watch, found, encoder = watched()
    begin(watch)
    list(film(watch, 0.0, 2.0))
    begin(watch, begins_ns=2 * NS)  # handed on, before the model's thread could compare
    list(film(watch, 0.0, 1.0, begins_s=2.0))
    watch.compare(encoder)
    assert [each.time_s for each in found] == pytest.approx([0.25, 0.75, 1.25, 1.75, 0.25, 0.75])


def test_plans_that_are_replaced_before_their_first_frame_do_not_pile_up():
    watch, found, encoder = watched()
    for second in range(1000):
        begin(watch, begins_ns=second * NS)
    assert len(watch._waiting) == 1
    list(film(watch, 0.0, 0.3, begins_s=999.0))
    watch.compare(encoder)
    assert [each.time_s for each in found] == [0.25]


def test_frames_that_cannot_be_encoded_are_counted_and_the_plan_is_still_followed():
    watch, found, encoder = watched()
    begin(watch)
    list(film(watch, 0.0, 1.0))
    encoder.fails = True
    with pytest.raises(RuntimeError):
        watch.compare(encoder)
    encoder.fails = False
    list(film(watch, 1.0, 2.0))
    watch.compare(encoder)
    assert watch.status(True).values["frames_lost"] == 2 and len(found) == 2


def test_without_a_limit_plans_are_compared_and_the_command_that_computes_one_is_named():
    watch, found, encoder = watched()
    watch.attach({})
    begin(watch)
    list(film(watch, 0.0, 2.0))
    watch.compare(encoder)
    status = watch.status(True)
    assert found and status.level == OK and "astra monitor --fit-scenes 0 --write" in status.message


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
