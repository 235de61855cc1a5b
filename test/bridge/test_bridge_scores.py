"""Scores and markers as messages, on three plans written down by hand."""

import math

import numpy as np
import pytest
from user_errors import refusal

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from visualization_msgs.msg import Marker

from astra_ros.bridge import BridgeError
from astra_ros.bridge.markers import VETOED_RGB, plan_colours, plans_to_markers
from astra_ros.bridge.scores import (
    PRELIMINARY,
    diagnostics_to_scores,
    is_preliminary,
    scores_to_diagnostics,
    scores_to_matrix,
)
from astra_ros.critics.scoring import CriticScore, PlanScore
from astra_ros.plans.errors import Breach

STAMP = Time(sec=12, nanosec=500)
SCORES = [
    PlanScore(
        "s/0", 1, 0.5, "risky",
        {"goal": CriticScore(0.6, 1.0, 0.6), "collision": CriticScore(0.3, 2.0, 0.3)},
        ("collision: 30 % chance; mind the edge", "goal: 40 % of the way"),
        {"goal": 0.36, "collision": 0.6}, {"collision": "risky"},
    ),
    PlanScore("s/1", 0, 0.75, "accepted", {"goal": CriticScore(0.25, 1.0, 0.25)}, (), {"goal": 0.25}),
    PlanScore(
        "s/2", 2, 0.125, "vetoed",
        {"goal": CriticScore(1.0, 1.0, 1.0), "collision": CriticScore(0.9, 2.0, 0.9)},
        ("collision: 90 % chance",), {"goal": 1.0, "collision": 1.8}, {"collision": "vetoed"},
    ),
]  # fmt: skip


def test_one_status_per_plan_with_verdict_rank_and_reasons():
    msg = scores_to_diagnostics(SCORES, STAMP, "camera", "tiny")
    assert msg.header.stamp == STAMP and msg.header.frame_id == "camera"
    assert [status.name for status in msg.status] == ["s/0", "s/1", "s/2"]
    levels = [status.level for status in msg.status]
    assert levels == [DiagnosticStatus.WARN, DiagnosticStatus.OK, DiagnosticStatus.ERROR]
    assert msg.status[1].message == "accepted, rank 1 of 3, score 0.750"
    assert msg.status[0].message.startswith("risky, rank 2 of 3, score 0.500: collision: 30 %")
    assert {status.hardware_id for status in msg.status} == {"tiny"}
    values = {pair.key: pair.value for pair in msg.status[0].values}
    assert (values["rank"], values["score"], values["verdict"]) == ("2", "0.5", "risky")
    assert (values["goal.raw"], values["goal.weight"], values["goal.cost"]) == ("0.6", "1", "0.6")
    assert values["goal.penalty"] == "0.36" and values["collision.flag"] == "risky"


def test_each_status_says_whether_it_was_chosen_and_which_critics_are_missing():
    msg = scores_to_diagnostics(SCORES, STAMP, "", "tiny", {"goal_kind": "none", "goal.missing": "no goal"}, "s/0")
    values = [{pair.key: pair.value for pair in status.values} for status in msg.status]
    assert [each["chosen"] for each in values] == ["true", "false", "false"]
    assert {each["goal.missing"] for each in values} == {"no goal"}
    assert diagnostics_to_scores(msg) == SCORES


def test_scores_survive_the_trip():
    assert diagnostics_to_scores(scores_to_diagnostics(SCORES, STAMP, "", "tiny")) == SCORES


def test_a_plan_that_breaks_a_limit_says_which():
    breach = Breach("velocity", "panda_joint2", 1.25, 3.5, 2.175, "rad/s")
    vetoed = PlanScore("s/3", 3, 0.0, "vetoed", {}, ("numbers: too fast",), breach=breach)
    msg = scores_to_diagnostics([*SCORES, vetoed], STAMP, "", "tiny")
    values = {pair.key: pair.value for pair in msg.status[3].values}
    assert {key: value for key, value in values.items() if key.startswith("limit.")} == {
        "limit.kind": "velocity", "limit.column": "panda_joint2", "limit.time_s": "1.25", "limit.value": "3.5",
        "limit.limit": "2.175", "limit.unit": "rad/s",
    }  # fmt: skip
    assert msg.status[3].level == DiagnosticStatus.ERROR and "too fast" in msg.status[3].message
    assert diagnostics_to_scores(msg) == [*SCORES, vetoed]
    matrix = np.array(scores_to_matrix([*SCORES, vetoed]).data).reshape(4, 3)
    assert matrix[3, 0] == 0.0 and np.isnan(matrix[3, 1:]).all(), "costs that nobody measured are not 0"


