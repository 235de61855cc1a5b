"""Videos of imagined plans, and MP4 files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from astra_ros.critics.scoring import PlanScore
from astra_ros.errors import UserError
from astra_ros.files import atomic_write
from astra_ros.views import canvas as look
from astra_ros.views.canvas import Canvas
from astra_ros.views.imagined_plans import ImaginedPlans, by_rank

CELL = 160  # height of a frame beside what then happened, px
CELL_ALONE = 200
_PAD = 14
_GAP = 4
_TITLE = 56
_LABELS = 62
_CAPTION = 22
_FOOT = 40


class VideoError(UserError, RuntimeError):
    """A video could not be written. ``thing`` is its file."""


def write_mp4(path: str | Path, frames: np.ndarray | Iterable[np.ndarray], fps: float) -> Path:
    """Write an H.264 video that browsers play. It stands at ``path`` only when it is complete.

    Args:
        path: file to make or replace; its folder must exist.
        frames: uint8 [h, w, 3] RGB, all of one size, at least one. H.264 in yuv420p needs even sizes; of odd ones,
            the last row or column is repeated.

    Raises:
        VideoError: imageio-ffmpeg is not installed, or ffmpeg or the file system failed.
    """
    path = Path(path)
    if not (np.isfinite(fps) and fps > 0.0):
        raise ValueError(f"{path}: fps is {fps}; expected more than 0")
    try:
        import imageio_ffmpeg
    except ImportError as error:
        cure = "pip install imageio-ffmpeg"
        raise VideoError("writing a video needs imageio-ffmpeg", thing=path, cure=cure) from error
    if not os.access(path.parent, os.W_OK):
        raise VideoError("its folder does not exist or cannot be written", thing=path, cure="name another folder")
    even = _even(path, frames)
    first = next(even)
    try:
        with atomic_write(path) as partial:
            flags = ["-crf", "18", "-preset", "veryfast", "-movflags", "+faststart"]
            coding = {"codec": "libx264", "quality": None, "macro_block_size": 2, "ffmpeg_log_level": "error"}
            size = (first.shape[1], first.shape[0])
            writer = imageio_ffmpeg.write_frames(str(partial), size, fps=fps, output_params=flags, **coding)
            try:
                writer.send(None)
                writer.send(first.tobytes())
                for frame in even:
                    writer.send(frame.tobytes())
            finally:
                writer.close()  # ends ffmpeg, which otherwise writes the partial file once more
    except (OSError, RuntimeError) as error:
        raise VideoError(f"ffmpeg could not write the video ({error})", thing=path) from error
    return path


def _even(path: Path, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The frames, checked and with even sizes; at least one."""
    shape = None
    for number, frame in enumerate(frames):
        frame = np.asarray(frame)
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[-1] != 3 or not frame.size:
            raise ValueError(f"{path}: frame {number} is {frame.dtype} {frame.shape}; expected uint8 [h, w, 3]")
        if frame.shape != (shape := shape or frame.shape):
            raise ValueError(f"{path}: frame {number} has shape {frame.shape}, the first one had {shape}")
        odd_rows, odd_columns = frame.shape[0] % 2, frame.shape[1] % 2
        if odd_rows or odd_columns:
            frame = np.pad(frame, ((0, odd_rows), (0, odd_columns), (0, 0)), mode="edge")
        yield np.ascontiguousarray(frame)
    if shape is None:
        raise ValueError(f"{path}: there are no frames to write")


