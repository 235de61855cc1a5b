"""A plan that is bent keeps its start, the arm's limits and its distance to itself and the floor."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("pinocchio")

from astra_ros.control.motion_candidates import MotionSettings
from astra_ros.control.plan_variations import PlanVariations, _bent
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.plans.limits import JointLimits, LimitSettings, check_joint_plan
from astra_ros.simulation.arm.robots import robot_description, robot_spec

SETTINGS = MotionSettings(velocity_scale=0.7, use_floor=True)


@pytest.fixture(scope="module")
def panda():
    spec = robot_spec("panda")
    now = dict(zip(spec.joint_names, spec.ready)) | spec.held_joints
    urdf = robot_description(spec, coarse=True)
    return SimpleNamespace(spec=spec, now=now, vary=PlanVariations.of(spec.joint_names, now, urdf, SETTINGS))


def swing(panda, end=0.4, seconds=2.0, names=None):
    """The first joint goes by minimum jerk, 41 points; velocities and accelerations are not stated."""
    u = np.linspace(0.0, 1.0, 41)[:, None]
    move = np.eye(7)[0] * end
    positions = np.array(panda.spec.ready) + (10 * u**3 - 15 * u**4 + 6 * u**5) * move
    return JointPlan(panda.spec.joint_names, np.linspace(0.0, seconds, 41), positions, "swing")


def test_a_bend_goes_through_its_places_at_rest():
    """By hand: halfway from 0 to 1 and from 1 to 3; the peak speed of minimum jerk is 15/8 of the mean."""
    times = np.linspace(0.0, 4.0, 17)
    way, speed, push = _bent(times, np.array([[1.0], [3.0]]))
    assert way[[0, 4, 8, 12, 16], 0] == pytest.approx([0.0, 0.5, 1.0, 2.0, 3.0])
    assert speed[[0, 4, 8, 12, 16], 0] == pytest.approx([0.0, 15 / 16, 0.0, 15 / 8, 0.0])
    assert push[[0, 4, 8, 12, 16], 0] == pytest.approx(np.zeros(5), abs=1e-12)


def test_a_plan_is_bent_and_keeps_its_start_and_limits(panda):
    change = np.zeros((2, 7))
    change[:, 1] = 0.1, -0.2
    base = swing(panda)
    made = panda.vary(base, change, "swing~0")
    assert made.name == "swing~0" and made.times_s[0] == 0.0
    np.testing.assert_array_equal(made.positions[0], base.positions[0])
    assert made.positions[-1] - base.positions[-1] == pytest.approx(change[-1])
    middle = len(base.times_s) // 2
    assert made.positions[middle] - base.positions[middle] == pytest.approx(change[0])
    assert made.velocities[[0, -1]] == pytest.approx(np.zeros((2, 7)), abs=0.05)


def test_a_fast_bend_takes_longer(panda):
    fast = np.zeros((1, 7))
    fast[0, 6] = -1.0
    base = swing(panda, seconds=1.0)
    made = panda.vary(base, fast, "fast")
    assert made.duration_s > 1.2 * base.duration_s
    known = {name: JointLimits(acceleration=SETTINGS.max_acceleration) for name in made.joint_names}
    check_joint_plan(made, known, LimitSettings())
    assert np.abs(np.diff(made.velocities, axis=0) / np.diff(made.times_s)[:, None]).max() > 0.9 * 3.0


def test_joints_may_come_in_another_order(panda):
    change = np.random.default_rng(0).normal(0.0, 0.05, (3, 7))
    base = swing(panda)
    made = panda.vary(base, change, "p")
    turned = panda.vary(base.reordered(base.joint_names[::-1]), change[:, ::-1], "p")
    np.testing.assert_allclose(turned.reordered(base.joint_names).positions, made.positions, atol=1e-12)
    assert turned.duration_s == pytest.approx(made.duration_s)


def test_what_leaves_the_joints_range_or_meets_the_floor_is_none(panda):
    beyond, down = np.zeros((1, 7)), np.zeros((1, 7))
    beyond[0, 3] = 3.5
    down[0, 1] = 1.4  # the shoulder bends forward until the hand is below the table
    assert panda.vary(swing(panda), beyond, "p") is None
    assert panda.vary(swing(panda), down, "p") is None
