"""`astra strategies`: what is kept, lost and measured of a strategy, with scores made by hand and a blind network."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from astra_ros import cli
from astra_ros.critics.scoring import ACCEPTED, VETOED, PlanScore
from astra_ros.evaluation.metrics import share_interval
from astra_ros.evaluation.requests import StrategyRequest
from astra_ros.evaluation.strategy_result import StrategyScene, StrategyFigures, Timed
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.ranking.strategies import StrategyError, StrategySettings
from astra_ros.settings import SettingError
from astra_ros.simulation.arm.robots import robot_spec
from astra_ros.training.export import Embodiments, write_model
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import preset


def result(*scores, strides=None):
    """Of plans with these scores; None is a vetoed plan of score 0.05."""
    values = [0.05 if score is None else score for score in scores]
    order = sorted(range(len(scores)), key=lambda k: (scores[k] is None, -values[k]))
    made = [
        PlanScore(str(k), order.index(k), values[k], VETOED if scores[k] is None else ACCEPTED, {}, ())
        for k in range(len(scores))
    ]
    best = None if scores[order[0]] is None else order[0]
    imagination = SimpleNamespace(strides=np.array(strides or [1] * len(scores)))
    return SimpleNamespace(scores=made, best=best, imagination=imagination)


def comparison(full, strategy, seconds=(4.0, 1.0, 0.5), first=None):
    timed = (Timed(each, wall, 2 * wall) for each, wall in zip((full, strategy, result(1.0)), seconds))
    return StrategyScene(*timed, first=first)


FULL = result(0.2, 0.8, 0.6, None)


def test_another_choice_costs_what_its_full_score_lacks():
    same = comparison(FULL, result(0.2, 0.8, 0.5, None))
    other = comparison(FULL, result(0.1, 0.5, 0.7, None, strides=[4, 1, 1, 4]))
    assert same.kept and same.regret == 0.0 and same.refined == 4
    assert not other.kept and other.regret == pytest.approx(0.2) and other.refined == 2
    # Plans 1 and 2 changed places: one of six pairs is wrong.
    assert same.tau(same.strategy.result) == 1.0 and other.tau(other.strategy.result) == pytest.approx(4 / 6)
    # A plan that the full ranking vetoes is worth nothing, as is standing still.
    assert comparison(FULL, result(None, None, None, 0.9)).regret == pytest.approx(0.8)
    assert comparison(FULL, result(None, None, None, None)).regret == pytest.approx(0.8)
    none = comparison(result(None, None), result(None, None))
    assert none.kept and none.regret == 0.0


def test_times_are_medians_of_pairs():
    scenes = [comparison(FULL, FULL, (4.0, t, 0.5), FULL) for t in (1.0, 2.0, 3.0)]
    scenes.append(comparison(FULL, result(0.9, 0.8, 0.6, None), (4.0, 8.0, 1.0), result(0.9, 0.8, 0.6, None)))
    figures = StrategyFigures.of(scenes)
    assert figures.wall.of_full.median == pytest.approx(2.5 / 4) and figures.wall.strategy_s == 2.5
    assert figures.processor.of_few.median == pytest.approx((4 + 6) / 2) and figures.processor.few_s == 1.0
    assert figures.kept == figures.kept_first == 0.75 and figures.kept_95 == share_interval(3, 4)
    assert figures.regret == pytest.approx(0.6 / 4) and figures.regret_most == pytest.approx(0.6)
    assert StrategyFigures.of(scenes[:1] + [replace(scenes[0], first=None)]).kept_first == 1.0
    assert StrategyFigures.of([replace(scenes[0], first=None)]).kendall_first is None
    assert "75%" in figures.line("all")


def test_the_interval_of_a_share_is_open_where_all_were_hits():
    """By hand, Wilson: 20 of 20 has the lower end 1 / (1 + z^2 / 20) with z = 1.96."""
    low, high = share_interval(20, 20)
    assert low == pytest.approx(1 / (1 + 1.959964**2 / 20)) and high == 1.0
    low, high = share_interval(8, 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert share_interval(0, 5)[0] == 0.0


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network for the Panda that knows nothing, and strides."""
    torch.manual_seed(0)
    config = replace(
        preset("tiny"),
        hidden_dim=48,
        num_layers=1,
        num_heads=4,
        context_layers=1,
        encoder_widths=(16, 16, 16),
        decoder_widths=(16, 16, 16),
        decoder_depths=(1, 1, 1),
        action_dims=(14,),
        modalities=("joints",),
        time_attention=True,
        chunk=16,
        initial_noise=0.0,
        history_noise=0.0,
        strides=(1, 4, 8),
    )
    space = JointSpace("panda_joints", robot_spec("panda").joint_names, *[(1.0,) * 7] * 3)
    made = Embodiments((space,), 0.25, {space.name: config.outcomes})
    return write_model(tmp_path_factory.mktemp("model"), Astra(config), made, "blind")


def test_scenes_are_imagined_both_ways_and_written(model, tmp_path, capsys):
    out = tmp_path / "new/out.json"
    words = ["strategies", "--model", str(model), "--scenes", "2", "--plans", "5", "--few", "2", "--out", str(out)]
    assert cli.main([*words, "--coarse-stride", "8", "--refined-plans", "2"]) == 0
    made = json.loads(out.read_text())
    assert made["settings"]["coarse_stride"] == 8 and made["plans"] == 5 and list(made["robots"]) == ["panda"]
    figures = made["robots"]["panda"]
    assert figures["scenes"] == 2 and 2 <= figures["refined"] < 5 and figures["kendall_first"] is not None
    assert 0 < figures["wall"]["of_full"]["q25"] <= figures["wall"]["of_full"]["q75"]
    assert "time/full" in capsys.readouterr().out
    with pytest.raises(StrategyError):
        from astra_ros.evaluation.compare_strategies import compare_strategies

        compare_strategies(StrategyRequest(model=str(model), coarse_stride=3))


def test_requests_are_checked():
    with pytest.raises(SettingError):
        StrategyRequest(plans=4, few=8)
    with pytest.raises(SettingError):
        StrategyRequest(coarse_stride=1)
    assert StrategyRequest().coarse_stride == StrategySettings().coarse_stride
