"""Which topics of a bag are the camera and its camera_info: those named, or the only ones that fit."""

from __future__ import annotations

import re
from itertools import islice

from astra_ros.camera.errors import BadImage, UnsupportedImage
from astra_ros.camera.image_messages import ImageFacts
from astra_ros.datasets.rosbag.bag import BadMessage, Bag, Topic
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.datasets.rosbag.message_types import CAMERA_INFO, COMPRESSED, IMAGE
from astra_ros.datasets.rosbag.recording import image_facts
from astra_ros.datasets.rosbag.topic_lookup import named_topic, refuse_ros_1, several_topics, topic_table

# Video, which only its own image_transport plugin can decode.
VIDEO_TYPES = {
    type: "ros2 run image_transport republish --ros-args -p in_transport:="
    f"{transport} -p out_transport:=raw   (with {package} installed)"
    for type, transport, package in (
        ("ffmpeg_image_transport_msgs/msg/FFMPEGPacket", "ffmpeg", "ffmpeg_image_transport"),
        ("foxglove_msgs/msg/CompressedVideo", "foxglove", "foxglove_compressed_video_transport"),
        ("theora_image_transport/msg/Packet", "theora", "theora_image_transport"),
    )
}
# Of a topic whose first images are all broken, so many are tried.
TRIED_IMAGES = 50
# Words in the names of topics whose grey images are not what a camera sees.
NO_CAMERA = {"depth", "disparity", "confidence", "label", "labels", "mask", "segmentation", "semantic"}


def camera_topic(bag: Bag, name: str, notes: list[str]) -> Topic:
    """The topic of this name, or the only one that fits. Raises BagError."""
    if name:
        return named_topic(bag, name, (IMAGE, COMPRESSED), "the camera")
    fitting: list[Topic] = []
    unclear: list[Topic] = []
    refused = [
        f"{topic.name}: {topic.type} is video, whose frames cannot be read one by one; record the raw or "
        f"'compressed' topic, or convert it with: {VIDEO_TYPES[topic.type]}"
        for topic in bag.all_topics
        if topic.type in VIDEO_TYPES and topic.count
    ]
    for topic in bag.topics:
        if topic.type in (IMAGE, COMPRESSED) and topic.count:
            try:
                (fitting if _first_whole(bag, topic) else unclear).append(topic)
            except UnsupportedImage as error:
                refused.append(f"{topic.name}: {error}")
    if not fitting:  # the reader of all messages says why none of their images can be used
        fitting, unclear = unclear, []
    notes += [f"{topic.name}: none of its first images is whole; not used" for topic in unclear]
    # Of the same images twice, take those that lost nothing.
    raw = {topic.name for topic in fitting if topic.type == IMAGE}
    twice = [topic for topic in fitting if topic.name.removesuffix("/compressed") in raw - {topic.name}]
    notes += [
        f"{topic.name}: the images of {topic.name.removesuffix('/compressed')} again, compressed; not used"
        for topic in twice
    ]
    fitting = [topic for topic in fitting if topic not in twice]
    by_name = [topic for topic in fitting if _is_named_otherwise(bag, topic)]
    if len(by_name) < len(fitting):
        notes += [
            f"{topic.name}: grey images of a topic that is named for depth or labels; not used. "
            f"If it is the camera, name it as image_topic"
            for topic in by_name
        ]
        fitting = [topic for topic in fitting if topic not in by_name]
    if len(fitting) > 1:
        raise several_topics(fitting, "the camera", "image_topic")
    if fitting:
        if by_name:
            notes.insert(
                0,
                f"{fitting[0].name}: taken as the camera since there is no other, but it is named for depth or "
                "labels, and its images are grey; if it is not the camera, record the camera too, or name its "
                "topic as image_topic",
            )
        return fitting[0]
    refuse_ros_1(bag, (IMAGE, COMPRESSED), "camera")
    raise BagError(
        f"no camera in it: no usable messages of type {IMAGE} or {COMPRESSED}",
        thing=bag.path,
        # A camera that was refused for its kind was recorded, and its line says what to do.
        cure="" if refused else "record the camera too: ros2 bag record IMAGE_TOPIC MOTION_TOPIC",
        details=[*(f"  {text}" for text in refused), "it has", *topic_table(bag.all_topics)],
    )


def _first_whole(bag: Bag, topic: Topic) -> ImageFacts | None:
    """The first of a topic's first images that is whole. Raises UnsupportedImage."""
    for _, _, raw in islice(bag.messages([topic.name]), TRIED_IMAGES):
        try:
            return image_facts(topic.type, bag.decode(topic.name, raw))
        except (BadImage, BadMessage):
            continue
    return None


def _is_named_otherwise(bag: Bag, topic: Topic) -> bool:
    """Whether a topic of grey images has a name as depth and label images have."""
    if not NO_CAMERA & set(re.split(r"[/_]", topic.name.lower())):
        return False
    facts = _first_whole(bag, topic)
    return facts is not None and facts.is_grey


def camera_info_topic(bag: Bag, settings: BagSettings, image: Topic) -> Topic | None:
    """The topic that is named, else the one beside the images. Raises BagError where camera_pose needs one."""
    if settings.camera_info_topic:
        return named_topic(bag, settings.camera_info_topic, (CAMERA_INFO,), "the camera's info")
    name = image.name.removesuffix("/compressed").rpartition("/")[0] + "/camera_info"
    infos = [topic for topic in bag.topics if topic.type == CAMERA_INFO and topic.count]
    beside = next((topic for topic in infos if topic.name == name), None)
    if beside is None and settings.camera_pose:
        cure = "name another one as camera_info_topic, or record it"
        if others := same_frame_infos(bag, image):
            cure = f"name {' or '.join(others)}, whose frame is the same, as camera_info_topic"
        raise BagError("camera_pose needs a lens, and the bag has no such topic", thing=name, cure=cure)
    return beside


def same_frame_infos(bag: Bag, image: Topic) -> tuple[str, ...]:
    """Topics of camera_info whose first message names the frame that the first image names."""
    frame = _first_frame(bag, image)
    return tuple(
        topic.name
        for topic in bag.topics
        if topic.type == CAMERA_INFO and topic.count and frame and _first_frame(bag, topic) == frame
    )


def _first_frame(bag: Bag, topic: Topic) -> str:
    for _, _, raw in islice(bag.messages([topic.name]), TRIED_IMAGES):
        try:
            return bag.decode(topic.name, raw).header.frame_id.lstrip("/")
        except BadMessage:
            continue
    return ""
