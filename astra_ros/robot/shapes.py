"""The shape of a robot as few convex parts: boxes, cylinders, spheres and meshes of its URDF.

The outline of a convex part is the convex hull of its projected corners, which makes ``RobotRenderer`` fast. A mesh
that is not convex is cut by planes where that saves most volume (a greedy form of approximate convex decomposition,
Lien and Amato 2007), and each piece becomes its hull. Cutting takes up to some seconds a robot, so the pieces are kept
on disk (``robot/shape_cache.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from astra_ros.robot import shape_cache
from astra_ros.robot.kinematics import KinematicsError
from astra_ros.robot.meshes import MeshError, mesh_file, read_mesh, y_up_notes

# Version of the code that cuts meshes. Increase it when pieces change, so that stored ones are made anew.
ALGORITHM = 1

# Where a piece may be cut: at these fractions of its extent along each axis.
CUTS = (0.2, 0.35, 0.5, 0.65, 0.8)
# A cut must save at least this fraction of the whole mesh's hull.
LEAST_GAIN = 0.03
# Mesh vertices nearer to each other than this fraction of the mesh's size are one vertex: when a mesh is cut, and when
# the place of a cut is searched.
MERGE, MERGE_COARSE = 1 / 200, 1 / 40
# Corners of the polygon that stands for a circle. 24 lose 0.9 % of the radius at most.
CIRCLE = 24
# Plausible lengths of a part's longest side, m; the larger one also limits the distance from its link's origin.
LEAST_M, MOST_M = 1e-4, 20.0


_Mesh = tuple[np.ndarray, np.ndarray]  # vertices [V, 3] m, faces [F, 3]


@dataclass(frozen=True)
class ConvexPart:
    """One convex piece of a link.

    Attributes:
        vertices: float64 [V, 3] m, in the frame of the link; the part is their convex hull.
        shape: the shape that it is a piece of: "box", "mesh 'package://arm/link.dae'".
    """

    link: str
    vertices: np.ndarray
    shape: str = ""


class BrokenMeshes(KinematicsError):
    """Mesh files of a description are missing or cannot be read. ``link`` and ``found`` are of the first.

    Args:
        broken: name in the description -> link, problem and cure.
    """

    def __init__(self, broken: Mapping[str, tuple[str, str, str]]) -> None:
        meshes, (link, found, cure) = list(broken), next(iter(broken.values()))
        text = f"the mesh '{meshes[0]}' of link '{link}' cannot be read: {found}"
        if more := meshes[1:]:
            listed = ", ".join(f"'{name}'" for name in more[:3]) + (", ..." if len(more) > 3 else "")
            text += f"; {len(more)} more cannot be read either: {listed}"
        super().__init__(text, cure)
        self.meshes, self.link, self.found = tuple(meshes), link, found


def convex_parts(robot, geometry: str = "visual", max_vertices: int = 64, max_pieces: int = 4) -> list[ConvexPart]:
    """The parts of all links.

    Args:
        robot: as ``parse_urdf`` returns it.
        geometry: "visual" or "collision".
        max_vertices: of a part made from a mesh; a larger hull is thinned out.
        max_pieces: of a mesh; 1 takes the hull of the whole mesh.

    Raises:
        BrokenMeshes: meshes cannot be found or read.
        KinematicsError: there is no shape of that kind, or one holds NaN or infinity.
    """
    if geometry not in ("visual", "collision"):
        raise ValueError(f"geometry is '{geometry}'; expected 'visual' or 'collision'")
    parts: list[ConvexPart] = []
    broken: dict[str, tuple[str, str, str]] = {}
    for link, shape in _shapes(robot, geometry):
        origin = np.eye(4) if shape.origin is None else np.asarray(shape.origin, np.float64)
        kind = _kind(shape.geometry)
        try:
            with np.errstate(invalid="ignore"):  # infinity is refused below
                pieces = _pieces(shape.geometry, max_vertices, max_pieces)
                moved = [corners @ origin[:3, :3].T + origin[:3, 3] for corners in pieces]
        except MeshError as error:
            broken.setdefault(error.mesh, (link, error.found, error.cure))
            continue
        if not all(np.isfinite(corners).all() for corners in moved):
            problem = f"the {kind} of link '{link}' has a size, scale or origin that is not finite"
            raise KinematicsError(problem, "correct it")
        parts += [ConvexPart(link, corners, kind) for corners in moved]
    if broken:
        raise BrokenMeshes(broken)
    if not parts:
        cure = "give the full description, or choose the other geometry"
        raise KinematicsError(f"no link has a {geometry} shape to render", cure)
    return parts


def check_meshes(robot, geometry: str = "visual") -> None:
    """Raises BrokenMeshes where mesh files of a robot are missing. They are not read."""
    broken: dict[str, tuple[str, str, str]] = {}
    for link, shape in _shapes(robot, geometry):
        if shape.geometry.mesh is not None:
            try:
                mesh_file(shape.geometry.mesh.filename)
            except MeshError as error:
                broken.setdefault(error.mesh, (link, error.found, error.cure))
    if broken:
        raise BrokenMeshes(broken)


def mesh_notes(robot, geometry: str = "visual") -> list[str]:
    """Notes on meshes that other programs may show differently."""
    meshes = [shape.geometry.mesh for _, shape in _shapes(robot, geometry)]
    return y_up_notes(mesh.filename for mesh in meshes if mesh is not None)


def odd_sizes(parts: Sequence[ConvexPart]) -> list[str]:
    """A text for each shape that is implausibly large, small or far from its link's origin.

    A wrong unit or scale is the likely cause, such as millimetres read as metres.
    """
    texts = []
    shapes: dict[tuple[str, str], list[np.ndarray]] = {}
    for part in parts:
        shapes.setdefault((part.link, part.shape), []).append(part.vertices)
    for (link, shape), pieces in shapes.items():
        corners = np.concatenate(pieces)
        size = float(np.ptp(corners, axis=0).max())
        away = float(np.linalg.norm(corners, axis=1).max())
        if not LEAST_M <= size <= MOST_M:
            found = f"is {size:.3g} m large"
        elif away > MOST_M:
            found = f"reaches {away:.3g} m from the link's origin"
        else:
            continue
        cure = "check the unit in the file and the description's scale and origin"
        texts.append(f"link '{link}': its {shape} {found}; {cure}")
    return texts


def _shapes(robot, geometry: str):
    """(name of the link, visual or collision element) of all links, where it has a geometry."""
    for link in robot.links:
        for shape in link.visuals if geometry == "visual" else link.collisions:
            if shape.geometry is not None:
                yield link.name, shape


def _kind(shape) -> str:
    """A URDF geometry in words."""
    if shape.mesh is not None:
        return f"mesh '{shape.mesh.filename}'"
    kinds = ("box", "cylinder", "sphere")
    return next((kind for kind in kinds if getattr(shape, kind) is not None), "shape")


def _pieces(shape, max_vertices: int, max_pieces: int) -> list[np.ndarray]:
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
    scale = 1.0 if shape.mesh.scale is None else np.asarray(shape.mesh.scale, dtype=np.float64)
    return mesh_pieces(shape.mesh.filename, scale, max_vertices, max_pieces)


def mesh_pieces(name: str, scale, max_vertices: int = 64, max_pieces: int = 4) -> list[np.ndarray]:
    """Convex pieces [V, 3] m of a mesh, in its own frame; see `convex_parts`.

    Args:
        name: as a robot description names it.
        scale: factor, or factors along x, y and z.

    Raises:
        MeshError: it is missing or cannot be read.
    """
    path = mesh_file(name)
    try:
        pieces = _mesh_pieces(str(path), path.stat().st_mtime_ns, max_vertices, max_pieces)
    except Exception as error:  # trimesh's loaders raise many kinds for broken files
        what = str(error)
        if not what or not isinstance(error, (ValueError, OSError, ImportError)):
            what = f"{type(error).__name__}: {what}"
        replace = "replace the file, or leave it out of the description"
        cure = "install that package" if isinstance(error, ImportError) else replace
        raise MeshError(name, what, cure) from error
    return [piece * scale for piece in pieces]


@lru_cache(maxsize=256)
def _mesh_pieces(path: str, _changed: int, max_vertices: int, max_pieces: int) -> list[np.ndarray]:
    """Convex pieces [V, 3] m of a mesh file, unscaled. Each file is cut once per user, and read once per process."""
    key = shape_cache.key_of(Path(path), _cutting(max_vertices, max_pieces))
    pieces = None if key is None else shape_cache.load(key)
    if pieces is None:
        pieces = _cut(*read_mesh(Path(path)), max_vertices, max_pieces)
        if key is not None:
            shape_cache.store(key, pieces)
    return pieces


def _cutting(max_vertices: int, max_pieces: int) -> tuple:
    """Everything except the file that the pieces of a mesh depend on."""
    readers = []
    for name in ("trimesh", "pycollada", "scipy"):
        try:
            readers.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # pycollada reads COLLADA only
            readers.append(name)
    return (ALGORITHM, CUTS, LEAST_GAIN, MERGE, MERGE_COARSE, max_vertices, max_pieces, *readers)


def _cut(vertices: np.ndarray, faces: np.ndarray, max_vertices: int, max_pieces: int) -> list[np.ndarray]:
    """At most ``max_pieces`` convex pieces [V, 3] of a mesh [V, 3], [F, 3]."""
    pieces = [_merged(vertices, faces, MERGE)]
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
        # the last pieces are not cut again
        cuts += [_best_cut(*half) if len(pieces) < max_pieces else (0.0, 0, 0.0) for half in halves]
    return [_thinned(vertices, max_vertices) for vertices, _ in pieces]


def _merged(vertices: np.ndarray, faces: np.ndarray, fraction: float) -> _Mesh:
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
    """The best cut: (volume that it saves, axis, place along the axis). It saves 0 when no cut helps."""
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


def _half(vertices: np.ndarray, faces: np.ndarray, axis: int, place: float, side: float) -> _Mesh:
    """The part of a mesh beyond a plane across an axis (side 1), or before it (-1)."""
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
    """The corners of the hull of [V, 3], at most ``most``: those that shape its outline."""
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
