"""The messages of a bag as series of numbers, read in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from astra_ros.camera.image_messages import (
    ImageFacts,
    brightest,
    check_compressed,
    check_raw,
    compressed_to_rgb,
    raw_to_rgb,
)
from astra_ros.camera.image_sources import ImageSources
from astra_ros.camera.repeated_images import RepeatWatch
from astra_ros.camera.significant_bits import SignificantBits
from astra_ros.datasets.rosbag.message_types import COMPRESSED


@dataclass
class Series:
    """Messages of one source, in order of recording."""

    stamps_ns: list[int] = field(default_factory=list)  # of the headers; 0 where it is empty
    received_ns: list[int] = field(default_factory=list)  # when the recorder received them
    values: list = field(default_factory=list)  # a row of numbers each

    def add(self, stamp_ns: int, received_ns: int, value) -> None:
        self.stamps_ns.append(stamp_ns)
        self.received_ns.append(received_ns)
        self.values.append(value)

    def rows(self, numbers: Sequence[int]) -> Series:
        parts = self.stamps_ns, self.received_ns, self.values
        return Series(*([part[number] for number in numbers] for part in parts))

    def __len__(self) -> int:
        return len(self.values)


@dataclass
class ImageSeries(Series):
    """The camera's messages. `values` are (height, width), or None for a broken image."""

    encodings: Counter = field(default_factory=Counter)  # encoding or format -> number of images
    frames: Counter = field(default_factory=Counter)  # frame_id -> number of images
    broken: list[str] = field(default_factory=list)  # the problem of each
    remarks: Counter = field(default_factory=Counter)  # how ambiguous images are read -> number of images
    # Number of an image from another camera than the one before -> how it differs.
    changes: dict[int, str] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)  # numbers of images that repeat the one before, byte for byte
    sources: ImageSources = field(default_factory=ImageSources)
    bits: SignificantBits = field(default_factory=SignificantBits)
    _repeats: RepeatWatch = field(default_factory=RepeatWatch)

    def look(self, message, facts: ImageFacts, received_ns: int) -> None:
        """Add a whole image."""
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
    """The messages of a bag. A pose is position x y z, m, and quaternion x y z w."""

    images: ImageSeries
    stamped: bool = True  # whether the motion's messages have headers
    joints: dict[tuple[str, ...], Series] = field(default_factory=dict)  # names in a message -> positions, rad or m
    measured: dict[tuple[str, ...], Series] = field(default_factory=dict)  # of a controller without commanded positions
    velocities: Series = field(default_factory=Series)  # linear x y z, angular x y z; m/s and rad/s, as in the messages
    # For each velocity, the frames that its message names: the header's, and the child of an odometry.
    velocity_frames: list[tuple[str, ...]] = field(default_factory=list)
    velocity_poses: list[np.ndarray] = field(default_factory=list)  # for each of an odometry; NaN where it is unusable
    poses: dict[str, tuple[str, Series]] = field(default_factory=dict)  # child frame -> (its first parent, poses)
    static: dict[str, tuple[str, Series]] = field(default_factory=dict)  # the same of frames that never move
    other_parents: dict[str, dict[str, Series]] = field(default_factory=dict)  # child frame -> further parent -> poses
    odometry_frames: Counter = field(default_factory=Counter)  # (parent, child) -> number of messages
    description: str = ""  # URDF
    # Contents of a CameraInfo -> (receive time of the first such message, that message).
    lenses: dict[tuple, tuple[int, object]] = field(default_factory=dict)
    bad: dict[str, Counter] = field(default_factory=dict)  # topic -> reason -> number of messages that were left out
    bad_parts: dict[str, Counter] = field(default_factory=dict)  # the same of messages whose rest was used

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


def image_facts(kind: str, message) -> ImageFacts:
    """The header of an image of type `kind`, checked; pixels are decoded only where needed. Raises BadImage."""
    return check_compressed(message) if kind == COMPRESSED else check_raw(message)


def to_rgb(kind: str, message) -> np.ndarray:
    """An image as uint8 [H, W, 3] RGB. Raises BadImage."""
    return compressed_to_rgb(message) if kind == COMPRESSED else raw_to_rgb(message)
