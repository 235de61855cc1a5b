"""Which topics of a bag are the camera and the motion: those named, or the only ones that fit."""

from __future__ import annotations

from dataclasses import dataclass

from astra_ros.datasets.rosbag.bag import Bag, Topic
from astra_ros.datasets.rosbag.camera_topic import camera_info_topic, camera_topic, same_frame_infos
from astra_ros.datasets.rosbag.errors import BagError, lists_publishers
from astra_ros.datasets.rosbag.import_settings import BagSettings, changed
from astra_ros.datasets.rosbag.message_types import STRING, TF
from astra_ros.datasets.rosbag.motion_topic import motion_topic
from astra_ros.datasets.rosbag.storage import CONVERT, ROS_1
from astra_ros.datasets.rosbag.topic_lookup import topic_table
from astra_ros.plans.action_spaces import action_space_class


@dataclass(frozen=True)
class TopicSelection:
    """The topics of an import, and its settings with these topics and their modality filled in."""

    settings: BagSettings
    image: Topic
    motion: Topic
    camera_info: Topic | None
    static_tf: tuple[Topic, ...]
    notes: tuple[str, ...]
    description: Topic | None = None
    other_infos: tuple[str, ...] = ()  # topics that may be a missing `camera_info`: their frame is the images'

    @property
    def used(self) -> dict[str, str]:
        """Topic -> what it is used for."""
        roles = {self.image.name: "the camera", self.motion.name: "the motion"}
        if self.camera_info:
            roles[self.camera_info.name] = "the camera's lens"
        if self.description:
            roles[self.description.name] = "which joints turn without end"
        return roles | {topic.name: "fixed frames" for topic in self.static_tf}


def select_topics(bag: Bag, settings: BagSettings) -> TopicSelection:
    """Raises BagError where a topic is missing or wrong, or where several fit: it lists them."""
    try:
        return _select(bag, settings)
    except BagError as error:  # what is missing may lie in a file that was not read
        error.details += tuple(note for note in bag.notes if note not in str(error))
        raise


def _select(bag: Bag, settings: BagSettings) -> TopicSelection:
    if not any(topic.count for topic in bag.topics):
        raise _no_messages(bag)
    notes: list[str] = []
    image = camera_topic(bag, settings.image_topic, notes)
    motion, modality = motion_topic(bag, settings)
    static = tuple(
        topic for topic in bag.topics if topic.type == TF and topic.name.endswith("tf_static") and topic.count
    )
    space = action_space_class(modality)
    needs_frames = space.is_camera or "from_tf" in (settings.camera_pose or {})
    info = camera_info_topic(bag, settings, image)
    bag.check_once([image.name, motion.name])
    notes += [
        f"{topic.name}: two types on one topic: {used.count} messages of {used.type} were read, {topic.count} of "
        f"{topic.type} left out: {topic.unusable}; {lists_publishers(topic.name)}"
        for used in (image, motion, info)
        if used
        for topic in bag.unusable
        if topic.name == used.name and topic.count and topic.type != used.type
    ]
    names = {"image_topic": image.name, "motion_topic": motion.name, "camera_info_topic": info.name if info else ""}
    return TopicSelection(
        changed(settings, names | {"modality": modality}),
        image,
        motion,
        info,
        static if needs_frames else (),
        tuple(notes),
        _description(bag) if space.columns_are_joints and settings.urdf is None else None,
        same_frame_infos(bag, image) if info is None else (),
    )


def _no_messages(bag: Bag) -> BagError:
    """The error of a bag without a single usable message."""
    unusable = [topic for topic in bag.unusable if topic.count]
    if any(topic.unusable == ROS_1 for topic in unusable):
        cure = f"convert the .bag file that it was made from: {CONVERT}"
        return BagError("its messages are of ROS 1", thing=bag.path, cure=cure)
    if unusable:
        problem, cure = "none of its messages is a message of ROS 2", "record with: ros2 bag record -s mcap"
        return BagError(problem, thing=bag.path, cure=cure, details=["it has", *topic_table(bag.all_topics)])
    if bag.notes:
        return BagError("no messages in it that can be read", thing=bag.path)
    cure = "record while the robot runs, in the same ROS domain"
    return BagError("no messages in it", thing=bag.path, cure=cure)


def _description(bag: Bag) -> Topic | None:
    strings = [topic for topic in bag.topics if topic.type == STRING and topic.count]
    found = [topic for topic in strings if topic.name.rpartition("/")[2] == "robot_description"]
    return found[0] if len(found) == 1 else None  # of several it is not known which one is meant
