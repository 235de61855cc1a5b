"""The robot drawn along candidate plans, for models with kinematic conditioning."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from astra_ros.planning.kinematics import KinematicsError
from astra_ros.planning.modalities import ActionSpace
from astra_ros.planning.pinhole import PinholeCamera
from astra_ros.planning.robot_drawing import RobotDrawing


def then_and_now(drawings: np.ndarray) -> np.ndarray:
    """Drawings along plans, each beside that of now, as a model's pictures need them.

    Args:
        drawings: [..., H + 1, 3, h, w], row 0 now.

    Returns:
        [..., H, 2, 3, h, w]: the robot as it then is, and as it is now.
    """
    then, now = drawings[..., 1:, :, :, :], drawings[..., :1, :, :, :]
    return np.stack([then, np.broadcast_to(now, then.shape)], axis=-4)


class Drawings:
    """Draws whichever robot's description it was last given, as the model's camera sees it.

    Args:
        cameras: action space -> `PinholeCamera.to_dict` of the camera that the model was trained
            with, in the robot's base frame; a space without one is never drawn.
        held: action space -> joint -> position of joints that no plan moves, rad or m.
        image_size: (h, w) of the drawings, pixels.
    """

    def __init__(
        self,
        cameras: Mapping[str, Mapping],
        held: Mapping[str, Mapping[str, float]],
        image_size: tuple[int, int],
    ) -> None:
        self._cameras = {
            name: PinholeCamera.from_dict(camera).fitted(image_size)
            for name, camera in cameras.items()
        }
        self._held = held
        self._urdf: str | None = None
        self._drawn: dict[str, RobotDrawing | None] = {}
        self.problem: str | None = "no robot_description has come"

    def describe(self, urdf: str | None) -> None:
        """Take a robot description (URDF text); the same one again costs nothing."""
        if urdf != self._urdf:
            self._urdf = urdf
            self._drawn.clear()

    def draw(self, space: ActionSpace, motion: np.ndarray) -> np.ndarray | None:
        """The robot along plans.

        Args:
            space: of the plans.
            motion: [K, H + 1, J] joint positions at the model's times, row 0 now.

        Returns:
            uint8 [K, H + 1, 3, h, w], or None where the robot cannot be drawn; ``problem`` says why.
        """
        if space.modality != "joints" or space.name not in self._cameras:
            self.problem = f"the model was trained without drawings of {space.name}"
            return None
        if not self._urdf:
            self.problem = "no robot_description has come"
            return None
        if space.name not in self._drawn:
            self._drawn[space.name] = self._build(space)
        drawing = self._drawn[space.name]
        if drawing is None:
            return None
        self.problem = None
        return drawing.draw(motion)

    def _build(self, space: ActionSpace) -> RobotDrawing | None:
        try:
            return RobotDrawing(
                self._urdf,
                space.motion_names,
                self._cameras[space.name],
                held=self._held.get(space.name),
            )
        except KinematicsError as error:
            self.problem = f"robot_description: {error}"
            return None
