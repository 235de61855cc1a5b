"""Boxes, pictures and anti-aliased text drawn on an RGB array."""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_right
from functools import cache, lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

BACKGROUND: Colour = (15, 17, 23)
PANEL: Colour = (25, 28, 37)
PANEL_CHOSEN: Colour = (27, 42, 42)
TRACK: Colour = (46, 51, 64)
BAR: Colour = (110, 168, 254)
TEXT: Colour = (236, 239, 244)
DIM: Colour = (150, 158, 174)
VERDICT_COLOURS: dict[str, Colour] = {"accepted": (74, 205, 132), "risky": (247, 181, 56), "vetoed": (255, 64, 214)}

# Characters beyond ASCII in Pillow's own font. Others lose their accents or become "?".
_EXTRA = "±·…"
# Small letters are drawn larger and scaled down, which spaces them evenly. For the same reason words stand further
# apart than in the font.
_OVERSAMPLE = 2
_SPACE = 0.3  # of the font size
_LONGEST = 2000  # characters; more fit into no picture
_PARTS = re.compile(r"[^\s_/]*[_/]|[^\s_/]+")  # of words: names are parted after "_" and "/"
SMALLEST = 8  # font size down to which text is made smaller to fit


class Canvas:
    """An RGB picture to draw on, ``pixels`` uint8 [rows, columns, 3]; x to the right and y down, in pixels."""

    def __init__(self, rows: int, columns: int, colour: Colour = BACKGROUND) -> None:
        self.pixels = np.empty((rows, columns, 3), np.uint8)
        self.box(0, 0, columns, rows, colour)

    @classmethod
    def over(cls, pixels: np.ndarray) -> Canvas:
        """A canvas that draws into an existing picture uint8 [rows, columns, 3]."""
        made = cls.__new__(cls)
        made.pixels = pixels
        return made

    def box(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        """A filled rectangle, cut off at the edges."""
        if width > 0 and height > 0:  # cv2 fills several times faster than numpy broadcasts
            cv2.rectangle(self.pixels, (x, y), (x + width - 1, y + height - 1), colour, -1)

    def pill(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        """A filled rectangle with round ends."""
        self._blend(x, y, _pill(width, height), colour)

    def label(self, x: int, y: int, text: str, colour: Colour) -> int:
        """A word on a pill; gives its width."""
        width = text_width(text, 12) + 16
        self.pill(x, y, width, 17, colour)
        self.text(x + width / 2, y + 8, text, 12, BACKGROUND, "centre")
        return width

    def picture(self, x: int, y: int, picture: np.ndarray) -> None:
        """A picture uint8 [h, w, 3] with its top left corner at (x, y), cut off at the edges."""
        picture = picture[max(0, -y) :, max(0, -x) :]
        x, y = max(0, x), max(0, y)
        region = self.pixels[y : y + picture.shape[0], x : x + picture.shape[1]]
        region[:] = picture[: region.shape[0], : region.shape[1]]

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int,
        colour: Colour = TEXT,
        align: str = "left",
        max_width: int | None = None,
    ) -> int:
        """One line of text, vertically centred on y; gives the width of what was drawn.

        Args:
            x: its left edge, middle or right edge, as ``align`` says ("left", "centre" or "right").
            max_width: longer text is shortened and ends in dots.
        """
        ink = _ink(shorten(text, size, max_width), size)
        rows, columns = ink.shape
        left = round(x - columns * {"left": 0.0, "centre": 0.5, "right": 1.0}[align])
        self._blend(left, round(y - rows / 2), ink, colour)
        return columns

    def text_in(
        self, box: tuple[int, int, int, int], text: str, size: int, colour: Colour = TEXT, align: str = "left"
    ) -> None:
        """Text in a box (x, y, width, height), in as many lines and as small as it must be; see `fitted`.

        The lines begin at the top, or are in the middle of the box where ``align`` is "centre".
        """
        x, y, width, height = box
        size, lines = fitted(text, size, width, height)
        if align == "centre":
            x, y = x + width // 2, y + (height - len(lines) * line_height(size)) // 2
        for index, line in enumerate(lines):
            self.text(x, y + (index + 0.5) * line_height(size), line, size, colour, align, width)

    def _blend(self, left: int, top: int, ink: np.ndarray, colour: Colour) -> None:
        """Lay a colour over the canvas by coverage [rows, columns], cut off at its edges."""
        x0, y0 = max(0, left), max(0, top)
        region = self.pixels[y0 : max(0, top + ink.shape[0]), x0 : max(0, left + ink.shape[1])]
        ink = ink[y0 - top :, x0 - left :][: region.shape[0], : region.shape[1]]
        region[:] = region + ink[..., None] * (np.array(colour, np.float32) - region) + 0.5


@lru_cache(maxsize=2048)
def text_width(text: str, size: int) -> int:
    """Width of the text in pixels."""
    return math.ceil(_words(text, size)[-1][0] / _OVERSAMPLE)


def shorten(text: str, size: int, max_width: int | None) -> str:
    """The text, or as much of it as fits into ``max_width`` pixels, with dots."""
    if max_width is None or text_width(text, size) <= max_width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle].rstrip() + "…", size) <= max_width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def line_height(size: int) -> int:
    """From one line of text to the next, in pixels."""
    return math.ceil(1.25 * size)


