"""Pictures of walls, floors and furniture, painted from a seed: cheap to draw, rich to look at.

The software renderer knows one picture and no soft light, so light is painted too: corners are
darker, and faces are brighter the more they face the lamp. Pictures are float [rows, columns, 3]
in 0..1 until ``as_bytes``; row 0 is the top.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np

from astra_ros.simulation.explore.scene import RoomLook

WALL_PIXELS_M = 32.0
FLOOR_PIXELS_M = 40.0
SIDE_PIXELS_M = 40.0


def as_bytes(picture: np.ndarray) -> np.ndarray:
    return (np.clip(picture, 0.0, 1.0) * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)


def shade(normal, light):
    """How bright faces with normals [..., 3] are: 0.64 turned away from the lamp to 1 facing it."""
    return 0.82 + 0.18 * np.dot(normal, light)


def plain(shape: tuple[int, int], rgb) -> np.ndarray:
    return np.broadcast_to(np.asarray(rgb, dtype=np.float32), (*shape, 3)).copy()


def _middles(length_m: float, pixels: int) -> np.ndarray:
    """[pixels] m from an edge to the middle of each pixel."""
    return ((np.arange(pixels) + 0.5) * (length_m / pixels)).astype(np.float32)


# -- walls ---------------------------------------------------------------------------------------


def wall(
    look: RoomLook,
    length_m: float,
    height_m: float,
    openings: list[tuple[float, float]],
    door_height_m: float,
    is_outer: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    """One side of a room: pattern, door frames, pictures, windows if it is outer, soft corners.

    Args:
        openings: (start, end) of doors, m from the left end.
        is_outer: whether daylight may come through it.
    """
    rows, columns = round(height_m * WALL_PIXELS_M), max(4, round(length_m * WALL_PIXELS_M))
    up = _middles(height_m, rows)[::-1, None]
    along = _middles(length_m, columns)[None, :]
    paint = plain((rows, columns), look.wall_rgb)
    colour, trim = (np.array(rgb, dtype=np.float32) for rgb in (look.wall_rgb, look.trim_rgb))
    if look.wall_pattern == "wainscot":
        paint[up[:, 0] < 0.95] = trim
        paint[np.abs(up[:, 0] - 0.95) < 0.04] = (0.95, 0.94, 0.9)
    elif look.wall_pattern == "stripes":
        paint[:, along[0] % 0.6 < 0.3] = 0.8 * colour
    elif look.wall_pattern == "band":
        paint[np.abs(up[:, 0] - 0.6) < 0.16] = trim
    elif look.wall_pattern == "bricks":
        course = np.floor(up / 0.2)
        brick = (along + 0.25 * (course % 2)) / 0.5
        paint *= 1.0 - 0.1 * ((np.floor(brick) * 7 + course * 5) % 3)[..., None]
        paint[(up % 0.2 < 0.035) | (brick % 1.0 < 0.07)] = 0.45 * colour + 0.5
    elif look.wall_pattern == "panels":
        edge = np.minimum(along % 1.0, 1.0 - along % 1.0)
        paint[(edge > 0.12) & (up > 0.3) & (up < height_m - 0.3)] = 0.5 * (trim + colour)
    if look.wall_pattern in ("plain", "wainscot", "band"):
        # Faint seams: even a wall that fills the picture must show how the camera moves.
        paint[:, along[0] % 0.5 < 0.07] *= 0.85
    paint[up[:, 0] < 0.12] = 0.6 * trim  # baseboard
    soft = 0.22 * (np.exp(-up / 0.22) + np.exp(-(height_m - up) / 0.25))
    soft = soft + 0.25 * (np.exp(-along / 0.22) + np.exp(-(length_m - along) / 0.22))
    paint *= (1.0 - np.minimum(soft, 0.45))[..., None]
    _hang(paint, length_m, height_m, openings, is_outer, rng)
    for start, end in openings:
        frame = (along > start - 0.1) & (along < end + 0.1) & (up < door_height_m + 0.1)
        paint[frame] = 0.35 * trim + 0.15
    return paint


def _hang(paint: np.ndarray, length_m, height_m, openings, is_outer: bool, rng) -> None:
    """Windows and framed pictures where there is room for them."""
    taken = [(start - 0.15, end + 0.15) for start, end in openings]
    for _ in range(int(length_m / 1.1)):
        is_window = is_outer and rng.random() < 0.5
        w = rng.uniform(0.8, 1.4) if is_window else rng.uniform(0.45, 1.0)
        h = rng.uniform(0.9, 1.2) if is_window else rng.uniform(0.4, 0.8)
        bottom = 0.85 if is_window else rng.uniform(0.95, 1.25)
        if length_m < w + 0.4:
            continue
        left = rng.uniform(0.2, length_m - w - 0.2)
        picture = _window(w, h, rng) if is_window else _artwork(w, h, rng)
        if any(left < end + 0.1 and left + w > start - 0.1 for start, end in taken):
            continue
        taken.append((left, left + w))
        top = round((height_m - bottom - h) * WALL_PIXELS_M)
        begin = round(left * WALL_PIXELS_M)
        part = paint[max(top, 0) : top + picture.shape[0], begin : begin + picture.shape[1]]
        part[:] = picture[: part.shape[0], : part.shape[1]]


def _window(w: float, h: float, rng) -> np.ndarray:
    """Sky over a green horizon, behind white bars."""
    rows, columns = round(h * WALL_PIXELS_M), round(w * WALL_PIXELS_M)
    v = np.linspace(0.0, 1.0, rows)[:, None, None]
    picture = plain((rows, columns), (0.55, 0.78, 1.0)) * (1 - v) + v * np.array((0.9, 0.96, 1.0))
    picture[round(rows * rng.uniform(0.65, 0.85)) :] = (0.45, 0.65, 0.35)
    picture[rows // 2 - 1 : rows // 2 + 1] = picture[:, columns // 2 - 1 : columns // 2 + 1] = 0.97
    return _framed(picture, (0.97, 0.97, 0.97))


def _artwork(w: float, h: float, rng) -> np.ndarray:
    """Bold shapes in two or three colours."""
    rows, columns = round(h * WALL_PIXELS_M), round(w * WALL_PIXELS_M)
    ground, first, second = (
        colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.3, 1.0), rng.uniform(0.4, 1.0)) for _ in range(3)
    )
    picture = plain((rows, columns), ground)
    v, u = np.mgrid[0:rows, 0:columns] / np.array([rows, columns]).reshape(2, 1, 1)
    kind = int(rng.integers(5))
    if kind == 0:
        picture[(u - 0.5) ** 2 + (v - 0.5) ** 2 < 0.12] = first
    elif kind == 1:
        picture[(3 * u).astype(int) % 2 == 1] = first
    elif kind == 2:
        picture[v > 0.35 + 0.5 * np.abs(u - 0.5)] = first
        picture[(u - 0.75) ** 2 + (v - 0.25) ** 2 < 0.02] = second
    elif kind == 3:
        picture[u + v > 1.0] = first
    else:
        picture[(u < 0.5) & (v < 0.5)] = first
        picture[(u > 0.5) & (v > 0.5)] = second
    frames = ((0.15, 0.12, 0.1), (0.85, 0.7, 0.35), (0.95, 0.95, 0.95))
    return _framed(picture, frames[rng.integers(3)])


def _framed(picture: np.ndarray, rgb) -> np.ndarray:
    picture[:2] = picture[-2:] = picture[:, :2] = picture[:, -2:] = rgb
    return picture


# -- floors --------------------------------------------------------------------------------------


def floor(look: RoomLook, low, high, rng: np.random.Generator) -> np.ndarray:
    """A room's floor between two corners [2], m: row 0 at high y, soft shadows along its walls."""
    rows, columns = np.round(np.subtract(high, low)[::-1] * FLOOR_PIXELS_M).astype(int)
    x = (low[0] + _middles(high[0] - low[0], columns))[None, :].astype(np.float32)
    y = (low[1] + _middles(high[1] - low[1], rows))[::-1, None].astype(np.float32)
    one, other = (np.array(rgb, np.float32) for rgb in (look.floor_rgb, look.floor_rgb_2))
    if look.floor_pattern == "checker":
        blend = (np.floor(x / 0.5) + np.floor(y / 0.5)) % 2
    elif look.floor_pattern == "planks":
        lane = np.floor(y / 0.22)
        board = np.floor((x + 0.77 * lane) / 1.3)
        blend = ((lane * 5 + board * 3) % 4) / 4.0
        blend = np.where((y % 0.22 < 0.025) | ((x + 0.77 * lane) % 1.3 < 0.025), 1.6, blend)
    elif look.floor_pattern == "tiles":
        blend = np.where((x % 0.6 < 0.05) | (y % 0.6 < 0.05), 1.0, 0.0)
    elif look.floor_pattern == "parquet":
        across = (np.floor(x / 0.6) + np.floor(y / 0.6)) % 2
        strip = np.where(across == 1, np.floor(x / 0.15), np.floor(y / 0.15))
        blend = 0.35 * across + 0.55 * (strip % 2)
    else:  # carpet: a border and a medallion
        inset = np.minimum(np.minimum(x - low[0], high[0] - x), np.minimum(y - low[1], high[1] - y))
        middle = np.add(low, high) / 2.0
        blend = np.where((inset > 0.35) & (inset < 0.55), 1.0, 0.0)
        diamond = np.abs(x - middle[0]) + np.abs(y - middle[1])
        blend[diamond < 0.8], blend[diamond < 0.5] = 1.0, 0.3
    picture = one + (other - one) * blend[..., None].astype(np.float32)
    soft = sum(np.exp(-d / 0.18) for d in (x - low[0], high[0] - x, y - low[1], high[1] - y))
    return picture * (1.0 - 0.3 * np.minimum(soft, 1.2))[..., None]


