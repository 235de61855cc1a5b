"""Render the robot along its plan as the camera would see it: exact in position, and fast.

The render conditions the world model (kinematic conditioning). The robot's own motion then comes from its
description, and the network's capacity goes to the objects that the robot touches.

Each link is a few convex parts (``shapes``). A part's outline is the convex hull of its projected corners. OpenCV fills
the outlines, several samples a pixel, from the part with the farthest middle to the nearest (painter's algorithm).
So the silhouette does not depend on the order. Which of two links is in front can be wrong where they interlock, as at
a joint. The rest is numpy over many renders at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import cv2
import numpy as np

from astra_ros.camera.pinhole import PinholeCamera, checked_pose
from astra_ros.robot.kinematics import KinematicsError, LinkPoses, checked_positions
from astra_ros.robot.shapes import convex_parts

# Channels of a render.
COVERAGE, NEARNESS, CHAIN = 0, 1, 2
CHANNELS = 3
# OpenCV takes corners as integers with so many fractional bits.
SHIFT = 4
# Corners farther out than this (samples) are pulled in, so that they fit into 32 bits.
FAR_OUT = 2.0**16
# Renders made at a time, so that their samples stay in the processor's cache.
AT_A_TIME = 16


@dataclass(frozen=True)
class RendererSettings:
    """Settings of the renderer.

    Attributes:
        geometry, max_vertices, max_pieces: as in ``convex_parts``.
        near_m, far_m: depths that channel 1 shows as 1 and as 0.
        samples: along each side of a pixel, 1, 2, 4 or 8; 4 gives 16 levels of coverage.
        clip_m: shapes nearer to the camera's plane are cut off.
    """

    geometry: str = "visual"
    near_m: float = 0.5
    far_m: float = 3.0
    samples: int = 4
    max_vertices: int = 64
    max_pieces: int = 4
    clip_m: float = 0.01

    def __post_init__(self) -> None:
        if not 0.0 < self.near_m < self.far_m:
            raise ValueError(f"near_m is {self.near_m}, far_m {self.far_m}; expected 0 < near_m < far_m")
        if self.samples not in (1, 2, 4, 8) or self.clip_m <= 0.0:
            raise ValueError(f"samples is {self.samples}, clip_m {self.clip_m}; expected 1, 2, 4 or 8, and > 0")
        if self.max_vertices < 8 or self.max_pieces < 1:
            found = f"max_vertices is {self.max_vertices}, max_pieces {self.max_pieces}"
            raise ValueError(f"{found}; expected >= 8 and >= 1")


class _View(NamedTuple):
    """What N renders of P parts show."""

    seen: np.ndarray  # [N, P] parts that are in the image
    near: np.ndarray  # [N, P] parts that reach behind the camera's plane
    rows: slice  # of the pixels around all that is seen
    columns: slice


class RobotRenderer:
    """Renders one robot for one camera, for any number of joint positions at once.

    Args:
        urdf, joint_names, held: as in ``LinkPoses``.
        camera: of the render, with its size.
        base_pose: [4, 4] pose of the URDF's root link in the camera's world, m.

    Attributes:
        chain_code: link name -> its value in channel 2, in (0, 1]:
            (1 + moving joints before the link) / (1 + the largest number of any link that is rendered).
        parts: the rendered parts, as ``shapes.convex_parts`` returns them, base first.

    Raises:
        KinematicsError: the description cannot be used, or a mesh is missing.
    """

    def __init__(
        self,
        urdf: str | bytes,
        joint_names: Sequence[str],
        camera: PinholeCamera,
        base_pose=None,
        held: Mapping[str, float] | None = None,
        settings: RendererSettings = RendererSettings(),
    ) -> None:
        self.camera = camera
        self.settings = settings
        self.poses = LinkPoses(urdf, joint_names, held)
        self.joint_names = self.poses.joint_names
        world_from_base = checked_pose(np.eye(4) if base_pose is None else base_pose, "base_pose")
        parts = convex_parts(self.poses.robot, settings.geometry, settings.max_vertices, settings.max_pieces)
        depth = dict(zip(self.poses.link_names, self.poses.chain_depth))
        deepest = max(depth[part.link] for part in parts)
        self.chain_code = {p.link: float((1 + depth[p.link]) / (1 + deepest)) for p in parts}
        parts.sort(key=lambda part: self.poses.link_names.index(part.link))
        self.parts = tuple(parts)
        self._codes = np.array([self.chain_code[p.link] for p in parts], dtype=np.float32)
        counts = [len(part.vertices) for part in parts]
        self._starts = np.cumsum([0, *counts])
        self._counts = np.array(counts, dtype=np.float32)
        # Per rendered link: its index, and the corners [4, V] of all its parts.
        self._links: list[tuple[int, slice, np.ndarray]] = []
        for index, name in enumerate(self.poses.link_names):
            mine = [i for i, part in enumerate(parts) if part.link == name]
            if mine:
                corners = np.vstack([parts[i].vertices for i in mine]).T
                where = slice(self._starts[mine[0]], self._starts[mine[-1] + 1])
                corners = np.vstack([corners, np.ones(corners.shape[1])]).astype(np.float32)
                self._links.append((index, where, corners))
        # Project straight to samples: pixel u covers the samples u * s to u * s + s - 1.
        fine = camera.resized(camera.width * settings.samples, camera.height * settings.samples)
        self._projection = fine.matrix @ world_from_base

    def draw(self, positions) -> np.ndarray:
        """Renders of the robot for joint positions [..., J].

        Returns:
            uint8 [..., 3, height, width], 255 standing for 1:

            0. coverage: the share of the pixel that the robot covers;
            1. nearness of the nearest surface, times coverage. It is linear in inverse depth: 1 at
               ``near_m`` or nearer, 0 at ``far_m`` or farther. A part's surface is taken as flat;
            2. chain: the part of the arm in front (``chain_code``), times coverage.

            Pixels without the robot are 0. A robot behind the camera is not rendered.

        Raises:
            KinematicsError: the last dimension is not J, or a position is not finite.
        """
        positions = checked_positions(positions, self.joint_names)
        if not np.isfinite(positions).all():
            raise KinematicsError("they hold NaN or infinity; expected finite numbers", thing="joint positions")
        rows = positions.reshape(int(np.prod(positions.shape[:-1])), positions.shape[-1])
        # Plans begin at the same positions, and some stand still: equal rows are rendered once.
        first: dict[bytes, int] = {}
        sources = np.array([first.setdefault(row.tobytes(), index) for index, row in enumerate(rows)], int)
        drawn, copied = np.array(list(first.values()), int), np.flatnonzero(sources != np.arange(len(rows)))
        poses = self.poses(rows[drawn])
        shape = (CHANNELS, self.camera.height, self.camera.width)
        renders = np.empty((len(rows), *shape), dtype=np.uint8)
        for start in range(0, len(drawn), AT_A_TIME):
            renders[drawn[start : start + AT_A_TIME]] = self._draw(poses[start : start + AT_A_TIME])
        renders[copied] = renders[sources[copied]]
        return renders.reshape(positions.shape[:-1] + shape)

    def _draw(self, poses: np.ndarray) -> np.ndarray:
        """uint8 [N, 3, h, w] of link poses [N, L, 4, 4]."""
        image = self._project(poses)
        depth = np.maximum(image[:, 2], self.settings.clip_m)
        corners = np.clip(image[:, :2] / depth[:, None], -FAR_OUT, FAR_OUT)
        mean = np.add.reduceat(depth, self._starts[:-1], axis=1) / self._counts
        order = np.argsort(-mean, axis=1, kind="stable")
        view = self._view(image, corners)
        renders = np.zeros((len(poses), CHANNELS, self.camera.height, self.camera.width), dtype=np.uint8)
        if view.seen.any():
            labels = self._fill(image, corners, order, view)
            planes = _planes(corners, 1.0 / depth, self._starts)
            renders[:, :, view.rows, view.columns] = self._shade(labels, order, planes, view)
        return renders

    def _project(self, poses: np.ndarray) -> np.ndarray:
        """Corners of all parts: float32 [N, 3, V], (u * depth, v * depth, depth) in samples."""
        cameras = (self._projection @ poses).astype(np.float32)
        image = np.empty((len(poses), 3, self._starts[-1]), dtype=np.float32)
        for index, where, vertices in self._links:
            np.matmul(cameras[:, index], vertices, out=image[:, :, where])
        return image

    def _view(self, image: np.ndarray, corners: np.ndarray) -> _View:
        """What is in the image; arguments as of ``_fill``."""
        samples, starts, clip_m = self.settings.samples, self._starts[:-1], self.settings.clip_m
        size = np.array([self.camera.width, self.camera.height])
        low, high = np.minimum.reduceat(corners, starts, axis=2), np.maximum.reduceat(corners, starts, axis=2)
        near = np.minimum.reduceat(image[:, 2], starts, axis=1) < clip_m
        seen = np.all((high > -1.0) & (low < samples * size[:, None]), axis=1) | near
        seen &= np.maximum.reduceat(image[:, 2], starts, axis=1) >= clip_m
        first, end = np.zeros(2, int), size
        if seen.any() and not (near & seen).any():  # those that are cut may be anywhere
            shown = np.repeat(seen[:, None], 2, axis=1)
            low, high = low.min((0, 2), where=shown, initial=FAR_OUT), high.max((0, 2), where=shown, initial=-FAR_OUT)
            first = np.maximum(np.floor(low / samples).astype(int) - 1, 0)
            end = np.minimum(np.ceil(high / samples).astype(int) + 2, size)
        columns, rows = (slice(*ends) for ends in zip(first.tolist(), end.tolist()))
        return _View(seen, near, rows, columns)

    def _fill(self, image: np.ndarray, corners: np.ndarray, order: np.ndarray, view: _View) -> np.ndarray:
        """The part in each sample of a view: [N, rows, columns], 0 for none or 1 + the part's place in ``order``.

        Args:
            image: [N, 3, V] as from ``_project``.
            corners: [N, 2, V] samples.
            order: [N, P] parts, the farthest first.
        """
        samples, starts = self.settings.samples, self._starts
        points = np.rint(corners * (1 << SHIFT)).astype(np.int32).transpose(0, 2, 1).reshape(-1, 2)
        of, places = np.nonzero(np.take_along_axis(view.seen, order, axis=1))
        parts = order[of, places]
        first = of * starts[-1] + starts[parts]
        ends, cut = first + np.diff(starts)[parts], view.near[of, parts]
        shown = [points[start:end] for start, end in zip(first.tolist(), ends.tolist())]
        for k in np.flatnonzero(cut):
            shown[k] = _clipped(image[of[k], :, starts[parts[k]] : starts[parts[k] + 1]], self.settings.clip_m)
        first_pixel = np.array([view.columns.start, view.rows.start], dtype=np.int32)
        outlines = _outlines(shown, first_pixel * samples << SHIFT)
        size = samples * (view.rows.stop - view.rows.start), samples * (view.columns.stop - view.columns.start)
        labels = np.zeros((len(image), *size), dtype=np.uint8 if order.shape[1] < 256 else np.uint16)
        canvases = list(labels)
        for n, label, outline in zip(of.tolist(), (places + 1).tolist(), outlines):
            cv2.fillConvexPoly(canvases[n], outline, label, cv2.LINE_8, SHIFT)
        return labels

    def _shade(self, labels: np.ndarray, order: np.ndarray, planes: np.ndarray, view: _View) -> np.ndarray:
        """uint8 [N, 3, rows, columns] of the samples' labels in a view; ``planes`` [N, P, 3] as from ``_planes``."""
        samples, settings = self.settings.samples, self.settings
        # Nearer parts have higher labels, so the highest label of a pixel is the part in front.
        front = _highest(labels, samples)
        hits = _hits(labels, samples)
        near, far = 1.0 / settings.near_m, 1.0 / settings.far_m
        planes = np.take_along_axis(planes, order[..., None], axis=1)
        planes[..., 2] -= far
        planes /= near - far
        # One table per render, indexed by label: slopes, value at (0, 0), chain code.
        tables = np.zeros((len(labels), 4, max(256, order.shape[1] + 1)), dtype=np.float32)
        tables[:, :3, 1 : order.shape[1] + 1] = planes.transpose(0, 2, 1)
        tables[:, 3, 1 : order.shape[1] + 1] = self._codes[order]
        middle = (samples - 1) / 2
        x = (np.arange(self.camera.width)[view.columns] * samples + middle).astype(np.float32)
        y = (np.arange(self.camera.height)[view.rows] * samples + middle).astype(np.float32)[:, None]
        amount = hits * np.float32(255.0 / samples**2)
        renders = np.empty((len(labels), CHANNELS, *hits.shape[1:]), dtype=np.uint8)
        renders[:, COVERAGE] = amount + 0.5
        for n, table in enumerate(tables):
            along_u, along_v, value, code = (_look_up(front[n], row) for row in table)
            along_u *= x
            along_v *= y
            value += along_u
            value += along_v
            np.clip(value, 0.0, 1.0, out=value)
            value *= amount[n]
            code *= amount[n]
            renders[n, NEARNESS] = value + 0.5
            renders[n, CHAIN] = code + 0.5
        return renders


