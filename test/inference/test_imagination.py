"""Imagination: its sizes, and shapes that it refuses."""

import numpy as np
import pytest
from user_errors import fault

from astra_ros.inference.imagination import Imagination


def imagination(**changes):
    values = dict(
        latents=np.zeros((2, 3, 4, 8, 8)),
        uncertainty=np.zeros((2, 3)),
        outcomes={"obstacle_contact": np.zeros((2, 3)), "tool_position": np.zeros((2, 3, 3))},
    )
    return Imagination(**{**values, **changes})


def test_imagination_knows_its_sizes_and_is_float32():
    made = imagination()
    assert (made.plans, made.horizon) == (2, 3)
    assert made.latents.dtype == made.outcomes["tool_position"].dtype == np.float32


@pytest.mark.parametrize(
    "changes, facts",
    [
        (dict(latents=np.zeros((2, 3, 4))), ("latents", "(2, 3, 4)", "[K, H, C, h, w]")),
        (dict(uncertainty=np.zeros((2, 4))), ("uncertainty", "(2, 4)", "[K, H] = (2, 3)")),
        (dict(outcomes={"obstacle_contact": np.zeros((2, 3, 1))}), ("obstacle_contact", "(2, 3, 1)", "(2, 3)")),
        (dict(outcomes={"tool_position": np.zeros((2, 3))}), ("tool_position", "(2, 3)", "(2, 3, 3)")),
    ],
)
def test_imagination_refuses_shapes_that_do_not_fit(changes, facts):
    with fault(ValueError, *facts):
        imagination(**changes)
