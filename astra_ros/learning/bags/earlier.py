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
    """

    def __init__(self, folder: Path, bag_id: str, settings: BagSettings):
        self.folder, self.space = folder, settings.space
        self.paths: dict[int, Path] = {}
        self.settings: dict | None = None
        self.report: Path | None = None
        for path in sorted(folder.glob(f'{settings.space}_*.parquet')):
            try:
                source = read_footer(path)['source']
            except DatasetError:
                continue    # damaged, which the dataset's README says
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
