"""The episodes of a bag that a folder already holds, so that no bag is imported twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from astra_ros.datasets.dataset import episode_path, read_footer
from astra_ros.datasets.episode import DatasetError
from astra_ros.datasets.rosbag.bag import Topic
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_settings import BagSettings

# The report of an import has the name of its first episode and this suffix.
REPORT = ".import.json"
# Earlier stamps, ns since 1970, come from a simulation, whose recordings may all begin at the same time.
NO_SIMULATION_NS = 10**17


@dataclass(frozen=True)
class _OtherImport:
    """An episode of a bag with another id, of the same camera and motion; times in ns."""

    path: Path
    bag: str
    bag_id: str
    begin_ns: int
    end_ns: int
    report: str

    @classmethod
    def of(cls, path: Path, footer: dict) -> _OtherImport | None:
        source = footer["source"]
        try:
            end_ns = source["start_ns"] + round((footer["frames"][0] - 1) * footer["dt_s"] * 1e9)
            return cls(path, source["bag"], source["bag_id"], source["start_ns"], end_ns, Path(source["report"]).name)
        except (KeyError, TypeError, IndexError):
            return None  # not of an import


class ExistingImports:
    """The episodes of one bag and camera that a folder already holds."""

    def __init__(self, folder: Path, bag_id: str, settings: BagSettings):
        self.folder, self.space = folder, settings.space
        self.paths: dict[int, Path] = {}  # number of the first image -> episode
        self.settings: dict | None = None  # of that import, if it has a report
        self.report: Path | None = None
        self.continuous: dict[Path, set[str]] = {}  # episode of the robot -> its joints that turn without end
        # Episodes of the same recording under another id, which are replaced too.
        self.again: list[Path] = []
        self.again_reports: list[Path] = []
        self._others: list[_OtherImport] = []
        for path in sorted(folder.glob(f"{settings.space}_*.parquet")):
            try:
                footer = read_footer(path)
            except DatasetError:
                continue  # damaged, which the dataset's README says
            source = footer["source"]
            if (footer["robot"], footer["modality"]) == (settings.robot, settings.modality):
                self.continuous[path] = set(footer.get("continuous_joints", ()))
            if (source.get("bag_id"), source.get("image_topic")) == (bag_id, settings.image_topic):
                self.paths[source["first_picture"]] = path
                self.settings = source["settings"]
                self.report = folder / Path(source["report"]).name
            elif all(source.get(key) == getattr(settings, key) for key in ("image_topic", "motion_topic")) and (
                other := _OtherImport.of(path, footer)
            ):
                self._others.append(other)

    @property
    def complete(self) -> bool:
        """Whether the report, which is written last, and its episodes exist."""
        if self.report is None or not self.report.is_file():
            return False
        try:
            listed = [item["file"] for item in json.loads(self.report.read_text())["episodes"]]
        except (OSError, ValueError, KeyError, TypeError):
            return False  # damaged: the import is repeated and writes it anew
        return all((self.folder / f"{name}.parquet").is_file() for name in listed)

    def check_settings(self, settings: BagSettings) -> None:
        """Raises BagError where the bag was imported with other settings."""
        old, new = self.settings, settings.to_dict()
        if old not in (None, new):
            other = sorted(key for key in new | old if old.get(key) != new.get(key))
            cure = "replace those episodes (`force`), or keep both in another folder"
            raise BagError(f"already in {self.folder} with another {', '.join(other)}", cure=cure)

    def check_count(self, image: Topic) -> None:
        """Raises BagError where the bag had another number of images then."""
        try:
            listed = json.loads(self.report.read_text())["topics"] if self.report else []
            found = next((item["messages"] for item in listed if item["name"] == image.name), None)
        except (OSError, ValueError, KeyError, TypeError):
            return  # as above
        if found not in (None, image.count):
            problem = f"already in {self.folder}, but read then as {found} messages, now as {image.count}"
            raise BagError(problem, thing=image.name, cure="replace those episodes (`force`)")

    def find_again(self, bag: str, spans: Sequence[tuple[int, int]], force: bool) -> list[str]:
        """Notes about imports of the same recording from other files, such as a copy that was cut off.

        `bag`: its name. `spans`: begin and end of the new episodes, ns. `force`: whether `again` may be filled.
        """
        begins, notes = {begin for begin, _ in spans}, []
        for bag_id in dict.fromkeys(other.bag_id for other in self._others):
            group = [other for other in self._others if other.bag_id == bag_id]
            exactly = any(other.begin_ns in begins and other.begin_ns > NO_SIMULATION_NS for other in group)
            over = any(other.begin_ns <= end and begin <= other.end_ns for other in group for begin, end in spans)
            if not exactly and not (over and group[0].bag == bag):
                continue
            files = ", ".join(other.path.stem for other in group)
            if exactly and force and group[0].bag == bag:
                self.again += [other.path for other in group]
                self.again_reports = [*self.again_reports, *{self.folder / other.report for other in group}]
                notes.append(
                    f"{self.folder}: episodes of the same recording, imported from other files (id {bag_id[:12]}), "
                    f"were replaced: {files}"
                )
                continue
            delete = f"delete their .parquet and .mp4 and {', '.join(sorted({other.report for other in group}))}"
            if exactly and group[0].bag == bag:
                delete = f"import it again with `force`, which replaces them, or {delete}"
            notes.append(
                f"{self.folder}: {files} come from a bag '{group[0].bag}' with the same topics and times but other "
                f"files (id {bag_id[:12]}), such as a copy that was cut off; if it is the same recording, it counts "
                f"twice: {delete}"
            )
        return notes

    def free_paths(self) -> Iterator[Path]:
        """Paths that no episode has yet."""
        taken = [int(path.stem.rpartition("_")[2]) for path in self.folder.glob(f"{self.space}_*.parquet")]
        return (episode_path(self.folder, self.space, number) for number in count(max(taken, default=-1) + 1))

    def notes_on_turns(self, continuous: tuple[str, ...], replaced: bool) -> list[str]:
        """Notes about joints that turn without end only in the new bag (`continuous`), or only in the robot's other
        episodes. `replaced`: whether this bag's own episodes are about to be replaced."""
        own = set(self.paths.values()) if replaced else set()
        said = [names for path, names in self.continuous.items() if path not in own]
        here, there = set(continuous), set().union(*said)
        notes = []
        if others := ", ".join(sorted(there - here)):
            notes.append(
                f"{self.folder}: in other episodes of this robot {others} turns without end; in this bag that is "
                "unknown, so its angles may be in another turn; name its description (`urdf`)"
            )
        if lacking := ", ".join(sorted(name for name in here if any(name not in names for names in said))):
            notes.append(
                f"{self.folder}: in some other episodes of this robot {lacking} does not turn without end, so their "
                "angles may be in another turn; import their bags again with `urdf` and `force`"
            )
        return notes
