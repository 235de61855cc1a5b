"""Where an arm comes nearest to itself and to known obstacles along plans, by PyBullet's distances of convex bodies.

A plan is looked at in small steps of time. Distances are costly, so a pair of bodies is skipped while it cannot be the
nearest one: a body moves no further between two steps than the way of its centre plus its radius times the turn.
Nothing is missed by that (conservative advancement, Mirtich 1996), except what happens between two steps of time.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from astra_ros.obstacles import BOX, CYLINDER, MESH, SPHERE, KnownObstacle, ObstacleError
from astra_ros.robot.kinematics import LinkPoses
from astra_ros.robot.meshes import MeshError
from astra_ros.robot.shapes import BrokenMeshes, ConvexPart, convex_parts, mesh_pieces
from astra_ros.rotations import rotation_matrix
from astra_ros.simulation.bullet import pybullet
from astra_ros.simulation.session import Session

# Bodies this near to each other touch, m.
TOUCH_M = 1e-3
# What touches an obstacle as the plan starts touches it again where it gets this much deeper, m.
DEEPER_M = 0.01
# PyBullet lets every convex hull be this much larger than its corners, m; boxes, spheres and cylinders are exact.
HULL_MARGIN_M = 1e-3
# Distances are known up to here, m.
REACH_M = 0.1


@dataclass(frozen=True)
class Nearest:
    """Where a plan comes nearest to touching, or first touches.

    Attributes:
        distance_m: from the first touch on nothing is looked at; `REACH_M` where nothing comes nearer.
        touches: whether the two are `TOUCH_M` from each other or nearer.
        link: of the robot; '' where nothing comes near.
        other: the other link, or the obstacle's name.
        is_link: whether that is a link.
        time_s: from the plan's start.
    """

    distance_m: float = REACH_M
    touches: bool = False
    link: str = ""
    other: str = ""
    is_link: bool = False
    time_s: float = 0.0


class PlanContacts:
    """The bodies of one arm and its known obstacles. Meshes count as few convex pieces, each as its hull.

    Not checked are links that a joint joins, links that touch each other as a plan starts, and obstacles that the
    fixed base touches.

    Args:
        joint_names: J names, the columns of the positions.
        held: joint -> position of joints that plans do not move, rad or m.

    Attributes:
        left_out: what of the robot has no usable shape, in words.

    Raises:
        KinematicsError: the description cannot be used.
        ObstacleError: the mesh of an obstacle cannot be read.
    """

    def __init__(
        self, urdf: str, joint_names: Sequence[str], held: Mapping[str, float], obstacles: Sequence[KnownObstacle]
    ) -> None:
        self.links = LinkPoses(urdf, joint_names, held)
        parts, self.left_out = _parts(self.links.robot)
        self._session = Session()
        weakref.finalize(self, self._session.close)
        self._closest, self._move = self._session.getClosestPoints, self._session.resetBasePositionAndOrientation
        names = self.links.link_names
        self._link = np.array([names.index(part.link) for part in parts])
        boxes = [(part.vertices.min(axis=0), part.vertices.max(axis=0)) for part in parts]
        self._centre = np.array([(low + high) / 2 for low, high in boxes])
        corners = zip(parts, self._centre)
        self._radius = np.array([np.linalg.norm(part.vertices - centre, axis=1).max() for part, centre in corners])
        self._bodies = [self._body(_hull(part.vertices)) for part in parts]
        number, joined = self.links.rigid_bodies()
        body = number[self._link]
        own = [
            (i, j)
            for i in range(len(parts))
            for j in range(i)
            if body[i] != body[j] and (min(body[i], body[j]), max(body[i], body[j])) not in joined
        ]
        self._obstacles = [placed for each in obstacles for placed in self._placed(each)]
        moving = [i for i in range(len(parts)) if body[i]]
        others = [(i, j) for i in moving for j in range(len(self._obstacles))]
        self._own = len(own)  # pairs of links come first, then those of links and obstacles
        self._pairs = np.array([*own, *others], int).reshape(-1, 2)
        self._rows: tuple[list, list] = ([], [])  # positions and turns of the parts, row by row of the plan
        self._at: dict[int, int] = {}  # part -> row at which its body stands

    def nearest(self, times_s: np.ndarray, positions: np.ndarray) -> list[Nearest]:
        """Of K plans, joint positions [K, T, J] at the times [T]."""
        from scipy.spatial.transform import Rotation  # comes with yourdfpy

        poses = self.links(positions)  # [K, T, L, 4, 4]
        turns = Rotation.from_matrix(poses[..., :3, :3].reshape(-1, 3, 3)).as_quat().reshape(*poses.shape[:3], 4)
        return [self._nearest(times_s, *each) for each in zip(poses[:, :, self._link], turns[:, :, self._link])]

    def _nearest(self, times_s: np.ndarray, poses: np.ndarray, turns: np.ndarray) -> Nearest:
        """Of one plan, poses [T, P, 4, 4] of the parts and the same turns as quaternions [T, P, 4]."""
        self._at.clear()
        self._rows = poses[..., :3, 3].tolist(), turns.tolist()
        one, other = self._pairs.T
        centre = np.einsum("tpij,pj->tpi", poses[..., :3, :3], self._centre) + poses[..., :3, 3]
        way = np.linalg.norm(np.diff(centre, axis=0), axis=-1)
        # The largest distance that a point at distance 1 moves in a turn is its Frobenius norm over the root of 2.
        way += self._radius * np.linalg.norm(np.diff(poses[..., :3, :3], axis=0), axis=(-2, -1)) / np.sqrt(2.0)
        way = np.concatenate([np.zeros((1, way.shape[1])), np.cumsum(way, axis=0)])
        apart = centre[:, one] - self._second(centre, other)
        lowest = np.linalg.norm(apart, axis=-1) - self._radius[one] - self._second_radius(other)
        travel = way[:, one]
        travel[:, : self._own] += way[:, other[: self._own]]
        known, known_at, offset = self._at_start(lowest[0])
        best = Nearest()
        for row, time_s in enumerate(times_s):
            low = np.maximum(lowest[row] + offset, known - (travel[row] - known_at))
            for pair in np.argsort(low)[: np.count_nonzero(low < best.distance_m)]:
                if low[pair] >= best.distance_m:
                    break
                known[pair] = distance = self._distance(pair, row) + offset[pair]
                known_at[pair] = travel[row, pair]
                if distance < best.distance_m:
                    best = self._found(pair, distance, float(time_s))
            if best.touches:
                break
        return best

    def _at_start(self, lowest: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lower bounds of the distances, the travel at which they hold, and what is added to each distance: links that
        touch each other at the start never touch again, and an obstacle does so where it gets deeper."""
        offset = np.zeros(len(self._pairs))
        for pair in np.flatnonzero(lowest <= TOUCH_M):
            if (distance := self._distance(pair, 0)) <= TOUCH_M:
                offset[pair] = np.inf if pair < self._own else TOUCH_M + DEEPER_M - distance
        return np.where(np.isinf(offset), np.inf, -np.inf), np.zeros(len(offset)), offset

    def _found(self, pair: int, distance: float, time_s: float) -> Nearest:
        one, other = self._pairs[pair]
        names, touches = self.links.link_names, distance <= TOUCH_M
        is_link = bool(pair < self._own)
        second = names[self._link[other]] if is_link else self._obstacles[other][0]
        return Nearest(float(distance), bool(touches), names[self._link[one]], second, is_link, time_s)

    def _second(self, centre: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Centres [T, M, 3] of the second bodies of all pairs, of the parts' centres [T, P, 3]."""
        stand = np.array([each[2] for each in self._obstacles]).reshape(-1, 3)[other[self._own :]]
        stand = np.broadcast_to(stand, (len(centre), *stand.shape))
        return np.concatenate([centre[:, other[: self._own]], stand], axis=1)

    def _second_radius(self, other: np.ndarray) -> np.ndarray:
        stand = np.array([each[3] for each in self._obstacles])
        return np.concatenate([self._radius[other[: self._own]], stand[other[self._own :]]])

    def _distance(self, pair: int, row: int) -> float:
        """m between the bodies of a pair at a row of the plan; `REACH_M` where they are further apart."""
        one, other = (int(each) for each in self._pairs[pair])
        self._place(one, row)
        if pair < self._own:
            self._place(other, row)
        if pair < self._own:
            body, hulls = self._bodies[other], 2
        else:
            _, body, _, _, is_hull = self._obstacles[other]
            hulls = 1 + is_hull
        points = self._closest(self._bodies[one], body, REACH_M)
        return min((point[8] + hulls * HULL_MARGIN_M for point in points), default=REACH_M)

    def _place(self, part: int, row: int) -> None:
        if self._at.get(part) != row:
            positions, turns = self._rows
            self._move(self._bodies[part], positions[row][part], turns[row][part])
            self._at[part] = row

    def _body(self, shape: dict, position=(0.0, 0.0, 0.0), quaternion=(0.0, 0.0, 0.0, 1.0)) -> int:
        found = self._session.createCollisionShape(**shape)
        return self._session.createMultiBody(0.0, found, basePosition=position, baseOrientation=quaternion)

    def _placed(self, obstacle: KnownObstacle) -> list[tuple[str, int, np.ndarray, float, bool]]:
        """(name, body, centre [3] m, radius m, whether it is a hull of corners) of each piece of an obstacle."""
        size = obstacle.size
        turn, xyz = rotation_matrix(np.array(obstacle.quaternion)), np.array(obstacle.xyz)
        quaternion = np.array(obstacle.quaternion) / np.linalg.norm(obstacle.quaternion)
        if obstacle.shape == BOX:
            shape: dict = {"shapeType": pybullet.GEOM_BOX, "halfExtents": np.array(size) / 2}
            radius = float(np.linalg.norm(size)) / 2
        elif obstacle.shape == SPHERE:
            shape, radius = {"shapeType": pybullet.GEOM_SPHERE, "radius": size[0]}, size[0]
        elif obstacle.shape == CYLINDER:
            shape = {"shapeType": pybullet.GEOM_CYLINDER, "radius": size[0], "height": size[1]}
            radius = float(np.hypot(size[0], size[1] / 2))
        else:
            found = []
            for corners in _pieces_of(obstacle):
                middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
                radius = float(np.linalg.norm(corners - middle, axis=1).max())
                body = self._body(_hull(corners), xyz, quaternion)
                found.append((obstacle.name, body, turn @ middle + xyz, radius, True))
            return found
        return [(obstacle.name, self._body(shape, xyz, quaternion), xyz, radius, False)]


def _pieces_of(obstacle: KnownObstacle) -> list[np.ndarray]:
    if obstacle.shape != MESH:
        return [obstacle.points]
    try:
        return mesh_pieces(obstacle.mesh, np.array(obstacle.size), max_pieces=16)
    except MeshError as error:
        problem = f"the mesh '{error.mesh}' cannot be read: {error.found}"
        raise ObstacleError(problem, thing=f"obstacle '{obstacle.name}'", cure=error.cure) from error


def _hull(corners: np.ndarray) -> dict:
    return {"shapeType": pybullet.GEOM_MESH, "vertices": corners.tolist()}


def _parts(robot) -> tuple[list[ConvexPart], tuple[str, ...]]:
    """The usable collision shapes of a robot, or its visual ones where it has no others; and what is left out."""
    geometry = "collision" if any(link.collisions for link in robot.links) else "visual"
    left_out: list[str] = []
    while True:
        try:
            return convex_parts(robot, geometry), tuple(left_out)
        except BrokenMeshes as error:
            for link in robot.links:
                shapes = link.collisions if geometry == "collision" else link.visuals
                broken = [each for each in shapes if (mesh := each.geometry.mesh) and mesh.filename in error.meshes]
                if broken:
                    left_out.append(f"{link.name} (a mesh cannot be read)")
                    shapes[:] = [each for each in shapes if each not in broken]
