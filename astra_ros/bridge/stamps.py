"""Stamps and seconds, without losing nanoseconds on the way."""

from __future__ import annotations

from builtin_interfaces.msg import Duration, Time

NANOSECONDS = 1_000_000_000


def to_nanoseconds(stamp: Time | Duration) -> int:
    return stamp.sec * NANOSECONDS + stamp.nanosec


def to_seconds(stamp: Time | Duration) -> float:
    return to_nanoseconds(stamp) / NANOSECONDS


def stamp_of(seconds: float) -> Time:
    return _split(Time(), round(seconds * NANOSECONDS))


def stamp_of_nanoseconds(nanoseconds: int) -> Time:
    return _split(Time(), nanoseconds)


def duration_of(seconds: float) -> Duration:
    return _split(Duration(), round(seconds * NANOSECONDS))


def later(stamp: Time, seconds: float) -> Time:
    """The stamp ``seconds`` after ``stamp``, exact to the nanosecond."""
    return _split(Time(), to_nanoseconds(stamp) + round(seconds * NANOSECONDS))


def _split(message, nanoseconds: int):
    message.sec, message.nanosec = divmod(nanoseconds, NANOSECONDS)
    return message
