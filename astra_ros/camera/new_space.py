"""How much space plans bring into a moving camera's view for the first time: geometry, nothing imagined."""

from __future__ import annotations

import numpy as np

from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.camera.pinhole import PinholeCamera

CELLS = 16  # along each edge of the cube in which space is counted, a point each


def new_space(camera: MovingCamera, poses: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """The space that each plan's views show and the view now does not, as a multiple of what is in view now.

    A view reaches as far as what usually lies there (``inverse_depth``). What several views of a plan show counts
    once, as for the information gain of a next view in exploration (Bircher et al. 2016), but with the usual depth in
    place of a map.

    Args:
        poses: [K, H, 4, 4] of the optical frame in that of now, as from ``MovingCamera.camera_poses``.
        image_size: (h, w) of the images that the model sees.

    Returns:
        [K]; 0 of a plan that shows nothing new, about 3 where a camera with a view of 90 degrees turns round once.
    """
    view = camera.camera.fitted(image_size)
    depth = 1.0 / camera.inverse_depth
    reach = float(np.abs(poses[..., :3, 3]).max() + np.median(depth))
    # A random point in each cell: the edges of views do not run along rows of points.
    cells_N3 = np.indices((CELLS,) * 3).reshape(3, -1).T
    points_N3 = ((cells_N3 + np.random.default_rng(0).random(cells_N3.shape)) / CELLS * 2 - 1) * reach
    now_N = _in_view(np.eye(4), points_N3, view, depth, image_size)
    unseen_N3 = points_N3[~now_N]
    # Each plan drops what it has seen, so later views have less to look at.
    counts = []
    for plan in range(poses.shape[0]):
        left_N3 = unseen_N3
        for step in range(poses.shape[1]):
            left_N3 = left_N3[~_in_view(poses[plan, step], left_N3, view, depth, image_size)]
        counts.append(len(unseen_N3) - len(left_N3))
    return np.array(counts) / max(int(now_N.sum()), 1)


def _in_view(
    pose: np.ndarray, points_N3: np.ndarray, view: PinholeCamera, depth: np.ndarray, image_size: tuple[int, int]
) -> np.ndarray:
    """Which points (m, in the frame of now) lie in the image from `pose`, and no deeper than usual there: bool [N]."""
    height, width = image_size
    x, y, z = ((points_N3 - pose[:3, 3]) @ pose[:3, :3]).T
    ahead = np.maximum(z, 1e-6)
    column, row = view.fx * x / ahead + view.cx, view.fy * y / ahead + view.cy
    inside = (z > 0) & (np.abs(column - (width - 1) / 2) < width / 2) & (np.abs(row - (height - 1) / 2) < height / 2)
    rows, columns = (
        np.clip(np.rint(at / (size - 1) * (points - 1)), 0, points - 1).astype(int)
        for at, size, points in ((row, height, depth.shape[0]), (column, width, depth.shape[1]))
    )
    return inside & (z <= depth[rows, columns])
