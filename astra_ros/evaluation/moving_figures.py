"""Whether what moves stays visible in imagined frames: the figures. Fields are the keys in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ByFrame = list[float | None]


@dataclass(frozen=True)
class Kept:
    """What is left of a moving thing in the frames of a row. Shares and means over frames that count.

    Attributes:
        found: share of the frames in which it is found, wherever that is.
        in_place: share of the frames in which it is found at its true place.
        contrast: its contrast at its true place or where it is found, over that of the real frame.
        contrast_in_place: the same at its true place.
        found_by_frame, contrast_by_frame: by the number of frames ahead, from 1; None where no frame counts.
    """

    found: float
    in_place: float
    contrast: float
    contrast_in_place: float
    found_by_frame: ByFrame
    contrast_by_frame: ByFrame


@dataclass(frozen=True)
class MovingThing:
    """A moving thing, in the rows that it was looked for.

    Attributes:
        count: of frames in which it is found at its true place in the real frame; without a label, of regions.
        found_real: the share of these frames among all whose label places it in the image; None without a label.
        rows: row -> what is left.
        displaced_count, displaced: the same of frames in which it has left the place of the last observed frame.
    """

    count: int
    rows: dict[str, Kept]
    found_real: float | None = None
    displaced_count: int | None = None
    displaced: dict[str, Kept] | None = None


def moving_table(things: Mapping[str, MovingThing], titles: Mapping[str, str]) -> list[list[str]]:
    """Found, found at its true place, and contrast of each thing; a column for each row, under a head."""
    names = [name for name in titles if any(name in thing.rows for thing in things.values())]
    lines = [["found, in its place, contrast (of how many)", *(titles[name] for name in names)]]
    for name, thing in things.items():
        gone = f"{name}, where it has moved"
        for title, count, rows in ((name, thing.count, thing.rows), (gone, thing.displaced_count, thing.displaced)):
            if rows:
                lines.append([f"{title} ({count})", *(_cell(rows[row]) for row in names)])
    return lines


def _cell(kept: Kept) -> str:
    return f"{kept.found:.0%}, {kept.in_place:.0%}, {kept.contrast:.2f}"
