"""Two publishers of one joint are noticed, and nothing else is taken for them."""

import numpy as np
import pytest

from astra_ros.robot.conflict import Conflict, Kind
from astra_ros.robot.joint_sources import MOST_KEYS, OVER_S, SourceWatch, pose_values

TWO_ORDERS = (("j2", "j1"), ("j1", "j2"))


def pose_value(position, quaternion):
    return tuple(pose_values(np.array([[*position, *quaternion]], float))[0].tolist())


def arm(t):
    return np.array([-0.8 + 0.2 * np.cos(t), 1.2 + 0.3 * np.sin(t)])  # j1, j2


def stream(*publishers, seconds=6.0, seed=0):
    """Messages (t, names, values) of publishers (names, rate Hz, function of t -> values, phase s), merged."""
    noise = np.random.default_rng(seed)
    messages = []
    for names, rate, values, phase in publishers:
        for t in np.arange(phase, seconds, 1 / rate):
            messages.append((t + noise.uniform(0, 0.1 / rate), names, np.atleast_1d(values(t))))
    return sorted(messages, key=lambda each: each[0])


def watched(messages, stamp=None):
    watch = SourceWatch()
    for t, names, values in messages:
        watch.add(names, values, t, None if stamp is None else stamp(t, names))
    return watch


def zeros(t):
    return np.zeros(2)


@pytest.mark.parametrize("rates", [(50, 50), (50, 14), (50, 2), (100, 1), (10, 10), (20, 30), (2, 50)])
@pytest.mark.parametrize("order", ["same", "other", "part"])
def test_two_publishers_that_contradict_each_other_are_named(rates, order):
    names, other = {"same": (("j1", "j2"), ("j1", "j2")), "other": TWO_ORDERS, "part": (("j1", "j2"), ("j1",))}[order]
    columns = [("j1", "j2").index(name) for name in names]
    watch = watched(
        stream(
            (names, rates[0], lambda t: arm(t)[columns], 0.0), (other, rates[1], lambda t: np.zeros(len(other)), 0.003)
        )
    )
    found = watch.conflicts()
    assert set(found) == set(other)
    for key, conflict in found.items():
        assert conflict.contradicts and conflict.times >= 3
        assert set(conflict.names) == {names, other}
        said = sorted(abs(value) for (value,) in conflict.values)
        assert said[0] == 0.0 and said[1] > 0.5
        assert f"'{key}'" in str(conflict)


@pytest.mark.parametrize(
    "second",
    [
        lambda t: np.array([3.1]),
        lambda t: np.array([0.6 * np.sin(3 * t)]),
        lambda t: np.array([-1.5 + 0.3 * np.cos(t)]),
    ],
)
def test_the_second_may_move_too(second):
    watch = watched(stream((("a",), 50, lambda t: -1.2 + 0.2 * np.sin(2 * t), 0), (("a",), 30, second, 0.002)))
    assert watch.conflicts()["a"].contradicts


def test_two_publishers_half_a_turn_apart():
    watch = watched(stream((("a",), 50, lambda t: 3.0 + 0.05 * np.sin(t), 0), (("a",), 50, lambda t: 0.0, 0.01)))
    assert watch.conflicts()["a"].contradicts


def test_bursts_of_both():
    """A A B A A B, and A A B B A A B B."""
    for pattern in ("AAB", "AABB", "AAAB"):
        watch = SourceWatch()
        for k in range(300):
            watch.add(("a",), [0.0 if pattern[k % len(pattern)] == "B" else 0.5 + 0.001 * k], 0.02 * k)
        assert watch.conflicts()["a"].contradicts, pattern


@pytest.mark.parametrize("rate", [10, 50, 200])
@pytest.mark.parametrize(
    "joint",
    [
        lambda t: np.sin(t),
        lambda t: 1.5 * np.sin(8 * t),
        lambda t: 2.0 * (t % 1.0),
        lambda t: (7 * t + np.pi) % (2 * np.pi) - np.pi,
        lambda t: (7 * t) % (2 * np.pi),
        lambda t: (25 * t + np.pi) % (2 * np.pi) - np.pi,
        lambda t: 25 * t,
        lambda t: 0.0,
        lambda t: np.pi * (1 if int(t * 37) % 2 else -1),  # rests on the seam
        lambda t: 0.0 if t < 3 else 1.5,  # was put elsewhere
        lambda t: 1.0 if int(t / 1.5) % 2 else 0.0,  # again and again
        lambda t: 0.4 * (t > 2) * (t < 2.02),
    ],
)
def test_one_publisher_is_not_taken_for_two(rate, joint):
    assert not watched(stream((("a", "b"), rate, lambda t: np.array([joint(t), 0.1]), 0))).conflicts()


