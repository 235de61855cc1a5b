"""Throttled notices."""

import pytest

pytest.importorskip("rclpy")

from astra_ros.nodes.health import LOG_EVERY_S, RECENT_S, Notices, newest, once


class Watched:
    def __init__(self):
        self.now_s = 0.0
        self.logged = []
        self.notices = Notices(self.logged.append, clock=lambda: self.now_s)


def test_a_repeated_reason_is_counted_but_logged_rarely():
    watched = Watched()
    for _ in range(100):
        watched.notices.add("bad step")
        watched.now_s += 0.1
    assert watched.notices.count == 100
    assert watched.logged == ["bad step"] * int(10.0 / LOG_EVERY_S)


def test_another_reason_is_logged_at_once():
    watched = Watched()
    watched.notices.add("bad step")
    watched.notices.add("bad size")
    assert watched.logged == ["bad step", "bad size"] and watched.notices.last == "bad size"


def test_a_flood_of_different_reasons_is_held_back():
    watched = Watched()
    for number in range(1000):
        watched.notices.add(f"data has {number} bytes")
    assert len(watched.logged) < 10 and watched.notices.count == 1000
    watched.now_s += LOG_EVERY_S
    watched.notices.add("another")
    assert watched.logged[-1] == "another"


def test_what_was_settled_is_no_news_but_what_came_since_is():
    watched = Watched()
    watched.notices.add("no history yet")
    watched.notices.settle(watched.now_s + 1)
    assert watched.notices.recent == "" and watched.notices.last == "no history yet"
    watched.now_s += 2
    watched.notices.add("withheld")
    watched.notices.settle(watched.now_s - 1)
    assert watched.notices.recent == "withheld"


def test_a_reason_is_recent_for_a_while():
    watched = Watched()
    assert watched.notices.recent == ""
    watched.notices.add("bad step")
    watched.now_s += RECENT_S / 2
    assert watched.notices.recent == "bad step"
    watched.now_s += RECENT_S
    assert watched.notices.recent == ""


def test_the_newest_of_several():
    early, late, never = Watched(), Watched(), Watched()
    early.notices.add("early")
    late.now_s = early.now_s = 1.0
    late.notices.add("late")
    assert newest(early.notices, late.notices, never.notices) == "late"
    assert newest(never.notices) == ""


def test_what_is_said_once_is_remembered_up_to_a_number_of_texts():
    logged = []
    say = once(logged.append, most=3)
    for text in ("a", "a", "b", "a", "c", "b"):
        say(text)
    assert logged == ["a", "b", "c"]
    say("d")  # the oldest is forgotten
    say("d"), say("c"), say("a")
    assert logged == ["a", "b", "c", "d", "a"]
