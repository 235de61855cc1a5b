"""A conflict between two publishers of one joint, tf edge or velocity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from astra_ros.texts import short

Value = tuple[float, ...]


class Kind(Enum):
    """The kind of value that is published."""

    JOINT = "joint"  # its position, rad or m
    FRAME = "frame"  # an edge of tf, a pose as `pose_values` makes it
    FIXED_FRAME = "fixed frame"  # a static edge of tf
    VELOCITY = "velocity"  # a component of a base's velocity, m/s or rad/s


@dataclass(frozen=True)
class Conflict:
    """Two publishers of one joint, edge or velocity.

    Attributes:
        key: the name of the joint, the frame, or the component.
        contradicts: whether their values differ by more than a relay's delay explains.
        times: how often it was seen: visits there and back, or messages.
        names: of each publisher, the joints that its messages name, in order. A frame has its one parent here, a
            velocity the frame of the header. Where both are the same, one publisher may send both values.
        values: one of each publisher, close in time; of a fixed frame, the last one first.
        back_s: by how much stamps go back and forth, s; 0 where they do not.
        last_s: time of the last sighting, on the clock of `received_s`.
    """

    key: str
    contradicts: bool
    times: int
    names: tuple[tuple[str, ...], tuple[str, ...]]
    values: tuple[Value, Value]
    back_s: float
    last_s: float
    kind: Kind = Kind.JOINT

    def __str__(self) -> str:
        """The conflict in words, without topic and cure."""
        what = f"{self.kind.value} '{short(self.key)}'"
        one, other = (" ".join(f"{number:.3f}" for number in value[:3]) for value in self.values)
        if self.kind is Kind.FIXED_FRAME:
            last = f"last with {one} (x y z; the rotation may differ too)"
            return f"{what} was published with another place {_times(self.times)}, such as {other}, and {last}"
        how = f"{_times(self.times)}, such as {one} beside {other}"
        first, second = (
            _in_order(names) if self.kind is Kind.JOINT else f"'{short(''.join(names))}'" for names in self.names
        )
        apart = f"; {_SAID_IN[self.kind].format(first, second)}" if self.names[0] != self.names[1] else ""
        stamps = f"; stamps go back and forth by {self.back_s:.3f} s" * (self.back_s > 0)
        if not self.contradicts:
            return f"{what} seems to have two publishers, which agree ({how}){apart}{stamps}"
        if apart:
            return f"{what} has two publishers, which contradict each other ({how}){apart}{stamps}"
        same = f"; both have the same {_ALIKE[self.kind]}, {first}" if self.kind in _ALIKE else ""
        return f"{what} jumps back and forth ({how}), as when two nodes publish it{same}{stamps}"


_ALIKE = {Kind.JOINT: "order of names", Kind.FRAME: "parent"}
_SAID_IN = {
    Kind.JOINT: "their messages name {} and {}",
    Kind.FRAME: "its parent is {} and also {}",
    Kind.VELOCITY: "their headers name {} and {}",
}


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _in_order(names: Sequence[str], most: int = 12) -> str:
    """The names without commas, so that two lists beside each other stay distinct."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"({' '.join(short(name, 40) for name in names[:most])}{more})"
