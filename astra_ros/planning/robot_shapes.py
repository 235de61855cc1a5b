"""What a robot looks like, as few convex parts: boxes, cylinders, spheres and meshes of its URDF.

The outline of a convex part is the convex hull of its projected corners, which is what makes
``robot_drawing`` fast. A mesh that is not convex is cut by planes where that saves most volume (a
greedy form of approximate convex decomposition, Lien and Amato 2007), and each piece becomes its
hull.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from astra_ros.planning.kinematics import KinematicsError

# Where a piece may be cut: at these fractions of its extent along each axis.
CUTS = (0.2, 0.35, 0.5, 0.65, 0.8)
# A cut must save at least this fraction of the whole mesh's hull.
LEAST_GAIN = 0.03
# Mesh vertices nearer to each other than this fraction of the mesh's size are one vertex: when a
# mesh is cut, and when the place of a cut is sought.
MERGE, MERGE_COARSE = 1 / 200, 1 / 40
# Corners of the polygon that stands for a circle. 24 lose 0.9 % of the radius at most.
CIRCLE = 24


@dataclass(frozen=True)
class ConvexPart:
    """One convex piece of a link.

    Attributes:
        link: its name.
        vertices: float64 [V, 3] m, in the frame of the link; the part is their convex hull.
    """

    link: str
    vertices: np.ndarray


def convex_parts(
    robot, geometry: str = "visual", max_vertices: int = 64, max_pieces: int = 4
) -> list[ConvexPart]:
    """The parts of all links.

    Args:
        robot: as ``kinematics.parse_urdf`` returns it.
        geometry: "visual" or "collision".
        max_vertices: of a part that comes from a mesh; a hull with more is thinned out.
        max_pieces: of a mesh; 1 takes the hull of the whole mesh.

    Raises:
        KinematicsError: a mesh cannot be found or read, or there is no shape of that kind.
        ValueError: ``geometry`` is something else.
    """
    if geometry not in ("visual", "collision"):
        raise ValueError(f"geometry is '{geometry}'; expected 'visual' or 'collision'")
    parts = []
    for link in robot.links:
        for shape in link.visuals if geometry == "visual" else link.collisions:
            if shape.geometry is None:
                continue
            origin = np.eye(4) if shape.origin is None else np.asarray(shape.origin, np.float64)
            for corners in _pieces(shape.geometry, link.name, max_vertices, max_pieces):
                moved = corners @ origin[:3, :3].T + origin[:3, 3]
                parts.append(ConvexPart(link.name, moved))
    if not parts:
        raise KinematicsError(
            f"robot description: no link has a {geometry} shape, so there is nothing to draw; give "
            "the full description, or choose the other kind of geometry"
        )
    return parts


def mesh_file(name: str) -> Path:
    """The file behind a mesh name of a URDF.

    ``file://`` URLs and absolute paths are taken as they are; ``package://`` is looked up in the
    ament index, that is in ``share/`` of the folders in the environment's ``AMENT_PREFIX_PATH``.

    Raises:
        FileNotFoundError: the message says where it was looked for.
    """
    if name.startswith("package://"):
        package, _, inside = name.removeprefix("package://").partition("/")
        prefixes = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
        places = [Path(prefix) / "share" / package / inside for prefix in prefixes]
        hint = f"looked in share/{package} of AMENT_PREFIX_PATH={os.pathsep.join(prefixes)}"
    else:
        path = name.removeprefix("file://")
        places = [Path(path), Path(unquote(path))]
        hint = "no such file"
        if not places[0].is_absolute():
            places = []
            hint = "a relative name; expected file:///..., package://... or an absolute path"
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(hint)


def _pieces(shape, link: str, max_vertices: int, max_pieces: int) -> list[np.ndarray]:
    """Convex pieces [V, 3] m of one URDF geometry, in the frame of its own origin."""
    if shape.box is not None:
        half = np.asarray(shape.box.size, dtype=np.float64) / 2
        signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij")).reshape(3, -1).T
        return [signs * half]
    if shape.cylinder is not None:
        angle = 2 * np.pi * np.arange(CIRCLE) / CIRCLE
        ring = shape.cylinder.radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        half = shape.cylinder.length / 2
        return [np.vstack([np.insert(ring, 2, z, axis=1) for z in (-half, half)])]
    if shape.sphere is not None:
        return [shape.sphere.radius * _directions(3 * CIRCLE)]
    if shape.mesh is None:
        return []
    name = shape.mesh.filename
    try:
        path = mesh_file(name)
        pieces = _mesh_pieces(str(path), path.stat().st_mtime_ns, max_vertices, max_pieces)
    except Exception as error:  # trimesh's loaders raise many kinds for broken files
        raise KinematicsError(
            f"robot description: the mesh '{name}' of link '{link}' cannot be read: {error}"
        ) from error
    scale = 1.0 if shape.mesh.scale is None else np.asarray(shape.mesh.scale, dtype=np.float64)
    return [piece * scale for piece in pieces]


@lru_cache(maxsize=256)
def _mesh_pieces(path: str, _changed: int, max_vertices: int, max_pieces: int) -> list[np.ndarray]:
    """Convex pieces [V, 3] of a mesh file, unscaled. Each file is cut once per process."""
    import trimesh  # comes with yourdfpy

    mesh = trimesh.load(path, force="mesh", process=False, skip_materials=True)
    if not len(getattr(mesh, "faces", ())):
        raise ValueError("it holds no triangles")
    pieces = [_merged(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces), MERGE)]
    least = LEAST_GAIN * _hull_volume(pieces[0][0])
    cuts = [_best_cut(*pieces[0])]
    while len(pieces) < max_pieces:
        index = int(np.argmax([gain for gain, *_ in cuts]))
        gain, axis, place = cuts[index]
        halves = [_half(*pieces[index], axis, place, side) for side in (1.0, -1.0)]
        if gain < least or min(len(half[1]) for half in halves) == 0:
            break
        del pieces[index], cuts[index]
        pieces += halves
        # the last pieces will not be cut again
        cuts += [_best_cut(*half) if len(pieces) < max_pieces else (0.0, 0, 0.0) for half in halves]
    return [_thinned(vertices, max_vertices) for vertices, _ in pieces]


def _merged(
    vertices: np.ndarray, faces: np.ndarray, fraction: float
) -> tuple[np.ndarray, np.ndarray]:
    """(vertices [V, 3], faces [F, 3]) with neighbours merged and faces without area dropped."""
    used, faces = np.unique(faces, return_inverse=True)
    vertices, faces = vertices[used], faces.reshape(-1, 3)
    low = vertices.min(axis=0)
    cell = max(np.ptp(vertices, axis=0).max() * fraction, 1e-9)
    x, y, z = np.rint((vertices - low) / cell).astype(np.int64).T
    _, first, where = np.unique((x << 40) | (y << 20) | z, return_index=True, return_inverse=True)
    faces = where.reshape(-1)[faces]
    sides = faces[:, [0, 1, 2]] != faces[:, [1, 2, 0]]
    return vertices[first], faces[sides.all(axis=1)]


def _best_cut(vertices: np.ndarray, faces: np.ndarray) -> tuple[float, int, float]:
    """(volume that it saves, axis, place along the axis); it saves 0 when no cut helps."""
    vertices, faces = _merged(vertices, faces, MERGE_COARSE)
    best = (0.0, 0, 0.0)
    if not len(faces):
        return best
    volume = _hull_volume(vertices)
    low, size = vertices.min(axis=0), np.ptp(vertices, axis=0)
    for axis in range(3):
        for fraction in CUTS:
            place = float(low[axis] + fraction * size[axis])
            halves = [_half(vertices, faces, axis, place, side) for side in (1.0, -1.0)]
            if min(len(half[1]) for half in halves):
                gain = volume - sum(_hull_volume(half[0]) for half in halves)
                best = max(best, (gain, axis, place))
    return best


def _half(
    vertices: np.ndarray, faces: np.ndarray, axis: int, place: float, side: float
) -> tuple[np.ndarray, np.ndarray]:
    """What of a mesh lies beyond a plane across an axis (side 1), or before it (-1)."""
    from trimesh.intersections import slice_faces_plane

    across = np.eye(3)[axis]
    vertices, faces, *_ = slice_faces_plane(vertices, faces, side * across, place * across)
    return vertices, faces


def _hull_volume(points: np.ndarray) -> float:
    """Volume of the convex hull of [V, 3]; 0 when it is flat."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        return float(ConvexHull(points[_extremes(points, 64)]).volume)
    except QhullError:
        return 0.0


def _thinned(points: np.ndarray, most: int) -> np.ndarray:
    """The corners of the hull of [V, 3]; of more than ``most``, those that make its outline."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        corners = points[np.sort(ConvexHull(points).vertices)]
    except QhullError:  # flat, or a line: the extremes are enough
        corners = points
    return corners if len(corners) <= most else corners[_extremes(corners, most)]


def _extremes(points: np.ndarray, count: int) -> np.ndarray:
    """Indices of at most ``count`` of [V, 3] points: the farthest in as many directions."""
    # Each axis counts alike, so that a long thin piece keeps its cross-section.
    size = np.ptp(points, axis=0)
    even = points / np.where(size > 1e-9, size, 1.0)
    return np.unique(np.argmax(even @ _directions(count).T, axis=0))


@lru_cache(maxsize=16)
def _directions(count: int) -> np.ndarray:
    """[count, 3] unit vectors spread evenly over the sphere (a Fibonacci lattice)."""
    z = 1.0 - (2.0 * np.arange(count) + 1.0) / count
    angle = np.pi * (1.0 + 5.0**0.5) * np.arange(count)
    radius = np.sqrt(1.0 - z**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)
