"""Which topic of a bag is the motion: the one named, or the only one that fits."""

from __future__ import annotations

from astra_ros.datasets.rosbag.bag import Bag, Topic
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_settings import BagSettings, bag_spaces
from astra_ros.datasets.rosbag.topic_lookup import named_topic, refuse_ros_1, several_topics, topic_table
from astra_ros.plans.action_spaces import action_space_class


def motion_topic(bag: Bag, settings: BagSettings) -> tuple[Topic, str]:
    """(the topic, the modality). Raises BagError where no topic fits, or several do."""
    wanted = settings.modality
    kinds = {modality: space.bag_types for modality, space in bag_spaces().items() if wanted in ("", modality)}
    if settings.motion_topic:
        types = tuple(kind for group in kinds.values() for level in group for kind in level)
        topic = named_topic(bag, settings.motion_topic, types, "the motion")
        # Odometry is a base's motion unless told otherwise.
        return topic, next(modality for modality, group in kinds.items() if any(topic.type in level for level in group))
    found = {modality: topics for modality, group in kinds.items() if (topics := _first_level(bag, group))}
    if len(found) > 1:
        # Nearly every robot broadcasts frames, and they say least about its commands.
        found = {modality: topics for modality, topics in found.items() if not action_space_class(modality).is_camera}
    if len(found) > 1:
        details = [line for modality, topics in found.items() for line in (f"{modality}:", *topic_table(topics))]
        problem, cure = "the bag holds motion of several", f"choose {' or '.join(found)}"
        raise BagError(problem, thing="modality", cure=cure, details=details)
    if not found:
        missing = sorted({kind for group in kinds.values() for level in group for kind in level})
        refuse_ros_1(bag, missing, "motion")
        raise BagError(
            f"no motion in it{f' for modality {wanted}' if wanted else ''}: no messages of type {', '.join(missing)}",
            thing=bag.path,
            cure=other_modalities(bag, wanted)
            or "record what moves the robot too, such as /joint_states, /cmd_vel or /tf",
            details=["it has", *topic_table(bag.all_topics)],
        )
    modality, topics = next(iter(found.items()))
    if len(topics) > 1:
        raise several_topics(topics, "the motion", "motion_topic")
    return topics[0], modality


def other_modalities(bag: Bag, wanted: str) -> str:
    """The cure where a bag has motion of another modality than was asked for, else ''."""
    found = {
        modality: topics
        for modality, space in bag_spaces().items()
        if modality != wanted and (topics := _first_level(bag, space.bag_types))
    }
    if len(found) > 1:  # as where none is asked for
        found = {modality: topics for modality, topics in found.items() if not action_space_class(modality).is_camera}
    return "; or ".join(
        f"import it with modality {modality}, of {', '.join(topic.name for topic in topics)}"
        for modality, topics in found.items()
    )


def _first_level(bag: Bag, group: tuple[tuple[str, ...], ...]) -> list[Topic]:
    usable = [topic for topic in bag.topics if topic.count and not topic.name.endswith("tf_static")]
    levels = ([topic for topic in usable if topic.type in level] for level in group)
    return next(filter(None, levels), [])