@pytest.mark.parametrize("sd", [0.003, 0.02, 0.05, 0.2])
def test_noise_is_no_second_publisher(sd):
    for seed in range(5):
        noise = np.random.default_rng(seed)
        for rate in (10, 50, 200):
            messages = stream((("a",), rate, lambda t, noise=noise: np.sin(t) + noise.normal(0, sd), 0), seconds=20)
            assert not watched(messages).conflicts(), (seed, rate)


def test_outliers_are_no_second_publisher():
    noise = np.random.default_rng(1)

    def joint(t):
        return noise.uniform(-3, 3) if noise.random() < 0.03 else np.sin(t)

    messages = stream((("a",), 50, joint, 0), seconds=30)
    assert not watched(messages).conflicts()


def test_an_arm_and_its_gripper_have_nothing_in_common():
    assert not watched(stream((("j1", "j2"), 50, arm, 0), (("finger",), 30, lambda t: 0.02, 0.001))).conflicts()


def test_those_that_agree_are_only_noted():
    watch = watched(stream((("j1", "j2"), 50, arm, 0), (("j2", "j1"), 20, lambda t: arm(t)[::-1], 0.002)))
    assert {key: conflict.contradicts for key, conflict in watch.conflicts().items()} == {"j1": False, "j2": False}
    assert "agree" in str(watch.conflicts()["j1"])


def test_a_relay_that_is_late_agrees_as_far_as_names_tell():
    watch = watched(stream((("j1", "j2"), 50, arm, 0), (("j2", "j1"), 10, lambda t: arm(t - 0.15)[::-1], 0.002)))
    assert not any(conflict.contradicts for conflict in watch.conflicts().values())


def swings(t):
    return np.array([np.sin(t), 0.3 * np.cos(2.5 * t)])


@pytest.mark.parametrize("order", ["same", "other"])
@pytest.mark.parametrize("rate, relay", [(30, 10), (30, 30), (100, 5), (100, 30), (250, 100), (10, 30)])
@pytest.mark.parametrize("lag_s", [0.02, 0.05, 0.08])
def test_a_relay_repeats_what_was_said_a_moment_ago_and_that_is_no_contradiction(order, rate, relay, lag_s):
    back = slice(None, None, -1 if order == "other" else 1)
    watch = watched(
        stream(
            (("j1", "j2"), rate, swings, 0),
            (("j1", "j2")[back], relay, lambda t: swings(max(0.0, t - lag_s))[back], 0.1),
            seconds=12.0,
        )
    )
    assert not [conflict for conflict in watch.conflicts().values() if conflict.contradicts]


@pytest.mark.parametrize("rate, relay", [(30, 30), (100, 30), (100, 100), (250, 30)])
def test_names_tell_a_relay_that_is_later_still(rate, relay):
    watch = watched(
        stream(
            (("j1", "j2"), rate, swings, 0),
            (("j2", "j1"), relay, lambda t: swings(max(0.0, t - 0.2))[::-1], 0.1),
            seconds=12.0,
        )
    )
    assert {conflict.contradicts for conflict in watch.conflicts().values()} == {False}


@pytest.mark.parametrize("second", [lambda t: 0.0, lambda t: 0.5 * np.sin(1.3 * t + 0.7)])
@pytest.mark.parametrize("first", [lambda t: 0.4, lambda t: 0.6 + 0.3 * np.sin(t)])
@pytest.mark.parametrize("rates", [(50, 5), (100, 10), (50, 50)])
def test_two_that_contradict_each_other_are_found_while_messages_come_late_and_all_at_once(rates, first, second):
    """What comes during half of each second is taken at its end, the last ten of it."""
    said = stream((("a",), rates[0], first, 0), (("a",), rates[1], second, 0.05), seconds=20.0)
    watch, waiting = SourceWatch(), []
    for t, names, values in said:
        if t % 1.0 < 0.5:
            waiting = [*waiting, values][-10:]
            continue
        for k, late in enumerate(waiting):
            watch.add(("a",), late, t - 0.002 * (len(waiting) - k) / 10)
        waiting = []
        watch.add(names, values, t)
    assert watch.conflicts()["a"].contradicts


def test_one_that_changes_its_names_once_is_one():
    assert not watched(
        stream((("j1", "j2"), 50, arm, 0), seconds=3)
        + [(t + 3, ("j2", "j1"), v[::-1]) for t, _, v in stream((("j1", "j2"), 50, arm, 0))]
    ).conflicts()


def test_stamps_that_go_back_and_forth():
    same = stream((("a",), 50, lambda t: 0.3, 0), (("a",), 20, lambda t: 0.3, 0.004))
    late = iter(range(10**6))
    watch = watched(same, stamp=lambda t, names: t - (1.5 if next(late) % 3 == 0 else 0.0))
    conflict = watch.conflicts()["a"]
    assert not conflict.contradicts and conflict.back_s == pytest.approx(1.5, abs=0.1)
    assert not watched(same, stamp=lambda t, names: t).conflicts()
    assert not watched(same, stamp=lambda t, names: t if t < 3 else t - 3).conflicts()  # a simulation began anew


