"""A motion that cannot be imported: what was wrong with which topic, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from astra_ros.learning.bags.storage import BagError
from astra_ros.robot.joint_sources import Conflict
from astra_ros.texts import listed, short


class MotionError(BagError):
    """The motion of a bag cannot be used.

    Attributes:
        topic: of the motion.
        what: what was found.
        cure: what to do.
    """

    def __init__(self, topic: str, what: str, cure: str):
        super().__init__(f'{topic}: {what}; {cure}')
        self.topic, self.what, self.cure = topic, what, cure


class UnknownJoint(MotionError):
    """Joints were named that no message has.

    Attributes:
        joints: those that were named.
        known: those that there are.
    """

    def __init__(self, topic: str, joints: Sequence[str], known: Sequence[str]):
        super().__init__(topic, f'no joint {listed(joints)}; there are {listed(known) or "none"}',
                         'name some of these with --joints, or none to take all')
        self.joints, self.known = tuple(joints), tuple(known)


class TwoSources(MotionError):
    """Two publishers contradict each other.

    Attributes:
        conflicts: about which joints or frames.
    """

    def __init__(self, topic: str, conflicts: Sequence[Conflict], instead: str):
        """`instead`: another way out than to stop one of them, '' where there is none."""
        cure = (f'which one is right cannot be told: stop one of the publishers (`ros2 topic info -v {topic}` lists '
                'them) and record again')
        super().__init__(topic, in_words(conflicts), f'{cure}, {instead}' if instead else cure)
        self.conflicts = tuple(conflicts)


def in_words(conflicts: Sequence[Conflict]) -> str:
    """The first of each pair of orders in full, the others by name and number."""
    groups: dict[tuple, list[Conflict]] = {}
    for conflict in conflicts:
        groups.setdefault((conflict.names, conflict.contradicts), []).append(conflict)
    said = []
    for first, *others in groups.values():
        likewise = ', '.join(f"'{short(conflict.key)}' ({conflict.times} times)" for conflict in others)
        said.append(f'{first}; likewise {likewise}' if others else str(first))
    return '; '.join(said)