def side_by_side(
    plans: ImaginedPlans, title: str = "What Astra imagines for each plan", columns: int = 4, hold_s: float = 1.5
) -> np.ndarray:
    """All plans played at once in a grid, best first, each beside what then happened where that is known.

    Play it at ``1 / dt_s`` frames per second for real time.

    Args:
        title: first line of the picture.
        columns: plans in a row at most.
        hold_s: how long the last frame stays, s.

    Returns:
        uint8 [F, rows, cols, 3] RGB; F is H and as many repeats of the last frame as hold_s needs; rows and cols are
        even.
    """
    count, horizon = plans.frames.shape[:2]
    notes = plans.truth_notes
    clips = [("imagined", plans.frames)]
    if plans.truth is not None:
        clips.append(("what then happened", plans.truth))
    cell = CELL_ALONE if plans.truth is None else CELL
    widths = [look.scaled_width(clip.shape[2:], cell) for _, clip in clips]
    slots = [max(width, look.text_width(label, 13)) for (label, _), width in zip(clips, widths)]
    frames_width = sum(slots) + _GAP * (len(slots) - 1)
    tile_width = max(200, frames_width) + 2 * _PAD
    room = tile_width - 2 * _PAD
    note_height = max((len(look.wrap(note, 13, room)) for note in notes), default=0) * look.line_height(13)
    tile_height = _LABELS + cell + _CAPTION + note_height + _PAD // 2
    columns = max(1, min(columns, count))
    shape = (_TITLE + -(-count // columns) * (tile_height + _PAD) + _FOOT, columns * (tile_width + _PAD) + _PAD)
    still = Canvas(shape[0] + shape[0] % 2, shape[1] + shape[1] % 2)
    still.text_in((_PAD, 12, shape[1] - 2 * _PAD, _TITLE - 14), title, 26)
    corners = []  # x, y of every plan's first slot, in the order of rank
    for index, k in enumerate(by_rank(plans.scores)):
        x = _PAD + index % columns * (tile_width + _PAD)
        y = _TITLE + index // columns * (tile_height + _PAD)
        _draw_tile(still, (x, y, tile_width, tile_height), plans.scores[k], plans.chooses(plans.scores[k]))
        left = x + (tile_width - frames_width) // 2
        corners.append((left, y + _LABELS))
        for (label, _), slot in zip(clips, slots):
            still.text(left, y + _LABELS + cell + 13, label, 13, look.DIM)
            left += slot + _GAP
        if notes:
            still.text_in((x + _PAD, y + _LABELS + cell + _CAPTION + 3, room, note_height), notes[k], 13)
    hold = max(0, round(hold_s / plans.dt_s))
    video = np.empty((horizon + hold, *still.pixels.shape), np.uint8)
    video[:] = still.pixels
    for step in range(horizon):
        page = Canvas.over(video[step])
        for (x, y), k in zip(corners, by_rank(plans.scores)):
            for (_, clip), slot, width in zip(clips, slots, widths):
                page.picture(x, y, look.fit(clip[k, step], cell)[:, :width])
                x += slot + _GAP
        _draw_clock(page, step + 1, horizon, plans.dt_s)
    video[horizon:] = video[horizon - 1]
    return video


def _draw_tile(page: Canvas, place: tuple[int, int, int, int], score: PlanScore, chosen: bool) -> None:
    colour, (x, y, width, height) = look.VERDICT_COLOURS[score.verdict], place
    page.box(x, y, width, height, look.PANEL_CHOSEN if chosen else look.PANEL)
    page.box(x, y, width, 4, colour)
    left, right = x + _PAD, x + width - _PAD
    left += page.text(left, y + 34, str(score.rank + 1), 30) + 10
    number = f"{score.score:.2f}"
    page.text(right, y + 34, number, 26, colour, "right")
    room = right - look.text_width(number, 26) - 8 - left
    page.text_in((left, y + 14, room, 19), score.name, 15)
    page.label(left, y + 35, "chosen" if chosen and score.verdict == "accepted" else score.verdict, colour)


def _draw_clock(page: Canvas, step: int, horizon: int, dt_s: float) -> None:
    """A bar that fills over the horizon, and the time that the frames show."""
    rows, columns = page.pixels.shape[:2]
    y = rows - _FOOT // 2
    right = columns - _PAD - look.text_width("+00.00 s of 00.00 s", 16) - _PAD
    page.box(_PAD, y - 3, right - _PAD, 6, look.TRACK)
    page.box(_PAD, y - 3, round((right - _PAD) * step / horizon), 6, look.BAR)
    page.text(columns - _PAD, y, f"+{step * dt_s:.2f} s of {horizon * dt_s:.2f} s", 16, look.TEXT, "right")
