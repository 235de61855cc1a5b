"""`astra strategies`: what is kept, lost and measured of a strategy, with scores made by hand and a blind network."""

import json
from dataclasses import replace

import pytest
import torch

from astra_ros import cli
from astra_ros.critics.scoring import ACCEPTED, VETOED, PlanScore
from astra_ros.evaluation.metrics import wilson
from astra_ros.evaluation.requests import StrategyRequest
from astra_ros.evaluation.scene import Ordering
from astra_ros.evaluation.strategy_result import StrategyFigures, StrategyScene, Timed
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.ranking.strategies import StrategyError, StrategySettings
from astra_ros.settings import SettingError
from astra_ros.simulation.arm.robots import robot_spec
from astra_ros.training.export import Embodiments, write_model
from astra_ros.world_model.astra import Astra
from astra_ros.world_model.config import preset


def scores(*values):
    """Of plans with these scores; None is a vetoed plan of score 0.05."""
    found = [0.05 if value is None else value for value in values]
    order = sorted(range(len(values)), key=lambda k: (values[k] is None, -found[k]))
    return [
        PlanScore(str(k), order.index(k), found[k], VETOED if values[k] is None else ACCEPTED, {}, ())
        for k in range(len(values))
    ]


def scene(full, strategy, seconds=(4.0, 1.0, 0.5), first=None, refined=2):
    counts = len(full), refined, 1
    timed = (Timed(each, *more, 2 * more[1]) for each, *more in zip((full, strategy, scores(1.0)), counts, seconds))
    return StrategyScene(*timed, first=None if first is None else Ordering.of(first))


FULL = scores(0.2, 0.8, 0.6, None)


def test_another_choice_costs_what_its_full_score_lacks():
    same = scene(FULL, scores(0.2, 0.8, 0.5, None))
    other = scene(FULL, scores(0.1, 0.5, 0.7, None))
    assert same.kept and same.regret == 0.0 and same.strategy.refined == 2
    assert not other.kept and other.regret == pytest.approx(0.2)
    # Plans 1 and 2 changed places: one of six pairs is wrong.
    assert same.tau(same.strategy.ordering) == 1.0 and other.tau(other.strategy.ordering) == pytest.approx(4 / 6)
    # A plan that the full ranking vetoes is worth nothing, as is standing still.
    assert scene(FULL, scores(None, None, None, 0.9)).regret == pytest.approx(0.8)
    assert scene(FULL, scores(None, None, None, None)).regret == pytest.approx(0.8)
    none = scene(scores(None, None), scores(None, None))
    assert none.kept and none.regret == 0.0


def test_times_are_medians_of_pairs():
    scenes = [scene(FULL, FULL, (4.0, t, 0.5), FULL) for t in (1.0, 2.0, 3.0)]
    scenes.append(scene(FULL, scores(0.9, 0.8, 0.6, None), (4.0, 8.0, 1.0), scores(0.9, 0.8, 0.6, None)))
    figures = StrategyFigures.of(scenes)
    assert figures.wall.of_full.median == pytest.approx(2.5 / 4) and figures.wall.strategy_s == 2.5
    assert figures.processor.of_few.median == pytest.approx((4 + 6) / 2) and figures.processor.few_s == 1.0
    assert figures.kept == figures.kept_first == 0.75 and figures.kept_95 == wilson(3, 4)
    assert figures.regret == pytest.approx(0.6 / 4) and figures.regret_most == pytest.approx(0.6)
    assert StrategyFigures.of(scenes[:1] + [replace(scenes[0], first=None)]).kept_first == 1.0
    assert StrategyFigures.of([replace(scenes[0], first=None)]).kendall_first is None
    assert "75%" in figures.line("all")


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
