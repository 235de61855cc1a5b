"""Throttled reports."""

import pytest

from astra_ros.nodes.reports import ERROR, LOG_EVERY_S, OK, RECENT_S, WARN, ThrottledReports, newest, once


class Watched:
    def __init__(self):
        self.now_s = 0.0
        self.logged = []
        self.reports = ThrottledReports(self.logged.append, clock=lambda: self.now_s)


def test_a_repeated_reason_is_counted_but_logged_rarely():
    watched = Watched()
    for _ in range(100):
        watched.reports.add("bad step")
        watched.now_s += 0.1
    assert watched.reports.count == 100
    assert watched.logged == ["bad step"] * int(10.0 / LOG_EVERY_S)


def test_another_reason_is_logged_at_once():
    watched = Watched()
    watched.reports.add("bad step")
    watched.reports.add("bad size")
    assert watched.logged == ["bad step", "bad size"] and watched.reports.last == "bad size"


def test_a_flood_of_different_reasons_is_held_back():
    watched = Watched()
    for number in range(1000):
        watched.reports.add(f"data has {number} bytes")
    assert len(watched.logged) < 10 and watched.reports.count == 1000
    watched.now_s += LOG_EVERY_S
    watched.reports.add("another")
    assert watched.logged[-1] == "another"


def test_what_was_settled_is_no_news_but_what_came_since_is():
    watched = Watched()
    watched.reports.add("no history yet")
    watched.reports.settle(watched.now_s + 1)
    assert watched.reports.recent == "" and watched.reports.last == "no history yet"
    watched.now_s += 2
    watched.reports.add("withheld")
    watched.reports.settle(watched.now_s - 1)
    assert watched.reports.recent == "withheld"


def test_a_reason_is_recent_for_a_while():
    watched = Watched()
    assert watched.reports.recent == ""
    watched.reports.add("bad step")
    watched.now_s += RECENT_S / 2
    assert watched.reports.recent == "bad step"
    watched.now_s += RECENT_S
    assert watched.reports.recent == ""


def test_the_newest_of_several():
    early, late, never = Watched(), Watched(), Watched()
    early.reports.add("early")
    late.now_s = early.now_s = 1.0
    late.reports.add("late")
    assert newest(early.reports, late.reports, never.reports) == "late"
    assert newest(never.reports) == ""


def test_what_is_said_once_is_remembered_up_to_a_number_of_texts():
    logged = []
    say = once(logged.append, most=3)
    for text in ("a", "a", "b", "a", "c", "b"):
        say(text)
    assert logged == ["a", "b", "c"]
    say("d")  # the oldest is forgotten
    say("d"), say("c"), say("a")
    assert logged == ["a", "b", "c", "d", "a"]


def test_levels_are_those_of_the_messages():
    status = pytest.importorskip("diagnostic_msgs.msg").DiagnosticStatus
    assert (OK, WARN, ERROR) == (status.OK, status.WARN, status.ERROR)
