"""The used topics of a bag as timed series: one pass over the messages, no picture decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from astra_ros.camera.image_messages import brightest
from astra_ros.camera.image_sources import ImageSources
from astra_ros.camera.lens import contents
from astra_ros.camera.repeated_images import RepeatWatch
from astra_ros.camera.significant_bits import SignificantBits
from astra_ros.datasets.rosbag.bag import BadMessage, Bag, Topic
from astra_ros.datasets.rosbag.pictures import BadImage, ImageFacts, UnsupportedImage, check_picture
from astra_ros.datasets.rosbag.storage import BagError
from astra_ros.datasets.rosbag.topics import CONTROLLER_STATE, JOINT_STATE, ODOMETRY, TF, TWIST, TWIST_STAMPED, Choice
from astra_ros.robot.joint_messages import JointMessageError, JointPositions, controller_state, joint_state

# A variance, m^2 or rad^2, by which an odometry says that it does not know.
UNKNOWN_VARIANCE = 9999


class BadPart(BadMessage):
    """A part of a message cannot be used, and another part is."""


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

    def rows(self, numbers: Sequence[int]) -> Series:
        """Some of the messages."""
        return Series(
            *([part[number] for number in numbers] for part in (self.stamps_ns, self.received_ns, self.values))
        )

    def __len__(self) -> int:
        return len(self.values)


@dataclass
class Pictures(Series):
    """The camera's messages; `values` are (height, width), or None of a picture that is broken.

    Attributes:
        encodings, frames: encoding or format, frame_id -> number of pictures.
        broken: why a picture is, of each that is.
        remarks: how pictures are read that could be read otherwise -> number of pictures.
        changes: number of a picture that is another camera's than the one before -> how it differs.
        again: numbers of those that are the one before again, byte for byte.
        sources, bits: whether several cameras publish them, and how many bits their numbers use.
    """

    encodings: Counter = field(default_factory=Counter)
    frames: Counter = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    remarks: Counter = field(default_factory=Counter)
    changes: dict[int, str] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)
    sources: ImageSources = field(default_factory=ImageSources)
    bits: SignificantBits = field(default_factory=SignificantBits)
    _repeats: RepeatWatch = field(default_factory=RepeatWatch)

    def look(self, message, facts: ImageFacts, received_ns: int) -> None:
        """Add a whole picture, and what it tells beside its size."""
        number, frame = len(self), message.header.frame_id
        self.add(stamp_of(message), received_ns, facts.size)
        self.encodings[facts.encoding] += 1
        self.remarks.update(facts.remarks)
        self.frames[frame] += 1
        if change := self.sources.add(frame, facts.size, received_ns / 1e9):
            self.changes[number] = change
        if self._repeats.add(message.data):
            self.again.add(number)
        if facts.bits == 16 and self.bits.is_due():
            self.bits.add(brightest(message))


@dataclass
class Recording:
    """What one pass over a bag found.

    Attributes:
        pictures: the camera.
        stamped: whether the motion's messages have headers.
        joints: names of the joints of a message -> positions, rad or m.
        measured: the same of a controller's messages that say only where the joints are.
        joint_fields: field that they were read from -> number of messages.
        velocities: linear x y z, angular x y z; m/s and rad/s, as they are in the messages.
        velocity_frames: of each velocity, the frames that its message names: that of the header, and the child of an
            odometry; none of a message without a header.
        velocity_poses: of an odometry, a pose for each velocity: position x y z, quaternion x y z w; NaN where it is
            unusable.
        poses: child frame -> (parent, position x y z and quaternion x y z w); of several parents, the first.
        static: the same of frames that never move.
        other_parents: child frame -> parent -> poses, of the other ones.
        odometry_frames: (parent, child) of an odometry -> number of messages.
        description: text of the robot's description, '' where the bag holds none.
        lenses: what a CameraInfo says -> (when the recorder received the first that says it, that one).
        bad: topic -> reason -> number of messages that were left out.
        bad_parts: the same of messages of which a part was left out.
    """

    pictures: Pictures
    stamped: bool = True
    joints: dict[tuple[str, ...], Series] = field(default_factory=dict)
    measured: dict[tuple[str, ...], Series] = field(default_factory=dict)
    joint_fields: Counter = field(default_factory=Counter)
    velocities: Series = field(default_factory=Series)
    velocity_frames: list[tuple[str, ...]] = field(default_factory=list)
    velocity_poses: list[np.ndarray] = field(default_factory=list)
    poses: dict[str, tuple[str, Series]] = field(default_factory=dict)
    static: dict[str, tuple[str, Series]] = field(default_factory=dict)
    other_parents: dict[str, dict[str, Series]] = field(default_factory=dict)
    odometry_frames: Counter = field(default_factory=Counter)
    description: str = ""
    lenses: dict[tuple, tuple[int, object]] = field(default_factory=dict)
    bad: dict[str, Counter] = field(default_factory=dict)
    bad_parts: dict[str, Counter] = field(default_factory=dict)

    def reasons(self, topic: str) -> str:
        """Why messages of a topic were left out, to go on with a sentence."""
        return "".join(
            f"; {count} messages: {why}"
            for found in (self.bad, self.bad_parts)
            for why, count in found.get(topic, {}).items()
        )


def read_recording(bag: Bag, choice: Choice) -> Recording:
    """Read what `choice` names. Raises BagError where nothing of a topic can be used."""
    recording = Recording(Pictures(), stamped=choice.motion.type != TWIST)
    readers: dict[str, Callable[[object, int], None]] = {
        choice.image.name: lambda message, ns: _picture(recording, choice.image, message, ns),
        choice.motion.name: lambda message, ns: _MOTION[choice.motion.type](recording, message, ns),
    }
    for topic in choice.static_tf:
        readers[topic.name] = lambda message, ns: _frames(recording, recording.static, message, ns)
    if choice.description:
        readers[choice.description.name] = lambda message, ns: _description(recording, message)
    if choice.camera_info:
        readers[choice.camera_info.name] = lambda message, ns: recording.lenses.setdefault(
            contents(message), (ns, message)
        )
    recording.bad = {name: Counter() for name in readers}
    total = sum(topic.count for topic in bag.topics if topic.name in readers)
    with tqdm(total=total, unit="message", desc=f"read {bag.path.name}", unit_scale=True) as bar:
        for topic, received_ns, raw in bag.messages(readers):
            bar.update()
            try:
                readers[topic](bag.decode(topic, raw), received_ns)
            except BadPart as error:
                recording.bad_parts.setdefault(topic, Counter())[str(error)] += 1
            except BadMessage as error:
                recording.bad[topic][str(error)] += 1
                if topic == choice.image.name:  # its number counts when pictures are decoded
                    _broken(recording.pictures, 0, received_ns, f"no message: {error}")
            except UnsupportedImage as error:
                raise BagError(f"{bag.path}: {topic}: {error}") from error
    _without_measured(recording, choice.motion.name)
    return recording


def _broken(pictures: Pictures, stamp_ns: int, received_ns: int, why: str) -> None:
    pictures.add(stamp_ns, received_ns, None)
    pictures.broken.append(why)


def _picture(recording: Recording, topic: Topic, message, received_ns: int) -> None:
    pictures = recording.pictures
    try:
        facts = check_picture(topic.type, message)
    except BadImage as error:
        _broken(pictures, stamp_of(message), received_ns, str(error))
        return
    pictures.look(message, facts, received_ns)


def _description(recording: Recording, message) -> None:
    recording.description = message.data or recording.description


def _joint_state(recording: Recording, message, received_ns: int) -> None:
    _positions(recording, joint_state, message, received_ns)


def _controller_state(recording: Recording, message, received_ns: int) -> None:
    _positions(recording, controller_state, message, received_ns)


def _positions(recording: Recording, read: Callable[[object], JointPositions], message, received_ns: int) -> None:
    try:
        said = read(message)
    except JointMessageError as error:
        if error.positions is None:
            raise BadMessage(error.problem) from error
        said = error.positions  # not finite: told, and left out, joint by joint
    if not said.names:
        fast = len(getattr(message, "velocity", ()))
        raise BadMessage("it says of no joint where it is" + ", only how fast" * bool(fast))
    recording.joint_fields[said.field] += 1
    only_measured = said.measured and read is controller_state
    (recording.measured if only_measured else recording.joints).setdefault(said.names, Series()).add(
        stamp_of(message), received_ns, np.array(said.values)
    )


def _without_measured(recording: Recording, topic: str) -> None:
    """A controller that says in some messages where the joints shall be, and in others only where they are."""
    if recording.joints:
        if lost := sum(map(len, recording.measured.values())):
            recording.bad[topic]["it says where the joints are, not where they shall be"] += lost
    else:
        recording.joints = recording.measured


def _twist(recording: Recording, message, received_ns: int) -> None:
    _velocity(recording, 0, message, received_ns)


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
        raise BadMessage("its publisher says that it is lost, by variances of 9999 or more")
    stamp_ns, said = stamp_of(message), len(recording.velocities)
    parent, child = message.header.frame_id.lstrip("/"), message.child_frame_id.lstrip("/")
    recording.odometry_frames[parent, child] += 1
    bad = None
    try:
        _velocity(recording, stamp_ns, message.twist.twist, received_ns, (parent, child))
    except BadMessage as error:  # its pose may be whole
        bad = error
    pose = np.full(7, np.nan)
    try:
        pose = _edge(
            recording,
            recording.poses,
            (parent, child),
            message.pose.pose.position,
            message.pose.pose.orientation,
            (stamp_ns, received_ns),
        )
    except BadMessage as error:
        bad = error if bad is not None else BadPart(str(error))
    else:
        bad = bad and BadPart(str(bad))
    if len(recording.velocities) > said:
        recording.velocity_poses.append(pose)
    if bad is not None:
        raise bad


def _is_lost(message) -> bool:
    """Whether an odometry says that it knows neither where it is nor how fast. One that only knows how fast does not
    say so, nor does a driver that never fills the orientation."""
    place, speed = (np.array(part.covariance)[[0, 7]] for part in (message.pose, message.twist))
    if not (place >= UNKNOWN_VARIANCE).all():
        return False
    twist = message.twist.twist
    rests = not any(_numbers(twist.linear, "xyz") + _numbers(twist.angular, "xyz"))
    # A variance that is 0 or NaN was not filled.
    return bool((speed >= UNKNOWN_VARIANCE).all() or rests and not (speed > 0).any())


def _transforms(recording: Recording, message, received_ns: int) -> None:
    _frames(recording, recording.poses, message, received_ns)


def _frames(recording: Recording, edges: dict, message, received_ns: int) -> None:
    bad, whole = None, 0
    for item in message.transforms:
        try:
            _edge(
                recording,
                edges,
                (item.header.frame_id.lstrip("/"), item.child_frame_id.lstrip("/")),
                item.transform.translation,
                item.transform.rotation,
                (stamp_of(item), received_ns),
            )
            whole += 1
        except BadMessage as error:  # the others of the same message may be whole
            bad = error
    if bad is not None:
        raise BadPart(str(bad)) if whole else bad


def _edge(
    recording: Recording, edges: dict, frames: tuple[str, str], position, rotation, at_ns: tuple[int, int]
) -> np.ndarray:
    """Remember a pose and return it. `frames` are parent and child, `at_ns` stamp and time of the recorder."""
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
    JOINT_STATE: _joint_state,
    CONTROLLER_STATE: _controller_state,
    TWIST: _twist,
    TWIST_STAMPED: _twist_stamped,
    ODOMETRY: _odometry,
    TF: _transforms,
}


def stamp_of(message) -> int:
    """A header's stamp, ns."""
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def _numbers(vector, names: str) -> list[float]:
    return [float(getattr(vector, name)) for name in names]
