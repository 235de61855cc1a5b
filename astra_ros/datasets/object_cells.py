"""Where labelled things appear: their pixels, and the cells of a latent that show them.

An object is so small that a plain mean error would let it fade.
"""

from __future__ import annotations

import numpy as np

from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.datasets.episode import Episode
from astra_ros.outcomes import OBJECT_POSITION
from astra_ros.plans.action_spaces import action_space_class


def pixels_of(episode: Episode, label: str, shape: tuple[int, int]) -> np.ndarray | None:
    """Where the position that a label tells appears in an image of `shape` (rows, columns).

    The camera must not move. It is that of an arm, in the arm's base frame.

    Returns:
        float64 [N, 2] as (u, v), NaN where the label is; or None where camera or position are unknown.
    """
    places = episode.labels.get(label)
    if places is None or action_space_class(episode.modality).moves_camera or episode.camera is None:
        return None
    return PinholeCamera.from_dict(episode.camera).fitted(shape).project(places)[0]


def object_cells(episode: Episode, shape: tuple[int, int], label: str = OBJECT_POSITION) -> np.ndarray | None:
    """The weight of the object in each cell of a latent of `shape` (rows, columns), 0 to 1.

    1 within half a cell of the object's centre, 0 from one and a half on, and 0 where the label is NaN or the object is
    out of sight. Another `label` than the object's position tells of another thing.

    Returns:
        float32 [N, rows, columns], or None where camera or object are unknown.
    """
    pixels = pixels_of(episode, label, shape)  # pixels of so small an image are the cells
    if pixels is None:
        return None
    away = [np.abs(pixels[:, axis, None] - np.arange(cells)) for axis, cells in enumerate(reversed(shape))]
    across, down = (np.clip(1.5 - distance, 0, 1) for distance in away)
    return np.nan_to_num(down[:, :, None] * across[:, None, :]).astype(np.float32)
