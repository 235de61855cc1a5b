"""The files of a bag: found in its folder, compared with metadata.yaml, and put in the order of recording.

metadata.yaml may be stale: a recorder that was killed, a copy, a renamed or added file leave it behind the files. So
the files are read, and it is compared with them.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import yaml

from astra_ros.datasets.rosbag import mcap_file, sqlite_file
from astra_ros.datasets.rosbag.errors import BagError, UnreadableFile
from astra_ros.datasets.rosbag.storage import CONVERT_BAG, ZSTD, Storage, decompressed

SUFFIXES = (".db3", ".mcap")
OVERLAP_NS = 10**9  # files of one recording may overlap by what was still in the recorder's cache


@dataclass(frozen=True)
class Metadata:
    """The contents of metadata.yaml."""

    files: frozenset[str] = frozenset()  # names, without the suffix of compression
    topics: dict[str, tuple[str, int]] = field(default_factory=dict)  # name -> (type, count of messages)

    def lists(self, file: Path) -> bool:
        return plain_name(file) in self.files


def plain_name(file: PurePath) -> str:
    """A file's name without the suffix of compression."""
    return file.name.removesuffix(".zstd")


def read_metadata(folder: Path) -> Metadata:
    """Raises OSError, ValueError or yaml.YAMLError where it is missing or malformed."""
    text = (folder / "metadata.yaml").read_text()
    if not text.strip():
        raise ValueError("it is empty")
    try:
        info = yaml.safe_load(text)["rosbag2_bagfile_information"]
        files = frozenset(plain_name(PurePath(name)) for name in info["relative_file_paths"])
        topics = {
            item["topic_metadata"]["name"]: (item["topic_metadata"]["type"], int(item["message_count"]))
            for item in info["topics_with_message_count"]
        }
    except KeyError as error:
        raise ValueError(f"it has no {error.args[0]}") from error
    except (TypeError, AttributeError) as error:
        raise ValueError("it is not the metadata of a rosbag2") from error
    return Metadata(files, topics)


def storage_files(path: Path) -> list[Path]:
    """The files that may belong to the bag, sorted, name_2 before name_10. Raises BagError for a folder without any."""
    if path.is_file():
        if _may_be_storage(path):
            return [path]
        if path.suffix == ".bag":
            raise BagError("a ROS 1 bag", thing=path, cure=CONVERT_BAG)
        cure = f"name the folder of a rosbag2, or a {' or '.join(SUFFIXES)} file of one"
        raise BagError("not a bag", thing=path, cure=cure)
    found = [file for file in path.iterdir() if _may_be_storage(file)]
    if not found:
        raise BagError(f"not a bag: there is no {' or '.join(SUFFIXES)} file in it", thing=path, cure=_listed(path))
    return sorted(found, key=_by_number)


def _listed(folder: Path) -> str:
    """The cure where a folder holds no bag."""
    try:
        files = ", ".join(sorted(read_metadata(folder).files))
    except (OSError, ValueError, yaml.YAMLError):
        bags = sorted({file.parent for file in folder.glob("*/*") if _may_be_storage(file)})
        return "import the bags in it: astra import-bag " + " ".join(map(str, bags)) if bags else "name another folder"
    return f"copy what metadata.yaml lists, too: {files}" if files else "copy the bag again"


def _may_be_storage(file: Path) -> bool:
    named = bool(set(SUFFIXES) & set(file.suffixes[-2:]))
    return named and file.is_file() and not file.name.endswith(("-wal", "-shm", "-journal"))


def _by_number(file: Path) -> list:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", file.name)]


def identity(files: list[Path], part: int = 2**20) -> str:
    """sha256 over sizes, beginnings and ends of files: the same for a copy."""
    digest = hashlib.sha256()
    for path in files:
        size = path.stat().st_size
        digest.update(size.to_bytes(8, "little"))
        with open(path, "rb") as file:
            digest.update(file.read(part))
            file.seek(max(0, size - part))
            digest.update(file.read(part))
    return digest.hexdigest()


def copies(files: list[Path]) -> dict[Path, Path]:
    """Copies, by content or as its compressed form -> the file that is copied."""
    found, by_name = {}, {file.name: file for file in files}
    by_content: dict[str, Path] = {}
    for file in files:
        first = by_content.setdefault(identity([file]), file)
        if plain_name(file) != file.name and plain_name(file) in by_name:
            found[file] = by_name[plain_name(file)]
        elif first != file and file.stat().st_size:
            found[file] = first
    return found


