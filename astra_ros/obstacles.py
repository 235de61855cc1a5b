"""Obstacles that are known beforehand: shapes with a size and a pose, read from a YAML file.

The file has one key, `obstacles`, with a list. An entry has one shape, named as in URDF, and a pose in the robot's base
frame (the root link of its description), in metres and radians::

    obstacles:
      - {name: table, box: [1.5, 2.0, 0.06], xyz: [0.35, 0, -0.03]}          # full lengths along x, y, z
      - {name: post, cylinder: {radius: 0.04, length: 0.15}, xyz: [0.5, 0.1, 0.075], rpy: [0, 0, 0]}
      - {name: ball, sphere: {radius: 0.1}, xyz: [0.6, -0.3, 0.1]}
      - {name: shelf, mesh: {filename: "package://my_cell/shelf.stl", scale: [1, 1, 1]}, xyz: [0, 1, 0]}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from astra_ros.errors import UserError
from astra_ros.rotations import from_rpy
from astra_ros.texts import one_line, short

BOX, CYLINDER, SPHERE, MESH, POINTS = "box", "cylinder", "sphere", "mesh", "points"
# Shapes of a file -> the numbers of their size. A message also brings points, whose convex hull is the obstacle.
SIZES = {BOX: 3, CYLINDER: 2, SPHERE: 1, MESH: 3}
KEYS = {CYLINDER: ("radius", "length"), SPHERE: ("radius",), MESH: ("filename", "scale")}


class ObstacleError(UserError, ValueError):
    """An obstacle, or a file of obstacles, cannot be used. ``thing`` is the file or the obstacle's name."""


@dataclass(frozen=True, eq=False)
class KnownObstacle:
    """A body that stands still.

    Attributes:
        shape: "box" (size: full lengths along x, y, z), "cylinder" (radius, length along z), "sphere" (radius),
            "mesh" (size: scale along x, y, z; each convex piece of it counts) or "points" (size: empty).
        size: m; factors for a mesh.
        xyz: [3] m, in the robot's base frame.
        quaternion: [4] x y z w, any length above 0.
        mesh: name of the mesh file as in a URDF: an absolute path, file:// or package://.
        points: float64 [V, 3] m in the obstacle's own frame, whose convex hull is the obstacle.

    Raises:
        ObstacleError: on creation, for an unknown shape or numbers that cannot be used.
    """

    name: str
    shape: str
    size: tuple[float, ...] = ()
    xyz: tuple[float, ...] = (0.0, 0.0, 0.0)
    quaternion: tuple[float, ...] = (0.0, 0.0, 0.0, 1.0)
    mesh: str = ""
    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)), repr=False)

    def __post_init__(self) -> None:
        if self.shape not in {*SIZES, POINTS}:
            raise self._error(f"its shape is '{short(self.shape)}'", f"give one of {', '.join(SIZES)}")
        if len(self.size) != SIZES.get(self.shape, 0):
            raise self._error(f"its size is {list(self.size)}", f"give {SIZES.get(self.shape, 0)} numbers")
        if not all(np.isfinite(value) and value > 0.0 for value in self.size):
            raise self._error(f"its size is {list(self.size)}", "give numbers above 0, in metres")
        if len(self.xyz) != 3 or not np.isfinite(self.xyz).all():
            raise self._error(f"its position is {list(self.xyz)}", "give three finite numbers, in metres")
        if len(self.quaternion) != 4 or not 1e-9 < np.linalg.norm(self.quaternion) < np.inf:
            raise self._error(f"its orientation is {list(self.quaternion)}", "give a quaternion x y z w")
        if self.shape == POINTS and not (self.points.shape[0] > 3 and np.isfinite(self.points).all()):
            raise self._error(f"it has {len(self.points)} points", "give at least four finite ones")

    def _error(self, problem: str, cure: str) -> ObstacleError:
        return ObstacleError(problem, thing=f"obstacle '{short(self.name)}'", cure=cure)


def read_obstacles(path: str | Path) -> tuple[KnownObstacle, ...]:
    """The obstacles of a YAML file, see the head of this module. Raises ObstacleError."""
    cure = "give a YAML file with the key 'obstacles'"
    try:
        content = yaml.safe_load(Path(path).read_bytes())
    except OSError as error:
        raise ObstacleError(f"it cannot be read: {error.strerror or error}", thing=path, cure=cure) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ObstacleError(f"it is not YAML: {short(one_line(error), 200)}", thing=path, cure="correct it") from error
    entries = content.get("obstacles") if isinstance(content, Mapping) and len(content) == 1 else None
    if not isinstance(entries, list):
        raise ObstacleError("it has not the one key 'obstacles' with a list", thing=path, cure=cure)
    obstacles = [_obstacle(index, entry) for index, entry in enumerate(entries)]
    names = [each.name for each in obstacles]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ObstacleError(f"the name '{short(repeated[0])}' repeats", thing=path, cure="give each obstacle its own")
    return tuple(obstacles)


def _obstacle(index: int, entry: Any) -> KnownObstacle:
    thing = f"obstacle {index}"
    if not isinstance(entry, Mapping):
        raise ObstacleError("it is not a group of keys", thing=thing, cure="give name, a shape, xyz and perhaps rpy")
    name = str(entry.get("name", f"obstacle {index}"))
    thing = f"obstacle '{short(name)}'"
    shapes = [key for key in entry if key not in ("name", "xyz", "rpy")]
    if len(shapes) != 1 or shapes[0] not in SIZES:
        found = f"it has the keys {', '.join(map(str, entry)) or '(none)'}"
        raise ObstacleError(found, thing=thing, cure=f"give one of {', '.join(SIZES)}, with name, xyz and rpy")
    shape, given = str(shapes[0]), entry[shapes[0]]
    mesh = ""
    if keys := KEYS.get(shape):
        if not isinstance(given, Mapping) or not set(given) <= set(keys):
            raise ObstacleError(f"its {shape} is {short(given)}", thing=thing, cure=f"give {' and '.join(keys)}")
        if shape == MESH:
            mesh, given = str(given.get("filename", "")), given.get("scale", [1.0, 1.0, 1.0])
        else:
            given = [given.get(key) for key in keys]
    size = _numbers(thing, shape, given)
    xyz, rpy = (_numbers(thing, key, entry.get(key, [0.0, 0.0, 0.0])) for key in ("xyz", "rpy"))
    if len(rpy) != 3:
        raise ObstacleError(f"rpy has {len(rpy)} numbers", thing=thing, cure="give roll, pitch and yaw, in radians")
    return KnownObstacle(name, shape, size, xyz, from_rpy(rpy), mesh)


def _numbers(thing: str, what: str, values: Any) -> tuple[float, ...]:
    try:
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise ObstacleError(f"{what} is {short(values)}", thing=thing, cure="give numbers") from None
    if not np.isfinite(found).all():
        raise ObstacleError(f"{what} is {list(found)}", thing=thing, cure="give finite numbers")
    return found
