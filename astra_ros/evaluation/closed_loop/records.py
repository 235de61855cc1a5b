"""Episodes in files of JSON lines: a run that was stopped goes on from there.

The first line of a file has the settings that all its episodes share. Only imagination depends on a model, so a robot
has one file for it, and one for all other policies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from astra_ros.errors import UserError
from astra_ros.evaluation.closed_loop.request import IMAGINATION
from astra_ros.files import OutputError, atomic_write


class RecordsError(UserError, ValueError):
    """A file of episodes cannot be gone on with. ``line`` counts from 1."""

    def __init__(self, problem: str, path: Path, line: int) -> None:
        super().__init__(problem, thing=path, cure="name another folder, or delete the file to begin anew")
        self.line = line


@dataclass(frozen=True)
class PlayedEpisode:
    """One episode.

    Attributes:
        figures: name -> what came of it, yes or no or a number.
        wall_s: how long it took.
    """

    policy: str
    seed: int
    figures: dict[str, bool | float]
    wall_s: float = 0.0


class Records:
    """The episodes of one file; each is written as it is added.

    Args:
        settings: JSON values, that decide what comes of an episode.

    Raises:
        RecordsError: the file has episodes of other settings, or is no such file.
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self._episodes: dict[tuple[str, int], PlayedEpisode] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(errors="replace") if path.exists() else ""
            kept = text[: text.rfind("\n") + 1]  # a run that was killed may have left half of a line
            if kept:
                for episode in self._read(kept, settings):
                    self._episodes[episode.policy, episode.seed] = episode
            else:
                kept = json.dumps({"settings": dict(settings)}) + "\n"
            if kept != text:
                with atomic_write(path) as part:
                    part.write_text(kept)
        except OSError as error:
            raise OutputError.of(path, error) from error

    def __contains__(self, key: tuple[str, int]) -> bool:
        """Of (policy, seed)."""
        return key in self._episodes

    def __getitem__(self, key: tuple[str, int]) -> PlayedEpisode:
        return self._episodes[key]

    def add(self, episode: PlayedEpisode) -> None:
        """Raises OutputError where the file cannot be written."""
        try:
            with open(self.path, "a") as file:
                file.write(json.dumps(asdict(episode)) + "\n")
        except OSError as error:
            raise OutputError.of(self.path, error) from error
        self._episodes[episode.policy, episode.seed] = episode

    def _read(self, text: str, settings: Mapping[str, Any]) -> Iterator[PlayedEpisode]:
        for number, line in enumerate(text.splitlines(), 1):
            try:
                content = json.loads(line)
                if number > 1:
                    yield PlayedEpisode(**content)
                    continue
                found = content["settings"]
            except (ValueError, TypeError, KeyError) as error:
                raise RecordsError(f"line {number} is not an episode", self.path, number) from error
            wanted = json.loads(json.dumps(dict(settings)))
            for name in wanted:
                if (kept := found.get(name)) != wanted[name]:
                    problem = f"its episodes have {name} {kept}, not {wanted[name]}"
                    raise RecordsError(problem, self.path, number)


class RobotRecords:
    """The episodes of one robot, in a file of imagination and one of all other policies.

    Args:
        settings: of every policy, as in `Records`.
        imagination: further ones that matter to imagination alone; None where it does not play.

    Raises:
        RecordsError, OutputError: as `Records`.
    """

    def __init__(
        self, folder: Path, robot: str, settings: Mapping[str, Any], imagination: Mapping[str, Any] | None
    ) -> None:
        self._others = Records(folder / f"{robot}.jsonl", settings)
        self._imagination: Records | None = None
        if imagination is not None:
            self._imagination = Records(folder / f"{robot}.{IMAGINATION}.jsonl", {**settings, **imagination})

    def __contains__(self, key: tuple[str, int]) -> bool:
        """Of (policy, seed)."""
        return key in self._of(key[0])

    def __getitem__(self, key: tuple[str, int]) -> PlayedEpisode:
        return self._of(key[0])[key]

    def add(self, episode: PlayedEpisode) -> None:
        """Raises OutputError where the file cannot be written."""
        self._of(episode.policy).add(episode)

    def _of(self, policy: str) -> Records:
        if policy != IMAGINATION:
            return self._others
        assert self._imagination is not None, policy
        return self._imagination
