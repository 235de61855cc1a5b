"""The bodies of a drive scene in PyBullet, and whether the car would touch any of them."""

from __future__ import annotations

import math

import numpy as np

from astra_ros.control.vehicle import VehicleState
from astra_ros.simulation.bullet import pybullet
from astra_ros.simulation.drive.meshes import atlas, build_mesh
from astra_ros.simulation.drive.motion import CarLimits
from astra_ros.simulation.drive.obstacles import ROUND, Obstacle, Vehicle, footprint
from astra_ros.simulation.drive.scene import DriveLayout
from astra_ros.simulation.session import Session

# The car's body begins this high, so that a kerb is not a collision.
CLEARANCE_M = 0.15
# A roof or a lamp's arm reaches at most this far out of the object's box.
OVERHANG_M = 3.0


class DriveBodies:
    """All bodies of one episode in one simulation.

    Bodies are placed, not simulated, and contacts are queried pair by pair. A contact depends on two poses alone, so
    a restored moment repeats it bit by bit.

    The session's bodies are deleted first.
    """

    def __init__(self, session: Session, layout: DriveLayout, limits: CarLimits) -> None:
        self._session, self._limits = session, limits
        self._session.resetSimulation()
        self._texture = session.load_texture(atlas())
        self._shapes: dict[tuple, tuple[int, int]] = {}
        self._car = self._make_car()
        self._obstacles = [
            self._make(obstacle, (obstacle.x, obstacle.y, obstacle.yaw)) for obstacle in layout.obstacles
        ]
        self._vehicles = [self._make(vehicle, (0.0, 0.0, 0.0)) for vehicle in layout.vehicles]
        places = [(t.x, t.y, math.hypot(*t.size[:2]) / 2) for t in layout.obstacles]
        self._obstacle_places = np.array(places).reshape(-1, 3)
        self._vehicle_radii = np.array([math.hypot(*v.size[:2]) / 2 for v in layout.vehicles])
        self._vehicle_poses: np.ndarray = np.zeros((len(layout.vehicles), 3))
        everything: tuple[Obstacle | Vehicle, ...] = (*layout.obstacles, *layout.vehicles)
        self._bodies = self._obstacles + self._vehicles
        self._tints = [getattr(item, "tint", (1.0, 1.0, 1.0)) for item in everything]
        self._spheres = np.zeros((len(everything), 4))
        for i, item in enumerate(everything):
            place = (item.x, item.y) if isinstance(item, Obstacle) else (0.0, 0.0)
            radius = 0.5 * math.hypot(*item.size) + OVERHANG_M
            self._spheres[i] = (*place, item.size[2] / 2, radius)
        yaws = [getattr(item, "yaw", 0.0) for item in everything]
        self._shadows = np.array(
            [(*sphere[:2], yaw, *_shadow_size(item)) for sphere, yaw, item in zip(self._spheres, yaws, everything)]
        ).reshape(-1, 5)
        self._shown: np.ndarray = np.ones(len(everything), dtype=bool)
        self._car_radius = math.hypot(limits.length, limits.width) / 2
        self._car_place: np.ndarray = np.zeros(2)
        self._obstacle_outlines = [footprint(obstacle) for obstacle in layout.obstacles]
        self._vehicle_outlines = [
            np.array(v.size[:2]) / 2 * [(1, 1), (-1, 1), (-1, -1), (1, -1)] for v in layout.vehicles
        ]

    def move_car(self, car: VehicleState) -> None:
        """Put the robot's car there."""
        reach = self._limits.body_centre_x
        x, y = car.x + reach * math.cos(car.yaw), car.y + reach * math.sin(car.yaw)
        self._car_place = np.array([x, y])
        self._place(self._car, x, y, car.yaw)

    def move_vehicles(self, poses: np.ndarray) -> None:
        """Put the moving vehicles there: [V, 3] x, y, yaw."""
        self._vehicle_poses = poses
        self._spheres[len(self._obstacles) :, :2] = poses[:, :2]
        for body, pose in zip(self._vehicles, poses):
            self._place(body, *pose)

    def show(self, place, forward, up, tangent: float, far: float) -> None:
        """Hide what the camera cannot see: the renderer spends time on every triangle.

        Args:
            place, forward, up: [3] of the camera, world frame; the latter two of length 1.
            tangent: of half its horizontal field of view.
            far: m, where its view ends.
        """
        towards = self._spheres[:, :3] - place
        ahead, beside = towards @ forward, np.abs(towards @ np.cross(forward, up))
        radius = self._spheres[:, 3]
        seen = (ahead > -radius) & (ahead < far + radius)
        seen &= beside < tangent * ahead + math.hypot(1.0, tangent) * radius
        for i in np.flatnonzero(seen != self._shown):
            # The renderer skips bodies that are fully transparent.
            colour = (*self._tints[i], 1.0 if seen[i] else 0.0)
            self._session.changeVisualShape(self._bodies[i], -1, rgbaColor=colour)
        self._shown = seen

    def touches_obstacle(self) -> bool:
        """Whether the car touches an obstacle."""
        places = self._obstacle_places
        gaps = np.hypot(*(places[:, :2] - self._car_place).T) - places[:, 2]
        near = np.flatnonzero(gaps < self._car_radius)
        return any(self._touching(self._obstacles[i]) for i in near)

    def touched_vehicles(self) -> list[int]:
        """The moving vehicles that touch the car."""
        gaps = np.hypot(*(self._vehicle_poses[:, :2] - self._car_place).T) - self._vehicle_radii
        near = np.flatnonzero(gaps < self._car_radius)
        return [int(i) for i in near if self._touching(self._vehicles[i])]

    def outlines(self, x: float, y: float, reach: float) -> list[np.ndarray]:
        """Outlines, [N, 2] m, world frame, of what may lie within ``reach`` of x, y."""
        out = []
        places = self._obstacle_places
        gaps = np.hypot(places[:, 0] - x, places[:, 1] - y) - places[:, 2]
        out += [self._obstacle_outlines[i] for i in np.flatnonzero(gaps < reach)]
        for (vx, vy, yaw), radius, outline in zip(self._vehicle_poses, self._vehicle_radii, self._vehicle_outlines):
            if math.hypot(vx - x, vy - y) - radius < reach:
                c, s = math.cos(yaw), math.sin(yaw)
                out.append(outline @ np.array([[c, s], [-s, c]]) + [vx, vy])
        return out

    def shadows(self) -> np.ndarray:
        """[N, 5] x, y, yaw (world frame), length and width (m) of the shadows on the ground."""
        self._shadows[len(self._obstacles) :, :3] = self._vehicle_poses
        return self._shadows

    def _touching(self, body: int) -> bool:
        return bool(self._session.getClosestPoints(self._car, body, 0.0))

    def _place(self, body: int, x: float, y: float, yaw: float) -> None:
        turn = (0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2))
        self._session.resetBasePositionAndOrientation(body, (x, y, 0.0), turn)

    def _make_car(self) -> int:
        limits = self._limits
        half = (limits.length / 2, limits.width / 2, (limits.height - CLEARANCE_M) / 2)
        shape = self._session.createCollisionShape(
            pybullet.GEOM_BOX, halfExtents=half, collisionFramePosition=(0.0, 0.0, CLEARANCE_M + half[2])
        )
        # Without a visual shape its box would be drawn round the camera; this one is a speck.
        look = self._session.createVisualShape(pybullet.GEOM_BOX, halfExtents=(1e-3, 1e-3, 1e-3))
        return self._session.createMultiBody(0.0, shape, look)

    def _make(self, item: Obstacle | Vehicle, pose: tuple[float, float, float]) -> int:
        key = (item.kind, item.size, item.variant)
        if key not in self._shapes:
            self._shapes[key] = self._solid(item), self._look(item)
        solid, look = self._shapes[key]
        x, y, yaw = pose
        body = self._session.createMultiBody(
            0.0, solid, look, (x, y, 0.0), (0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2))
        )
        self._session.changeVisualShape(
            body, -1, textureUniqueId=self._texture, rgbaColor=(*getattr(item, "tint", (1.0, 1.0, 1.0)), 1.0)
        )
        return body

    def _solid(self, item: Obstacle | Vehicle) -> int:
        length, width, height = item.size
        middle = (0.0, 0.0, height / 2)
        if item.kind in ROUND:
            return self._session.createCollisionShape(
                pybullet.GEOM_CYLINDER, radius=length / 2, height=height, collisionFramePosition=middle
            )
        return self._session.createCollisionShape(
            pybullet.GEOM_BOX, halfExtents=(length / 2, width / 2, height / 2), collisionFramePosition=middle
        )

    def _look(self, item: Obstacle | Vehicle) -> int:
        mesh = build_mesh(item.kind, item.size, item.variant)
        return self._session.createVisualShape(
            pybullet.GEOM_MESH, vertices=mesh.vertices, indices=mesh.indices, uvs=mesh.uvs, normals=mesh.normals
        )


def _shadow_size(item: Obstacle | Vehicle) -> tuple[float, float]:
    """Length and width of an object's shadow; a tree's is its crown's."""
    length, width, height = item.size
    if item.kind in ("tree", "conifer"):
        return 0.5 * height, 0.5 * height
    return 1.08 * length, 1.15 * width
