"""The used topics of a bag as timed series: one pass over the messages, no picture decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from astra_ros.camera.lens import contents
from astra_ros.learning.bags.bag import BadMessage, Bag, Topic
from astra_ros.learning.bags.pictures import BadPicture, UnsupportedPicture, check_picture
from astra_ros.learning.bags.storage import BagError
from astra_ros.learning.bags.topics import (
    CONTROLLER_STATE,
    JOINT_STATE,
    ODOMETRY,
    TF,
    TWIST,
    TWIST_STAMPED,
    Choice,
)


@dataclass
class Series:
    """Messages of one source, in order of recording.

    Attributes:
        stamps_ns: of their headers; 0 where it is empty.
        received_ns: when the recorder received them.
        values: a row of numbers each.
    """

    stamps_ns: list[int] = field(default_factory=list)
    received_ns: list[int] = field(default_factory=list)
    values: list = field(default_factory=list)

    def add(self, stamp_ns: int, received_ns: int, value) -> None:
        self.stamps_ns.append(stamp_ns)
        self.received_ns.append(received_ns)
        self.values.append(value)

    def __len__(self) -> int:
        return len(self.values)


@dataclass
class Pictures(Series):
    """The camera's messages; `values` are (height, width), or None of a picture that is broken.

    Attributes:
        encodings, frames: encoding or format, frame_id -> number of pictures.
        broken: why a picture is, of each that is.
        remarks: how pictures are read that could be read otherwise -> number of pictures.
    """

    encodings: Counter = field(default_factory=Counter)
    frames: Counter = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    remarks: Counter = field(default_factory=Counter)


@dataclass
class Recording:
    """What one pass over a bag found.

    Attributes:
        pictures: the camera.
        stamped: whether the motion's messages have headers.
        joints: names of the joints of a message -> positions, rad or m.
        velocities: linear x y z, angular x y z; m/s and rad/s in the base's frame.
        poses: child frame -> (parent, position x y z and quaternion x y z w).
        static: the same of frames that never move.
        odometry_frames: (parent, child) of an odometry.
        lenses: what a CameraInfo says -> (when the recorder received the first that says it, that one).
        bad: topic -> reason -> number of messages that were left out.
    """

    pictures: Pictures
    stamped: bool = True
    joints: dict[tuple[str, ...], Series] = field(default_factory=dict)
    velocities: Series = field(default_factory=Series)
    poses: dict[str, tuple[str, Series]] = field(default_factory=dict)
    static: dict[str, tuple[str, Series]] = field(default_factory=dict)
    odometry_frames: tuple[str, str] | None = None
    lenses: dict[tuple, tuple[int, object]] = field(default_factory=dict)
    bad: dict[str, Counter] = field(default_factory=dict)


def read_recording(bag: Bag, choice: Choice) -> Recording:
    """Read what `choice` names. Raises BagError where nothing of a topic can be used."""
    recording = Recording(Pictures(), stamped=choice.motion.type != TWIST)
    readers: dict[str, Callable[[object, int], None]] = {
        choice.image.name: lambda message, ns: _picture(recording, choice.image, message, ns),
        choice.motion.name: lambda message, ns: _MOTION[choice.motion.type](recording, message, ns)}
    for topic in choice.static_tf:
        readers[topic.name] = lambda message, ns: _frames(recording.static, message, ns)
    if choice.camera_info:
        readers[choice.camera_info.name] = lambda message, ns: recording.lenses.setdefault(
            contents(message), (ns, message))
    recording.bad = {name: Counter() for name in readers}
    total = sum(topic.count for topic in bag.topics if topic.name in readers)
    with tqdm(total=total, unit='message', desc=f'read {bag.path.name}', unit_scale=True) as bar:
        for topic, received_ns, raw in bag.messages(readers):
            bar.update()
            try:
                readers[topic](bag.decode(topic, raw), received_ns)
            except BadMessage as error:
                recording.bad[topic][str(error)] += 1
                if topic == choice.image.name:      # its number counts when pictures are decoded
                    _broken(recording.pictures, 0, received_ns, f'no message: {error}')
            except UnsupportedPicture as error:
                raise BagError(f'{bag.path}: {topic}: {error}') from error
    return recording


def _broken(pictures: Pictures, stamp_ns: int, received_ns: int, why: str) -> None:
    pictures.add(stamp_ns, received_ns, None)
    pictures.broken.append(why)


def _picture(recording: Recording, topic: Topic, message, received_ns: int) -> None:
    pictures = recording.pictures
    try:
        facts = check_picture(topic.type, message)
    except BadPicture as error:
        _broken(pictures, stamp_of(message), received_ns, str(error))
        return
    pictures.add(stamp_of(message), received_ns, facts.size)
    pictures.encodings[facts.encoding] += 1
    pictures.remarks.update(facts.remarks)
    pictures.frames[message.header.frame_id] += 1


def _joint_state(recording: Recording, message, received_ns: int) -> None:
    _positions(recording, tuple(message.name), message.position, message, received_ns)


def _controller_state(recording: Recording, message, received_ns: int) -> None:
    # Humble says desired, later ones reference: where the controller wants the joints now.
    point = getattr(message, 'reference', None) or message.desired
    _positions(recording, tuple(message.joint_names), point.positions, message, received_ns)


def _positions(recording: Recording, names: tuple[str, ...], positions, message,
               received_ns: int) -> None:
    if len(positions) != len(names) or not names:
        raise BadMessage(f'{len(names)} names, but {len(positions)} positions')
    recording.joints.setdefault(names, Series()).add(stamp_of(message), received_ns,
                                                     np.asarray(positions, dtype=np.float64))


def _twist(recording: Recording, message, received_ns: int) -> None:
    _velocity(recording, 0, message, received_ns)


def _twist_stamped(recording: Recording, message, received_ns: int) -> None:
    _velocity(recording, stamp_of(message), message.twist, received_ns)


def _velocity(recording: Recording, stamp_ns: int, twist, received_ns: int) -> None:
    value = _numbers(twist.linear, 'xyz') + _numbers(twist.angular, 'xyz')
    if not np.isfinite(value).all():
        raise BadMessage('a velocity is not finite')
    recording.velocities.add(stamp_ns, received_ns, value)


def _odometry(recording: Recording, message, received_ns: int) -> None:
    _velocity(recording, stamp_of(message), message.twist.twist, received_ns)
    parent, child = message.header.frame_id, message.child_frame_id
    recording.odometry_frames = recording.odometry_frames or (parent, child)
    _edge(recording.poses, parent, child, message.pose.pose.position,
          message.pose.pose.orientation, stamp_of(message), received_ns)


def _transforms(recording: Recording, message, received_ns: int) -> None:
    _frames(recording.poses, message, received_ns)


def _frames(edges: dict, message, received_ns: int) -> None:
    bad = None
    for item in message.transforms:
        try:
            _edge(edges, item.header.frame_id, item.child_frame_id, item.transform.translation,
                  item.transform.rotation, stamp_of(item), received_ns)
        except BadMessage as error:     # the others of the same message may be whole
            bad = error
    if bad is not None:
        raise bad


def _edge(edges: dict, parent: str, child: str, position, rotation, stamp_ns: int,
          received_ns: int) -> None:
    parent, child = parent.lstrip('/'), child.lstrip('/')     # as ROS 1 wrote them
    known, series = edges.setdefault(child, (parent, Series()))
    if known != parent:
        raise BadMessage(f"frame '{child}' stands in '{known}' and also in '{parent}'")
    value = np.array(_numbers(position, 'xyz') + _numbers(rotation, 'xyzw'))
    length = np.linalg.norm(value[3:])
    if not np.isfinite(value).all() or abs(length - 1) > 0.1:
        raise BadMessage(f"the pose of '{child}' is not finite, or its quaternion not of length 1")
    value[3:] /= length
    series.add(stamp_ns, received_ns, value)


_MOTION = {JOINT_STATE: _joint_state, CONTROLLER_STATE: _controller_state, TWIST: _twist,
           TWIST_STAMPED: _twist_stamped, ODOMETRY: _odometry, TF: _transforms}


def stamp_of(message) -> int:
    """A header's stamp, ns."""
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def _numbers(vector, names: str) -> list[float]:
    return [float(getattr(vector, name)) for name in names]
