"""Which topics of a bag are the camera and the motion: those named, or the only ones that fit."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import islice

from astra_ros.camera.image_messages import ImageFacts
from astra_ros.datasets.rosbag.bag import BadMessage, Bag, Topic
from astra_ros.datasets.rosbag.import_settings import BagSettings, bag_spaces
from astra_ros.datasets.rosbag.pictures import COMPRESSED, IMAGE, BadImage, UnsupportedImage, check_picture
from astra_ros.datasets.rosbag.storage import CONVERT, ROS_1, BagError, ros2_type
from astra_ros.plans.action_spaces import action_space_class

JOINT_STATE = "sensor_msgs/msg/JointState"
CONTROLLER_STATE = "control_msgs/msg/JointTrajectoryControllerState"
TWIST = "geometry_msgs/msg/Twist"
TWIST_STAMPED = "geometry_msgs/msg/TwistStamped"
ODOMETRY = "nav_msgs/msg/Odometry"
TF = "tf2_msgs/msg/TFMessage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
STRING = "std_msgs/msg/String"

# Pictures that only their own image_transport plugin can decode.
VIDEO_TYPES = {
    type: "ros2 run image_transport republish --ros-args -p in_transport:="
    f"{transport} -p out_transport:=raw   (with {package} installed)"
    for type, transport, package in (
        ("ffmpeg_image_transport_msgs/msg/FFMPEGPacket", "ffmpeg", "ffmpeg_image_transport"),
        ("foxglove_msgs/msg/CompressedVideo", "foxglove", "foxglove_compressed_video_transport"),
        ("theora_image_transport/msg/Packet", "theora", "theora_image_transport"),
    )
}
_CONVERT_PART = (
    f"convert the .bag file that it comes from: {CONVERT}; then import a folder that holds the file which "
    "that makes and those of this bag"
)
# So many of a topic's first pictures may be broken before it is not known what it holds.
TRIED_PICTURES = 50
# Words in the names of topics whose grey pictures are not those of a camera that sees what eyes see.
NO_CAMERA = {"depth", "disparity", "confidence", "label", "labels", "mask", "segmentation", "semantic"}


@dataclass(frozen=True)
class Choice:
    """The topics of an import, and settings in which nothing of it is left open.

    `other_infos`: without a `camera_info`, topics of the same frame as the pictures that may be it.
    """

    settings: BagSettings
    image: Topic
    motion: Topic
    camera_info: Topic | None
    static_tf: tuple[Topic, ...]
    notes: tuple[str, ...]
    description: Topic | None = None
    other_infos: tuple[str, ...] = ()

    @property
    def used(self) -> dict[str, str]:
        """Topic -> what it is used for."""
        roles = {self.image.name: "the camera", self.motion.name: "the motion"}
        if self.camera_info:
            roles[self.camera_info.name] = "the camera's lens"
        if self.description:
            roles[self.description.name] = "which joints turn without end"
        return roles | {topic.name: "fixed frames" for topic in self.static_tf}


def choose_topics(bag: Bag, settings: BagSettings) -> Choice:
    """Raises BagError where a topic is missing or wrong, or where several fit: it lists them."""
    try:
        return _choose(bag, settings)
    except BagError as error:  # what is missing may lie in a file that was not read
        notes = [note for note in bag.notes if note not in str(error)]
        raise BagError("\n".join([str(error), *notes])) from error


def _choose(bag: Bag, settings: BagSettings) -> Choice:
    if not any(topic.count for topic in bag.topics):
        raise _nothing(bag)
    notes: list[str] = []
    image = _camera(bag, settings.image_topic, notes)
    motion, modality = _motion(bag, settings, notes)
    static = tuple(
        topic for topic in bag.topics if topic.type == TF and topic.name.endswith("tf_static") and topic.count
    )
    space = action_space_class(modality)
    needs_frames = space.is_camera or "from_tf" in (settings.camera_pose or {})
    info = _camera_info(bag, settings, image, notes)
    bag.check_once([image.name, motion.name])
    notes += [
        f"{topic.name}: two types on one topic, as of two publishers (`ros2 topic info -v {topic.name}` lists "
        f"them): {used.count} messages of {used.type} were read, {topic.count} of {topic.type} left out: "
        f"{topic.unusable}"
        for used in (image, motion, info)
        if used
        for topic in bag.unusable
        if topic.name == used.name and topic.count and topic.type != used.type
    ]
    return Choice(
        replace(
            settings,
            modality=modality,
            image_topic=image.name,
            motion_topic=motion.name,
            camera_info_topic=info.name if info else "",
        ),
        image,
        motion,
        info,
        static if needs_frames else (),
        tuple(notes),
        _description(bag) if space.columns_are_joints and settings.urdf is None else None,
        _infos_elsewhere(bag, image) if info is None else (),
    )


def topic_table(bag: Bag, topics: list[Topic] | None = None) -> str:
    """Topics with types and counts, a line each."""
    topics = bag.all_topics if topics is None else topics
    width = max((len(topic.name) for topic in topics), default=0)
    return "\n".join(
        f"  {topic.name:{width}}  {topic.type}  {topic.count} messages"
        + f" (not read: {topic.unusable})" * bool(topic.unusable)
        for topic in topics
    )


def _nothing(bag: Bag) -> BagError:
    """Not one message that can be used: why, and what to do."""
    there = [topic for topic in bag.unusable if topic.count]
    notes = "".join(f"\n{note}" for note in bag.notes)
    if not there:
        return BagError(
            f"{bag.path}: there are no messages in it"
            + (
                f" that can be read{notes}"
                if notes
                else "; was the robot running while `ros2 bag record` was, in the same ROS domain?"
            )
        )
    if any(topic.unusable == ROS_1 for topic in there):
        return BagError(
            f"{bag.path}: its messages are of ROS 1; convert the .bag file that it was made from: {CONVERT}"
        )
    return BagError(
        f"{bag.path}: none of its messages can be read as one of ROS 2; it has\n{topic_table(bag)}\n"
        f"record with: ros2 bag record -s mcap{notes}"
    )


def _named(bag: Bag, name: str, types: tuple[str, ...], what: str) -> Topic:
    found = next((topic for topic in bag.topics if topic.name == name), None)
    unusable = next((topic for topic in bag.unusable if topic.name == name), None)
    if found is None and unusable is not None and unusable.unusable == ROS_1:
        raise BagError(f"{bag.path}: {name}, named as {what}, is of ROS 1; {_CONVERT_PART}")
    if found is None and unusable is not None:
        raise BagError(
            f"{bag.path}: {name}, named as {what}, cannot be read: {unusable.type}, {unusable.unusable}; "
            f"name another; there are\n{topic_table(bag)}"
        )
    if found is None:
        raise BagError(f"{bag.path}: no topic {name}, which was named as {what}; there are\n" + topic_table(bag))
    if found.type not in types:
        raise BagError(f"{bag.path}: {name}, named as {what}, is of type {found.type}; expected " + " or ".join(types))
    if not found.count:
        raise BagError(
            f"{bag.path}: {name}, named as {what}, has no messages; was anything "
            "published while the bag was recorded, with a QoS that the recorder "
            "accepts?"
        )
    return found


def _several(bag: Bag, topics: list[Topic], what: str, flag: str, key: str) -> BagError:
    return BagError(
        f"{bag.path}: several topics may be {what}:\n{topic_table(bag, topics)}\n"
        f"choose one: {flag} {topics[0].name}   (or {key} in the --config file)"
    )


def _camera(bag: Bag, name: str, notes: list[str]) -> Topic:
    if name:
        return _named(bag, name, (IMAGE, COMPRESSED), "the camera")
    fitting, unclear = [], []
    refused = [
        f"{topic.name}: {topic.type} is video, whose pictures cannot be read one by one; record the raw or "
        f"'compressed' topic, or make that of it with: {VIDEO_TYPES[topic.type]}"
        for topic in bag.all_topics
        if topic.type in VIDEO_TYPES and topic.count
    ]
    for topic in bag.topics:
        if topic.type in (IMAGE, COMPRESSED) and topic.count:
            try:
                (fitting if _first_whole(bag, topic) else unclear).append(topic)
            except UnsupportedImage as error:
                refused.append(f"{topic.name}: {error}")
    if not fitting:  # why none of their pictures can be used is said later, by what reads them all
        fitting, unclear = unclear, []
    notes += [f"{topic.name}: none of its first pictures is whole; not used" for topic in unclear]
    # The same pictures twice: those that lost nothing.
    raw = {topic.name for topic in fitting if topic.type == IMAGE}
    twice = [topic for topic in fitting if topic.name.removesuffix("/compressed") in raw - {topic.name}]
    notes += [
        f"{topic.name}: the pictures of {topic.name.removesuffix('/compressed')} again, compressed; not used"
        for topic in twice
    ]
    fitting = [topic for topic in fitting if topic not in twice]
    by_name = [topic for topic in fitting if _is_named_otherwise(bag, topic)]
    if len(by_name) < len(fitting):
        notes += [
            f"{topic.name}: grey pictures of a topic that is named for depth or labels; not used. "
            f"Where it is the camera: --image-topic {topic.name}"
            for topic in by_name
        ]
        fitting = [topic for topic in fitting if topic not in by_name]
    if len(fitting) > 1:
        raise _several(bag, fitting, "the camera", "--image-topic", "topics.image")
    if fitting:
        if by_name:
            notes.insert(
                0,
                f"{fitting[0].name}: taken as the camera since there is no other, but it is named for depth or "
                "labels, and its pictures are grey; where it is none, record the camera too, or name its "
                "topic: --image-topic",
            )
        return fitting[0]
    _refuse_ros_1(bag, (IMAGE, COMPRESSED), "camera")
    why = "".join(f"\n  {text}" for text in refused)
    # A camera that was refused for its kind was recorded, and its reason says what to do.
    cure = "" if refused else "\nrecord the camera too: ros2 bag record IMAGE_TOPIC MOTION_TOPIC"
    raise BagError(
        f"{bag.path}: no camera in it: no messages of type {IMAGE} or {COMPRESSED} that "
        f"can be used{why}\nit has\n{topic_table(bag)}{cure}"
    )


def _refuse_ros_1(bag: Bag, types: Collection[str], what: str) -> None:
    """Raises BagError where the only topics of these types are those of ROS 1, which need no second recording."""
    found = [
        topic
        for topic in bag.unusable
        if topic.count and topic.unusable == ROS_1 and ros2_type(topic.type.rpartition(" ")[2]) in types
    ]
    if found:
        raise BagError(
            f"{bag.path}: its {what} is of ROS 1 and the rest is not:\n{topic_table(bag, found)}\n" + _CONVERT_PART
        )


def _first_whole(bag: Bag, topic: Topic) -> ImageFacts | None:
    """The first of a topic's first pictures that is whole. Raises UnsupportedImage."""
    for _, _, raw in islice(bag.messages([topic.name]), TRIED_PICTURES):
        try:
            return check_picture(topic.type, bag.decode(topic.name, raw))
        except (BadImage, BadMessage):
            continue
    return None


