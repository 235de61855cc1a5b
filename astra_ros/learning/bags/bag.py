"""A rosbag2 as topics and messages, whole or damaged, read by the `rosbags` library without ROS.

A recorder that was killed leaves no `metadata.yaml`; then the storage files are read by themselves.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from astra_ros.learning.bags.storage import BagError, CutMcap, CutSqlite, WholeStorage

SUFFIXES = ('.db3', '.mcap')
_ZSTD = b'\x28\xb5\x2f\xfd'


class BadMessage(ValueError):
    """One message that does not fit its type."""


@dataclass(frozen=True)
class Topic:
    """One topic of a bag; `type` as 'sensor_msgs/msg/Image', `count` messages."""

    name: str
    type: str
    count: int


class Bag:
    """An open bag. Use as a context manager.

    Attributes:
        path: folder or file, as given.
        files: the storage files, in order of recording.
        notes: what is wrong with it, a sentence each; reading may add some.
        identity: sha256 over sizes, beginnings and ends of the files: the same for a copy.

    Raises:
        BagError: on creation, where there is no bag, or nothing of it can be read.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self.notes: list[str] = []
        self._storages: list = []
        self._stores: dict[str, object] = {}
        if not self.path.exists():
            raise BagError(f'{self.path}: there is no such file or folder')
        self.files = _storage_files(self.path)
        self.identity = _identity(self.files)
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        self._connections: dict[str, Connection] = {}
        counts: dict[str, int] = {}
        for storage in self._storages:
            for connection in storage.connections:
                self._connections.setdefault(connection.topic, connection)
                counts[connection.topic] = counts.get(connection.topic, 0) + connection.msgcount
        self.topics = [Topic(name, connection.msgtype, counts[name])
                       for name, connection in sorted(self._connections.items())]

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @property
    def format(self) -> str:
        """'mcap' or 'sqlite3'."""
        return 'mcap' if '.mcap' in self.files[0].suffixes else 'sqlite3'

    def close(self) -> None:
        for storage in self._storages:
            storage.close()
        self._storages = []

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, int, bytes]]:
        """(topic, ns at which the recorder received it, CDR bytes), in order of recording.

        The same order in every call. Where a file is damaged, reading goes on with the next file,
        and `notes` says so.
        """
        for storage in self._storages:
            wanted = [item for item in storage.connections if item.topic in topics]
            if not wanted:
                continue
            last_ns = None
            try:
                for connection, received_ns, raw in storage.messages(wanted):
                    last_ns = received_ns
                    yield connection.topic, received_ns, raw
            except Exception as error:  # zstd, lz4, sqlite, struct: each has errors of its own
                where = 'from its beginning' if last_ns is None else (
                    f'after {(last_ns - self._start_ns(storage)) / 1e9:.2f} s')
                self._note(f'{storage.path}: damaged {where} ({_short(error)}); what comes behind '
                           'is lost')

    def first(self, topic: str) -> object | None:
        """The first message of a topic that can be read, or None."""
        for _, _, raw in self.messages([topic]):
            try:
                return self.decode(topic, raw)
            except BadMessage:
                continue
        return None

    def decode(self, topic: str, raw: bytes) -> object:
        """A message as an object with the fields of its type.

        Raises BadMessage where the bytes do not fit the type, BagError where the type is not known.
        """
        store = self._store(self._connections[topic])
        try:
            return store.deserialize_cdr(raw, self._connections[topic].msgtype)
        except Exception as error:  # rosbags raises whatever the bytes lead to
            if raw[:4] == _ZSTD:
                raise BagError(f'{self.path}: its messages are compressed one by one, which needs a sound metadata.yaml '
                               '(`ros2 bag reindex` makes it again) and whole files: take damaged ones out'
                               + ''.join(f'\n{note}' for note in self.notes)) from error
            raise BadMessage(_short(error)) from error

    def _store(self, connection: Connection):
        """Message types: those that the bag brings along, else those of ROS 2 itself."""
        if connection.msgtype in self._stores:
            return self._stores[connection.msgtype]
        store, definition = get_typestore(Stores.LATEST), connection.msgdef
        if connection.msgtype not in store.fielddefs:
            try:
                types = (get_types_from_idl(definition.data)
                         if definition.format == MessageDefinitionFormat.IDL else
                         get_types_from_msg(definition.data, connection.msgtype))
                store.register({name: value for name, value in types.items()
                                if name not in store.fielddefs})
            except Exception as error:  # a parser's errors, also of the grammar below it
                raise BagError(
                    f'{self.path}: {connection.topic} is of type {connection.msgtype}, which is '
                    'not known here, and the bag brings no definition that can be read; record '
                    'with MCAP storage: ros2 bag record -s mcap') from error
        self._stores[connection.msgtype] = store
        return store

    def _open(self) -> None:
        if self.path.is_dir() and (self.path / 'metadata.yaml').exists():
            try:
                self._storages = [WholeStorage(self.path)]
                return
            except Exception as error:  # rosbags' own, and those of the libraries below it
                self._note(f'{self.path}: cannot be read as metadata.yaml describes it '
                           f'({_short(error)}); its files were read one by one')
        elif self.path.is_dir():
            self._note(f'{self.path}: metadata.yaml is missing, as after a recorder that was '
                       f'killed; its files were read by themselves. `ros2 bag reindex {self.path}` '
                       'makes it again')
        for file in self.files:
            if file.suffix not in SUFFIXES:
                raise BagError(f'{file}: compressed as a whole, which needs a sound metadata.yaml (`ros2 bag '
                               'reindex` makes it again) and whole files: take damaged ones out'
                               + ''.join(f'\n{note}' for note in self.notes))
            try:
                self._storages.append(WholeStorage(file))
            except Exception as error:  # as above
                self._storages.append(self._rescued(file, error))
            if file.with_name(file.name + '-wal').exists():
                self._note(f'{file}: what lies in {file.name}-wal was not read; fold it in with: '
                           f"sqlite3 {file} 'PRAGMA wal_checkpoint(TRUNCATE)'")

    def _rescued(self, file: Path, error: Exception):
        """A damaged file as far as it can be read."""
        try:
            rescued = CutMcap(file) if file.suffix == '.mcap' else CutSqlite(file)
        except Exception as again:  # whatever a damaged file leads to
            raise BagError(f'{file}: cannot be read ({_short(error)}), nor rescued '
                           f'({_short(again)}); copy the bag again, or record it again') from again
        self._note(f'{file}: cut off or damaged ({_short(error)}); {rescued.loss}')
        return rescued

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _start_ns(self, storage) -> int:
        return next((ns for _, ns, _ in storage.messages(storage.connections)), 0)


