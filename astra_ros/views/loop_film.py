"""A film of a closed loop: what the camera saw beside what was imagined of the chosen plan."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from astra_ros.views.canvas import DIM, PANEL, Canvas

CELL = 320  # height of both pictures, px
_PAD, _TITLE, _FOOT = 14, 44, 60
_NARROWEST = 480  # px, for the words


def loop_frames(real: np.ndarray, imagined: np.ndarray | None, title: str, captions: Sequence[str]) -> list[np.ndarray]:
    """The frames of one choice.

    Args:
        real: uint8 [N, h, w, 3] RGB, the camera after the choice.
        imagined: uint8 [H, h', w', 3] RGB of the chosen plan at the same times, in any size; its last frame stays
            where N is larger. None: no plan was chosen.
        captions: lines below the pictures; long ones go on in the next line, and many are drawn smaller.

    Returns:
        N frames uint8 [rows, columns, 3] RGB, all of one size for the same shapes.
    """
    width = round(CELL * real.shape[2] / real.shape[1])
    columns = max(_NARROWEST, 2 * width + 3 * _PAD)
    room, left = columns - 2 * _PAD, (columns - 2 * width - _PAD) // 2
    frames = []
    for step, frame in enumerate(real):
        canvas = Canvas(_TITLE + CELL + _FOOT + 2 * _PAD, columns)
        canvas.text_in((_PAD, 10, room, _TITLE - 14), title, 16)
        for column, picture in enumerate((frame, None if imagined is None else imagined[min(step, len(imagined) - 1)])):
            x = left + column * (width + _PAD)
            if picture is None:
                canvas.box(x, _TITLE, width, CELL, PANEL)
                canvas.text_in((x, _TITLE, width, CELL), "no plan was chosen", 14, DIM, "centre")
            else:
                canvas.picture(x, _TITLE, cv2.resize(picture, (width, CELL), interpolation=cv2.INTER_CUBIC))
            canvas.label(x + 6, _TITLE + 6, ("real", "imagined")[column], DIM)
        canvas.text_in((_PAD, _TITLE + CELL + _PAD // 2, room, _FOOT + _PAD), "\n".join(captions), 13, DIM)
        frames.append(canvas.pixels)
    return frames
