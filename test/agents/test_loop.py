"""The receding horizon: what the robot is commanded, when it rests, and what is handed on of each cycle."""

from dataclasses import replace

import numpy as np
import pytest
from known_model import WHITE, KnownModel, plan

from astra_ros.agents.loop import ByImagination, Choice, LoopSettings, RecedingHorizon
from astra_ros.critics.scoring import ScoringSettings
from astra_ros.plans.errors import PlanError
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.settings import SettingError

REST = "rest"


class Counter:
    """A robot whose camera shows how many steps of 0.5 s it has made."""

    def __init__(self):
        self.steps, self.commands = 0, []

    def render(self):
        return np.full((8, 8, 3), self.steps, np.uint8)

    def command(self, plan):
        self.commands.append((self.steps, plan))

    def step(self, seconds):
        assert seconds == 0.5
        self.steps += 1


def loop(robot, choose, propose=lambda moment: ["a", "b"], steps=100, **settings):
    done = lambda: robot.steps >= steps  # noqa: E731
    return RecedingHorizon(robot, propose, choose, lambda: REST, done, 3, 0.5, LoopSettings(**settings))


def test_the_robot_acts_chooses_anew_and_stops_when_the_task_is_over():
    robot, moments = Counter(), []

    def choose(moment, plans):
        moments.append(moment)
        return Choice(moment.index % 2)

    cycles = list(loop(robot, choose, steps=8, act_steps=2))
    assert robot.commands == [(0, REST), (2, "a"), (4, "b"), (6, "a")]
    # Three frames of history first, of a robot at rest; then the newest three before each choice.
    assert [moment.frames[:, 0, 0, 0].tolist() for moment in moments] == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    assert [moment.time_s for moment in moments] == [0.0, 1.0, 2.0]
    assert [cycle.seen[:, 0, 0, 0].tolist() for cycle in cycles] == [[3, 4], [5, 6], [7, 8]]


def test_the_robot_rests_without_a_choice_and_gives_up_after_the_most_choices():
    robot = Counter()
    none = loop(robot, lambda moment, plans: Choice(None, reason="all vetoed"), act_steps=1, most_choices=2)
    assert [cycle.choice.reason for cycle in none] == ["all vetoed"] * 2
    assert robot.commands == [(0, REST), (2, REST), (3, REST)]
    away = replace(loop(robot, lambda *_: Choice(None), act_steps=1, most_choices=1), fallback=lambda: "away")
    list(away)
    assert robot.commands[-2:] == [(4, REST), (6, "away")]
    unasked = loop(robot, None, propose=lambda moment: [], act_steps=1, most_choices=1)
    (cycle,) = unasked
    assert cycle.choice.index is None and cycle.choice.reason


@pytest.mark.parametrize("settings", [{"act_steps": 0}, {"most_choices": 0}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(SettingError):
        LoopSettings(**settings)


def by_imagination(**scoring):
    settings = RankingSettings(horizon=2, start_tolerance=0.0)
    imaginer = Imaginer(KnownModel(), settings, scoring=ScoringSettings(**scoring))
    imaginer.model.card.history = 3
    return ByImagination(imaginer, lambda: None, goal_frame=np.repeat(np.repeat(WHITE, 2, 0), 2, 1))


def moment_of(choose, plans):
    (cycle,) = loop(Counter(), choose, propose=lambda moment: plans, most_choices=1)
    return cycle.choice


def test_imagination_chooses_the_plan_that_ends_like_the_goal():
    choose = by_imagination()
    choice = moment_of(choose, [plan("no", 0.0), plan("yes", 1.0), plan("half", 0.5)])
    assert choice.index == 1 and choice.result.best == 1


def test_plans_that_cannot_be_begun_keep_the_others_in_their_places():
    def begun(each):
        if each.name == "no":
            raise PlanError("it cannot be begun", thing="plan 'no'")
        return each

    choose = by_imagination()
    choose.begun = begun
    assert moment_of(choose, [plan("no", 0.0), plan("half", 0.5), plan("yes", 1.0)]).index == 2
    none = moment_of(choose, [plan("no", 0.0)])
    assert none.index is None and none.result is None and "it cannot be begun" in none.reason


def test_nothing_is_chosen_where_every_plan_is_vetoed():
    choose = by_imagination(veto_below=1.0, risky_below=1.0)
    choice = moment_of(choose, [plan("no", 0.0), plan("half", 0.5)])
    assert choice.index is None and choice.result is not None and choice.reason