def test_first_scores_say_that_others_follow():
    first, last = (scores_to_diagnostics(SCORES, STAMP, "", "tiny", more) for more in ({PRELIMINARY: "true"}, {}))
    assert is_preliminary(first) and not is_preliminary(last)
    assert diagnostics_to_scores(first) == SCORES


def test_other_diagnostics_are_no_scores():
    msg = DiagnosticArray(status=[DiagnosticStatus(name="motor")])
    with refusal(BridgeError, "/x", "'motor'", "score", cure=["scores"]):
        diagnostics_to_scores(msg, "/x")


def test_the_matrix_says_what_its_rows_and_columns_are():
    msg = scores_to_matrix(SCORES)
    rows, columns = msg.layout.dim
    assert rows.label == "plan: s/0, s/1, s/2" and columns.label == "critic: score, goal, collision"
    assert (rows.size, rows.stride, columns.size, columns.stride) == (3, 9, 3, 3)
    matrix = np.array(msg.data).reshape(rows.size, columns.size)
    np.testing.assert_allclose(matrix[0], [0.5, 0.6, 0.3], rtol=1e-6)
    np.testing.assert_allclose(matrix[2], [0.125, 1.0, 0.9], rtol=1e-6)
    assert matrix[1, 0] == 0.75 and math.isnan(matrix[1, 2])


def test_colours_by_percentile_from_green_to_red_and_magenta_for_vetoed():
    def colours(*scores):
        verdicts = [("accepted", each) if each >= 0 else ("vetoed", 0.0) for each in scores]
        return plan_colours([PlanScore("p", 0, score, verdict, {}, ()) for verdict, score in verdicts])

    green, yellow, red = (0.0, 1.0, 0.0), (1.0, 1.0, 0.0), (1.0, 0.0, 0.0)
    assert colours(0.9, 0.8, 0.1) == colours(0.9, 0.2, 0.1) == [green, yellow, red], "distances do not count"
    assert colours(0.9, -1, 0.8, -1, 0.1) == [green, VETOED_RGB, yellow, VETOED_RGB, red], "vetoed plans do not count"
    assert colours(0.5, 0.5, 0.1) == [green, green, red], "equal scores have one colour"
    assert colours(0.5) == [green] and colours(-1) == [VETOED_RGB] and colours() == []


def test_markers_replace_those_of_the_last_request():
    paths = np.arange(18, dtype=float).reshape(3, 2, 3)
    paths[2, 0, 0] = np.nan
    msg = plans_to_markers(SCORES, paths, paths, STAMP, "world", "s/1")
    assert msg.markers[0].action == Marker.DELETEALL
    drawn = msg.markers[1:]
    assert [m.ns for m in drawn] == ["tool_path", "label", "object_path"] * 3
    assert len({(m.ns, m.id) for m in drawn}) == 9
    assert {m.header.frame_id for m in msg.markers} == {"world"}
    assert all(m.header.stamp == STAMP and m.pose.orientation.w == 1.0 for m in msg.markers)
    assert len(drawn[0].points) == 2 and drawn[0].points[1].z == 5.0
    assert len(drawn[6].points) == 1  # the point that is not finite is left out
    assert drawn[1].text == "s/0 0.50"
    assert drawn[3].scale.x > drawn[0].scale.x  # the chosen one is thicker
    assert (drawn[6].color.r, drawn[6].color.g, drawn[6].color.b) == VETOED_RGB


def test_without_positions_there_is_nothing_but_the_deletion():
    assert len(plans_to_markers(SCORES, None, None, STAMP, "world").markers) == 1