def _highest(labels: np.ndarray, samples: int) -> np.ndarray:
    """The highest label of each pixel, [N, h, w], of labels [N, h * samples, w * samples]."""
    rows = reduce(np.maximum, [labels[:, i::samples] for i in range(samples)])
    return reduce(np.maximum, [rows[:, :, i::samples] for i in range(samples)])


def _hits(labels: np.ndarray, samples: int) -> np.ndarray:
    """How many samples of each pixel are covered, [N, h, w], of labels [N, h * samples, w * samples]."""
    inside = (labels > 0).view(np.uint8)
    rows = inside[:, ::samples].copy()
    for i in range(1, samples):
        rows += inside[:, i::samples]
    # The bytes of a pixel, read as one number: this product has their sum as its highest byte.
    wide = rows.view(f"u{samples}")
    return (wide * wide.dtype.type(0x0101010101010101 >> 8 * (8 - samples)) >> 8 * (samples - 1)).astype(np.uint8)


def _look_up(labels: np.ndarray, table: np.ndarray) -> np.ndarray:
    """float32 [h, w]: ``table[labels]``; OpenCV is faster for bytes."""
    return cv2.LUT(labels, table) if labels.dtype == np.uint8 else table[labels]


def _planes(corners: np.ndarray, inverse: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Each part's front as a plane, on which inverse depth is linear in the image.

    It is a least squares fit through the part's corners, moved forward by the mean distance of the corners in front.

    Args:
        corners: [N, 2, V] samples.
        inverse: [N, V] 1/m.
        starts: [P + 1] where each part's corners start.

    Returns:
        float32 [N, P, 3]: slopes along u and v, 1/m per sample, and inverse depth at (0, 0), 1/m.
    """
    counts = np.diff(starts).astype(np.float32)

    def total(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, starts[:-1], axis=1)

    def spread(values: np.ndarray) -> np.ndarray:
        return np.repeat(values, np.diff(starts), axis=1)

    u, v = corners[:, 0], corners[:, 1]
    u0, v0, middle = total(u) / counts, total(v) / counts, total(inverse) / counts
    du, dv, rise = u - spread(u0), v - spread(v0), inverse - spread(middle)
    # The counts bound the tilt of a part that is seen edge on or is a point.
    uu, uv, vv = total(du * du) + counts, total(du * dv), total(dv * dv) + counts
    ru, rv = total(du * rise), total(dv * rise)
    square = uu * vv - uv * uv
    along_u, along_v = (ru * vv - rv * uv) / square, (rv * uu - ru * uv) / square
    left = rise - spread(along_u) * du - spread(along_v) * dv
    before = left > 0.0
    middle += total(left * before) / np.maximum(total(before.astype(np.float32)), 1.0)
    return np.stack([along_u, along_v, middle - along_u * u0 - along_v * v0], axis=2)


def _clipped(image: np.ndarray, clip_m: float) -> np.ndarray:
    """Corners int32 [V', 2] of a part [3, V] as from ``_project``, cut at the plane of depth ``clip_m``."""
    before, behind = image[:, image[2] >= clip_m], image[:, image[2] < clip_m]
    # The points where the lines between all corners before and all corners behind meet the plane. They include the
    # corners of the cut and lie inside the part.
    share = (before[2, :, None] - clip_m) / (before[2, :, None] - behind[2, None, :])
    met = before[:, :, None] + share * (behind[:, None, :] - before[:, :, None])
    points = np.concatenate([before, met.reshape(3, -1)], axis=1)
    points = np.clip(points[:2] / np.maximum(points[2], clip_m), -FAR_OUT, FAR_OUT)
    return np.rint(points.T * (1 << SHIFT)).astype(np.int32)


def _outlines(shapes: list[np.ndarray], origin: np.ndarray) -> list[np.ndarray]:
    """Outlines int32 [V', 2] of the points [V, 2] of each shape, counted from an origin [2].

    ``fillConvexPoly`` fills every sample that an outline comes nearest to: half a sample too far along x or y,
    whichever is steeper to the side. So each side is moved inwards by the half sample.
    """
    outlines = [cv2.convexHull(points) for points in shapes]
    ends = np.cumsum([len(outline) for outline in outlines])
    starts = np.concatenate([[0], ends[:-1]])
    points = np.concatenate(outlines)[:, 0].astype(np.float32)
    following, before = np.arange(1, len(points) + 1), np.arange(-1, len(points) - 1)
    following[ends - 1], before[starts] = starts, ends - 1
    side = points[following] - points
    length = np.maximum(np.hypot(side[:, 0], side[:, 1]), 1e-6)
    # cv2.convexHull walks so that this points inwards.
    normal = np.stack([-side[:, 1], side[:, 0]], axis=1) / length[:, None]
    by = np.abs(normal).max(axis=1) * (1 << SHIFT) / 2
    bend = 1.0 + (normal * normal[before]).sum(axis=1)
    move = (by + by[before]) / 2 / np.maximum(bend, 0.2)
    points = np.rint(points + move[:, None] * (normal + normal[before])).astype(np.int32) - origin
    return [points[start:end] for start, end in zip(starts.tolist(), ends.tolist())]
