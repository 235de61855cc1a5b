"""Errors of bags: a class for each cause that callers tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from astra_ros.camera.image_sources import CameraConflict
from astra_ros.datasets.episode import DatasetError
from astra_ros.errors import UserError
from astra_ros.robot.conflict import Conflict
from astra_ros.texts import bounded, listed, short

COPY_AGAIN = "copy the bag again, or record it again"


def lists_publishers(topic: str) -> str:
    return f"`ros2 topic info -v {topic}` lists the publishers"


class BagError(DatasetError):
    """A bag cannot be used. `details` are lines below the message, such as the topics of the bag."""

    def __init__(self, problem: str, *, thing: object = "", cure: str = "", details: Iterable[str] = ()):
        super().__init__(problem, thing=thing, cure=cure)
        self.bag = ""  # path of the bag, where `thing` is a topic or setting
        self.details = tuple(details)

    def __str__(self) -> str:
        text = super().__str__()
        if self.bag not in text:
            text = f"{self.bag}: {text}"
        return "\n".join(bounded(line) for line in "\n".join([text, *self.details]).split("\n"))


class BagConfigError(UserError, ValueError):
    """A setting of an import cannot be used. `thing` is the setting, or the file that it stands in."""


class UnreadableFile(UserError):
    """No message of a file can be read."""

    def __init__(self, problem: str, cure: str = COPY_AGAIN):
        super().__init__(problem, cure=cure)


class ClockError(BagError):
    """The clock that was asked for cannot be used."""


class FrameError(BagError):
    """A frame is not in the tree, or not above another one."""


class TwoCameras(BagError):
    """Several cameras publish on one topic, which is `thing`."""

    def __init__(self, topic: str, conflict: CameraConflict):
        cure = f"give each camera a topic of its own, and record again: {lists_publishers(topic)}"
        super().__init__(f"{conflict} ({conflict.times} times)", thing=topic, cure=cure)
        self.conflict = conflict


class MotionError(BagError):
    """The motion of a bag cannot be used. `thing` is its topic."""

    def __init__(self, topic: str, problem: str, cure: str):
        super().__init__(problem, thing=topic, cure=cure)


class UnknownJoint(MotionError):
    """`joints` were named that no message has; `known` are those of the messages."""

    def __init__(self, topic: str, joints: Sequence[str], known: Sequence[str]):
        problem = f"no joint {listed(joints)}; there are {listed(known) or 'none'}"
        super().__init__(topic, problem, "name some of these, or none to take all")
        self.joints, self.known = tuple(joints), tuple(known)


class SeveralOdometries(MotionError):
    """One topic has odometries of several `frames`: (header.frame_id, child_frame_id) -> number of messages."""

    def __init__(self, topic: str, frames: Mapping[tuple[str, str], int]):
        pairs = ", ".join(
            f"'{short(child)}' in '{short(parent)}' ({count} times)" for (parent, child), count in frames.items()
        )
        parents = list(dict.fromkeys(parent for parent, _ in frames))
        cure = f"record the odometry of one robot on a topic of its own: {lists_publishers(topic)}"
        if len(parents) == len(frames) and all(parents):
            cure = f"set fixed_frame: {' or '.join(map(short, parents))}, or {cure}"
        super().__init__(topic, f"has odometries of several frames, {pairs}", cure)
        self.frames = dict(frames)


class TwoSources(MotionError):
    """Two publishers contradict each other. `alternative`: another cure than to stop one of them."""

    def __init__(self, topic: str, conflicts: Sequence[Conflict], alternative: str = ""):
        cure = f"stop one of the publishers and record again: {lists_publishers(topic)}"
        super().__init__(topic, summary(conflicts), f"{cure}, {alternative}" if alternative else cure)
        self.conflicts = tuple(conflicts)


def summary(conflicts: Sequence[Conflict]) -> str:
    """The first conflict of each pair of publishers in full, the others by name and number."""
    groups: dict[tuple, list[Conflict]] = {}
    for conflict in conflicts:
        groups.setdefault((conflict.names, conflict.contradicts), []).append(conflict)
    texts = []
    for first, *others in groups.values():
        likewise = ", ".join(f"'{short(conflict.key)}' ({conflict.times} times)" for conflict in others)
        texts.append(f"{first}; likewise {likewise}" if others else str(first))
    return "; ".join(texts)
