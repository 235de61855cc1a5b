"""A sqlite3 file of a bag, with tables of any version: whole, cut off, or with a journal beside it."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from astra_ros.datasets.rosbag.errors import UnreadableFile
from astra_ros.datasets.rosbag.storage import Stream, ros2_type, short, unusable_because

MAGIC = b"SQLite format 3\0"


class SqliteFile:
    """An open sqlite3 file; see Storage.

    Attributes:
        whole: whether all of its messages can be read.
    """

    def __init__(self, path: Path, immutable: bool = True):
        """`immutable`: read the file alone, without the journal beside it."""
        self.path = path
        self.notes: list[str] = []
        # Not with rosbags, which counts all rows first and fails at the damage of a cut-off file.
        self._connection = sqlite3.connect(path.absolute().as_uri() + "?immutable=1" * immutable, uri=True)
        try:
            # Without it sqlite refuses a file that is shorter than its header says.
            self._connection.execute("PRAGMA writable_schema=ON")
            self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def messages(self, streams: Collection[Stream]) -> Iterator[tuple[Stream, int, bytes]]:
        found = {stream.number: stream for stream in streams}
        for number, received_ns, data in self._rows(list(found)):
            yield found[number], received_ns, data

    def _open(self) -> None:
        topics, messages = self._columns("topics"), self._columns("messages")
        if not {"id", "name", "type"} <= topics or not {"topic_id", "timestamp", "data"} <= messages:
            if (size := self.path.stat().st_size) < (stated := _stated_size(self.path)):
                raise UnreadableFile(f"cut off: it has {size} of its {stated} bytes")
            raise UnreadableFile(
                "it lacks the tables of a rosbag2: its recorder was stopped before it wrote, or it is another database",
                "record the bag again",
            )
        serialisation = "serialization_format" if "serialization_format" in topics else "'cdr'"
        rows = self._connection.execute(f"SELECT id, name, type, {serialisation} FROM topics").fetchall()
        self.whole, numbers = True, [row[0] for row in rows]
        try:
            counts = dict(self._connection.execute("SELECT topic_id, COUNT(*) FROM messages GROUP BY topic_id"))
            span = self._connection.execute("SELECT MIN(timestamp), MAX(timestamp) FROM messages").fetchone()
        except sqlite3.DatabaseError as error:
            self.whole = False
            times = [(number, ns) for number, ns, _ in self._rows(numbers)]
            counts = Counter(number for number, _ in times)
            span = min((ns for _, ns in times), default=None), max((ns for _, ns in times), default=None)
            if not times:
                raise UnreadableFile(f"{short(error)}, and no message in it can be read") from error
            self.notes.append(
                f"cut off or damaged ({short(error)}): its first {len(times)} messages can be read, the others are lost"
            )
        self.start_ns, self.end_ns = span[0] or 0, span[1] or 0
        definitions = self._definitions()
        self.streams = []
        for number, name, type_, kind in rows:
            why = unusable_because(kind)
            shown = f"{kind} {type_}" if why else ros2_type(type_)
            encoding, text = definitions.get(type_, ("", ""))
            self.streams.append(Stream(number, name, shown, counts.get(number, 0), encoding, text, why))

    def _columns(self, table: str) -> set[str]:
        return {row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")}

    def _definitions(self) -> dict[str, tuple[str, str]]:
        """Type -> encoding and text of its definition, which files have since version 4 of the tables."""
        if not {"topic_type", "encoding", "encoded_message_definition"} <= self._columns("message_definitions"):
            return {}
        query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
        try:
            return {name: (encoding, text) for name, encoding, text in self._connection.execute(query)}
        except sqlite3.DatabaseError:  # cut off; the topics and messages were read
            return {}

    def _rows(self, numbers: list[int]) -> Iterator[tuple[int, int, bytes]]:
        marks = ",".join("?" * len(numbers))
        # A cut-off file has lost its index of times: read its rows as written, until a page is missing.
        order = "timestamp, rowid" if self.whole else "rowid"
        try:
            yield from self._connection.execute(
                f"SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN ({marks}) ORDER BY {order}", numbers
            )
        except sqlite3.DatabaseError:
            if self.whole:
                raise
            # The file ends here, which a note tells.


def _stated_size(path: Path) -> int:
    """The size of a file, bytes, according to its header."""
    with open(path, "rb") as file:
        head = file.read(32)
    page = int.from_bytes(head[16:18], "big")
    return (2**16 if page == 1 else page) * int.from_bytes(head[28:32], "big")


def with_journal(path: Path, folder: Path) -> SqliteFile:
    """The file with the messages in its -wal, which a killed recorder leaves.

    Both are copied into a folder, since sqlite would write beside the user's files.
    """
    journal = path.with_name(path.name + "-wal")
    try:
        copy = Path(shutil.copy(path, folder / path.name))
        shutil.copy(journal, folder / journal.name)
    except OSError as error:
        storage = SqliteFile(path)
        storage.notes.append(
            f"{journal.name} was not read ({error.strerror or error}); merge it with: "
            f"sqlite3 {path} 'PRAGMA wal_checkpoint(TRUNCATE)'"
        )
        return storage
    storage = SqliteFile(copy, immutable=False)
    total = sum(stream.count for stream in storage.streams)
    try:
        alone = SqliteFile(path)
        without = sum(stream.count for stream in alone.streams)
        alone.close()
    except (UnreadableFile, sqlite3.DatabaseError):
        without = 0
    if total != without:
        storage.notes.append(
            f"{total - without} of its messages were in {journal.name}, as after a recorder was killed; they were read "
            "too"
        )
    storage.path = path
    return storage
