"""A rosbag2 as topics and messages, whole or damaged, read without ROS.

Messages are decoded by the `rosbags` library; the files are read one by one by `mcap_file` and `sqlite_file`.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from astra_ros.datasets.rosbag import bag_files
from astra_ros.datasets.rosbag.errors import BagError, UnreadableFile
from astra_ros.datasets.rosbag.mcap_file import McapFile
from astra_ros.datasets.rosbag.sqlite_file import SqliteFile
from astra_ros.datasets.rosbag.storage import NO_TYPE, ZSTD, Storage, Stream, short, zstd


class BadMessage(ValueError):
    """A single message cannot be decoded or used."""


@dataclass(frozen=True)
class Topic:
    """A topic of a bag."""

    name: str
    type: str  # such as 'sensor_msgs/msg/Image'
    count: int
    unusable: str = ""  # why its messages cannot be read; '' where they can


class Bag:
    """An open bag, a context manager. Raises BagError on creation, where no file of it can be read.

    Attributes:
        files: the storage files that are read, in order of recording.
        topics, unusable: those that can be read, with the counts of the files, and the others.
        notes: its problems, a sentence each; reading may add some.
        identity: sha256 over sizes, beginnings and ends of all files: the same for a copy.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.notes: list[str] = []
        self._storages: list[Storage] = []
        self._stores: dict[str, object] = {}
        if not self.path.exists():
            raise BagError("no such file or folder", thing=self.path, cure="name a bag")
        there = bag_files.storage_files(self.path)
        self.identity = bag_files.identity(there)
        self._metadata = self._read_metadata()
        self._temporary = tempfile.TemporaryDirectory(prefix="astra_bag_")
        try:
            self._open(there)
        except BaseException:
            self.close()
            raise
        if self._metadata is not None:
            for storage in self._storages:
                storage.streams = [_typed(stream, self._metadata) for stream in storage.streams]
        self.format = "mcap" if isinstance(self._storages[0], McapFile) else "sqlite3"
        self.files = [storage.path for storage in self._storages]
        self._streams: dict[str, Stream] = {}
        self.topics, self.unusable = self._list_topics()
        if self._metadata is not None:
            counts: dict[str, int] = {}
            for topic in self.all_topics:
                counts[topic.name] = counts.get(topic.name, 0) + topic.count
            for text in bag_files.differences(self._metadata, self.files, there, counts):
                self._note(f"{self.path}: {text}{self._reindex()}")
        if self._is_cut_off(there):  # ROS's own reader does not open such a file
            self.notes = [note.removesuffix(self._reindex()) for note in self.notes]

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @property
    def all_topics(self) -> list[Topic]:
        return sorted([*self.topics, *self.unusable], key=lambda topic: topic.name)

    def close(self) -> None:
        for storage in self._storages:
            storage.close()
        self._storages = []
        self._temporary.cleanup()

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, int, bytes]]:
        """(topic, receive time in ns, CDR bytes) of each message, in order of recording.

        The order is the same in every call. Where a file is damaged, reading goes on with the next file and adds to
        `notes`.
        """
        for storage in self._storages:
            wanted = [item for item in storage.streams if item.topic in topics and self._is_used(item)]
            if not wanted:
                continue
            last_ns, left = None, sum(stream.count for stream in wanted)
            try:
                for stream, received_ns, raw in storage.messages(wanted):
                    last_ns = received_ns
                    left -= 1
                    yield stream.topic, received_ns, raw
                if left and not storage.notes:
                    storage.notes.append(
                        f"damaged: its index counts {abs(left)} messages {'more' if left > 0 else 'less'} than it holds"
                    )
                for text in storage.notes:
                    self._note(f"{storage.path}: {text}")
            except Exception as error:  # noqa: BLE001  zstd, lz4, sqlite, struct: each has errors of its own
                where = f"after {(last_ns - storage.start_ns) / 1e9:.2f} s" if last_ns else "from its beginning"
                self._note(f"{storage.path}: damaged {where} ({short(error)}); the rest of it is lost")

    def cdr_messages(self, topics: Collection[str]) -> Iterator[tuple[str, int, bytes]]:
        """The same as ``messages``, where they are compressed one by one without that compression."""
        for topic, received_ns, raw in self.messages(topics):
            yield topic, received_ns, zstd.decompress(raw) if raw[:4] == ZSTD else raw

    def decode(self, topic: str, raw: bytes) -> Any:
        """A message as an object with the fields of its type.

        Raises BadMessage where the bytes do not fit the type, BagError where the type is not known.
        """
        stream = self._streams[topic]
        store = self._store(stream)
        try:
            if raw[:4] == ZSTD:  # each message is compressed by itself
                raw = zstd.decompress(raw)
            return _deserialized(store, raw, stream.type)
        except Exception as error:  # rosbags raises whatever the bytes lead to
            raise BadMessage(short(error)) from error

    def check_once(self, topics: Collection[str]) -> None:
        """Raises BagError where two files hold the same time of one of these topics, and no metadata lists both."""
        for number, one in enumerate(self._storages):
            for other in self._storages[:number]:
                if self._lists(one) and self._lists(other):
                    continue  # one recorder, whose clock was set back
                if twice := bag_files.same_time(one, other, set(topics)):
                    raise BagError(
                        f"{other.path.name} and {one.path.name} both hold messages of the same time",
                        thing=", ".join(sorted(twice)),
                        cure="move one of them elsewhere, or import each by itself: "
                        f"astra import-bag {other.path} {one.path}",
                    )

    def _lists(self, storage: Storage) -> bool:
        return self._metadata is not None and self._metadata.lists(storage.path)

    def _is_used(self, stream: Stream) -> bool:
        return not stream.unusable and stream.type == self._streams[stream.topic].type

    def _list_topics(self) -> tuple[list[Topic], list[Topic]]:
        """(topics that can be read, the others)."""
        found: dict[tuple[str, str, str], list[Stream]] = {}
        for storage in self._storages:
            for stream in storage.streams:
                found.setdefault((stream.topic, stream.type, stream.unusable), []).append(stream)
        topics, unusable = [], []
        by_count = sorted(found.items(), key=lambda item: -sum(stream.count for stream in item[1]))
        for (name, type_, why), streams in by_count:
            topic = Topic(name, type_, sum(stream.count for stream in streams), why)
            if why:
                unusable.append(topic)
            elif name in self._streams:
                unusable.append(replace(topic, unusable=f"most of its messages are {self._streams[name].type}"))
            else:
                topics.append(topic)
                # Prefer a stream with a definition of its type.
                self._streams[name] = max(streams, key=lambda stream: bool(stream.definition))
        if self._metadata is not None:
            known = {topic.name for topic in topics + unusable}
            topics += [Topic(name, type_, 0) for name, (type_, _) in self._metadata.topics.items() if name not in known]
        return sorted(topics, key=lambda topic: topic.name), unusable

    def _store(self, stream: Stream):
        """The message types: those of ROS 2, else those that the bag defines."""
        if stream.type in self._stores:
            return self._stores[stream.type]
        store = get_typestore(Stores.LATEST)
        if stream.type not in store.fielddefs:
            text, is_idl = stream.definition, stream.encoding in ("ros2idl", "omgidl")
            try:
                if not text.strip():  # rosbags would make a type without fields of it
                    raise ValueError("no definition")
                types = get_types_from_idl(text) if is_idl else get_types_from_msg(text, stream.type)
                store.register({name: value for name, value in types.items() if name not in store.fielddefs})
                store.fielddefs[stream.type]
            except Exception as error:  # a parser's errors, also of the grammar below it
                problem = f"its type {stream.type} is unknown, and the bag holds no readable definition of it"
                cure = "record with MCAP storage: ros2 bag record -s mcap"
                raise BagError(problem, thing=stream.topic, cure=cure) from error
        self._stores[stream.type] = store
        return store

    def _read_metadata(self) -> bag_files.Metadata | None:
        if not self.path.is_dir():
            return None
        try:
            return bag_files.read_metadata(self.path)
        except FileNotFoundError:
            why = "is missing, as after a recorder was killed"
        except (OSError, ValueError, yaml.YAMLError) as error:
            why = f"cannot be read ({short(error)})"
        self._note(f"{self.path}: metadata.yaml {why}; the files were read without it{self._reindex()}")
        return None

    def _reindex(self) -> str:
        return f". `ros2 bag reindex {self.path}` writes it anew"

    def _is_cut_off(self, there: list[Path]) -> bool:
        """Whether a sqlite3 file is damaged, or was not read at all."""
        read = {storage.path for storage in self._storages}
        return any(isinstance(storage, SqliteFile) and not storage.whole for storage in self._storages) or any(
            ".db3" in file.name and file not in read for file in there
        )

    def _open(self, there: list[Path]) -> None:
        failed: list[tuple[Path, UnreadableFile]] = []
        copies = bag_files.copies(there)
        for file in there:
            if file in copies:
                self._note(f"{file}: not read, since it is a copy of {copies[file].name}")
                continue
            try:
                self._storages.append(bag_files.open_file(file, Path(self._temporary.name)))
            except UnreadableFile as error:
                failed.append((file, error))
            except OSError as error:  # a compressed file needs room for what it holds
                cure = "check the disk; TMPDIR names the folder for temporary files"
                failed.append((file, UnreadableFile(short(error), cure)))
            except Exception as error:  # noqa: BLE001  whatever a damaged file leads to
                failed.append((file, UnreadableFile(short(error))))
        if not self._storages:
            (first, why), *others = failed
            lines = [f"{file}: cannot be read ({each.problem}); {each.cure}" for file, each in others]
            raise BagError(f"cannot be read ({why.problem})", thing=first, cure=why.cure, details=lines + self.notes)
        for file, why in failed:
            self._note(f"{file}: not read ({why.problem}); {why.cure}")
        self._leave_out_what_is_twice()
        recordings = bag_files.recordings(self._storages, self._metadata or bag_files.Metadata())
        self._storages = [storage for recording in recordings for storage in recording]
        if len(recordings) > 1:
            self._storages = bag_files.in_order_of_time(self._storages)
            names = "; ".join(", ".join(storage.path.name for storage in recording) for recording in recordings)
            self._note(
                f"{self.path}: by their names its files are of {len(recordings)} recordings ({names}); they were read "
                "in order of time. Import each by itself if they do not belong together"
            )
        for storage in self._storages:
            for text in storage.notes:
                self._note(f"{storage.path}: {text}")

    def _leave_out_what_is_twice(self) -> None:
        """Drop files that metadata.yaml does not list, with the same time and topics as one that it lists."""
        listed = [storage for storage in self._storages if self._lists(storage)]
        for storage in [item for item in self._storages if item not in listed]:
            topics = {stream.topic for stream in storage.streams}
            other = next((item for item in listed if bag_files.same_time(storage, item, topics)), None)
            if other is not None:
                self._note(
                    f"{storage.path}: not read, since metadata.yaml does not list it and it holds messages "
                    f"of the same time as {other.path.name}; if it belongs to another recording, import it "
                    f"by itself: astra import-bag {storage.path}"
                )
                self._storages.remove(storage)
                storage.close()

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _typed(stream: Stream, metadata: bag_files.Metadata) -> Stream:
    """The stream, with its type from metadata.yaml if the file lacks it."""
    type_, _ = metadata.topics.get(stream.topic, ("", 0))
    return replace(stream, type=type_, unusable="") if type_ and stream.unusable == NO_TYPE else stream


def _deserialized(store, raw: bytes, type_: str) -> object:
    """A message, without the 4 or 8 bytes that may follow it: rclpy's `serialize_message`, with which nodes write bags,
    adds them after empty sequences of 8-byte numbers. rosbags itself skips 3 bytes."""
    try:
        return store.deserialize_cdr(raw, type_)
    except SerdeError as error:
        if "size mismatch" not in str(error):
            raise
        for more in (4, 8):
            with contextlib.suppress(SerdeError):
                return store.deserialize_cdr(raw[:-more], type_)
        raise