def wrap(text: str, size: int, width: int) -> list[str]:
    """The text in lines of at most ``width`` pixels. A longer word is parted after "_" or "/", else anywhere."""
    lines, text = [], text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if text_width(longer, size) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            *parted, line = _parted(word, size, width)
            lines += parted
        lines.append(line)
    return lines


def _parted(word: str, size: int, width: int) -> list[str]:
    """A word in lines that are at most ``width`` pixels wide."""
    lines = [""]
    for part in _PARTS.findall(word):
        if text_width(lines[-1] + part, size) <= width:
            lines[-1] += part
            continue
        while text_width(part, size) > width and len(part) > 1:
            count = max(1, bisect_right(range(1, len(part)), width, key=lambda k: text_width(part[:k], size)))
            lines.append(part[:count])
            part = part[count:]
        lines.append(part)
    return [line for line in lines if line] or [""]


@lru_cache(maxsize=2048)
def fitted(text: str, size: int, width: int, height: int) -> tuple[int, tuple[str, ...]]:
    """The largest font size up to ``size`` with which a text fits into a box, and its lines.

    Words, and the parts of names, are kept whole where a size of ``SMALLEST`` or more allows it. Text that does not fit
    at that size ends in dots.
    """
    words = _PARTS.findall(text[:_LONGEST])
    for smaller in range(size, SMALLEST, -1):
        if all(text_width(word, smaller) <= width for word in words):
            lines = wrap(text, smaller, width)
            if len(lines) * line_height(smaller) <= height:
                return smaller, tuple(lines)
    lines, most = wrap(text, SMALLEST, width), max(1, height // line_height(SMALLEST))
    if len(lines) > most:
        lines[most - 1 :] = [shorten(" ".join(lines[most - 1 :]), SMALLEST, width)]
    return SMALLEST, tuple(lines)


def fit(picture: np.ndarray, height: int) -> np.ndarray:
    """The picture scaled to a height in pixels, with its aspect ratio."""
    rows, columns = picture.shape[:2]
    if rows == height:
        return picture
    size = (scaled_width(picture.shape, height), height)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if rows > height else cv2.INTER_CUBIC)


def scaled_width(shape: tuple[int, ...], height: int) -> int:
    """Width of a picture [h, w, ...] that is scaled to a height."""
    return max(1, round(height * shape[1] / shape[0]))


@cache
def _font(size: int):
    # Pillow brings this font, so text looks the same on a machine without fonts.
    return ImageFont.load_default(size=size)


def _words(text: str, size: int) -> list[tuple[float, str]]:
    """x of each word in oversampled pixels, and at last of the text's end with an empty word."""
    font = _font(size * _OVERSAMPLE)
    x, placed = 0.0, []
    for word in _spell(text).split(" "):
        placed.append((x, word))
        end = x + font.getlength(word)
        x = end + _SPACE * size * _OVERSAMPLE
    return [*placed, (end, "")]


@lru_cache(maxsize=2048)
def _spell(text: str) -> str:
    """The text in characters that the font has."""
    if text.isascii():
        return text
    plain = "".join(c if c.isascii() or c in _EXTRA else unicodedata.normalize("NFKD", c) for c in text)
    kept = (c for c in plain if not unicodedata.combining(c))
    return "".join(c if c.isascii() or c in _EXTRA else "?" for c in kept)


@lru_cache(maxsize=256)
def _pill(width: int, height: int) -> np.ndarray:
    """Coverage 0..1 of a rectangle with round ends: float32 [height, width]."""
    radius = height / 2
    x = np.arange(width, dtype=np.float32) + 0.5
    y = np.arange(height, dtype=np.float32)[:, None] + 0.5
    from_axis = np.hypot(x - np.clip(x, radius, max(radius, width - radius)), y - radius)
    return np.clip(radius - from_axis + 0.5, 0.0, 1.0)


@lru_cache(maxsize=2048)
def _ink(text: str, size: int) -> np.ndarray:
    """Coverage 0..1 of a line of text: float32 [rows, columns], cached and read-only."""
    font = _font(size * _OVERSAMPLE)
    rows = -(-sum(font.getmetrics()) // _OVERSAMPLE)
    columns = max(1, text_width(text, size))
    image = Image.new("L", (columns * _OVERSAMPLE, rows * _OVERSAMPLE))
    draw = ImageDraw.Draw(image)
    for x, word in _words(text, size):
        draw.text((x, 0), word, font=font, fill=255)
    ink = cv2.resize(np.asarray(image), (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
    ink.setflags(write=False)
    return ink