def open_file(file: Path, folder: Path) -> Storage:
    """Open a file by the format of its first bytes, not by its name. Raises UnreadableFile.

    `folder`: for files that are decompressed or copied.
    """
    with open(file, "rb") as opened:
        head = opened.read(16)
    if not head:
        raise UnreadableFile("it is empty: its recorder or a copy was stopped before anything was written")
    damage, source = "", file
    storage: Storage
    if head.startswith(ZSTD):
        source, damage = decompressed(file, folder)
        with open(source, "rb") as opened:
            head = opened.read(16)
    if head.startswith(mcap_file.MAGIC):
        storage = mcap_file.McapFile(source)
    elif head.startswith(sqlite_file.MAGIC):
        journal = file.with_name(file.name + "-wal")
        holds_more = journal.is_file() and journal.stat().st_size
        storage = sqlite_file.with_journal(file, folder) if holds_more else sqlite_file.SqliteFile(source)
    elif head.startswith(b"#ROSBAG"):
        raise UnreadableFile("it holds a ROS 1 bag", CONVERT_BAG)
    elif head.startswith(b"version https://"):
        raise UnreadableFile("it is a pointer of Git LFS, not the file", "fetch the file: git lfs pull")
    else:
        raise UnreadableFile(damage or "it begins neither as an MCAP nor as a sqlite3 file")
    storage.path = file
    if damage:
        storage.notes.insert(0, f"compressed as a whole, and cut off or damaged ({damage})")
    return storage


def recordings(storages: list[Storage], metadata: Metadata) -> list[list[Storage]]:
    """Files grouped by recording, by their names: recordings in order of time, files in order of their numbers."""
    of_metadata = {_recording(storage.path) for storage in storages if metadata.lists(storage.path)}
    groups: dict[str, list[Storage]] = {}
    for storage in storages:
        name = _recording(storage.path)
        groups.setdefault("" if name in of_metadata else name, []).append(storage)
    return sorted(
        groups.values(), key=lambda group: min((storage.start_ns for storage in group if storage.end_ns), default=0)
    )


def in_order_of_time(storages: list[Storage]) -> list[Storage]:
    """The files sorted by their beginnings, unless some overlap. A renamed file stands among the others then."""
    ordered = sorted(storages, key=lambda storage: storage.start_ns)
    follow = all(later.start_ns > before.end_ns - OVERLAP_NS for before, later in itertools.pairwise(ordered))
    return ordered if follow else storages


def _recording(file: Path) -> str:
    """The common part of the names of one recorder's files: 'run.mcap' of run_0.mcap and run_1.mcap."""
    stem, _, suffix = plain_name(file).rpartition(".")
    return re.sub(r"[_-]?\d+$", "", stem) + "." + suffix


def same_time(one: Storage, other: Storage, topics: set[str]) -> set[str]:
    """The topics among `topics` with messages in both files, if the files overlap in time."""
    if min(one.end_ns, other.end_ns) - max(one.start_ns, other.start_ns) < OVERLAP_NS:
        return set()
    held = [
        {stream.topic for stream in storage.streams if stream.count and not stream.unusable} for storage in (one, other)
    ]
    # Latched topics are published anew for each recorder.
    return {topic for topic in held[0] & held[1] & topics if not topic.endswith("tf_static")}


def differences(metadata: Metadata, read: list[Path], there: list[Path], counts: dict[str, int]) -> list[str]:
    """Contradictions between metadata.yaml and the files, a sentence each.

    `read`, `there`: files that were read, and all of the folder. `counts`: topic -> messages in those that were read.
    """
    notes = []
    unlisted = [file.name for file in read if not metadata.lists(file)]
    missing = sorted(metadata.files - {plain_name(file) for file in there})
    if unlisted:
        notes.append(f"metadata.yaml does not list {', '.join(unlisted)}; it was read too")
    if missing:
        notes.append(f"metadata.yaml lists {', '.join(missing)}, which is missing, so it was not read")
    said = {topic: count for topic, (_, count) in metadata.topics.items()}
    both = [(topic, said.get(topic, 0), counts.get(topic, 0)) for topic in said | counts]
    wrong = [(topic, stated, count) for topic, stated, count in both if stated != count]
    if wrong and not unlisted and not missing:
        shown = ", ".join(f"{topic} {stated} instead of {count}" for topic, stated, count in wrong[:3])
        notes.append(
            f"metadata.yaml counts other messages than the files hold ({shown}"
            + ", ..." * (len(wrong) > 3)
            + "); the counts of the files were used"
        )
    return notes
