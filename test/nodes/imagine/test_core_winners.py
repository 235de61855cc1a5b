"""The winner of a request: handed on as it came, once, and withheld where the robot or the inputs changed."""

import pytest
from imagine_bench import CoreBench, values

from astra_ros.nodes.imagine.settings import PlanTopicSettings
from astra_ros.nodes.reports import WARN

SETTLE_S = 0.1


def test_the_winner_is_handed_on_as_it_came():
    bench = CoreBench().camera()
    bench.plan(end=0.3)
    best = bench.plan(end=0.8)
    assert bench.handed_on == [best] and not bench.decisions[0].restamp
    assert bench.decisions[0].handed_on.source == "candidates"


def test_a_winner_that_wins_again_is_not_handed_on_again_unless_asked_for():
    bench = CoreBench(sources={"candidates": PlanTopicSettings("/plans", keep=4)}).camera()
    best = bench.plan(end=0.9)
    bench.pass_time(2 * SETTLE_S)
    bench.plan(end=0.3)
    bench.pass_time(2 * SETTLE_S)
    assert len(bench.decisions) == 2 and bench.handed_on == [best]
    assert "already handed on" in bench.summaries[-1] and "already handed on" not in bench.summaries[0]
    assert "already handed on" not in bench.ask() and bench.handed_on == [best, best]
    better = bench.plan(end=1.2)
    bench.pass_time(2 * SETTLE_S)
    assert bench.handed_on == [best, best, better]


def test_nothing_is_handed_on_when_all_are_vetoed():
    bench = CoreBench().camera()
    bench.plan(end=-0.5), bench.plan(end=-0.2)
    assert len(bench.decisions) == 1 and bench.handed_on == []
    assert "all vetoed; candidates/1" in bench.summaries[0] and bench.status("requests").level == WARN


def test_a_winner_is_withheld_when_the_robot_has_moved_meanwhile():
    bench = CoreBench(sources={"candidates": PlanTopicSettings("/plans", keep=1)}).camera()
    bench.imaginer.meanwhile = lambda: bench.joints(a=0.5)
    plan = bench.plan()
    assert bench.handed_on == [] and "a" in bench.decisions[0].withheld
    assert bench.summaries[0].endswith(bench.decisions[0].withheld)
    status = bench.status("requests")
    assert status.level == WARN and status.message == bench.decisions[0].withheld
    # It is imagined again with the next image, and refused there: it starts elsewhere.
    bench.imaginer.meanwhile = lambda: None
    bench.pass_time(0.5)
    bench.image(5)
    (there,) = bench.decisions[-1].scores
    assert (there.verdict, there.breach.kind, there.breach.column, there.breach.value) == ("vetoed", "start", "a", 0.5)
    assert bench.decisions[-1].result is None and values(bench.status("plans"))["plans_refused"] == "1"
    assert bench.handed_on == []
    # The robot is back.
    bench.joints(a=0.0)
    assert bench.ask() and bench.handed_on == [plan]


def test_a_request_whose_winner_was_withheld_is_due_again_and_still_asked_for():
    bench = CoreBench(sources={"candidates": PlanTopicSettings("/plans", keep=1)}).camera()
    plan = bench.plan()
    assert bench.handed_on == [plan]
    bench.imaginer.meanwhile = lambda: bench.joints(a=0.5)
    bench.ask()
    assert bench.decisions[-1].withheld and bench.handed_on == [plan]
    bench.imaginer.meanwhile = lambda: None
    bench.pass_time(0.5)
    bench.joints(a=0.0)
    bench.image(6)  # starts the request that is due
    assert bench.handed_on == [plan, plan], "the caller who asked gets it, although it was handed on before"


def test_plans_that_come_meanwhile_start_a_request_of_their_own():
    bench = CoreBench().camera()
    newer = []

    def more():
        bench.imaginer.meanwhile = lambda: None
        newer.extend([bench.plan(end=0.7), bench.plan(end=0.6)])

    bench.imaginer.meanwhile = more
    first = [bench.plan(end=0.4), bench.plan(end=0.5)]
    assert bench.handed_on == [first[1], newer[0]]
    assert values(bench.status("plans"))["candidates.judged"] == "4"


@pytest.mark.parametrize(
    "happens, words",
    [
        (lambda bench: bench.pass_time(61.0) or bench.image(9), "max_age_s"),
        (lambda bench: bench.core.reset_history(), "frame"),
        (lambda bench: bench._to(bench.now_s + 5.0), "silent"),
    ],
)
def test_a_winner_is_withheld_when_the_inputs_have_aged_meanwhile(happens, words):
    bench = CoreBench().camera()
    bench.imaginer.meanwhile = lambda: (setattr(bench.imaginer, "meanwhile", lambda: None), happens(bench))
    bench.plan(), bench.plan()
    assert bench.decisions[0].withheld and words in bench.decisions[0].withheld and bench.handed_on == []


def test_an_unknown_joint_that_moves_meanwhile_withholds_the_winner():
    bench = CoreBench(sources={"candidates": PlanTopicSettings("/plans", keep=1)}).camera()
    bench.joints(finger=0.0)
    bench.plan(joints=("a", "b", "finger"))
    assert len(bench.handed_on) == 1, "it stands still"
    bench.imaginer.meanwhile = lambda: bench.joints(finger=0.6)
    bench.plan(joints=("a", "b", "finger"))
    assert "finger" in bench.decisions[1].withheld and "0.600" in bench.decisions[1].withheld