def _storage_files(path: Path) -> list[Path]:
    if path.is_file():
        if path.suffix in SUFFIXES:
            return [path]
        cure = ('a ROS 1 bag; convert it with: rosbags-convert --src FILE --dst FOLDER'
                if path.suffix == '.bag' else
                f'expected the folder of a rosbag2, or a {" or ".join(SUFFIXES)} file of one')
        raise BagError(f'{path}: {cure}')
    found = [file for file in path.iterdir() if set(SUFFIXES) & set(file.suffixes[-2:])
             and not file.name.endswith(('-wal', '-shm', '-journal'))]
    if not found:
        raise BagError(f'{path}: no bag: there is no {" or ".join(SUFFIXES)} file in it')
    # name_2 before name_10
    return sorted(found, key=lambda file: [int(part) if part.isdigit() else part
                                           for part in re.split(r'(\d+)', file.name)])


def _identity(files: list[Path], part: int = 2**20) -> str:
    digest = hashlib.sha256()
    for path in files:
        size = path.stat().st_size
        digest.update(size.to_bytes(8, 'little'))
        with open(path, 'rb') as file:
            digest.update(file.read(part))
            file.seek(max(0, size - part))
            digest.update(file.read(part))
    return digest.hexdigest()


def _short(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip('.')
