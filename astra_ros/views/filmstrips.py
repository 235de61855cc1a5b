"""Rows of frames with a time above each column and a title beside each row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from astra_ros.views.canvas import BACKGROUND, DIM, TEXT, Canvas, text_width

TEXT_SIZE = 13
MARGIN = 8
HEAD = 22


def filmstrips(
    rows: Sequence[tuple[str, np.ndarray]], heads: Sequence[str], scale: int = 2, gap_every: int = 0
) -> np.ndarray:
    """Draw rows of frames.

    Args:
        rows: (title, frames uint8 [N, h, w, 3] RGB) each, all of one size.
        heads: N words above the columns, such as "now" and "+2 s".
        gap_every: number of rows that belong together, with a gap between such groups; 0: no gaps.

    Returns:
        uint8 [rows, columns, 3] RGB.
    """
    count, height, width = rows[0][1].shape[:3]
    height, width = height * scale, width * scale
    left = 2 * MARGIN + max(text_width(title, TEXT_SIZE) for title, _ in rows)
    gaps = (len(rows) - 1) // gap_every if gap_every else 0
    canvas = Canvas(HEAD + len(rows) * height + gaps * MARGIN, left + count * width, BACKGROUND)
    for column, head in enumerate(heads):
        canvas.text_in((left + column * width, 0, width, HEAD), head, TEXT_SIZE, DIM, "centre")
    for row, (title, frames) in enumerate(rows):
        top = HEAD + row * height + (row // gap_every if gap_every else 0) * MARGIN
        canvas.text(MARGIN, top + height / 2, title, TEXT_SIZE, TEXT)
        strip = np.concatenate(list(frames), axis=1).repeat(scale, 0).repeat(scale, 1)
        canvas.pixels[top : top + height, left:] = strip
    return canvas.pixels
