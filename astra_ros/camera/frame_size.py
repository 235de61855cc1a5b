"""Frames scaled to the size of a model's images."""

from __future__ import annotations

import cv2
import numpy as np


def to_model_size(frame: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """A frame scaled to the model's size.

    Args:
        frame: uint8 [H, W, 3] RGB.
        image_size: the model's (height, width).

    Returns:
        uint8 [height, width, 3], contiguous. Frames of another aspect ratio are first cut in the middle, so nothing is
        stretched.
    """
    height, width = image_size
    rows, columns = frame.shape[:2]
    if rows * width != columns * height:
        keep_rows = min(rows, max(1, round(columns * height / width)))
        keep_columns = min(columns, max(1, round(rows * width / height)))
        top, left = (rows - keep_rows) // 2, (columns - keep_columns) // 2
        frame = frame[top : top + keep_rows, left : left + keep_columns]
    if frame.shape[:2] != (height, width):
        shrinks = frame.shape[0] >= height
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        frame = cv2.resize(frame, (width, height), interpolation=how)
    return np.ascontiguousarray(frame)
