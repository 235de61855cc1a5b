"""`astra bench closed-loop`: what each policy chooses, and whole runs."""

import json

import numpy as np
import pytest

pytest.importorskip("pybullet")

from small_models import ARM, SIZE, some_images, write_random_model, write_small_model

from astra_ros import cli
from astra_ros.agents.loop import Moment
from astra_ros.evaluation.closed_loop import run as runs
from astra_ros.evaluation.closed_loop.choosers import AtRandom, ByTruth, First
from astra_ros.evaluation.closed_loop.driving import Driving
from astra_ros.evaluation.closed_loop.plan_alone import PLAN_CRITICS, PlanAlone
from astra_ros.evaluation.closed_loop.pushing import Pushing
from astra_ros.evaluation.closed_loop.request import POLICIES, ClosedLoopRequest
from astra_ros.evaluation.rescoring import plan_alone
from astra_ros.inference import load_world_model
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.action_spaces.twist import TwistSpace
from astra_ros.plans.errors import PlanError
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.registry import UnknownName
from astra_ros.settings import SettingError
from astra_ros.simulation.arm.inverse_kinematics import tool_yaw
from astra_ros.simulation.arm.known_bodies import TABLE, post_at
from astra_ros.simulation.arm.robots import ROBOTS
from astra_ros.simulation.drive.path_driver import PathDriver
from astra_ros.simulation.rollout import execute

NOW = Moment(0, 0.0, np.zeros((1, 8, 8, 3), np.uint8))
# HELD_OUT_FROM and more are scenes that no model was trained in; these are only tried out.
SEED = 1003
FREE_SEED = 1000  # nothing stands near where its car starts


@pytest.fixture(scope="module")
def car(tmp_path_factory):
    """The directory of a model of the car, of random weights."""
    space = TwistSpace("car_twist", ("linear.x", "angular.z"), (1.0, 1.0), (0.5, 0.5))
    return write_small_model(tmp_path_factory.mktemp("car"), [space])


@pytest.fixture(scope="module")
def panda(tmp_path_factory):
    spec = ROBOTS["panda"]
    space = JointSpace("panda_joints", spec.joint_names, spec.ready, (0.5,) * 7, (0.1,) * 7)
    return write_small_model(tmp_path_factory.mktemp("panda"), [space])


def small_sizes(monkeypatch):
    """Worlds with images as small as the model's."""
    for module in ("driving", "pushing", "exploring_house"):
        monkeypatch.setattr(f"astra_ros.evaluation.closed_loop.{module}.FINER", 1)


# -- what policies choose ----------------------------------------------------------------------------------------------


def test_the_plan_alone_is_ordered_as_rank_does_it(tmp_path):
    model = load_world_model("torch", str(write_random_model(tmp_path)), "cpu")
    settings = RankingSettings(4, action_space=ARM.name)
    times = np.array([0.0, 0.5, 1.0])
    ways = [[[0.0, 0.0], [x, 0.0], [0.0, 0.0]] for x in (1.0, 0.1, 0.5)]
    plans = [JointPlan(ARM.motion_names, times, np.array(way), f"plan {k}") for k, way in enumerate(ways)]
    now, history = {"a": 0.0, "b": 0.0}, some_images(model.card.history)
    imaginer = Imaginer(model, settings)
    alone = PlanAlone(model, RankingSettings(4, action_space=ARM.name, critics=PLAN_CRITICS))
    result = alone.score(np.zeros((1, *SIZE, 3), np.uint8), plans, now)
    order = plan_alone(imaginer, imaginer.score(history, plans, now).critic_input).order
    assert [-score.rank for score in result.scores] == order and result.best == 1
    assert set(result.scores[0].critics) == {"smoothness"}


