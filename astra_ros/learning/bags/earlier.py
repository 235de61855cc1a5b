"""What a folder already holds of a bag, so that none is imported twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from astra_ros.learning.bags.config import BagSettings
from astra_ros.learning.dataset import episode_path, read_footer
from astra_ros.learning.episode import DatasetError

# Behind the name of an import's first episode: its report.
REPORT = '.import.json'


class EarlierImports:
    """What the folder already holds of one bag, seen by one camera.

    Attributes:
        paths: number of the first picture -> episode.
        settings: with which they were imported; None where there are none.
        continuous: episode of the robot, of whatever bag -> its joints that turn without end.
    """

    def __init__(self, folder: Path, bag_id: str, settings: BagSettings):
        self.folder, self.space = folder, settings.space
        self.paths: dict[int, Path] = {}
        self.settings: dict | None = None
        self.report: Path | None = None
        self.continuous: dict[Path, tuple[str, ...]] = {}
        for path in sorted(folder.glob(f'{settings.space}_*.parquet')):
            try:
                footer = read_footer(path)
            except DatasetError:
                continue    # damaged, which the dataset's README says
            source = footer['source']
            if (footer['robot'], footer['modality']) == (settings.robot, settings.modality):
                self.continuous[path] = tuple(footer.get('continuous_joints', ()))
            if (source.get('bag_id'), source.get('image_topic')) == (bag_id, settings.image_topic):
                self.paths[source['first_picture']] = path
                self.settings = source['settings']
                self.report = folder / Path(source['report']).name

    @property
    def complete(self) -> bool:
        """The report comes last, so nothing is missing if it and its episodes are there."""
        if self.report is None or not self.report.is_file():
            return False
        try:
            listed = [item['file'] for item in json.loads(self.report.read_text())['episodes']]
        except (OSError, ValueError, KeyError, TypeError):
            return False    # damaged: the import is finished again, and writes it anew
        return all((self.folder / f'{name}.parquet').is_file() for name in listed)

    def messages(self, topic: str) -> int | None:
        """How many messages of a topic that import found; None where its report does not say."""
        try:
            listed = json.loads(self.report.read_text())['topics'] if self.report else []
            return next((item['messages'] for item in listed if item['name'] == topic), None)
        except (OSError, ValueError, KeyError, TypeError):
            return None     # as above

    def free_paths(self) -> Iterator[Path]:
        """Names that no episode has yet."""
        taken = [int(path.stem.rpartition('_')[2])
                 for path in self.folder.glob(f'{self.space}_*.parquet')]
        number = max(taken, default=-1) + 1
        while True:
            yield episode_path(self.folder, self.space, number)
            number += 1

    def notes_on_turns(self, continuous: tuple[str, ...], replaced: bool) -> list[str]:
        """Joints that turn without end in a new bag alone, or in the robot's other episodes alone.

        Args:
            continuous: those of the new bag.
            replaced: whether this bag's own episodes are about to be replaced.
        """
        own = set(self.paths.values()) if replaced else set()
        said = [set(names) for path, names in self.continuous.items() if path not in own]
        here, there = set(continuous), set().union(*said)
        notes = []
        if others := ', '.join(sorted(there - here)):
            notes.append(f'{self.folder}: other episodes of this robot say that {others} turns without end; of this bag '
                         'it is not known, so its angles may be in another turn; name its description with --urdf')
        if lacking := ', '.join(sorted(name for name in here if any(name not in names for names in said))):
            notes.append(f'{self.folder}: not all other episodes of this robot say that {lacking} turns without end, '
                         'so their angles may be in another turn; import their bags again with --urdf and --force')
        return notes
