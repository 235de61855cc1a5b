"""The used topics of a bag as timed series: one pass over the messages, no image decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from tqdm import tqdm

from astra_ros.camera.errors import BadImage, UnsupportedImage
from astra_ros.camera.lens import contents
from astra_ros.datasets.rosbag.bag import BadMessage, Bag, Topic
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.message_types import CONTROLLER_STATE, JOINT_STATE, ODOMETRY, TF, TWIST, TWIST_STAMPED
from astra_ros.datasets.rosbag.recording import ImageSeries, Recording, Series, image_facts, stamp_of
from astra_ros.datasets.rosbag.topics import TopicSelection
from astra_ros.robot.joint_messages import JointMessageError, JointPositions, controller_state, joint_state

# A variance, m^2 or rad^2, that marks a value of an odometry as unknown.
UNKNOWN_VARIANCE = 9999


class BadPart(BadMessage):
    """A part of a message cannot be used; another part is used."""


def read_recording(bag: Bag, selection: TopicSelection) -> Recording:
    """Read the selected topics. Raises BagError where a topic cannot be used at all."""
    recording = Recording(ImageSeries(), stamped=selection.motion.type != TWIST)
    readers: dict[str, Callable[[Any, int], object]] = {
        selection.image.name: lambda message, ns: _image(recording, selection.image, message, ns),
        selection.motion.name: lambda message, ns: _MOTION[selection.motion.type](recording, message, ns),
    }
    for tf in selection.static_tf:
        readers[tf.name] = lambda message, ns: _frames(recording, recording.static, message, ns)
    if selection.description:
        readers[selection.description.name] = lambda message, ns: _description(recording, message)
    if selection.camera_info:
        readers[selection.camera_info.name] = lambda message, ns: recording.lenses.setdefault(
            contents(message), (ns, message)
        )
    recording.bad = {name: Counter() for name in readers}
    total = sum(each.count for each in bag.topics if each.name in readers)
    with tqdm(total=total, unit="message", desc=f"read {bag.path.name}", unit_scale=True) as bar:
        for topic, received_ns, raw in bag.messages(readers):
            bar.update()
            try:
                readers[topic](bag.decode(topic, raw), received_ns)
            except BadPart as error:
                recording.bad_parts.setdefault(topic, Counter())[str(error)] += 1
            except BadMessage as error:
                recording.bad[topic][str(error)] += 1
                if topic == selection.image.name:  # its number counts when images are decoded
                    _broken(recording.images, 0, received_ns, f"no message: {error}")
            except UnsupportedImage as error:
                raise BagError(error.problem, thing=topic, cure=error.cure) from error
    if not recording.joints:
        recording.joints = recording.measured
    elif lost := sum(map(len, recording.measured.values())):
        recording.bad[selection.motion.name]["it has measured positions, not commanded ones"] += lost
    return recording


def _broken(images: ImageSeries, stamp_ns: int, received_ns: int, why: str) -> None:
    images.add(stamp_ns, received_ns, None)
    images.broken.append(why)


def _image(recording: Recording, topic: Topic, message, received_ns: int) -> None:
    images = recording.images
    try:
        facts = image_facts(topic.type, message)
    except BadImage as error:
        _broken(images, stamp_of(message), received_ns, str(error))
        return
    images.look(message, facts, received_ns)


def _description(recording: Recording, message) -> None:
    recording.description = message.data or recording.description


def _positions(recording: Recording, read: Callable[[object], JointPositions], message, received_ns: int) -> None:
    try:
        said = read(message)
    except JointMessageError as error:
        if error.positions is None:
            raise BadMessage(error.problem) from error
        said = error.positions  # not finite: left out and reported for each joint
    if not said.names:
        fast = len(getattr(message, "velocity", ()))
        raise BadMessage("it has no position of any joint" + (", only velocities" if fast else ""))
    found = recording.measured if said.measured and read is controller_state else recording.joints
    found.setdefault(said.names, Series()).add(stamp_of(message), received_ns, np.array(said.values))


def _twist_stamped(recording: Recording, message, received_ns: int) -> None:
    _velocity(recording, stamp_of(message), message.twist, received_ns, (message.header.frame_id.lstrip("/"),))


def _velocity(recording: Recording, stamp_ns: int, twist, received_ns: int, frames: tuple[str, ...] = ()) -> None:
    value = _numbers(twist.linear, "xyz") + _numbers(twist.angular, "xyz")
    if not np.isfinite(value).all():
        raise BadMessage("a velocity is not finite")
    recording.velocities.add(stamp_ns, received_ns, value)
    recording.velocity_frames.append(frames)


def _odometry(recording: Recording, message, received_ns: int) -> None:
    if _is_lost(message):
        raise BadMessage("its publisher is lost: it gives variances of 9999 or more")
    stamp_ns, said = stamp_of(message), len(recording.velocities)
    frames = message.header.frame_id.lstrip("/"), message.child_frame_id.lstrip("/")
    recording.odometry_frames[frames] += 1
    bad = None
    try:
        _velocity(recording, stamp_ns, message.twist.twist, received_ns, frames)
    except BadMessage as error:  # its pose may be whole
        bad = error
    pose = np.full(7, np.nan)
    try:
        place = message.pose.pose
        pose = _edge(recording, recording.poses, frames, place.position, place.orientation, (stamp_ns, received_ns))
    except BadMessage as error:
        bad = error if bad is not None else BadPart(str(error))
    else:
        bad = bad and BadPart(str(bad))
    if len(recording.velocities) > said:
        recording.velocity_poses.append(pose)
    if bad is not None:
        raise bad


def _is_lost(message) -> bool:
    """Whether an odometry marks both its pose and its velocity as unknown. One that only knows its velocity does not,
    nor does a driver that never fills the orientation."""
    place, speed = (np.array(part.covariance)[[0, 7]] for part in (message.pose, message.twist))
    if not (place >= UNKNOWN_VARIANCE).all():
        return False
    twist = message.twist.twist
    rests = not any(_numbers(twist.linear, "xyz") + _numbers(twist.angular, "xyz"))
    # A variance that is 0 or NaN was not filled.
    return bool((speed >= UNKNOWN_VARIANCE).all() or rests and not (speed > 0).any())


def _frames(recording: Recording, edges: dict, message, received_ns: int) -> None:
    bad, whole = None, 0
    for item in message.transforms:
        try:
            frames = item.header.frame_id.lstrip("/"), item.child_frame_id.lstrip("/")
            place = item.transform
            _edge(recording, edges, frames, place.translation, place.rotation, (stamp_of(item), received_ns))
            whole += 1
        except BadMessage as error:  # the others of the same message may be whole
            bad = error
    if bad is not None:
        raise BadPart(str(bad)) if whole else bad


def _edge(
    recording: Recording, edges: dict, frames: tuple[str, str], position, rotation, at_ns: tuple[int, int]
) -> np.ndarray:
    """Add a pose and return it. `frames` are parent and child, `at_ns` stamp and receive time."""
    parent, child = frames
    value = np.array(_numbers(position, "xyz") + _numbers(rotation, "xyzw"))
    length = np.linalg.norm(value[3:])
    if not np.isfinite(value).all() or abs(length - 1) > 0.1:
        raise BadMessage(f"the pose of '{child}' is not finite, or its quaternion not of length 1")
    value[3:] /= length
    known, series = edges.setdefault(child, (parent, Series()))
    if known != parent:
        series = recording.other_parents.setdefault(child, {}).setdefault(parent, Series())
    series.add(*at_ns, value)
    return value


_MOTION = {
    JOINT_STATE: lambda recording, message, ns: _positions(recording, joint_state, message, ns),
    CONTROLLER_STATE: lambda recording, message, ns: _positions(recording, controller_state, message, ns),
    TWIST: lambda recording, message, ns: _velocity(recording, 0, message, ns),
    TWIST_STAMPED: _twist_stamped,
    ODOMETRY: _odometry,
    TF: lambda recording, message, ns: _frames(recording, recording.poses, message, ns),
}


def _numbers(vector, names: str) -> list[float]:
    return [float(getattr(vector, name)) for name in names]