def test_a_conflict_is_over_some_seconds_after_it_stopped():
    watch = SourceWatch()
    for k in range(200):
        watch.add(("a",), [0.5 * (k % 2)], 0.02 * k)
    assert watch.conflicts(4.0) and not watch.conflicts(4.0 + OVER_S + 0.1)
    for k in range(200, 1000):
        watch.add(("a",), [0.5], 0.02 * k)
    assert not watch.conflicts(20.0) and watch.conflicts()


def test_memory_is_bounded():
    watch = SourceWatch()
    for k in range(3 * MOST_KEYS):
        watch.add((f"j{k}",), [0.0], 0.001 * k)
    assert len(watch._keys) == MOST_KEYS


def test_edges_of_tf():
    """Odometry of the wheels beside a filter's, which drift apart; the sign of a quaternion says nothing."""
    watch = SourceWatch(Kind.FRAME)
    for k in range(400):
        t = 0.02 * k
        half = 0.3 * t / 2
        sign = 1 if k % 2 else -1
        q = sign * np.array([0, 0, np.sin(half), np.cos(half)])
        watch.add_one("base", pose_value((t, 0, 0), q), t)
        watch.add_one("both", pose_value((t, 0, 0), q), t)
        watch.add_one("both", pose_value((t, 0.1 * t, 0), q), t + 0.008)
    assert {key: conflict.contradicts for key, conflict in watch.conflicts().items()} == {"both": True}
    assert len(str(watch.conflicts()["both"])) < 300


def velocities(*publishers, seconds=10.0):
    """Each publisher: (rate, function of s -> m/s)."""
    said = [
        (k / rate + 0.003 * number, value(k / rate))
        for number, (rate, value) in enumerate(publishers)
        for k in range(int(seconds * rate))
    ]
    watch = SourceWatch(Kind.VELOCITY)
    for t, value in sorted(said):
        watch.add_one("linear.x", (value,), t)
    return watch.conflicts().get("linear.x")


@pytest.mark.parametrize("rate, other", [(20, 20), (10, 50), (50, 5), (5, 5), (20, 2)])
@pytest.mark.parametrize("moving", [lambda t: 0.3, lambda t: 0.35 + 0.15 * np.sin(t), lambda t: -6.5, lambda t: 0.15])
def test_velocities_of_a_navigation_and_of_a_joystick_at_rest(rate, other, moving):
    conflict = velocities((rate, moving), (other, lambda t: 0.0))
    assert conflict.contradicts and conflict.kind is Kind.VELOCITY and conflict.times >= 3
    assert 0.0 in [value[0] for value in conflict.values]
    text = str(conflict)
    assert text.startswith("velocity 'linear.x' jumps back and forth (") and "order of names" not in text


@pytest.mark.parametrize(
    "value",
    [
        lambda t: 0.4,
        lambda t: np.sin(6 * t),
        lambda t: 0.4 * (int(2 * t) % 2),
        lambda t: np.random.default_rng(int(1000 * t)).normal(0.3, 0.1),
    ],
)
@pytest.mark.parametrize("rate", [10, 20, 50])
def test_velocities_of_one_publisher(rate, value):
    assert velocities((rate, value)) is None
    assert velocities((rate, lambda t: 0.3), (rate, lambda t: 0.3)) is None


def test_a_velocity_counts_whole_turns():
    """6.283 rad/s and rest are not the same, as they are of a joint's angle."""
    watch = SourceWatch()
    for k in range(100):
        watch.add_one("a", (2 * np.pi * (k % 2),), 0.05 * k)
    assert not watch.conflicts()
    assert velocities((20, lambda t: 2 * np.pi), (20, lambda t: 0.0)).contradicts


def test_a_fixed_frame_with_two_places_in_words():
    one, other = pose_value((1, 2, 3), (0, 0, 0, 1)), pose_value((4, 5, 6), (0, 0, 0, 1))
    text = str(Conflict("eye", True, 1, (("base",), ("base",)), (one, other), 0.0, 0.0, Kind.FIXED_FRAME))
    assert "'eye'" in text and "4.000 5.000 6.000, and last with 1.000 2.000 3.000" in text and " once" in text


@pytest.mark.parametrize("hz", [20.0, 50.0, 125.0])
@pytest.mark.parametrize("amplitude", [30.0, 80.0, 170.0])
def test_a_joint_in_degrees_moves_fast_and_has_one_source(amplitude, hz):
    watch = SourceWatch()
    for t in np.arange(0, 20, 1 / hz):
        watch.add(("a",), (amplitude * np.sin(t),), t, t)
    assert watch.conflicts() == {}


def test_two_sources_in_degrees_are_two_all_the_same():
    watch = SourceWatch()
    for k in range(500):
        t = k / 50
        watch.add(("a",), (80 * np.sin(t) if k % 2 else 0.5,), t, t)
    assert watch.conflicts()["a"].contradicts
