"""The messages of a bag as series of numbers, read in one pass."""

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
    """The camera's messages. `values` are (height, width), or None for a broken picture.

    Attributes:
        encodings, frames: encoding or format, frame_id -> number of pictures.
        broken: the problem of each broken picture.
        remarks: how ambiguous pictures are read -> number of pictures.
        changes: number of a picture from another camera than the one before -> how it differs.
        again: numbers of pictures that repeat the one before, byte for byte.
        sources, bits: whether several cameras publish, and how many bits their pixels use.
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
        """Add a whole picture."""
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
    """The messages of a bag.

    Attributes:
        pictures: the camera.
        stamped: whether the motion's messages have headers.
        joints: names of the joints of a message -> positions, rad or m.
        measured: the same, of a controller's messages that only have measured positions.
        joint_fields: field that positions were read from -> number of messages.
        velocities: linear x y z, angular x y z; m/s and rad/s, as in the messages.
        velocity_frames: for each velocity, the frames that its message names: the header's, and the child of an
            odometry; none for a message without a header.
        velocity_poses: for each velocity of an odometry its pose: position x y z, quaternion x y z w; NaN where it
            is unusable.
        poses: child frame -> (its first parent, position x y z and quaternion x y z w).
        static: the same of frames that never move.
        other_parents: child frame -> further parent -> poses.
        odometry_frames: (parent, child) of an odometry -> number of messages.
        description: the robot's description, or ''.
        lenses: contents of a CameraInfo -> (receive time of the first such message, that message).
        bad: topic -> reason -> number of messages that were left out.
        bad_parts: the same for messages of which a part was left out.
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
        """Why messages of a topic were left out, to continue a sentence."""
        return "".join(
            f"; {count} messages: {why}"
            for found in (self.bad, self.bad_parts)
            for why, count in found.get(topic, {}).items()
        )


def stamp_of(message) -> int:
    """A header's stamp, ns."""
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
