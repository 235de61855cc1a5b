"""Finding one topic of a bag, and the errors where it is missing, wrong or not the only one."""

from __future__ import annotations

from collections.abc import Collection

from astra_ros.datasets.rosbag.bag import Bag, Topic
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.storage import CONVERT, ROS_1, ros2_type

_CONVERT_PART = (
    f"convert the .bag file that it comes from: {CONVERT}; then import a folder that holds the converted file and the "
    "files of this bag"
)


def topic_table(topics: Collection[Topic]) -> list[str]:
    """Topics with types and counts, a line each."""
    width = max((len(topic.name) for topic in topics), default=0)
    return [
        f"  {topic.name:{width}}  {topic.type}  {topic.count} messages"
        + (f" (not read: {topic.unusable})" if topic.unusable else "")
        for topic in topics
    ]


def named_topic(bag: Bag, name: str, types: Collection[str], role: str) -> Topic:
    """The topic of this name. Raises BagError where it is missing, empty or of another type."""
    found = next((topic for topic in bag.topics if topic.name == name), None)
    unusable = next((topic for topic in bag.unusable if topic.name == name), None)
    if found is None and unusable is not None and unusable.unusable == ROS_1:
        raise BagError(f"chosen as {role}, but of ROS 1", thing=name, cure=_CONVERT_PART)
    if found is None:
        problem = f"chosen as {role}, but not in the bag"
        if unusable is not None:
            problem = f"chosen as {role}, but not readable: {unusable.type}, {unusable.unusable}"
        raise BagError(problem, thing=name, cure="name one of these topics", details=topic_table(bag.all_topics))
    if found.type not in types:
        cure = f"name one of type {' or '.join(types)}"
        raise BagError(f"chosen as {role}, but of type {found.type}", thing=name, cure=cure)
    if not found.count:
        cure = "check that it is published while you record, with a QoS that the recorder accepts"
        raise BagError(f"chosen as {role}, but without messages", thing=name, cure=cure)
    return found


def several_topics(topics: list[Topic], role: str, setting: str) -> BagError:
    cure = f"choose one, such as {topics[0].name}"
    return BagError(f"several topics may be {role}", thing=setting, cure=cure, details=topic_table(topics))


def refuse_ros_1(bag: Bag, types: Collection[str], role: str) -> None:
    """Raises BagError where the only topics of these types are those of ROS 1. They need no second recording."""
    found = [
        topic
        for topic in bag.unusable
        if topic.count and topic.unusable == ROS_1 and ros2_type(topic.type.rpartition(" ")[2]) in types
    ]
    if found:
        problem = f"its {role} is of ROS 1 and the rest is not"
        raise BagError(problem, thing=bag.path, cure=_CONVERT_PART, details=topic_table(found))
