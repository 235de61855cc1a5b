"""Writes MCAP files as recorders of all kinds do: with or without chunks, indexes, summary, schemas.

https://mcap.dev/spec
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace

import lz4.frame
import numpy as np
from bag_maker import STORE, header, make, ns

from astra_ros.datasets.rosbag.storage import zstd

MAGIC = b"\x89MCAP0\r\n"
COMPRESS = {"": bytes, "lz4": lz4.frame.compress, "zstd": zstd.compress}


@dataclass(frozen=True)
class Channel:
    """`schema`: its name, None for none; `kind`: the schema's encoding."""

    topic: str
    schema: str | None
    encoding: str = "cdr"
    kind: str = "ros2msg"
    text: str | None = None  # of the schema; None: as the type is


@dataclass(frozen=True)
class Layout:
    """How the file is built. `per_chunk`: messages in a chunk, 0 for a file without chunks."""

    profile: str = "ros2"
    per_chunk: int = 50
    compression: str = ""
    message_index: bool = True
    chunk_index: bool = True
    statistics: bool = True
    repeated: bool = True  # channels and schemas once more in the summary
    summary: bool = True
    checksum: bool = True
    stated: int | None = None  # messages that the statistics count; None: as many as there are


IMAGE = Channel("/camera/image_raw", "sensor_msgs/msg/Image")
JOINTS = Channel("/joint_states", "sensor_msgs/msg/JointState")


def grey_image(t: float, value: int) -> bytes:
    """An image of 16 x 16 pixels of one brightness."""
    image = dict(height=16, width=16, encoding="rgb8", is_bigendian=0, step=48)
    return cdr(
        make("sensor_msgs/msg/Image", header=header(t, "camera"), **image, data=np.full(768, value % 256, np.uint8))
    )


def arm(begin=0.0, end=6.0, image=IMAGE, joints=JOINTS) -> list[tuple[Channel, float, bytes]]:
    """(channel, second, bytes): images at 10 Hz and joints at 20 Hz, j1 = 0.2 t."""
    found = []
    for step in range(round(begin * 20), round(end * 20)):
        t = step / 20
        if step % 2 == 0:
            found.append((image, t, grey_image(t, step // 2)))
        found.append(
            (
                joints,
                t,
                cdr(
                    make(
                        "sensor_msgs/msg/JointState",
                        header=header(t),
                        name=["j1"],
                        position=_numbers(0.2 * t),
                        velocity=_numbers(),
                        effort=_numbers(),
                    )
                ),
            )
        )
    return found


def write_mcap(path, messages: list[tuple[Channel, float, bytes]], layout: Layout = Layout()):
    """The messages in the order given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = {channel: number for number, channel in enumerate(dict.fromkeys(item[0] for item in messages), 1)}
    out = MAGIC + _record(1, _text(layout.profile) + _text("a recorder"))
    described, indexes = set(), []
    step = layout.per_chunk or 1
    for first in range(0, len(messages), step):
        inside, offsets = b"", {}
        for channel, t, data in messages[first : first + step]:
            number = numbers[channel]
            if channel not in described:
                inside += _describe(channel, number)
                described.add(channel)
            offsets.setdefault(number, []).append((ns(t), len(inside)))
            inside += _record(5, struct.pack("<HIQQ", number, 0, ns(t), ns(t)) + data)
        if not layout.per_chunk:
            out += inside
            continue
        at, packed = len(out), COMPRESS[layout.compression](inside)
        times = [ns(t) for _, t, _ in messages[first : first + step]]
        crc = zlib.crc32(inside) if layout.checksum else 0
        out += _record(
            6,
            struct.pack("<QQQI", min(times), max(times), len(inside), crc)
            + _text(layout.compression)
            + struct.pack("<Q", len(packed))
            + packed,
        )
        length, places = len(out) - at, {}
        for number, entries in offsets.items() if layout.message_index else ():
            places[number] = len(out)
            out += _record(
                7,
                struct.pack("<HI", number, 16 * len(entries))
                + b"".join(struct.pack("<QQ", *entry) for entry in entries),
            )
        indexes.append(
            _record(
                8,
                struct.pack("<QQQQI", min(times), max(times), at, length, 10 * len(places))
                + b"".join(struct.pack("<HQ", *place) for place in places.items())
                + struct.pack("<Q", len(out) - at - length)
                + _text(layout.compression)
                + struct.pack("<QQ", len(packed), len(inside)),
            )
        )
    out += _record(15, bytes(4))
    start = len(out)
    if layout.summary:
        if layout.repeated:
            out += b"".join(_describe(channel, number) for channel, number in numbers.items())
        if layout.chunk_index:
            out += b"".join(indexes)
        if layout.statistics and messages:
            counts = {number: sum(item[0] == channel for item in messages) for channel, number in numbers.items()}
            stated = len(messages) if layout.stated is None else layout.stated
            out += _record(
                11,
                struct.pack(
                    "<QHIIIIQQI",
                    stated,
                    len(numbers),
                    len(numbers),
                    0,
                    0,
                    len(indexes),
                    ns(messages[0][1]),
                    ns(messages[-1][1]),
                    10 * len(counts),
                )
                + b"".join(struct.pack("<HQ", *item) for item in counts.items()),
            )
    out += _record(2, struct.pack("<QQI", start if layout.summary and len(out) > start else 0, 0, 0)) + MAGIC
    path.write_bytes(out)
    return path


def as_other(messages, **changes):
    """The same messages on channels that are described otherwise."""
    return [(replace(channel, **changes), t, data) for channel, t, data in messages]


def cdr(message) -> bytes:
    return bytes(STORE.serialize_cdr(message, message.__msgtype__))


def _describe(channel: Channel, number: int) -> bytes:
    if channel.schema is None:
        return _channel(channel, number, 0)
    text = channel.text
    if text is None:
        text = STORE.generate_msgdef(channel.schema)[0]
    return _record(3, struct.pack("<H", number) + _text(channel.schema) + _text(channel.kind) + _text(text)) + _channel(
        channel, number, number
    )


def _channel(channel: Channel, number: int, schema: int) -> bytes:
    return _record(4, struct.pack("<HH", number, schema) + _text(channel.topic) + _text(channel.encoding) + _text(""))


def _record(code: int, body: bytes) -> bytes:
    return bytes([code]) + struct.pack("<Q", len(body)) + body


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text.encode())) + text.encode()


def _numbers(*values: float):
    return np.array(values, float)
