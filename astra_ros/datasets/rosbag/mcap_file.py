"""An MCAP file, read record by record (https://mcap.dev/spec): whole or cut off, with or without indexes.

Readers that trust the summary at a file's end find nothing where channels are described only inside the chunks, or
where the end is missing. This one walks over all records of the file, and opens a chunk in advance only where no index
tells its contents.
"""

from __future__ import annotations

import heapq
import os
import struct
import zlib
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

import lz4.frame
import numpy as np

from astra_ros.datasets.rosbag.storage import NO_TYPE, Stream, ros2_type, short, unusable_because, zstd

MAGIC = b"\x89MCAP0\r\n"
_HEADER, _FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _MESSAGE_INDEX = 1, 2, 3, 4, 5, 6, 7
_CHUNK_INDEX, _STATISTICS, _DATA_END = 8, 0x0B, 0x0F
_FOOTER_SIZE = 9 + 20
_MOST_SUMMARY = 2**28  # bytes; a larger summary is damaged
_MESSAGE_HEAD = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
_DECOMPRESS = {"": bytes, "lz4": lz4.frame.decompress, "zstd": zstd.decompress}


class McapFile:
    """An open MCAP file; see Storage."""

    def __init__(self, path: Path):
        self.path = path
        self.notes: list[str] = []
        self.end_ns = 0
        self._schemas: dict[int, tuple[str, str, str]] = {}  # name, encoding, text
        self._channels: dict[int, tuple[int, str, str]] = {}  # schema, topic, message encoding
        self._counts: Counter[int] = Counter()
        # What holds messages: a chunk (with -1), or a message beside the chunks (with its channel).
        self._times, self._offsets, self._holders = array("Q"), array("Q"), array("i")
        self._in_chunk: dict[int, dict[int, int] | None] = {}  # offset -> channel -> first ns; None: damaged
        damage: list[str] = []
        self._file = open(path, "rb")  # noqa: SIM115  close() closes it
        try:
            self._walk(damage)
        except BaseException:
            self.close()
            raise
        self.streams = [self._stream(number) for number in self._channels]
        if damage:
            self.notes.append(f"{len(damage)} of its chunks cannot be read: {damage[0]}")
        if lost := sum(count for number, count in self._counts.items() if number not in self._channels):
            self.notes.append(f"{lost} messages are of channels that it does not describe; they were not read")

    @property
    def start_ns(self) -> int:
        return min(self._times, default=0)

    def close(self) -> None:
        self._file.close()

    def messages(self, streams: Collection[Stream]) -> Iterator[tuple[Stream, int, bytes]]:
        wanted = {stream.number: stream for stream in streams}
        waiting: list[tuple[int, int, int, Stream, bytes]] = []  # sorted by the first three
        starts = self._starts(wanted)
        for at in np.lexsort((np.asarray(self._offsets), starts)):
            start_ns, offset, holder = int(starts[at]), self._offsets[at], self._holders[at]
            # Chunks may overlap in time: messages before the beginning of the next chunk are complete.
            while waiting and waiting[0][:2] < (start_ns, offset):
                _, _, _, stream, data = (item := heapq.heappop(waiting))
                yield stream, item[0], data
            if holder < 0:
                inside = self._in_chunk[offset]
                if inside is not None and not inside.keys() & wanted.keys():
                    continue
                found = self._whole_chunk(offset, self._times[at])
            else:
                found = [self._message_at(offset)] if holder in wanted else []
            for order, (number, log_ns, view) in enumerate(found):
                if number in wanted:
                    heapq.heappush(waiting, (log_ns, offset, order, wanted[number], bytes(view)))
        while waiting:
            log_ns, _, _, stream, data = heapq.heappop(waiting)
            yield stream, log_ns, data

    def _starts(self, wanted: Collection[int]) -> np.ndarray:
        """First ns of the wanted channels in each holder. The time of other channels would delay all messages."""
        starts = np.array(self._times)
        for at in np.flatnonzero(np.asarray(self._holders) < 0):
            inside = self._in_chunk[self._offsets[at]] or {}
            starts[at] = min((first for number, first in inside.items() if number in wanted), default=starts[at])
        return starts

    def _walk(self, damage: list[str]) -> None:
        """Find all chunks and messages, and their channels. Stops where no whole record follows.

        Goes on where the index at the end tells the beginning of a record. Appends the problem of each unreadable chunk
        to `damage`.
        """
        size = os.fstat(self._file.fileno()).st_size
        index: dict[int, tuple[int, int, int]] = {}
        at, chunk, ended, stated = len(MAGIC), None, False, 0
        sure, unsure = self._places(size)
        skipped: list[tuple[int, int]] = []
        while head := self._read(at, 9):
            code, after = head[0], at + 9 + int.from_bytes(head[1:], "little")
            following = bisect_right(sure, at)
            onward = sure[following] if following < len(sure) else None
            if at in unsure or code == 0 or len(head) < 9 or after > (size if onward is None else onward):
                if chunk is not None:
                    self._add_chunk(chunk, {}, damage)
                    chunk = None
                if onward is None:
                    break
                skipped.append((at, onward))
                at = onward
                continue
            if chunk is not None and code != _MESSAGE_INDEX:
                self._add_chunk(chunk, index, damage)
                chunk = None
            try:
                if code == _CHUNK:
                    chunk, index = at, {}
                elif code == _MESSAGE_INDEX and chunk is not None:
                    number, times = _indexed(self._read(at + 9, after - at - 9))
                    if len(times):
                        index[number] = len(times), int(times.min()), int(times.max())
                elif code == _MESSAGE:
                    number, _, log_ns, _ = _MESSAGE_HEAD.unpack(self._read(at + 9, _MESSAGE_HEAD.size))
                    self._add(at, number, log_ns)
                    self._count(number, 1, log_ns)
                elif code in (_SCHEMA, _CHANNEL):
                    self._describe(code, self._read(at + 9, after - at - 9))
                elif code == _STATISTICS:
                    stated = int.from_bytes(self._read(at + 9, 8), "little")
            except (struct.error, ValueError):  # not a record
                if onward is None:
                    break
                skipped.append((at, onward))
                after, index = onward, {}  # of a chunk's indexes one may be missing
            ended = ended or code == _DATA_END
            at = after
            if code == _FOOTER and onward is None:
                break
        if chunk is not None:  # the file ends here, perhaps amid the chunk's indexes
            self._add_chunk(chunk, {}, damage)
        if skipped:
            first, last = skipped[0]
            more = f", and {len(skipped) - 1} more stretches" * (len(skipped) > 1)
            self.notes.append(
                f"damaged: {sum(end - begin for begin, end in skipped)} of its {size} bytes are not readable records "
                f"and are lost: from byte {first} to {last}{more}"
            )
        self._note_end(at, size, ended, stated)

    def _places(self, size: int) -> tuple[list[int], set[int]]:
        """Offsets by the index at the file's end: (those at which a record begins, also of the summary; those of
        chunks at which no record begins). Both are empty without a sound index."""
        foot = self._read(max(size - 8 - _FOOTER_SIZE, 0), _FOOTER_SIZE + 8)
        if foot[:1] != bytes([_FOOTER]) or not foot.endswith(MAGIC):
            return [], set()
        start, _, crc = struct.unpack_from("<QQI", foot, 9)
        if not start or size - start > _MOST_SUMMARY:
            return [], set()
        summary = self._read(start, max(size - 8 - _FOOTER_SIZE - start, 0))
        if crc and zlib.crc32(summary + foot[: 9 + 16]) != crc:
            return [], set()
        try:
            chunks = dict(
                struct.unpack_from("<QQ", body, 16) for code, body in _records(summary) if code == _CHUNK_INDEX
            )
        except (struct.error, ValueError):
            return [], set()
        heads = {at: self._read(at, 9) for at in chunks if at < size}
        sure = {
            at
            for at, head in heads.items()
            if head[:1] == bytes([_CHUNK]) and 9 + int.from_bytes(head[1:], "little") == chunks[at]
        }
        return sorted(sure | {start}), heads.keys() - sure

    def _note_end(self, at: int, size: int, ended: bool, stated: int) -> None:
        if self._read(at, 8) == MAGIC:
            if rest := size - at - 8:
                self.notes.append(f"{rest} bytes after its end were not read")
        elif ended or at == size:
            self.notes.append("cut off or damaged: the index at its end is missing; nothing else is lost")
        elif self._read(size - 8, 8) == MAGIC:
            self.notes.append(
                f"damaged: no record follows at byte {at} of {size}, and no index at its end says where to "
                f"go on: {size - at} bytes are lost"
            )
        else:
            self.notes.append(
                f"cut off or damaged: the last {size - at} of its {size} bytes, an unfinished record, are lost"
            )
        if stated and stated != (found := self._counts.total()):
            self.notes.append(f"its own index counts {stated} messages, but it holds {found}")

    def _read(self, at: int, count: int) -> bytes:
        self._file.seek(at)
        return self._file.read(count)

    def _add(self, offset: int, holder: int, first_ns: int) -> None:
        self._times.append(first_ns)
        self._offsets.append(offset)
        self._holders.append(holder)

    def _count(self, number: int, count: int, last_ns: int) -> None:
        self._counts[number] += count
        self.end_ns = max(self.end_ns, last_ns)

    def _add_chunk(self, offset: int, index: dict[int, tuple[int, int, int]], damage: list[str]) -> None:
        """`index`: channel -> count, first and last ns, from the records after the chunk."""
        damaged = False
        if not index or not index.keys() <= self._channels.keys():
            try:
                found: dict[int, list[int]] = {}
                for number, log_ns, _ in self._messages_in(offset):
                    found.setdefault(number, []).append(log_ns)
                index = {number: (len(times), min(times), max(times)) for number, times in found.items()}
            except Exception as error:  # noqa: BLE001  lz4, zstd, struct: each has errors of its own
                damage.append(short(error))
                damaged = True
        for number, (count, _, last_ns) in index.items():
            self._count(number, count, last_ns)
        if index or damaged:
            self._in_chunk[offset] = None if damaged else {number: first for number, (_, first, _) in index.items()}
            self._add(offset, -1, min((first for _, first, _ in index.values()), default=self.end_ns))

    def _messages_in(self, offset: int) -> Iterator[tuple[int, int, memoryview]]:
        """(channel, ns, data) of a chunk's messages. Also reads the channels that the chunk describes."""
        for code, body in _records(self._chunk(offset)):
            if code == _MESSAGE:
                number, _, log_ns, _ = _MESSAGE_HEAD.unpack_from(body)
                yield number, log_ns, body[_MESSAGE_HEAD.size :]
            elif code in (_SCHEMA, _CHANNEL):
                self._describe(code, bytes(body))

    def _whole_chunk(self, offset: int, start_ns: int) -> list[tuple[int, int, memoryview]]:
        """A chunk's messages. A damaged one has none and is noted: the chunks after it may be whole."""
        try:
            return list(self._messages_in(offset))
        except Exception as error:  # noqa: BLE001  as above
            note = f"damaged after {(start_ns - self.start_ns) / 1e9:.2f} s ({short(error)}); that chunk is lost"
            if note not in self.notes:
                self.notes.append(note)
            return []

    def _message_at(self, offset: int) -> tuple[int, int, memoryview]:
        body = memoryview(self._read(offset + 9, int.from_bytes(self._read(offset + 1, 8), "little")))
        number, _, log_ns, _ = _MESSAGE_HEAD.unpack_from(body)
        return number, log_ns, body[_MESSAGE_HEAD.size :]

    def _chunk(self, offset: int) -> bytes:
        """A chunk's records, decompressed."""
        body = self._read(offset + 9, int.from_bytes(self._read(offset + 1, 8), "little"))
        size, crc = struct.unpack_from("<QI", body, 16)
        compression, at = _text(body, 28)
        (length,) = struct.unpack_from("<Q", body, at)
        if compression not in _DECOMPRESS:
            raise ValueError(f"a chunk is compressed with {compression!r}, not with lz4 or zstd")
        data = _DECOMPRESS[compression](body[at + 8 : at + 8 + length])
        if len(data) != size or crc and zlib.crc32(data) != crc:
            raise ValueError("a chunk does not match its checksum")
        return data

    def _describe(self, code: int, body: bytes) -> None:
        if code == _SCHEMA:
            (number,) = struct.unpack_from("<H", body)
            name, at = _text(body, 2)
            encoding, at = _text(body, at)
            self._schemas.setdefault(number, (name, encoding, _text(body, at)[0]))
        else:
            number, schema = struct.unpack_from("<HH", body)
            topic, at = _text(body, 4)
            self._channels.setdefault(number, (schema, topic, _text(body, at)[0]))

    def _stream(self, number: int) -> Stream:
        schema, topic, serialisation = self._channels[number]
        name, encoding, text = self._schemas.get(schema, ("", "", ""))
        # Some writers leave out the message encoding if the schema is ROS 2's.
        why = unusable_because(serialisation or ("cdr" if encoding in ("ros2msg", "ros2idl") else ""))
        if not why and not name:
            why = NO_TYPE
        type_ = f"{serialisation} {name}".strip() if why else ros2_type(name)
        return Stream(number, topic, type_, self._counts[number], encoding, text, why)


def _text(body: bytes, at: int) -> tuple[str, int]:
    """A length-prefixed text, and where it ends."""
    (length,) = struct.unpack_from("<I", body, at)
    end = at + 4 + length
    if end > len(body):
        raise ValueError("a text reaches beyond its record")
    return body[at + 4 : end].decode(errors="replace"), end


def _records(data: bytes) -> Iterator[tuple[int, memoryview]]:
    view, at = memoryview(data), 0
    while at < len(view):
        code, length = struct.unpack_from("<BQ", view, at)
        at += 9 + length
        if at > len(view):
            raise ValueError("a record reaches beyond its chunk")
        yield code, view[at - length : at]


def _indexed(body: bytes) -> tuple[int, np.ndarray]:
    """Channel and log times, ns, of a message index record."""
    number, length = struct.unpack_from("<HI", body)
    return number, np.frombuffer(body[6 : 6 + length // 16 * 16], "<u8")[::2]