def _is_named_otherwise(bag: Bag, topic: Topic) -> bool:
    """Whether a topic of grey pictures has a name as depth and label images have."""
    if not NO_CAMERA & set(re.split(r"[/_]", topic.name.lower())):
        return False
    facts = _first_whole(bag, topic)
    return facts is not None and facts.is_grey


def _motion(bag: Bag, settings: BagSettings, notes: list[str]) -> tuple[Topic, str]:
    """(the topic, the modality)"""
    wanted = settings.modality
    kinds = {modality: space.bag_types for modality, space in bag_spaces().items() if wanted in ("", modality)}
    if settings.motion_topic:
        types = tuple(kind for group in kinds.values() for level in group for kind in level)
        topic = _named(bag, settings.motion_topic, types, "the motion")
        # Odometry is a base's motion unless told otherwise.
        return topic, next(modality for modality, group in kinds.items() if any(topic.type in level for level in group))
    found = {modality: topics for modality, group in kinds.items() if (topics := _first_level(bag, group))}
    if len(found) > 1:
        # Frames are broadcast on nearly every robot, and say least about what it was told to do.
        found = {modality: topics for modality, topics in found.items() if not action_space_class(modality).is_camera}
    if len(found) > 1:
        listed = "".join(f"\n{modality}:\n{topic_table(bag, topics)}" for modality, topics in found.items())
        raise BagError(
            f"{bag.path}: it holds the motion of joints and of a base; which is it "
            f"about?{listed}\nchoose: --modality {' | '.join(found)}   (or modality in "
            "the --config file)"
        )
    if not found:
        types = sorted({kind for group in kinds.values() for level in group for kind in level})
        _refuse_ros_1(bag, types, "motion")
        raise BagError(
            f"{bag.path}: no motion in it"
            + (f" for modality {wanted}" if wanted else "")
            + f": no messages of type {', '.join(types)}; it has\n{topic_table(bag)}\n"
            + (
                other_modalities(bag, wanted)
                or "record what moves the robot too, such as /joint_states, /cmd_vel or /tf"
            )
        )
    modality, topics = next(iter(found.items()))
    if len(topics) > 1:
        raise _several(bag, topics, "the motion", "--motion-topic", "topics.motion")
    return topics[0], modality


