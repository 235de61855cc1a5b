"""Finds topics whose publishers a node cannot hear: their type is another one, or their quality of service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
SHOWN = 4  # topics that are named at most
# Nodes that are just being discovered look wrong for a moment: a fault must last for this many looks.
LOOKS = 3


@dataclass(frozen=True)
class Subscribed:
    """A topic that the node subscribes to.

    Attributes:
        name, topic: relative, as it is remapped, and in the graph.
        needed: the node cannot work without it, so a topic without publishers is a fault.
        single: messages of two nodes must not be mixed.
        cure: what to do about a type that no remapping helps with.
    """

    name: str
    topic: str
    type: str
    qos: QoSProfile
    needed: bool = False
    single: bool = False
    cure: str = ""


@dataclass(frozen=True)
class Publisher:
    """A publisher of a topic in the graph: its type, node and quality of service."""

    type: str
    node: str
    qos: QoSProfile


def complaint(wanted: Subscribed, publishers: Sequence[Publisher], topics: Mapping[str, Sequence[str]]) -> str:
    """The fault of a topic and its cure, or ''; ``topics`` are those of other nodes, with their types."""
    fitting = [each for each in publishers if each.type == wanted.type]
    nodes = sorted({each.node for each in fitting})
    if wanted.single and len(nodes) > 1:
        return (
            f"{wanted.topic}: several nodes publish there, {', '.join(nodes[:SHOWN])}; stop all but one, or remap "
            f"{wanted.name} to the topic of one of them"
        )
    if fitting:
        misfits = {each.node: wrong for each in fitting if (wrong := _misfit(wanted.qos, each.qos))}
        if misfits:  # also where other publishers are heard
            offers, cure = next(iter(misfits.values()))
            who = ", ".join(sorted(node for node, (what, _) in misfits.items() if what == offers)[:SHOWN])
            return (
                f"{wanted.topic}: {who} publishes {offers}, which this node's subscription does not take; "
                f"publish {cure}"
            )
        return ""
    types = sorted({each.type for each in publishers})
    if types:
        who = ", ".join(sorted({each.node for each in publishers})[:SHOWN])
        said = f"{wanted.topic}: {who} publishes {', '.join(types)}, but {wanted.type} is expected"
        return f"{said}; {_cure(wanted, types, topics)}"
    if beside := _beside(wanted, topics):
        return f"{wanted.topic}: nothing is published there; {beside}"
    if wanted.needed and (others := _others(wanted, topics)):
        said = f"{wanted.topic}: nothing is published there; {wanted.type} is published on {others}"
        return f"{said}: remap {wanted.name}"
    return ""


def _misfit(mine: QoSProfile, theirs: QoSProfile) -> tuple[str, str] | None:
    """(what the publisher offers, what it should offer), or None where the subscription hears it."""
    if mine.reliability == ReliabilityPolicy.RELIABLE and theirs.reliability == ReliabilityPolicy.BEST_EFFORT:
        return "best effort", "with reliable QoS"
    if mine.durability == DurabilityPolicy.TRANSIENT_LOCAL and theirs.durability == DurabilityPolicy.VOLATILE:
        return "volatile messages", "with durability transient_local"
    return None


def _cure(wanted: Subscribed, types: Sequence[str], topics: Mapping[str, Sequence[str]]) -> str:
    if wanted.name == "image" and wanted.type == IMAGE and COMPRESSED in types:
        base, dot, _ = wanted.topic.rpartition("/compressed")
        if dot and not _:
            return f"remap image to {base} and set image_transport:=compressed"
        return f"set image_transport:=compressed and remap {wanted.topic}/compressed to {wanted.topic}"
    if wanted.name == "image" and wanted.type == COMPRESSED and IMAGE in types:
        return f"remap image to {wanted.topic} and set image_transport:=raw"
    parts = [part for part in (_beside(wanted, topics), wanted.cure) if part]
    if others := _others(wanted, topics):
        parts.insert(0, f"{wanted.type} is published on {others}: remap {wanted.name}")
    return "; or ".join(parts) or f"remap {wanted.name} to a topic of {wanted.type}"


def _beside(wanted: Subscribed, topics: Mapping[str, Sequence[str]]) -> str:
    """The cure where the camera publishes under the name of the other transport."""
    if wanted.name != "image":
        return ""
    if wanted.type == IMAGE and COMPRESSED in topics.get(f"{wanted.topic}/compressed", ()):
        return f"{wanted.topic}/compressed has {COMPRESSED}: set image_transport:=compressed"
    raw = wanted.topic.removesuffix("/compressed")
    if wanted.type == COMPRESSED and IMAGE in topics.get(raw, ()):
        return f"{raw} has {IMAGE}: set image_transport:=raw"
    return ""


def _others(wanted: Subscribed, topics: Mapping[str, Sequence[str]]) -> str:
    """Topics of the wanted type, in words, or ''."""
    names = sorted(name for name, types in topics.items() if wanted.type in types and name != wanted.topic)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


class TopicTypes:
    """Looks at the graph for topics that a node cannot hear."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._subscribed: list[Subscribed] = []
        self._seen: dict[str, tuple[str, int]] = {}  # name -> (fault, for how many looks)

    def watch(self, name: str, subscription: Subscription, **rest) -> None:
        """Watch a subscription from now on; ``rest`` are further fields of `Subscribed`."""
        message: Any = subscription.msg_type
        kind = f"{message.__module__.partition('.')[0]}/msg/{message.__name__}"
        topic, qos = subscription.topic_name, subscription.qos_profile
        self._subscribed.append(Subscribed(name, topic, kind, qos, **rest))

    def look(self) -> dict[str, str]:
        """Look at the graph now: name -> the fault that has lasted for ``LOOKS`` looks, or ''."""
        topics = self._topics_of_others()
        for each in self._subscribed:
            text = complaint(each, self._publishers(each.topic), topics)
            before, looks = self._seen.get(each.name, ("", 0))
            self._seen[each.name] = (text, looks + 1 if text == before else 1)
        return {each.name: self.wrong(each.name) for each in self._subscribed}

    def wrong(self, name: str) -> str:
        """The fault of a topic at the last looks, or ''."""
        text, looks = self._seen.get(name, ("", 0))
        return text if looks >= LOOKS else ""

    def publishers(self, topic: str) -> list[str]:
        """Names of the nodes that publish on a topic."""
        return sorted({each.node for each in self._publishers(topic)})

    def _publishers(self, topic: str) -> list[Publisher]:
        return [
            Publisher(info.topic_type, f"{info.node_namespace.rstrip('/')}/{info.node_name}", info.qos_profile)
            for info in self._node.get_publishers_info_by_topic(topic)
        ]

    def _topics_of_others(self) -> dict[str, list[str]]:
        node = self._node
        own = node.get_publisher_names_and_types_by_node(node.get_name(), node.get_namespace())
        not_theirs = {name for name, _ in own}
        return {
            name: types
            for name, types in node.get_topic_names_and_types()
            if name not in not_theirs and node.count_publishers(name)
        }