def ceiling(look: RoomLook, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A room's pale ceiling with one or two bright lamps along its length."""
    picture = plain(shape, 0.25 * np.array(look.wall_rgb) + 0.65)
    along = 0 if shape[0] > shape[1] else 1
    half = int(rng.integers(5, 8))
    for share in ((0.5,), (0.3, 0.7))[int(rng.integers(2))]:
        middle = [n // 2 for n in shape]
        middle[along] = round(share * shape[along])
        rows, columns = (slice(max(m - half, 0), m + half) for m in middle)
        lamp = picture[rows, columns]
        lamp[:] = 0.72
        lamp[1:-1, 1:-1] = 1.0
    return picture


# -- furniture -----------------------------------------------------------------------------------


def side(pattern: str, rgb, width_m: float, height_m: float, rng) -> np.ndarray:
    """One upright side of a piece of furniture, its edges a little darker.

    Raises:
        KeyError: unknown pattern.
    """
    rows, columns = (max(4, round(v * SIDE_PIXELS_M)) for v in (height_m, width_m))
    picture = SIDES[pattern](plain((rows, columns), rgb), rng)
    rim = 1 if min(rows, columns) < 16 else 2
    for edge in (picture[:rim], picture[-rim:], picture[:, :rim], picture[:, -rim:]):
        edge *= 0.82
    return picture


def _plain(picture: np.ndarray, rng) -> np.ndarray:
    return picture


def _doors(picture: np.ndarray, rng) -> np.ndarray:
    """Two doors with knobs, or one on a narrow side."""
    rows, columns = picture.shape[:2]
    count = 1 if columns < rows * 0.7 else 2
    for i in range(count):
        begin, end = columns * i // count, columns * (i + 1) // count
        picture[2:-2, begin + 2 : end - 2] *= 1.15
        picture[:, max(begin - 1, 0) : begin + 1] *= 0.5
        knob = end - 5 if i % 2 == 0 else begin + 4
        picture[rows // 2 - 2 : rows // 2 + 2, knob : knob + 2] = (0.95, 0.9, 0.6)
    return picture


def _books(picture: np.ndarray, rng) -> np.ndarray:
    """Boards with rows of coloured books."""
    rows, columns = picture.shape[:2]
    boards = max(2, rows // 18)
    for i in range(boards):
        top, bottom = rows * i // boards + 2, rows * (i + 1) // boards - 1
        picture[top:bottom, 2:-2] = 0.18
        at = 2
        while at < columns - 6:
            width = int(rng.integers(3, 7))
            if rng.random() < 0.85:
                height = int((bottom - top) * rng.uniform(0.65, 0.95))
                rgb = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.3, 0.9), rng.uniform(0.5, 1))
                picture[bottom - height : bottom, at : min(at + width, columns - 2)] = rgb
            at += width
    return picture


def _crate(picture: np.ndarray, rng) -> np.ndarray:
    """A frame and a diagonal board."""
    rows, columns = picture.shape[:2]
    v, u = np.mgrid[0:rows, 0:columns] / np.array([rows, columns]).reshape(2, 1, 1)
    inside = (np.minimum(u, 1 - u) > 0.14) & (np.minimum(v, 1 - v) > 0.14)
    picture[inside] *= 0.7
    picture[inside & (np.abs(u - v) < 0.1)] /= 0.7
    return picture


def _bands(picture: np.ndarray, rng) -> np.ndarray:
    """Level bands of another colour."""
    rgb = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.1, 0.8), rng.uniform(0.7, 1.0))
    rows = picture.shape[0]
    step = max(6, int(rng.uniform(0.2, 0.4) * SIDE_PIXELS_M))
    picture[(np.arange(rows) // (step // 2)) % 2 == 1] = rgb
    return picture


def _cushions(picture: np.ndarray, rng) -> np.ndarray:
    columns = picture.shape[1]
    for at in (columns // 3, 2 * columns // 3):
        picture[:, at : at + 1] *= 0.65
    return picture


def _leaves(picture: np.ndarray, rng) -> np.ndarray:
    rows, columns = (-(-n // 4) for n in picture.shape[:2])
    spots = np.kron(rng.uniform(0.55, 1.25, (rows, columns)), np.ones((4, 4)))
    return picture * spots[: picture.shape[0], : picture.shape[1], None]


SIDES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    paint.__name__[1:]: paint for paint in (_plain, _doors, _books, _crate, _bands, _cushions, _leaves)
}
