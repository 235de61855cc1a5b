"""Plans that break a hard limit, in the core of the node: vetoed with the numbers, and never handed on."""

import pytest
from imagine_bench import CoreBench

from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings
from astra_ros.nodes.reports import WARN
from astra_ros.plans.errors import Breach
from astra_ros.plans.limits import LimitSettings
from astra_ros.ranking.prepare import NothingToImagine

URDF = """<robot name="arm">
  <link name="base"/><link name="arm"/><link name="hand"/>
  <joint name="a" type="revolute"><parent link="base"/><child link="arm"/>
    <limit lower="-1.0" upper="1.5" effort="1" velocity="2.0"/></joint>
  <joint name="b" type="revolute"><parent link="arm"/><child link="hand"/><limit effort="1" velocity="0"/></joint>
</robot>"""


def described(keep=2, **limits):
    own = ImagineSettings(settle_s=0.1, limits=LimitSettings(**limits))
    bench = CoreBench(own, {"candidates": PlanTopicSettings("/plans", keep=keep)})
    bench.core.description.on_text(URDF)
    bench.core.description.work_off()
    return bench.camera()


def test_a_plan_beyond_a_limit_is_vetoed_and_the_other_is_handed_on():
    bench = described()
    good, _ = bench.plan(end=1.0), bench.plan(end=1.8)
    (decision,) = bench.decisions
    assert bench.imaginer.scored == [["candidates/0"]] and bench.handed_on == [good]
    assert [(score.name, score.verdict) for score in decision.scores] == [
        ("candidates/0", "accepted"), ("candidates/1", "vetoed"),
    ]  # fmt: skip
    assert decision.scores[1].breach == Breach("position", "a", 1.0, 1.8, 1.5, "rad")
    assert "1 vetoed by their numbers" in bench.summaries[0] and "refused" not in bench.summaries[0]
    assert bench.status("plans").level == WARN and "a to 1.8 rad at 1.00 s" in bench.status("plans").message
    assert len([line for line in bench.log.errors if "1.8 rad" in line]) == 1


def test_where_all_plans_break_limits_the_scores_say_so_and_nothing_is_handed_on():
    bench = described()
    bench.plan(end=1.8), bench.plan(end=-1.9)
    (decision,) = bench.decisions
    assert decision.result is None and bench.handed_on == [] and bench.imaginer.scored == []
    assert [(score.rank, score.breach.value) for score in decision.scores] == [(0, 1.8), (1, -1.9)]
    with pytest.raises(NothingToImagine):
        bench.ask()


def test_the_check_can_be_switched_off():
    bench = described(keep=1, enabled=False)
    plan = bench.plan(end=1.8)
    assert bench.handed_on == [plan] and "limits.enabled" in bench.status("plans").values["limits"]


def test_the_limits_that_are_known_are_told():
    assert described().status("plans").values["limits"] == "1 joint of robot_description"
    assert described(speed=1.0).status("plans").values["limits"].endswith(", limits.speed")
    assert CoreBench().status("plans").values["limits"] == "none known"


def test_a_robot_without_a_description_has_no_limits_but_those_of_the_settings():
    bench = CoreBench(sources={"candidates": PlanTopicSettings("/plans", keep=1)}).camera()
    plan = bench.plan(end=9.0)
    assert bench.handed_on == [plan]
    own = ImagineSettings(limits=LimitSettings(joint_velocity=2.0))
    bench = CoreBench(own, {"candidates": PlanTopicSettings("/plans", keep=1)}).camera()
    bench.plan(end=9.0)
    assert bench.handed_on == [] and bench.decisions[0].scores[0].breach.kind == "velocity"


def test_a_description_that_is_no_urdf_takes_no_limits_away():
    bench = described(keep=1)
    bench.core.description.on_text("<robot")
    bench.core.description.work_off()
    bench.plan(end=1.8)
    assert bench.handed_on == [] and bench.decisions[0].scores[0].breach.limit == 1.5
