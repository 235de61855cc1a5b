"""One picture of a request: a band for every candidate plan, with its score beside its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from astra_ros.views import canvas as look
from astra_ros.views.canvas import Canvas
from astra_ros.views.imagined_plans import ImaginedPlans, by_rank, critic_names

CELL = 96  # height of a frame, px
_GAP = 4
_PAD = 16
_PANEL = 330
_CAPTION = 22
_INSET = 10
_AXIS = 34
_BAR_ROW = 17  # least height of a bar with its label
_BARS_TOP = 48
_LABEL = 94
_VALUE = 46
_BETWEEN = "   ·   "
_NARROWEST = 560  # px that the frames have at least, for the words above them
_TAGS = ("IMAGINED", "WHAT THEN HAPPENED")


@dataclass(frozen=True)
class SheetLayout:
    """Positions on a contact sheet, px. Bands are counted in the order of rank.

    Attributes:
        plans: K, bands.
        critics: bars in each band.
        steps: indices into the horizon of the frames that are shown.
        cell_width: of a frame; its height is ``CELL``.
        rows: of frames in a band: 1, or 2 where the lower one shows what then happened.
        header: height above the time axis.
        captions: heights of the words above each row of frames.
    """

    plans: int
    critics: int
    steps: tuple[int, ...]
    cell_width: int
    rows: int
    header: int
    captions: tuple[int, ...] = (_CAPTION, _CAPTION)

    @property
    def band_height(self) -> int:
        frames = sum(self.captions[: self.rows]) + self.rows * (CELL + _GAP) - _GAP
        return 2 * _INSET + max(frames, _BARS_TOP + self.critics * _BAR_ROW)

    @property
    def bar_row(self) -> int:
        """Height of a bar with its label; the bars share the height of the frames."""
        room = self.band_height - 2 * _INSET - _BARS_TOP
        return min(40, room // max(1, self.critics))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the whole picture."""
        rows = self.header + _AXIS + self.plans * (self.band_height + _INSET) + _PAD - _INSET
        frames = len(self.steps) * (self.cell_width + _GAP) - _GAP
        return rows, 2 * _PAD + _PANEL + _PAD + max(_NARROWEST, frames) + _INSET, 3

    @property
    def width(self) -> int:
        return self.shape[1]

    def band(self, index: int) -> int:
        """y of a band's top."""
        return self.header + _AXIS + index * (self.band_height + _INSET)

    def cell(self, index: int, column: int, row: int = 0) -> tuple[int, int]:
        """x, y of a frame's top left corner; row 0 is imagined, row 1 is what then happened."""
        x = 2 * _PAD + _PANEL + column * (self.cell_width + _GAP)
        return x, self.band(index) + _INSET + sum(self.captions[: row + 1]) + row * (CELL + _GAP)

    def words(self, index: int, row: int) -> tuple[int, int, int, int]:
        """x, y, width and height of the words above a row of frames."""
        x, y = self.cell(index, 0, row)
        x += look.text_width(_TAGS[row], 11) + 10
        return x, y - self.captions[row] + 1, self.width - _PAD - _INSET - x, self.captions[row] - 4

    def bar(self, index: int, critic: int) -> tuple[int, int, int, int]:
        """x, y, width and height of a bar's track; a full bar fills it."""
        thick = min(14, self.bar_row // 2)
        y = self.band(index) + _INSET + _BARS_TOP + critic * self.bar_row + (self.bar_row - thick) // 2
        return _PAD + 18 + _LABEL, y, _PANEL - 18 - _LABEL - _VALUE, thick


def shown_steps(horizon: int, columns: int) -> tuple[int, ...]:
    """At most ``columns`` indices, evenly over the horizon, always with the last."""
    count = min(horizon, columns)
    return tuple(int(round(horizon * (c + 1) / count)) - 1 for c in range(count))


def sheet_layout(
    frames_shape: Sequence[int], critics: int, columns: int = 8, truth: bool = False, pictures: bool = False
) -> SheetLayout:
    """The layout of :func:`contact_sheet` for frames [K, H, h, w, 3] with so many critics."""
    plans, horizon, *picture = frames_shape[:4]
    steps, cell_width = shown_steps(horizon, columns), look.scaled_width(tuple(picture), CELL)
    return SheetLayout(plans, critics, steps, cell_width, rows=2 if truth else 1, header=140 if pictures else 108)


def contact_sheet(
    plans: ImaginedPlans,
    current_frame: np.ndarray | None = None,
    goal_image: np.ndarray | None = None,
    title: str = "What Astra imagines for each plan",
    columns: int = 8,
) -> np.ndarray:
    """Draw imagined plans with their scores, best plan on top.

    Args:
        current_frame: uint8 [h, w, 3] RGB, what the camera sees now.
        goal_image: uint8 [h, w, 3] RGB, what it should see.
        title: first line of the sheet.
        columns: frames in a row at most, spread evenly over the horizon.

    Returns:
        uint8 [rows, cols, 3] RGB.
    """
    if columns < 1:
        raise ValueError(f"columns is {columns}; expected at least 1")
    critics = critic_names(plans.scores)
    pictures = [("goal", goal_image), ("camera now", current_frame)]
    pictures = [(label, picture) for label, picture in pictures if picture is not None]
    layout = sheet_layout(plans.frames.shape, len(critics), columns, plans.truth is not None, bool(pictures))
    texts = [[score.reasons, plans.truth_notes[k : k + 1]][: layout.rows] for k, score in enumerate(plans.scores)]
    captions = list(layout.captions)
    for row in range(layout.rows):
        room = layout.words(0, row)[2]
        if any(look.text_width(text, 14) > room for both in texts for text in both[row][:1]):
            captions[row] += look.line_height(14)
    layout = replace(layout, captions=tuple(captions))
    sheet = Canvas(*layout.shape[:2])
    penalties = [score.penalty(name) for score in plans.scores for name in critics]
    longest = max([p for p in penalties if np.isfinite(p)] + [1e-9])
    _draw_header(sheet, layout, plans, pictures, title)
    _draw_axis(sheet, layout, plans.dt_s)
    for index, k in enumerate(by_rank(plans.scores)):
        score = plans.scores[k]
        _draw_panel(sheet, layout, index, score, critics, longest, plans.chooses(score))
        steps = None if plans.imagined_steps is None else plans.imagined_steps[k]
        _draw_frames(sheet, layout, index, 0, plans.frames[k, :steps], texts[k][0])
        if plans.truth is not None:
            _draw_frames(sheet, layout, index, 1, plans.truth[k], texts[k][1])
    return sheet.pixels


def empty_sheet(text: str) -> np.ndarray:
    """A sheet without plans, uint8 [rows, cols, 3] RGB, that says why."""
    room = 720 - 2 * _PAD
    height = max(28, len(look.wrap(text, 16, room)) * look.line_height(16))
    sheet = Canvas(2 * _PAD + height, 720)
    sheet.text_in((_PAD, _PAD, room, height), text, 16, look.DIM)
    return sheet.pixels


def _draw_header(sheet, layout, plans, pictures, title) -> None:
    height, most = layout.header - 34, layout.width // 4
    right = layout.width - _PAD
    for label, picture in pictures:
        small = look.fit(picture, min(height, max(1, most * picture.shape[0] // picture.shape[1])))
        slot = max(small.shape[1], look.text_width(label, 13))
        sheet.picture(right - (slot + small.shape[1]) // 2, _PAD - 4, small)
        sheet.text(right - slot / 2, height + 22, label, 13, look.DIM, "centre")
        right -= slot + _PAD
    room = right - _PAD
    sheet.text_in((_PAD, 12, room, 36), title, 28)
    count, horizon = plans.frames.shape[:2]
    text = f"{count} plan{'s' * (count != 1)}, {horizon * plans.dt_s:g} s each, best on top."
    chosen = next((score for score in plans.scores if plans.chooses(score)), None)
    vetoed = all(score.verdict == "vetoed" for score in plans.scores)
    text += f" Chosen: {chosen.name}." if chosen else f" {'All are vetoed, so none' if vetoed else 'None'} is chosen."
    sheet.text_in((_PAD, 50, room, 20), text, 15)
    verdicts = sum(30 + look.text_width(verdict, 14) for verdict in look.VERDICT_COLOURS)
    legend = "Bars: what each critic takes from the score; score = exp(-sum of bars)."
    size, lines = look.fitted(legend, 14, room - verdicts, 24)
    sheet.text_in((_PAD, 75, room - verdicts, 24), legend, 14, look.DIM)
    x = _PAD + max(look.text_width(line, size) for line in lines) + 14
    for verdict, colour in look.VERDICT_COLOURS.items():
        sheet.pill(x, 79, 10, 10, colour)
        x += 16 + sheet.text(x + 16, 84, verdict, 14, look.DIM) + 14


def _draw_axis(sheet, layout, dt_s) -> None:
    y = layout.header + 10
    sheet.text(_PAD + _PANEL, y, "seconds from now", 13, look.DIM, "right")
    left = layout.cell(0, 0)[0]
    right = left + len(layout.steps) * (layout.cell_width + _GAP) - _GAP
    sheet.box(left, y + 14, right - left, 1, look.TRACK)
    for column, step in enumerate(layout.steps):
        middle = layout.cell(0, column)[0] + layout.cell_width // 2
        box = (middle - layout.cell_width // 2, y - 9, layout.cell_width, 17)
        sheet.text_in(box, f"+{(step + 1) * dt_s:.2f}", 13, look.DIM, "centre")
        sheet.box(middle - 1, y + 11, 2, 6, look.DIM)


def _draw_panel(sheet, layout, index, score, critics, longest, chosen) -> None:
    top, right = layout.band(index), _PAD + _PANEL
    colour, panel = look.VERDICT_COLOURS[score.verdict], look.PANEL_CHOSEN if chosen else look.PANEL
    sheet.box(_PAD, top, layout.width - 2 * _PAD, layout.band_height, panel)
    sheet.box(_PAD, top, 6, layout.band_height, colour)
    top += _INSET
    x = _PAD + 18
    x += sheet.text(x, top + 18, str(score.rank + 1), 36, look.TEXT) + 12
    number = f"{score.score:.2f}"
    room = right - look.text_width(number, 36) - 12 - x
    sheet.text(right, top + 18, number, 36, colour, "right")
    sheet.text_in((x, top - 2, room, 20), score.name, 16)
    x += sheet.label(x, top + 21, score.verdict, colour) + 6
    if chosen:
        sheet.label(x, top + 21, "chosen", look.TEXT)
    for row, name in enumerate(critics):
        left, y, full, thick = layout.bar(index, row)
        middle = y + thick / 2
        lines = look.fitted(name, 13, _LABEL - 6, layout.bar_row)
        height = len(lines[1]) * look.line_height(lines[0])
        sheet.text_in((_PAD + 18, round(middle - height / 2), _LABEL - 6, height), name, 13, look.DIM)
        if name not in score.critics:
            sheet.text(left, middle, "cannot score", 12, look.DIM)
            continue
        penalty = score.penalty(name)
        share = penalty / longest if np.isfinite(penalty) else 1.0
        sheet.box(left, y, full, thick, look.TRACK)
        fill = look.VERDICT_COLOURS.get(score.flags.get(name, ""), look.BAR)
        sheet.box(left, y, round(full * min(1.0, max(0.0, share))), thick, fill)
        sheet.text(right, middle, f"{penalty:.2f}", 13, look.TEXT, "right")


def _draw_frames(sheet, layout, index, row, frames, texts) -> None:
    box = layout.words(index, row)
    sheet.text(layout.cell(index, 0, row)[0], box[1] + look.line_height(14) / 2, _TAGS[row], 11, look.DIM)
    sheet.text_in(box, _as_many_as_fit(texts, *box[2:]), 14)
    for column, step in enumerate(layout.steps):
        x, y = layout.cell(index, column, row)
        if step < len(frames):
            sheet.picture(x, y, look.fit(frames[step], CELL)[:, : layout.cell_width])
        else:
            sheet.box(x, y, layout.cell_width, CELL, look.TRACK)
            told = "not imagined" if layout.cell_width > 40 else "none"
            sheet.text_in((x, y, layout.cell_width, CELL), told, 11, look.DIM, "centre")


def _as_many_as_fit(texts: Sequence[str], width: int, height: int) -> str:
    """The first text, and those after it that need no smaller letters."""
    told = next(iter(texts), "")
    for text in texts[1:]:
        if look.text_width(told.rsplit("\n", 1)[-1] + _BETWEEN + text, 14) <= width:
            told += _BETWEEN + text
        elif look.fitted(f"{told}\n{text}", 14, width, height)[0] == 14:
            told += f"\n{text}"
        else:
            break
    return told
