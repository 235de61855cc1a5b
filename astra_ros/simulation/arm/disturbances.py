"""What a model cannot know: views of an arm world by a camera that was bumped, or with an object that was not there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from astra_ros.simulation.arm.world import ArmWorld
from astra_ros.simulation.bullet import pybullet
from astra_ros.simulation.camera import Camera

NEW_SIDE_M, NEW_RGB = 0.12, (0.1, 0.6, 0.2, 1.0)


class Disturbances:
    """Further views of one world; the world itself does not change."""

    def __init__(self, world: ArmWorld) -> None:
        self._world = world

    def bumped(self, rng: np.random.Generator, degrees: float, metres: float) -> Camera:
        """The camera, moved and turned by this much in a random direction."""
        settings = self._world.settings.camera
        position, look_at = np.array(settings.position), np.array(settings.look_at)
        way = rng.normal(size=3)
        moved = position + metres * way / np.linalg.norm(way)
        view = look_at - position
        aside = np.cross(view, rng.normal(size=3))
        turned = look_at + aside / np.linalg.norm(aside) * np.linalg.norm(view) * np.tan(np.radians(degrees))
        there = replace(settings, position=tuple(moved.tolist()), look_at=tuple((turned + moved - position).tolist()))
        return Camera(there, self._world._session)

    def by(self, camera: Camera) -> np.ndarray:
        """The view of another camera, uint8 [h, w, 3] RGB."""
        return camera.render(self._world._style.light)

    def with_object(self, xy: tuple[float, float]) -> np.ndarray:
        """The view with a green box at [2] m on the table, uint8 [h, w, 3] RGB."""
        session = self._world._session
        side = session.createVisualShape(pybullet.GEOM_BOX, halfExtents=[NEW_SIDE_M / 2] * 3, rgbaColor=NEW_RGB)
        # It is taken away again, for saved states belong to the bodies that there were.
        body = session.createMultiBody(0.0, baseVisualShapeIndex=side, basePosition=(*xy, NEW_SIDE_M / 2))
        image = self._world.render()
        session.removeBody(body)
        return image
