"""A bag's files: as the `rosbags` library reads them, or cut off, as far as they go.

The library reads whole files. A recorder that was killed leaves an MCAP file without its end, an
interrupted copy cuts either kind off anywhere; what lies before is read here.
"""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from rosbags.interfaces import Connection, MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2 import Reader

from astra_ros.learning.episode import DatasetError

_MAGIC = b'\x89MCAP0\r\n'
# The last record of an MCAP file, here one without a summary: the reader then scans the file.
_FOOTER = b'\x02' + (20).to_bytes(8, 'little') + bytes(20) + _MAGIC
_DATA_END, _FOOTER_RECORD = 0x0F, 0x02


class BagError(DatasetError):
    """A bag that cannot be used; names the bag or topic, what was wrong, and what to do."""


class WholeStorage:
    """A bag or file as the library reads it."""

    def __init__(self, path: Path):
        self.path = path
        self._reader = Reader(path)
        self._reader.open()
        self.connections = list(self._reader.connections)

    def messages(self, connections):
        return self._reader.messages(connections)

    def close(self) -> None:
        self._reader.close()


class CutMcap(WholeStorage):
    """An MCAP file without its end: the whole records at its beginning, given an end."""

    def __init__(self, path: Path):
        size, end = path.stat().st_size, _whole_records(path)
        super().__init__(_EndedFile(path, end))
        self.path = path
        self.loss = (f'the last {size - end} of its {size} bytes, an unfinished record, are lost'
                     if end < size else 'its end, an index, is missing: nothing else is lost')

    def messages(self, connections):
        # As they lie in the file: without its index the library would insist on order in time.
        return self._reader.storage.messages_scan(connections)


class _EndedFile:
    """As much of a path as the library asks for, of a file that seems to have a footer."""

    suffix = '.mcap'

    def __init__(self, path: Path, end: int):
        self._path, self._end = path, end

    def __str__(self) -> str:
        return str(self._path)

    def exists(self) -> bool:
        return True

    def is_dir(self) -> bool:
        return False

    def open(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_WithFooter(self._path, self._end))


class _WithFooter(io.RawIOBase):
    """The first `end` bytes of a file, and the footer behind them."""

    def __init__(self, path: Path, end: int):
        self._file, self._end, self._at = open(path, 'rb'), end, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = (0, self._at, self._end + len(_FOOTER))[whence] + offset
        return self._at

    def readinto(self, buffer) -> int:
        room = memoryview(buffer)
        if self._at < self._end:
            self._file.seek(self._at)
            count = self._file.readinto(room[:self._end - self._at])
        else:
            part = _FOOTER[self._at - self._end:][:len(room)]
            count = len(part)
            room[:count] = part
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class CutSqlite:
    """A sqlite3 file that was cut off: rows as they were written, until a page is missing."""

    def __init__(self, path: Path):
        self.path = path
        # Python's own sqlite3, since rosbags counts all rows first, and so meets the damage.
        self._connection = sqlite3.connect(f'file:{path}?immutable=1', uri=True)
        # Without it sqlite refuses a file that is shorter than its header says.
        self._connection.execute('PRAGMA writable_schema=ON')
        topics = self._connection.execute('SELECT id, name, type FROM topics').fetchall()
        self._names = {number: name for number, name, _ in topics}
        self._count: dict[int, int] = {}
        for number, _, _ in self._rows(list(self._names)):
            self._count[number] = self._count.get(number, 0) + 1
        total = sum(self._count.values())
        if not total:
            raise BagError('no message in it can be read')
        none = MessageDefinition(MessageDefinitionFormat.NONE, '')
        self.connections = [Connection(number, name, kind, none, '', self._count.get(number, 0),
                                       None, self) for number, name, kind in topics]
        self.loss = f'its first {total} messages can be read, the others are lost'

    def messages(self, connections):
        found = {item.id: item for item in connections}
        for number, received_ns, raw in self._rows(list(found)):
            yield found[number], received_ns, raw

    def _rows(self, numbers: list[int]) -> Iterator[tuple[int, int, bytes]]:
        marks = ','.join('?' * len(numbers))
        try:
            yield from self._connection.execute(
                f'SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN ({marks}) '
                'ORDER BY id', numbers)
        except sqlite3.DatabaseError:   # here the file ends; `loss` says so
            return

    def close(self) -> None:
        self._connection.close()


def _whole_records(path: Path) -> int:
    """Where the last whole record of an MCAP file's data ends, in bytes."""
    size = path.stat().st_size
    with open(path, 'rb') as file:
        if file.read(8) != _MAGIC:
            raise BagError('it is empty' if size == 0 else 'it does not begin as an MCAP file')
        end = 8
        while len(head := file.read(9)) == 9:
            after = end + 9 + int.from_bytes(head[1:], 'little')
            if head[0] in (_DATA_END, _FOOTER_RECORD) or after > size:
                break
            end = after
            file.seek(end)
    return end