def test_the_physics_critic_alone_sees_the_post_only_if_it_is_told(panda, monkeypatch):
    small_sizes(monkeypatch)
    model = load_world_model("torch", str(panda), "cpu")
    pushing = Pushing(model, "panda", ClosedLoopRequest(robots=("panda",)))
    try:
        world = pushing.world
        world.reset(SEED)
        unaware, told = (pushing.chooser(policy, SEED) for policy in ("physics", "physics-told"))
        x, y, _ = world.state().obstacle_position.tolist()
        table, post = told.imaginer.obstacles
        assert table is TABLE and (post.xyz, post.size) == (post_at(x, y).xyz, (0.04, 0.15))
        # The tool goes down onto the post and, as another plan, beside it; the obstacle is 15 cm high.
        ready, plans = np.array(ROBOTS["panda"].ready), []
        yaw = tool_yaw(world.kinematics.forward(ready))
        for name, aside in (("onto", 0.0), ("beside", 0.25)):
            way = np.linspace(world.state().tool_position, (x, y - aside, 0.1), 12)
            joints, _ = world.kinematics.solve_path(way, np.full(12, yaw), ready)
            plans.append(JointPlan(world.joint_names, np.linspace(0.0, 3.0, 12), np.array([ready, *joints[1:]]), name))
        start = world.snapshot()
        touched = []
        for plan in plans:
            world.restore(start)
            touched.append(execute(world, plan, 16, 0.25, render=False).verdict.collision)
        world.restore(start)
        assert touched == [True, False]
        assert told(NOW, plans).index == 1
        choice = unaware(NOW, plans)
        assert choice.index == 0 and choice.result.scores[0].verdict != "vetoed"
    finally:
        pushing.close()


def test_the_oracle_is_not_worse_than_any_choice_and_leaves_no_trace(car, monkeypatch):
    small_sizes(monkeypatch)
    model = load_world_model("torch", str(car), "cpu")
    driving = Driving(model, "car", ClosedLoopRequest(robots=("car",)))
    with driving.world as world:
        world.reset(SEED)
        paths, before = driving.loop.propose(NOW), world.state()
        oracle = driving.chooser("oracle", SEED)
        choice = oracle(NOW, paths)
        assert world.state() == before
        *of_paths, still = oracle.outcomes
        assert choice.index is not None and oracle.outcomes[choice.index] == max(*of_paths, still)
        # The planner's first path leads into something here, and what was promised is what comes.
        for other in (driving.chooser("first-plan", SEED), AtRandom(SEED)):
            assert of_paths[other(NOW, paths).index] <= oracle.outcomes[choice.index]
        assert of_paths[0] < max(of_paths)
        came = execute(PathDriver(world), paths[choice.index], 16, 0.25, render=False)
        assert came.verdict.outcome == of_paths[choice.index]


class Track:
    """A world whose place is its outcome."""

    place = 0.0

    def snapshot(self):
        return self.place

    def restore(self, snapshot):
        self.place = snapshot

    def command(self, plan):
        self.speed = plan

    def step(self, seconds):
        self.place += self.speed * seconds

    def state(self):
        return self.place

    def render(self):
        raise AssertionError("nothing is looked at")

    def referee(self):
        from types import SimpleNamespace

        return SimpleNamespace(watch=lambda: None, verdict=lambda: SimpleNamespace(outcome=self.place))


def test_the_oracle_rests_where_every_plan_is_worse():
    track = Track()
    track.place = 5.0
    oracle = ByTruth(track, 4, 0.25, lambda: 0.0)
    assert oracle(NOW, [-1.0, 2.0, 1.0]).index == 1 and track.place == 5.0
    assert list(oracle.outcomes) == [4.0, 7.0, 6.0, 5.0]
    assert oracle(NOW, [-1.0, -2.0]).index is None


def test_chance_is_the_same_for_a_seed_and_leaves_out_what_cannot_be_executed():
    def check(plan):
        if plan == "bad":
            raise REFUSED

    plans = ["bad", "a", "b", "bad", "c"]
    drawn = [AtRandom(7, check)(Moment(k, 0.0, NOW.frames), plans).index for k in range(40)]
    assert set(drawn) == {1, 2, 4}
    assert drawn == [AtRandom(7, check)(Moment(k, 0.0, NOW.frames), plans).index for k in range(40)]
    assert First(check)(NOW, plans).index == 1 and First(check)(NOW, ["bad"]).index is None


REFUSED = PlanError("not this one")

# -- whole runs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", ["torch", "onnx"])
def test_the_settings_of_episodes_name_the_engine_that_auto_chose(car, monkeypatch, chosen):
    pytest.importorskip({"torch": "torch", "onnx": "onnxruntime"}[chosen])
    monkeypatch.setattr("astra_ros.inference.loading.fastest", lambda load, device: load(chosen))
    model = load_world_model("auto", car)
    kept = runs._imagination_settings(model, ClosedLoopRequest(backend="auto", device="cpu"))
    assert (kept["backend"], kept["device"]) == (chosen, "cpu")


