"""What the files of a bag have in common: streams of messages, and bytes that are compressed."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


ZSTD = b"\x28\xb5\x2f\xfd"  # the beginning of a zstd frame, and not of a CDR message, an MCAP or a sqlite3 file
NO_TYPE = "without a schema, which gives the type"
CONVERT = "rosbags-convert --src FILE.bag --dst FOLDER"
ROS_1 = "ROS 1"
CONVERT_BAG = f"convert it with: {CONVERT}"


@dataclass(frozen=True)
class Stream:
    """The messages of one topic in one file."""

    number: int  # in the file
    topic: str
    type: str  # such as 'sensor_msgs/msg/Image', after the encoding of an unusable stream
    count: int
    encoding: str = ""  # of the type's definition, such as 'ros2msg'
    definition: str = ""  # '' where the file has none
    unusable: str = ""  # why its messages are not read; '' where they are


class Storage(Protocol):
    """An open file of a bag. `start_ns` and `end_ns` are of its first and last message; 0 without messages."""

    path: Path  # as the user gave it
    notes: list[str]  # its problems, a sentence each
    streams: list[Stream]
    end_ns: int

    @property
    def start_ns(self) -> int: ...

    def messages(self, streams: Collection[Stream]) -> Iterator[tuple[Stream, int, bytes]]:
        """(stream, receive time in ns, bytes) of each message, in order of receive time."""

    def close(self) -> None: ...


def unusable_because(serialisation: str) -> str:
    """Why messages in this serialisation are not read; '' for ROS 2's CDR."""
    if serialisation == "cdr":
        return ""
    why = f"{serialisation or 'unnamed'} encoding, not the cdr of ROS 2"
    return ROS_1 if serialisation in ("ros1", "rosmsg_v2") else why


def ros2_type(name: str) -> str:
    """The type with three words, from 'sensor_msgs/Image' of some MCAP writers or 'sensor_msgs::msg::Image'."""
    words = name.replace("::", "/").split("/")
    return "/".join([words[0], "msg", words[1]] if len(words) == 2 else words)


def decompressed(file: Path, folder: Path) -> tuple[Path, str]:
    """Decompress as much of a zstd file as possible into a folder: (new file, problem or '')."""
    target, frame = folder / file.name, zstd.ZstdDecompressor()
    with open(file, "rb") as source, open(target, "wb") as out:
        try:
            while part := source.read(2**16):
                while part:
                    if frame.eof:  # one frame may follow another
                        frame = zstd.ZstdDecompressor()
                    out.write(frame.decompress(part))
                    part = frame.unused_data if frame.eof else b""
        except zstd.ZstdError as error:
            return target, short(error)
    return target, "" if frame.eof else "its compressed end is missing"


def short(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
