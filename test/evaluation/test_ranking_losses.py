"""Where ranking is lost, on scenes whose figures are known by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from astra_ros.critics import CriticInput, load_critic
from astra_ros.critics.collision import CollisionCritic
from astra_ros.critics.curiosity import CuriositySettings
from astra_ros.critics.goal_pose import GoalPoseCritic
from astra_ros.critics.off_road import OffRoadSettings
from astra_ros.critics.progress import ProgressSettings
from astra_ros.critics.scoring import ScoringSettings
from astra_ros.evaluation.metrics import pearson
from astra_ros.evaluation.ranking_losses import GeneratorFigures, LossFigures, OrderFigures, critics_alone
from astra_ros.evaluation.ranking_result import RobotRanking
from astra_ros.evaluation.rescoring import plan_alone, true_critics, with_truth
from astra_ros.evaluation.results import as_json
from astra_ros.evaluation.scene import Ordering, Scene
from astra_ros.inference.imagination import Imagination
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.action_spaces.twist import TwistSpace
from astra_ros.simulation.worlds import Verdict

ONE_JOINT = JointSpace("one", ("x",), (0.0,), (1.0,), (1.0,))
CAR = TwistSpace("car_twist", ("angular.z", "linear.x"), (1.0, 1.0), (1.0, 1.0))


def scene(**changes):
    """Three plans whose outcomes are 0, 1 and 2, the last one chosen."""
    values = dict(
        seed=0,
        kinds=["good", "bad", "good"],
        scores=[0.1, 0.5, 0.9],
        order=[-2, -1, 0],
        verdicts=["accepted"] * 3,
        raw={},
        chosen=2,
        parts={},
        collision=[True, False, False],
        outcomes=[0.0, 1.0, 2.0],
        still=0.5,
        still_collision=False,
    )
    return Scene(**(values | changes))


def test_pearson_by_hand():
    # Deviations (-1, 0, 1) and (-2, 1, 1): 3 / sqrt(2 * 6).
    assert pearson(np.array([1.0, 2.0, 3.0]), np.array([0.0, 3.0, 3.0])) == pytest.approx(3 / np.sqrt(12))
    assert pearson(np.ones(3), np.arange(3.0)) is None


def test_each_critic_alone_by_hand():
    # Lower cost, better outcome: +1. One pair of three exchanged: rank differences 1, 1, 0, so 1 - 6 * 2 / (3 * 8).
    right = {"right": [2.0, 1.0, 0.0], "wrong": [0.0, 1.0, 2.0], "half": [1.0, 2.0, 0.0], "blind": [1.0, 1.0, 1.0]}
    alone = critics_alone([scene(costs=right)])
    assert {name: each.spearman for name, each in alone.items()} == pytest.approx(
        {"right": 1.0, "wrong": -1.0, "half": 0.5, "blind": 0.0}
    )
    # The mean over scenes; a critic that did not score in all of them is left out.
    other = scene(costs={"right": [0.0, 1.0, 2.0], "half": [1.0, 2.0, 0.0]})
    assert {name: each.spearman for name, each in critics_alone([scene(costs=right), other]).items()} == pytest.approx(
        {"right": 0.0, "half": 0.5}
    )


def test_an_order_by_hand():
    scenes = [scene(), scene()]
    # The second best plan is chosen, which gives away 1 of 2; then all are vetoed, and standing still gives away 1.5.
    figures = OrderFigures.of(scenes, [Ordering([-2, 0, -1], 1), Ordering([0, -1, -2], None)])
    assert figures.spearman == pytest.approx((0.5 - 1.0) / 2)
    assert figures.top1_regret == pytest.approx((0.5 + 0.75) / 2)
    assert figures.outcome == pytest.approx((1.0 + 0.5) / 2) and figures.collisions == 0.0
    assert OrderFigures.of(scenes[:1], [Ordering([0, -1, -2], 0)]).collisions == 1.0


def test_generators_by_hand():
    # good: scores 0.1, 0.9 and outcomes 0, 2; bad: 0.5, 0.9 and 1, 0; ugly: 0.3, 0.5 and -2, -1.
    scenes = [scene(), scene(kinds=["ugly", "ugly"], scores=[0.3, 0.5], outcomes=[-2.0, -1.0], order=[-1, 0])]
    figures = GeneratorFigures.of([*scenes, scene(kinds=["bad"], scores=[0.9], outcomes=[0.0])])
    assert list(figures.by_kind) == ["good", "bad", "ugly"]  # the best outcome first
    assert {kind: (each.plans, each.score, each.outcome) for kind, each in figures.by_kind.items()} == {
        "good": (2, pytest.approx(0.5), pytest.approx(1.0)),
        "bad": (2, pytest.approx(0.7), pytest.approx(0.5)),
        "ugly": (2, pytest.approx(0.4), pytest.approx(-1.5)),
    }
    # Deviations of scores -1, 5, -4 (of 30) and of outcomes 1, 0.5, -1.5: 7.5 / sqrt(42 * 3.5).
    assert figures.pearson == pytest.approx(7.5 / np.sqrt(42 * 3.5))
    # good and bad are exchanged, which is worth 0.5 to both; ugly is where it belongs.
    assert figures.mmrv == pytest.approx((0.5 + 0.5 + 0.0) / 3)
    assert GeneratorFigures.of([scene(kinds=["good"] * 3)]) is None


def test_a_robots_figures_stand_beside_the_others():
    truth = {"contact": Ordering([-2, 0, -1], 1), "all": Ordering([-2, -1, 0], 2)}
    one = scene(costs={"goal": [2.0, 1.0, 0.0]}, with_truth=truth, plan_alone=Ordering([0, -1, -2], 0))
    blind = scene(costs={"goal": [2.0, 1.0, 0.0]}, with_truth=truth)
    figures = RobotRanking.of("arm", [one, one])
    values = as_json(figures)
    assert values["spearman"] == 1.0 and values["critics_alone"]["goal"]["spearman"] == pytest.approx(1.0)
    assert values["with_truth"]["contact"]["spearman"] == pytest.approx(0.5)
    assert values["with_truth"]["all"]["top1_regret"] == 0.0
    assert values["without_imagination"]["spearman"] == pytest.approx(-1.0)
    assert values["without_imagination"]["collisions"] == 1.0
    assert values["generators"]["by_kind"]["good"]["plans"] == 4 and "contact" not in values
    table = figures.table("panda")
    for text in (
        "Spearman of each critic alone: goal 1.00",
        "true contact:        Spearman 0.500, top-1 regret 50.0%, mean outcome 1.000, collisions 0.0%",
        "true all:            Spearman 1.000, top-1 regret 0.0%, mean outcome 2.000, collisions 0.0%",
        "without imagination: Spearman -1.000, top-1 regret 100.0%, mean outcome 0.000, collisions 100.0%",
        "2 generators, mean score against mean outcome: Pearson -, MMRV 0.000",
    ):
        assert text in table
    assert LossFigures.of([one, blind]).without_imagination is None


def imaginer(*critics):
    return SimpleNamespace(critics=critics, scoring=ScoringSettings())


def arm(contact, end, goal=(1.0, 0.0, 0.0)):
    """Plans of an arm: their probabilities of contact, and where the object ends on the way from 0 to 1 m."""
    end_K3 = np.array([(x, 0.0, 0.0) for x in end])
    outcomes = {
        "obstacle_contact": np.array(contact)[:, None].repeat(2, axis=1),
        "object_position": np.stack([np.zeros_like(end_K3), end_K3], axis=1),
    }
    plans = len(end)
    made = Imagination(np.zeros((plans, 2, 1, 1, 1)), np.zeros((plans, 2)), outcomes)
    return CriticInput(
        made, np.zeros((plans, 3, 1)), ONE_JOINT, 0.25, np.zeros((1, 1, 1)), goal_position=np.array(goal)
    )


def test_the_truth_takes_the_place_of_what_was_imagined():
    # Plan 0 looks best and collides; plan 1 is harmless, but is thought to collide; plan 2 is thought to get nowhere.
    inp = arm(contact=[0.0, 0.9, 0.0], end=[0.8, 0.5, 0.1])
    truth = [Verdict(-0.7, True, {"progress": 0.3}), Verdict(0.6, False, {"progress": 0.6})]
    truth.append(Verdict(0.9, False, {"progress": 0.9}))
    orders = with_truth(imaginer(CollisionCritic(), GoalPoseCritic()), inp, truth)
    assert orders == {
        # Costs of the goal 0.2, 0.5, 0.9: the truth vetoes plan 0 and frees plan 1.
        "contact": Ordering([-2, 0, -1], 1),
        # Costs of the goal 0.7, 0.4, 0.1; plan 1 stays vetoed.
        "progress": Ordering([-1, -2, 0], 2),
        "all": Ordering([-2, -1, 0], 2),
    }


def test_the_truth_has_the_weight_of_what_it_replaces():
    critics = [
        load_critic("progress")(ProgressSettings(enabled=True, weight=3.0, power=2)),
        load_critic("off_road")(OffRoadSettings(enabled=True, weight=0.5)),
        load_critic("curiosity")(CuriositySettings()),  # not enabled
        CollisionCritic(),
    ]
    verdicts = [Verdict(0.0, True, {"progress": 0.25, "off_road": 1.0, "seconds": 9.0})]
    known = true_critics(critics, verdicts)
    assert list(known) == ["contact", "progress", "off_road"]
    assert (known["progress"].settings.weight, known["progress"].settings.power) == (3.0, 2)
    made = {part: critic.score(None) for part, critic in known.items()}
    assert {part: (each.cost.item(), each.veto.item()) for part, each in made.items()} == {
        "contact": (1.0, True),
        "progress": (0.75, False),
        "off_road": (1.0, False),
    }
    # A task that asks for no progress has none to replace.
    assert list(true_critics([CollisionCritic()], verdicts)) == ["contact"]


def test_without_imagination_the_plan_alone_decides():
    # Of a base: the way ahead, also where the task does not ask for it. 4 m/s are more than the full 1 m/s.
    speeds = np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
    motion = np.zeros((3, 3, 2))
    motion[:, 1:, 1] = speeds
    motion[:, 0, 1] = speeds[:, 0]
    made = Imagination(np.zeros((3, 2, 1, 1, 1)), np.array([[9.0] * 2, [0.0] * 2, [0.0] * 2]))
    inp = CriticInput(made, motion, CAR, 0.5, np.zeros((1, 1, 1)))
    critics = [load_critic(name)() for name in ("curiosity", "progress", "collision", "uncertainty", "smoothness")]
    assert plan_alone(imaginer(*critics), inp) == Ordering([-2, 0, -1], 1)
    assert plan_alone(imaginer(*critics[:1], *critics[2:4]), inp) is None
    # An arm's plan of one step has no acceleration either.
    one = replace(arm([0.1], [0.5]), motion=np.zeros((1, 3, 1)))
    assert plan_alone(imaginer(load_critic("progress")()), one) is None
