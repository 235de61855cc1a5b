"""The score table, line by line."""

import numpy as np
from user_errors import fault

from astra_ros.critics.scoring import PlanScore
from astra_ros.views.table import score_table

SCORES = [
    PlanScore("candidates/0", 1, 0.125, "vetoed", {"goal": (0.1, 1.0, 0.1)}, ("collision: sure", "goal: near")),
    PlanScore("c/1", 0, 0.9, "accepted", {"goal": (0.5, 1.0, 0.5), "collision": (0.0, 2.0, 12.0)}, ()),
]


def test_whole_table():
    assert score_table(SCORES).splitlines() == [
        "plan          rank  score  verdict   goal  collision  why",
        "------------  ----  -----  --------  ----  ---------  ---------------",
        "c/1              1  0.900  accepted  0.50      24.00",
        "candidates/0     2  0.125  vetoed    0.10          -  collision: sure",
    ]


def test_truth_columns():
    truth = {"progress": np.array([0.25, -0.001]), "touched": np.array([True, False]), "n": [3, 4]}
    assert score_table(SCORES, truth, reasons=False).splitlines() == [
        "plan          rank  score  verdict   goal  collision  progress  touched  n",
        "------------  ----  -----  --------  ----  ---------  --------  -------  -",
        "c/1              1  0.900  accepted  0.50      24.00      0.00       no  4",
        "candidates/0     2  0.125  vetoed    0.10          -      0.25      yes  3",
    ]


def test_truth_of_another_length_is_refused():
    with fault(ValueError, "'progress'", "1 values", "2 plans"):
        score_table(SCORES, {"progress": [1.0]})


def test_colour_changes_nothing_but_colour():
    coloured = score_table(SCORES, colour=True)
    assert "\x1b[32maccepted\x1b[0m" in coloured and "\x1b[35mvetoed\x1b[0m" in coloured
    for code in ("\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == score_table(SCORES)
