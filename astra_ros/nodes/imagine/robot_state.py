"""Where the robot is, by joint states, the robot's description and the publishers in the graph. Without ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from astra_ros.nodes.imagine.inputs import ImagineInputs
from astra_ros.nodes.imagine.robot_description import RobotDescription
from astra_ros.plans.start import RobotNow
from astra_ros.robot.conflict import Conflict
from astra_ros.robot.limits import beyond, in_words

SHOWN = 4  # joints that are named at most


class TopicGraph(Protocol):
    """The graph of topics and nodes, see ``topic_types.py``."""

    def look(self) -> Mapping[str, str]:
        """Look at the graph now: topic -> its fault, or ''."""

    def wrong(self, name: str) -> str:
        """The fault of a topic at the last looks, or ''."""

    def publishers(self, topic: str) -> Sequence[str]:
        """Names of the nodes that publish on a topic."""


@dataclass(frozen=True)
class RobotState:
    """The state of the robot, in words and in numbers."""

    topic: str
    inputs: ImagineInputs
    description: RobotDescription
    graph: TopicGraph

    def now(self, timeout_s: float) -> RobotNow:
        """Where the robot is; joint states older than ``timeout_s`` do not count."""
        text, conflicts = self._contradicted()
        doubted = {each.key: text for each in conflicts if each.contradicts}
        described = self.description
        heard = self.inputs.joints.now(timeout_s)
        return RobotNow(heard, doubted, described.continuous, described.limited, described.joint_limits)

    def unknown(self, joints: Sequence[str], timeout_s: float) -> str | None:
        """Why the positions of some joints are not known, and the cure; None where they are."""
        now = self.now(timeout_s)
        if not (unknown := now.unknown(joints)):
            return None
        if doubts := now.why_unknown(unknown):
            return f"the position of the robot is not known: {doubts}"
        return self.missing(f"joint state of {', '.join(unknown)}", self.graph.wrong("joint_states"))

    def missing(self, what: str = "joint states", cure: str = "") -> str:
        """What the absence of joint states means, and the cure."""
        return (
            f"no {what} came on {self.topic} within camera_timeout_s, so plans cannot be compared with where the robot "
            f"is; {cure or 'remap joint_states'}, or set start_tolerance to 0 to take plans that start anywhere"
        )

    def contradictions(self) -> tuple[str, frozenset]:
        """(joints that have two publishers, in words, or ''; each joint and whether they contradict each other,
        which stays equal while the fault lasts)."""
        text, conflicts = self._contradicted()
        return text, frozenset((each.key, each.contradicts) for each in conflicts)

    def joints_beyond_limits(self, timeout_s: float) -> tuple[str, frozenset]:
        """Joint states far beyond the limits of the robot's description."""
        heard = {joint: [value] for joint, value in self.inputs.joints.now(timeout_s).items()}
        return self._beyond({self.topic: heard}, "driver")

    def plans_beyond_limits(self) -> tuple[str, frozenset]:
        """Plans far beyond the limits of the robot's description."""
        return self._beyond(self.inputs.plans.positions, "planner")

    def _beyond(self, positions_of: Mapping[str, Mapping], sender: str) -> tuple[str, frozenset]:
        """(Joints far beyond their limits, in words, or ''; what stays equal while the fault lasts); ``positions_of``:
        topic -> joint -> positions."""
        limits = self.description.limits
        found = {topic: far for topic, positions in positions_of.items() if (far := beyond(limits, positions))}
        text = "; ".join(f"{topic}: {in_words(far, sender)}" for topic, far in found.items())
        return text, frozenset((topic, each.joint) for topic, far in found.items() for each in far)

    def _contradicted(self) -> tuple[str, list[Conflict]]:
        """The contradicted joints, or else those with two publishers that agree: in words, and all of them."""
        found = list(self.inputs.joints.conflicts.values())
        found = [each for each in found if each.contradicts] or found
        if not found:
            return "", []
        others = [each.key for each in found[1:]]
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        too = f"; likewise {', '.join(others[:SHOWN])}{more}" if others else ""
        nodes = self.graph.publishers(self.topic)
        who = f" ({', '.join(nodes[:SHOWN])})" if len(nodes) > 1 else ""
        cure = f"stop one of its publishers{who}, or remap joint_states to the robot's own topic"
        return f"{self.topic}: {found[0]}{too}; {cure}", found
