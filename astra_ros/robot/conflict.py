"""What two publishers say of one thing, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from astra_ros.texts import short

Value = tuple[float, ...]


class Kind(Enum):
    """What publishers speak of.

    Attributes:
        JOINT: a joint's position, rad or m.
        FRAME: an edge of tf, a pose as `pose_value` makes it.
        FIXED_FRAME: one that never moves.
        VELOCITY: a component of a base's velocity, m/s or rad/s.
    """

    JOINT = "joint"
    FRAME = "frame"
    FIXED_FRAME = "fixed frame"
    VELOCITY = "velocity"


@dataclass(frozen=True)
class Conflict:
    """Two publishers of one joint, edge or velocity.

    Attributes:
        key: the name of the joint, the frame, or the component.
        contradicts: whether what they say differs by more than a relay's delay explains.
        times: how often it was seen: visits there and back, or messages that contradict or agree.
        names: the joints that each one's messages name, in their order; of a frame the one parent, of a velocity the
            frame of the header. The same twice where that does not tell them apart, and then it may also be one
            publisher that often says something else in between.
        values: what each said, close to each other in time; of a fixed frame, the last one first.
        back_s: by how much stamps went back and forth, s; 0 where they did not.
        last_s: when it was seen last, on the clock of `received_s`.
        kind: what `key` is.
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
        """In words, without a topic and a cure."""
        what = f"{self.kind.value} '{short(self.key)}'"
        one, other = (" ".join(f"{number:.3f}" for number in value[:3]) for value in self.values)
        if self.kind is Kind.FIXED_FRAME:
            return (
                f"{what} was published with another place {_times(self.times)}, such as {other}, and last with "
                f"{one} (x y z; the rotation may differ too)"
            )
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
        return f"{what} jumps back and forth ({how}), as when two publishers speak of it{same}{stamps}"


_ALIKE = {Kind.JOINT: "order of names", Kind.FRAME: "parent"}
_SAID_IN = {
    Kind.JOINT: "their messages name {} and {}",
    Kind.FRAME: "it stands in {} and also in {}",
    Kind.VELOCITY: "their headers name {} and {}",
}


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _in_order(names: Sequence[str], most: int = 12) -> str:
    """Without commas, so that two orders beside each other can be told apart."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"({' '.join(short(name, 40) for name in names[:most])}{more})"
