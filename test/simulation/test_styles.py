"""The same episode in another style: only the pictures differ."""

import numpy as np
import pytest

from astra_ros.simulation.worlds import WORLDS, make_world

ROBOTS = [(world, robot) for world, spec in WORLDS.items() for robot in spec.robots]


@pytest.mark.parametrize("world, robot", ROBOTS)
def test_another_style_changes_the_pictures_alone(world, robot):
    made = make_world(world, robot, 48)

    def played(seed, style_seed=None):
        made.reset(seed, style_seed)
        made.play(np.random.default_rng(1), 4.0)
        frames, rest = [made.render()], []
        for _ in range(4):
            made.step(0.25)
            frames.append(made.render())
            rest.append(np.concatenate([np.ravel(made.motion()), *map(np.ravel, made.labels().values())]))
        return np.stack(frames), np.stack(rest)

    try:
        frames, rest = played(3)
        other, same = played(3, 77)
        again, _ = played(3)
    finally:
        made.close()
    np.testing.assert_array_equal(rest, same)
    np.testing.assert_array_equal(frames, again)
    assert np.abs(frames.astype(float) - other).mean() > 4


@pytest.mark.parametrize("world, robot", [("drive", "car"), ("explore", "rover"), ("arm", "panda")])
def test_a_snapshot_keeps_its_style(world, robot):
    made = make_world(world, robot, 48)
    try:
        made.reset(3, 77)
        seen, moment = made.render(), made.snapshot()
        made.reset(3)
        made.restore(moment)
        np.testing.assert_array_equal(made.render(), seen)
    finally:
        made.close()
