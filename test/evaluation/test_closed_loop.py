"""`astra bench closed-loop`: what each policy chooses, files that runs go on with, and the figures' arithmetic."""

import json

import numpy as np
import pytest

pytest.importorskip("pybullet")

from result_tables.closed_loop import closed_loop as closed_loop_table
from small_models import ARM, SIZE, some_images, write_random_model, write_small_model

from astra_ros import cli
from astra_ros.agents.loop import Moment
from astra_ros.control.vehicle import VehicleState
from astra_ros.evaluation.closed_loop import run as runs
from astra_ros.evaluation.closed_loop.choosers import AtRandom, ByTruth, First
from astra_ros.evaluation.closed_loop.comfort import smoothness
from astra_ros.evaluation.closed_loop.driving import Driving
from astra_ros.evaluation.closed_loop.plan_alone import PLAN_CRITICS, PlanAlone
from astra_ros.evaluation.closed_loop.pushing import Pushing
from astra_ros.evaluation.closed_loop.records import PlayedEpisode, Records, RecordsError
from astra_ros.evaluation.closed_loop.request import POLICIES, ClosedLoopRequest
from astra_ros.evaluation.closed_loop.result import ClosedLoopResult, Difference, Estimate
from astra_ros.evaluation.metrics import mcnemar, sign_flip, wilson
from astra_ros.evaluation.rescoring import plan_alone
from astra_ros.evaluation.results import as_json
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


# -- arithmetic --------------------------------------------------------------------------------------------------------


def test_intervals_of_shares_by_hand():
    # p = 0.8, n = 10, z^2 = 3.8415: (0.8 + 0.19207) / 1.38415 -+ 1.96 / 1.38415 * sqrt(0.016 + 0.0096037)
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10)[1] == pytest.approx(1.0)


def test_mcnemar_by_hand():
    # 7 scenes differ; as lopsided as 6 to 1, to either side: 2 (1 + 7) / 128
    assert mcnemar(6, 1) == mcnemar(1, 6) == 16 / 128
    assert mcnemar(0, 5) == 2 / 32
    assert mcnemar(0, 0) == mcnemar(3, 3) == 1.0


def test_the_permutation_test_by_hand():
    # |sums| of 1, 2 and -4 with all signs: 1, 3, 5 and 7, each twice. As far as 1 or further: all.
    assert sign_flip(np.array([1.0, 2.0, -4.0])) == 1.0
    assert sign_flip(np.array([1.0, 2.0, 4.0])) == 2 / 8
    assert sign_flip(np.array([2.0])) == sign_flip(np.zeros(20)) == 1.0
    assert sign_flip(np.full(6, 0.1)) == 2 / 64
    # Beyond 14 pairs, random signs: as a sign test where all gaps are equal, 2 sum C(16, k <= 3) / 2^16.
    many = sign_flip(np.array([0.1] * 13 + [-0.1] * 3))
    assert many == pytest.approx(2 * (1 + 16 + 120 + 560) / 2**16, abs=0.004) and sign_flip(np.ones(60)) > 0.0


def test_differences_are_of_the_same_scenes():
    won = Difference.of([True] * 8 + [False] * 2, [False] * 7 + [True, False, False])
    assert (won.more, won.less, won.mean) == (7, 0, 0.7) and won.p == 2 / 128 and won.significant
    even = Difference.of([True, False, True], [False, True, True])
    assert even.mean == 0.0 and even.p == 1.0 and not even.significant
    more = Difference.of([3.0, 4.0, 5.0], [1.0, 2.5, 2.0])
    # All three gaps have one sign, as 2 of 8 ways of signs do: its interval leaves 0 out, and yet that may be chance.
    assert (
        more.mean == pytest.approx(6.5 / 3) and more.interval_95[0] > 0.0 and more.p == 2 / 8 and not more.significant
    )
    assert Estimate.of([1.0, 2.0, 6.0]).mean == 3.0


def test_smoothness_is_the_share_of_comfortable_steps():
    def states(*speeds, turns=None):
        return [VehicleState(0.0, 0.0, 0.0, v, w) for v, w in zip(speeds, turns or [0.0] * len(speeds))]

    assert smoothness(states(4.0, 4.0, 4.0, 4.0, 4.0), 0.25) == 1.0
    # 1 m/s more in a step is 4 m/s^2, above 2.4, and the next step takes that back: a jerk of 16 m/s^3.
    assert smoothness(states(4.0, 5.0, 5.0, 5.0, 5.0), 0.25) == 0.5
    # 0.2 m/s more in a step: 0.8 m/s^2 and a jerk of 3.2 m/s^3 are fine, and going on costs nothing.
    assert smoothness(states(4.0, 4.2, 4.4, 4.6), 0.25) == 1.0
    # 6 m/s and 1 rad/s: 6 m/s^2 to the side in each step.
    assert smoothness(states(6.0, 6.0, 6.0, turns=[1.0, 1.0, 1.0]), 0.25) == 0.0


# -- files -------------------------------------------------------------------------------------------------------------

SETTINGS = {"model": "m", "plans": 3}


