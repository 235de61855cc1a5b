"""A silhouette made by hand, and images in which the robot is there or elsewhere."""

import numpy as np
import pytest

from astra_ros.robot.silhouette_fit import MOST_MISFIT, edge_agreement, silhouette_fit

SIDE = 64


def arm(right=0, down=0):
    """uint8 [64, 64]: an L of two bars, 255 inside."""
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    drawn[20 + down : 50 + down, 20 + right : 28 + right] = 255
    drawn[20 + down : 27 + down, 20 + right : 48 + right] = 255
    return drawn


def picture(coverage, robot=(200, 60, 30), table=(90, 90, 100), noise=0.0, seed=0):
    """uint8 [64, 64, 3]: a robot of one colour on a table of another."""
    image = np.where(coverage[..., None] > 0, robot, table) + np.random.default_rng(seed).normal(
        0, noise, (SIDE, SIDE, 3)
    )
    return np.clip(image, 0, 255).astype(np.uint8)


def fit(image, coverage):
    return silhouette_fit([edge_agreement(image, coverage)])


def test_a_robot_in_its_place_fits():
    found = fit(picture(arm()), arm())
    assert found.shift == (0, 0) and found.agreement > 0.7 and found.misfit < 0.3


@pytest.mark.parametrize("shift", [(4, 0), (-3, 2), (0, -5)])
def test_a_shifted_image_is_found_with_its_shift(shift):
    found = fit(picture(arm(*shift)), arm())
    assert found.shift == shift and found.misfit > 2 * fit(picture(arm()), arm()).misfit


@pytest.mark.parametrize("colours", [((20, 20, 20), (220, 220, 220)), ((90, 140, 90), (140, 90, 90))])
def test_colours_do_not_matter(colours):
    """Dark on bright, and two colours of the same brightness."""
    found = fit(picture(arm(), *colours), arm())
    assert found.shift == (0, 0) and found.misfit == pytest.approx(fit(picture(arm()), arm()).misfit, rel=0.1)


def test_dim_and_noisy_images_fit_too():
    found = fit(picture(arm(), (60, 20, 10), (30, 30, 33), noise=4.0), arm())
    assert found.shift == (0, 0) and found.misfit < 0.5


def test_images_are_judged_together():
    images = [edge_agreement(picture(arm(3, 0), (95, 90, 90), noise=12.0, seed=seed), arm()) for seed in range(6)]
    assert silhouette_fit(images).shift == (3, 0)


def test_another_robot_does_not_stand_out():
    other = np.zeros((SIDE, SIDE), np.uint8)
    other[30:58, 40:60] = 255
    assert fit(picture(other), arm()).misfit > 1.0


def test_a_robot_out_of_the_picture_is_not_in_view():
    assert edge_agreement(picture(arm()), arm()).in_view
    assert not edge_agreement(picture(arm()), np.zeros((SIDE, SIDE), np.uint8)).in_view
    assert not edge_agreement(picture(arm()), np.full((SIDE, SIDE), 255, np.uint8)).in_view


def test_an_image_of_one_colour_has_no_edges():
    dark = np.zeros((SIDE, SIDE, 3), np.uint8)
    found = edge_agreement(dark, arm())
    assert not found.has_edges and silhouette_fit([found]).misfit == MOST_MISFIT