def other_modalities(bag: Bag, wanted: str) -> str:
    """What to do where there is motion, but of another modality than was asked for; '' where there is none."""
    found = {
        modality: topics
        for modality, space in bag_spaces().items()
        if modality != wanted and (topics := _first_level(bag, space.bag_types))
    }
    if len(found) > 1:  # as where none is asked for
        found = {modality: topics for modality, topics in found.items() if not action_space_class(modality).is_camera}
    return "; or ".join(
        f"import it with --modality {modality}, of {', '.join(topic.name for topic in topics)}"
        for modality, topics in found.items()
    )


def _first_level(bag: Bag, group: tuple[tuple[str, ...], ...]) -> list[Topic]:
    for level in group:
        if topics := [
            topic
            for topic in bag.topics
            if topic.type in level and topic.count and not topic.name.endswith("tf_static")
        ]:
            return topics
    return []


def _description(bag: Bag) -> Topic | None:
    found = [
        topic
        for topic in bag.topics
        if topic.type == STRING and topic.count and topic.name.rpartition("/")[2] == "robot_description"
    ]
    return found[0] if len(found) == 1 else None  # of several it is not known which one is meant


def _camera_info(bag: Bag, settings: BagSettings, image: Topic, notes: list[str]) -> Topic | None:
    if settings.camera_info_topic:
        return _named(bag, settings.camera_info_topic, (CAMERA_INFO,), "the camera's info")
    base = image.name.removesuffix("/compressed").rpartition("/")[0]
    beside = next(
        (
            topic
            for topic in bag.topics
            if topic.name == f"{base}/camera_info" and topic.type == CAMERA_INFO and topic.count
        ),
        None,
    )
    if beside is None and settings.camera_pose:
        raise BagError(
            f"{bag.path}: camera_pose is given, but there is no {base}/camera_info in "
            "it to say what the lens is; "
            + (
                f"name {' or '.join(others)}, whose frame is the same: --camera-info-topic {others[0]}"
                if (others := _infos_elsewhere(bag, image))
                else "name another with --camera-info-topic, or record it"
            )
        )
    return beside


def _infos_elsewhere(bag: Bag, image: Topic) -> tuple[str, ...]:
    """Topics of camera_info whose first message names the frame that the first picture names."""
    frame = _first_frame(bag, image)
    return tuple(
        topic.name
        for topic in bag.topics
        if topic.type == CAMERA_INFO and topic.count and frame and _first_frame(bag, topic) == frame
    )


def _first_frame(bag: Bag, topic: Topic) -> str:
    for _, _, raw in islice(bag.messages([topic.name]), TRIED_PICTURES):
        try:
            return bag.decode(topic.name, raw).header.frame_id.lstrip("/")
        except BadMessage:
            continue
    return ""
