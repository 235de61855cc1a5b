"""Renders that are made when they are read: what is read is what was asked for, and nothing else is made."""

import numpy as np
import pytest

from astra_ros.robot.renders_on_demand import RendersOnDemand

MOTION = np.array([[[0.0], [1.0], [2.0]], [[0.0], [3.0], [2.0]]])  # 2 plans, 3 moments, 1 joint


@pytest.fixture
def drawn():
    """What was drawn, call by call."""
    return []


@pytest.fixture
def renders(drawn):
    def draw(positions):
        drawn.append(positions[:, 0].tolist())
        return np.broadcast_to(positions.astype(np.uint8)[:, :, None, None], (len(positions), 3, 2, 4))

    return RendersOnDemand(draw, MOTION, (2, 4))


def test_they_look_like_an_array_and_cost_nothing_until_they_are_read(renders, drawn):
    assert renders.shape == (2, 3, 3, 2, 4) and renders.dtype == np.uint8 and len(renders) == 2
    later = renders[None, :, 1:][:, 1]
    assert later.shape == (1, 2, 3, 2, 4) and drawn == [] and renders.drawn_s == 0.0
    assert np.asarray(later)[0, :, 0, 0, 0].tolist() == [3, 2]
    assert drawn == [[2.0, 3.0]] or drawn == [[3.0, 2.0]]
    assert renders.drawn_s > 0.0


def test_each_place_is_rendered_once(renders, drawn):
    np.testing.assert_array_equal(np.asarray(renders[:, 2])[:, 0, 0, 0], [2, 2])
    np.testing.assert_array_equal(np.asarray(renders)[..., 0, 0, 0], MOTION[..., 0])
    np.testing.assert_array_equal(np.asarray(renders[[1, 0]])[..., 2, 1, 3], MOTION[::-1, :, 0])
    assert drawn[0] == [2.0] and sorted(drawn[1]) == [0.0, 1.0, 3.0] and len(drawn) == 2


@pytest.mark.parametrize("which", [np.s_[1], np.s_[:, 2], np.s_[[0, 1], [2, 1]], ..., np.s_[:, [True, False, True]]])
def test_indices_mean_what_they_mean_for_arrays(renders, which):
    np.testing.assert_array_equal(np.asarray(renders[which])[..., 0, 0, 0], MOTION[..., 0][which])