def test_the_car_drives_with_every_policy_and_a_second_run_plays_only_what_is_missing(car, tmp_path, monkeypatch):
    small_sizes(monkeypatch)
    played = []
    episode = Driving.episode
    monkeypatch.setattr(Driving, "episode", lambda self, *which: played.append(which) or episode(self, *which))

    def bench(episodes, *policies):
        words = ["bench", "closed-loop", "--model", str(car), "--robots", "car", "--plans", "3", "--drive-choices", "2"]
        words += ["--first-seed", str(SEED), "--episodes", str(episodes), "--out", str(tmp_path)]
        assert cli.main([*words, "--policies", *policies]) == 0
        return json.loads((tmp_path / "car.json").read_text())

    first = bench(1, "imagination", "oracle")
    assert played == [("imagination", SEED), ("oracle", SEED)]
    assert first["episodes"] == 1 and first["commit"] and first["settings"]["choices"] == 2
    played.clear()
    second = bench(2, *POLICIES)
    # Scene by scene; bases have no physics critic.
    five = ["imagination", "random", "first-plan", "plan-alone", "oracle"]
    assert played == [(name, SEED) for name in five[1:4]] + [(name, SEED + 1) for name in five]
    assert second["episodes"] == 2 and list(second["policies"]) == five
    for name, count in (("car", 8), ("car.imagination", 2)):
        lines = [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
        assert len(lines) == 1 + count and lines[0]["settings"]["plans"] == 3
    ahead = {name: of["progress"]["mean"] for name, of in second["policies"].items()}
    assert 0.0 < ahead["oracle"] <= 1.0 and all(of["followed"]["mean"] == 1.0 for of in second["policies"].values())
    assert second["imagination_over"]["plan-alone"]["no_contact"]["p"] == 1.0
    played.clear()
    told = json.dumps(second | {"commit": "before"})
    (tmp_path / "car.json").write_text(told)
    bench(2, *POLICIES)
    assert not played and (tmp_path / "car.json").read_text() == told, "figures that did not change keep their origin"


def test_frames_that_no_choice_looks_at_change_nothing(car, monkeypatch):
    small_sizes(monkeypatch)
    model = load_world_model("torch", str(car), "cpu")
    driving = Driving(model, "car", ClosedLoopRequest(robots=("car",), plans=2, drive_choices=3))
    with driving.world:
        blind = driving.episode("first-plan", SEED)
        driving.loop.choose, driving.loop.sees = First(), True
        cycles = list(driving.loop.episode(SEED))
        assert blind["progress"] == driving.loop.outcome.progress and cycles[-1].seen.any()
        free = driving.episode("first-plan", FREE_SEED)
        assert free["no_contact"] and free["smoothness"] == 1.0
        driving.loop.sees = False
        assert not next(iter(driving.loop.episode(SEED))).seen.any()


def test_an_arm_pushes_with_imagination_physics_and_the_truth(panda, tmp_path, monkeypatch):
    for package in ("ompl", "pinocchio", "toppra"):
        pytest.importorskip(package)
    small_sizes(monkeypatch)
    request = ClosedLoopRequest(
        model=str(panda), robots=("panda",), policies=("imagination", "physics-told", "oracle"), episodes=1,
        first_seed=SEED, plans=2, arm_choices=1, out=tmp_path,
    )  # fmt: skip
    result = runs.closed_loop(request)["panda"]
    assert list(result.policies) == ["imagination", "physics-told", "oracle"]
    oracle = result.policies["oracle"]
    assert oracle["choices"].mean == 1.0 and oracle["untouched"].mean == 1.0
    assert oracle["unplanned"].mean == 0.0 and oracle["candidates"].mean == 2.0
    assert 0.0 < oracle["distance_m"].mean < 0.3


def test_a_rover_explores_with_what_it_learned_beforehand(tmp_path, monkeypatch):
    small_sizes(monkeypatch)
    policies = ("imagination", "first-plan", "plan-alone")
    request = ClosedLoopRequest(
        model="tiny", robots=("rover",), policies=policies, episodes=1, first_seed=SEED, explore_s=1.0, plans=3,
        out=tmp_path,
    )  # fmt: skip
    result = runs.closed_loop(request)["rover"]
    assert list(result.policies) == list(policies)
    for figures in result.policies.values():
        # It acts for whole motions of 2 s.
        assert figures["time_s"].mean == 2.0 and figures["seen_m2"].mean > 1.0 and figures["no_contact"].mean == 1.0


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        (UnknownName, {"policies": ("best",)}),
        (UnknownName, {"robots": ("drone",)}),
        (SettingError, {"robots": ("car",), "policies": ("physics",)}),
        (SettingError, {"distance_m": 0.0}),
    ],
)
def test_what_cannot_be_compared_is_refused(error, wrong):
    with pytest.raises(error):
        ClosedLoopRequest(**wrong)
