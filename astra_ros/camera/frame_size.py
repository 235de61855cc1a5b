"""Frames scaled to the size of a model's images."""

from __future__ import annotations

import cv2
import numpy as np


def middle(size: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the greatest middle part of an image of a size that has the aspect ratio of
    ``shape``; both are (height, width)."""
    (rows, columns), (height, width) = size, shape
    keep_rows = min(rows, max(1, round(columns * height / width)))
    keep_columns = min(columns, max(1, round(rows * width / height)))
    return (rows - keep_rows) // 2, (columns - keep_columns) // 2, keep_rows, keep_columns


def to_model_size(frame: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """A frame uint8 [H, W, 3] scaled to the model's (height, width), contiguous.

    Frames of another aspect ratio are first cut in the middle, so nothing is stretched.
    """
    if frame.shape[:2] != tuple(image_size):
        top, left, rows, columns = middle(frame.shape[:2], image_size)
        frame = frame[top : top + rows, left : left + columns]
        how = cv2.INTER_AREA if rows >= image_size[0] else cv2.INTER_LINEAR
        frame = cv2.resize(frame, image_size[::-1], interpolation=how)
    return np.ascontiguousarray(frame)