def test_a_run_that_was_killed_goes_on_with_what_is_whole(tmp_path):
    path = tmp_path / "car.jsonl"
    records = Records(path, SETTINGS)
    records.add(PlayedEpisode("random", 5, {"success": True, "way_m": 1.5}, 0.3))
    with open(path, "a") as file:
        file.write('{"policy": "random", "se')  # killed while it wrote
    again = Records(path, SETTINGS)
    assert ("random", 5) in again and ("random", 6) not in again
    assert again["random", 5].figures == {"success": True, "way_m": 1.5}
    again.add(PlayedEpisode("random", 6, {"success": False, "way_m": 0.5}))
    assert [json.loads(line).get("seed") for line in path.read_text().splitlines()] == [None, 5, 6]


def test_episodes_of_other_settings_are_not_mixed(tmp_path):
    Records(tmp_path / "car.jsonl", SETTINGS)
    with pytest.raises(RecordsError) as found:
        Records(tmp_path / "car.jsonl", SETTINGS | {"plans": 8})
    assert found.value.line == 1 and found.value.thing == str(tmp_path / "car.jsonl")
    (tmp_path / "other.jsonl").write_text(json.dumps({"settings": SETTINGS}) + "\n{}\n")
    with pytest.raises(RecordsError) as found:
        Records(tmp_path / "other.jsonl", SETTINGS)
    assert found.value.line == 2


def test_episodes_of_another_device_are_not_mixed_and_older_files_are_of_the_cpu(tmp_path):
    Records(tmp_path / "car.jsonl", SETTINGS)  # as they were written before devices were recorded
    Records(tmp_path / "car.jsonl", SETTINGS | {"device": "cpu"})
    with pytest.raises(RecordsError):
        Records(tmp_path / "car.jsonl", SETTINGS | {"device": "cuda"})


@pytest.mark.parametrize("chosen", ["torch", "onnx"])
def test_the_settings_of_episodes_name_the_engine_that_auto_chose(car, monkeypatch, chosen):
    pytest.importorskip({"torch": "torch", "onnx": "onnxruntime"}[chosen])
    monkeypatch.setattr("astra_ros.inference.loading.fastest", lambda load, device: load(chosen))
    model = load_world_model("auto", car)
    kept = runs._settings("car", model, ClosedLoopRequest(backend="auto", device="cpu"))
    assert (kept["backend"], kept["device"]) == (chosen, "cpu")


def test_figures_are_of_scenes_that_every_policy_played(tmp_path):
    records = Records(tmp_path / "car.jsonl", SETTINGS)
    for seed in range(4):
        records.add(PlayedEpisode("imagination", seed, {"no_contact": seed > 0}))
    for seed in range(3):
        records.add(PlayedEpisode("random", seed, {"no_contact": seed > 1}))
    result = ClosedLoopResult.of("car", records, SETTINGS, ["imagination", "random"], range(4))
    assert result.episodes == 3 and result.world == "drive"
    assert result.policies["imagination"]["no_contact"].mean == pytest.approx(2 / 3)
    assert result.imagination_over["random"]["no_contact"].more == 1
    assert ClosedLoopResult.of("car", records, SETTINGS, ["imagination", "oracle"], range(4)) is None


def test_the_table_says_who_is_better_and_whether_that_is_significant(tmp_path):
    records = Records(tmp_path / "rover.jsonl", SETTINGS)
    for seed in range(4):
        records.add(PlayedEpisode("imagination", seed, {"seen_m2": 12.0 + seed, "no_contact": True}))
        records.add(PlayedEpisode("plan-alone", seed, {"seen_m2": 10.0, "no_contact": seed > 0}))
    result = ClosedLoopResult.of("rover", records, SETTINGS, ["imagination", "plan-alone"], range(4))
    text = closed_loop_table({"rover": as_json(result)})
    assert "| rover, 4 episodes | **imagination** | 13.5 (" in text and "| 100% (51% to 100%) |" in text
    gain, contact = [line for line in text.splitlines() if line.startswith("- rover")]
    assert ": +3.5 (" in gain and "better in 4 scenes, worse in 0, p = 0.125; not significant" in gain
    assert ": +25% (" in contact and "p = 1.000; not significant" in contact
    for seed in range(4):
        records.add(PlayedEpisode("first-plan", seed, {"seen_m2": 14.0, "no_contact": True}))
    result = ClosedLoopResult.of("rover", records, SETTINGS, ["imagination", "first-plan", "plan-alone"], range(4))
    lines = [line for line in closed_loop_table({"rover": as_json(result)}).splitlines() if line.startswith("- rover")]
    assert lines[::2] == [gain, contact] and "over the planner's first plan: -0.5 (" in lines[1]


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
    lines = [json.loads(line) for line in (tmp_path / "car.jsonl").read_text().splitlines()]
    assert len(lines) == 1 + 10 and lines[0]["settings"]["plans"] == 3
    ahead = {name: of["progress"]["mean"] for name, of in second["policies"].items()}
    assert 0.0 < ahead["oracle"] <= 1.0 and all(of["followed"]["mean"] == 1.0 for of in second["policies"].values())
    assert second["imagination_over"]["plan-alone"]["no_contact"]["p"] == 1.0
    played.clear()
    assert bench(2, *POLICIES)["policies"] == second["policies"] and not played


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
