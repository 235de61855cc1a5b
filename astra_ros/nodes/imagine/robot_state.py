"""Where the robot is, put together from joint states, the robot's description and who publishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from astra_ros.nodes.imagine.inputs import ImagineInputs
from astra_ros.nodes.imagine.robot_description import RobotDescription
from astra_ros.nodes.imagine.topic_types import TopicTypes
from astra_ros.plans.start import RobotNow
from astra_ros.robot.conflict import Conflict
from astra_ros.robot.limits import beyond, in_words

SHOWN = 4  # joints that are named at most


@dataclass(frozen=True)
class RobotState:
    """Asks the inputs, in words and in numbers.

    Attributes:
        topic: of the joint states.
        inputs, description, topics: what is asked.
    """

    topic: str
    inputs: ImagineInputs
    description: RobotDescription
    topics: TopicTypes

    def now(self, timeout_s: float) -> RobotNow:
        """Where the robot is; joint states that are older than ``timeout_s`` do not count."""
        text, conflicts = self._contradicted()
        doubted = {each.key: text for each in conflicts if each.contradicts}
        described = self.description
        return RobotNow(self.inputs.joints_now(timeout_s), doubted, described.continuous, described.limited)

    def unknown(self, joints: Sequence[str], timeout_s: float) -> str | None:
        """Why it is not known where some joints are, and what to do; None where it is."""
        now = self.now(timeout_s)
        if not (unknown := now.unknown(joints)):
            return None
        if doubts := now.why_unknown(unknown):
            return f"it is not known where the robot is: {doubts}"
        heard = self.topics.wrong("joint_states")
        return (
            f"no joint state of {', '.join(unknown)} came on {self.topic} within camera_timeout_s, so it is not known "
            f"whether plans start where the robot is; {heard or 'remap joint_states'}, or set start_tolerance to 0 to "
            "take plans that start anywhere"
        )

    def contradictions(self) -> tuple[str, frozenset]:
        """(what two publishers say of the same joints, in words, or '', and what stays the same while that lasts: each
        joint and whether they contradict each other)."""
        text, conflicts = self._contradicted()
        return text, frozenset((each.key, each.contradicts) for each in conflicts)

    def beyond_limits(self, timeout_s: float) -> tuple[tuple[str, frozenset], tuple[str, frozenset]]:
        """Joint states and plans beside what the robot's description allows.

        Returns:
            Of the joint states, then of the plans: (which joints are far beyond their limits, in words, or '', and what
            stays the same while that lasts).
        """
        heard = {joint: [value] for joint, value in self.inputs.joints_now(timeout_s).items()}
        return self._beyond({self.topic: heard}, "driver"), self._beyond(self.inputs.plan_positions, "planner")

    def _beyond(self, said: Mapping[str, Mapping], sender: str) -> tuple[str, frozenset]:
        """One half of `beyond_limits`; `said`: topic -> joint -> positions."""
        limits = self.description.limits
        found = {topic: far for topic, positions in said.items() if (far := beyond(limits, positions))}
        text = "; ".join(f"{topic}: {in_words(far, sender)}" for topic, far in found.items())
        return text, frozenset((topic, each.joint) for topic, far in found.items() for each in far)

    def _contradicted(self) -> tuple[str, list[Conflict]]:
        """The joints that are contradicted, or else those of which two publishers say the same; in words, and all."""
        found = list(self.inputs.joint_conflicts.values())
        found = [each for each in found if each.contradicts] or found
        if not found:
            return "", []
        others = [each.key for each in found[1:]]
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        too = f"; likewise {', '.join(others[:SHOWN])}{more}" if others else ""
        nodes = self.topics.publishers(self.topic)
        who = f" ({', '.join(nodes[:SHOWN])})" if len(nodes) > 1 else ""
        cure = f"stop one of its publishers{who}, or remap joint_states to the robot's own topic"
        return f"{self.topic}: {found[0]}{too}; {cure}", found
