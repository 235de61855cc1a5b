"""A motion that cannot be imported: what was wrong with which topic, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from astra_ros.datasets.rosbag.storage import BagError
from astra_ros.robot.conflict import Conflict
from astra_ros.texts import listed, short


class MotionError(BagError):
    """The motion of a bag cannot be used.

    `thing` is its topic.
    """

    def __init__(self, topic: str, problem: str, cure: str):
        super().__init__(problem, thing=topic, cure=cure)


class UnknownJoint(MotionError):
    """Joints were named that no message has.

    Attributes:
        joints: those that were named.
        known: those that there are.
    """

    def __init__(self, topic: str, joints: Sequence[str], known: Sequence[str]):
        super().__init__(
            topic,
            f"no joint {listed(joints)}; there are {listed(known) or 'none'}",
            "name some of these with --joints, or none to take all",
        )
        self.joints, self.known = tuple(joints), tuple(known)


class SeveralOdometries(MotionError):
    """Odometries of several frames on one topic.

    Attributes:
        frames: (header.frame_id, child_frame_id) -> number of messages.
    """

    def __init__(self, topic: str, frames: Mapping[tuple[str, str], int]):
        listed = ", ".join(
            f"'{short(child)}' in '{short(parent)}' ({count} times)" for (parent, child), count in frames.items()
        )
        parents = list(dict.fromkeys(parent for parent, _ in frames))
        told_apart = len(parents) == len(frames) and all(parents)
        choice = f"set fixed_frame: {' or '.join(map(short, parents))} in the --config file, or " if told_apart else ""
        super().__init__(
            topic,
            f"it speaks of several frames, {listed}, and which one is right cannot be told",
            f"{choice}record the odometry of one robot, on a topic of its own (`ros2 topic info -v "
            f"{topic}` lists the publishers)",
        )
        self.frames = dict(frames)


class TwoSources(MotionError):
    """Two publishers contradict each other.

    Attributes:
        conflicts: about which joints or frames.
    """

    def __init__(self, topic: str, conflicts: Sequence[Conflict], instead: str):
        """`instead`: another way out than to stop one of them, '' where there is none."""
        cure = (
            f"which one is right cannot be told: stop one of the publishers (`ros2 topic info -v {topic}` lists "
            "them) and record again"
        )
        super().__init__(topic, in_words(conflicts), f"{cure}, {instead}" if instead else cure)
        self.conflicts = tuple(conflicts)


def in_words(conflicts: Sequence[Conflict]) -> str:
    """The first of each pair of orders in full, the others by name and number."""
    groups: dict[tuple, list[Conflict]] = {}
    for conflict in conflicts:
        groups.setdefault((conflict.names, conflict.contradicts), []).append(conflict)
    said = []
    for first, *others in groups.values():
        likewise = ", ".join(f"'{short(conflict.key)}' ({conflict.times} times)" for conflict in others)
        said.append(f"{first}; likewise {likewise}" if others else str(first))
    return "; ".join(said)
