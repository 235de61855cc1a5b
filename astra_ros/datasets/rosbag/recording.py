"""What one pass over a bag reads of it: series of messages as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from astra_ros.camera.image_messages import brightest
from astra_ros.camera.image_sources import ImageSources
from astra_ros.camera.repeated_images import RepeatWatch
from astra_ros.camera.significant_bits import SignificantBits
from astra_ros.datasets.rosbag.pictures import ImageFacts


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


def stamp_of(message) -> int:
    """A header's stamp, ns."""
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
