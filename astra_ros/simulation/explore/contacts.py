"""Contacts between a robot and its house, computed by PyBullet."""

from __future__ import annotations

import numpy as np

from astra_ros.simulation.bullet import pybullet
from astra_ros.simulation.explore.robots import MobileSpec
from astra_ros.simulation.explore.scene import House
from astra_ros.simulation.session import Session

# A robot this near to something touches it (m): it does not move nearer.
TOUCH_M = 1e-3

# Collision shape, position and quaternion of a block.
Placed = tuple[int, tuple[float, float, float], tuple[float, float, float, float]]


class HouseContacts:
    """Collision shapes of one house and one robot.

    They are shapes without bodies: neither drawn nor stepped, and without memory of past contacts.
    """

    def __init__(self, session: Session, house: House, spec: MobileSpec) -> None:
        self._session, self._house, self._spec = session, house, spec
        self._shapes = [_shape(block.round, block.half, session) for block in house.blocks]
        if spec.flies:
            self._body = session.createCollisionShape(pybullet.GEOM_SPHERE, radius=spec.radius_m)
        else:
            self._body = _shape(True, (spec.radius_m, spec.radius_m, spec.height_m / 2.0 - 0.01), session)

    def nearby(self, position: np.ndarray, seconds: float) -> list[Placed]:
        """Every block that the robot may reach from a position [3] within some time."""
        reach = self._spec.radius_m + 0.05 + 2.0 * float(self._spec.max_speed.max()) * seconds
        away = self._house.solids.distances(position[None, :2])[0]
        placed = []
        for i in np.flatnonzero(away < reach):
            block = self._house.blocks[i]
            turn = (0.0, 0.0, float(np.sin(block.yaw / 2)), float(np.cos(block.yaw / 2)))
            placed.append((self._shapes[i], block.centre, turn))
        return placed

    def touches(self, position: np.ndarray, near: list[Placed]) -> bool:
        """Whether the robot at a position [3] would be within ``TOUCH_M`` of one of these blocks."""
        x, y, z = (float(v) for v in position)
        if not self._spec.flies:
            z += self._spec.height_m / 2.0 + 0.01  # its wheels lift it off the floor
        return any(
            self._session.getClosestPoints(
                -1,
                -1,
                TOUCH_M,
                collisionShapeA=self._body,
                collisionShapePositionA=(x, y, z),
                collisionShapeB=shape,
                collisionShapePositionB=centre,
                collisionShapeOrientationB=turn,
            )
            for shape, centre, turn in near
        )


def _shape(is_round: bool, half, session: Session) -> int:
    """A box of half sizes, or an upright cylinder of radius half[0]."""
    if is_round:
        return session.createCollisionShape(pybullet.GEOM_CYLINDER, radius=half[0], height=2.0 * half[2])
    return session.createCollisionShape(pybullet.GEOM_BOX, halfExtents=half)
