"""The bodies of the arm's world as known obstacles, for who is told of them: urdf/table.urdf and urdf/obstacle.urdf."""

from __future__ import annotations

from astra_ros.obstacles import KnownObstacle
from astra_ros.simulation.arm.scene import OBSTACLE_RADIUS_M

TABLE = KnownObstacle("table", "box", (1.5, 2.0, 0.06), (0.35, 0.0, -0.03))
POST_HEIGHT_M = 0.15


def post_at(x: float, y: float) -> KnownObstacle:
    """The obstacle that stands on the table at x, y (m)."""
    return KnownObstacle("post", "cylinder", (OBSTACLE_RADIUS_M, POST_HEIGHT_M), (x, y, POST_HEIGHT_M / 2))
