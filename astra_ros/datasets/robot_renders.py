"""Renders of the robot for kinematic conditioning, as training and evaluation need them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.datasets.dataset import space_of
from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.plans.action_spaces import action_space_class
from astra_ros.robot.kinematics import KinematicsError
from astra_ros.robot.renderer import CHANNELS, RobotRenderer


class Drawer:
    """Draws the robots of a dataset's episodes, where URDF and camera are known.

    Simulated arms bring both. For others the URDF lies beside the episodes as `<robot>.urdf`
    (`astra import-bag` copies it there), and the camera is in the episode.

    `spaces` are action spaces whose robots a model was drawn; others are not drawn then. None: all are.
    """

    def __init__(self, folder: Path, image_size: tuple[int, int], spaces: Collection[str] | None = None):
        self.folder, self._spaces = Path(folder), spaces
        self.shape = (CHANNELS, *image_size)
        self._robots: dict[str, RobotRenderer | None] = {}
        self._cameras: dict[str, dict] = {}

    def prepare(self, footers: Iterable[dict]) -> dict[str, str]:
        """Build what the episodes need; robots that have a description, but cannot be drawn, and why."""
        undrawn = {}
        for footer in footers:
            robot, camera = footer["robot"], footer["camera"]
            jointed = action_space_class(footer["modality"]).columns_are_joints
            new = jointed and camera is not None and robot not in self._robots
            if new and (why := self._build(robot, tuple(footer["motion_names"]), camera)):
                undrawn[robot] = why
        return undrawn

    def draw(self, episode: Episode) -> np.ndarray | None:
        """uint8 [N, 3, h, w], row k the robot as commanded at frame k; None where it is not known.

        Raises DatasetError where a robot's cameras differ: then it must have two names.
        """
        return self.draw_motion(episode, episode.motion)

    def draw_motion(self, episode: Episode, motion: np.ndarray) -> np.ndarray | None:
        """As `draw`, along another motion [..., D] of the episode's robot: uint8 [..., 3, h, w]."""
        if not action_space_class(episode.modality).columns_are_joints or episode.camera is None:
            return None
        if self._spaces is not None and episode.space not in self._spaces:
            return None
        if episode.robot not in self._robots:
            self._build(episode.robot, episode.motion_names, episode.camera)
        self.check_cameras([episode], self._cameras[episode.robot])
        robot = self._robots[episode.robot]
        return None if robot is None else robot.draw(motion)

    @staticmethod
    def check_cameras(episodes: Iterable[Episode], camera: dict | None) -> None:
        """Raises DatasetError where an episode's camera is known and is not this one."""
        for episode in episodes:
            if camera and episode.camera and episode.camera != camera:
                raise DatasetError(
                    f"{episode.title}: its camera is not where it is in other episodes of "
                    f"'{episode.robot}', or for the model; give the robot another name for each camera"
                )

    def _build(self, robot: str, joints: tuple[str, ...], camera: dict) -> str | None:
        """Make the robot ready to be drawn; why it cannot be, or None."""
        self._robots[robot], self._cameras[robot] = None, camera
        beside = self.folder / f"{robot}.urdf"
        urdf = beside.read_bytes() if beside.is_file() else simulated_urdf(robot)
        if urdf is None:
            return None
        try:
            view = PinholeCamera.from_dict(camera).fitted(self.shape[1:])
            self._robots[robot] = RobotRenderer(urdf, joints, view, held=held_joints(robot))
        except KinematicsError as error:
            return str(error)
        return None


def undrawn_notes(folder: Path, footers: Iterable[dict], image_size: tuple[int, int]) -> list[str]:
    """A line for each robot of a dataset that has a description beside it, but cannot be drawn."""
    undrawn = Drawer(folder, image_size).prepare(footers)
    return [f"'{robot}' is not drawn, so plans are followed less exactly: {why}" for robot, why in undrawn.items()]


def simulated_urdf(robot: str) -> str | None:
    """The description of a simulated arm, or None for another robot."""
    from astra_ros.simulation.arm.robots import ROBOTS, robot_description

    return robot_description(ROBOTS[robot], coarse=True) if robot in ROBOTS else None


def held_joints(robot: str) -> dict[str, float]:
    """Joints of a simulated arm that no plan moves."""
    from astra_ros.simulation.arm.robots import ROBOTS

    return dict(ROBOTS[robot].held_joints) if robot in ROBOTS else {}


def cameras_of(footers: Iterable[dict]) -> dict[str, dict]:
    """Action space -> camera, of every space whose episodes know a fixed one."""
    cameras: dict[str, dict] = {}
    for footer in footers:
        if footer["camera"] and action_space_class(footer["modality"]).columns_are_joints:
            cameras.setdefault(space_of(footer), footer["camera"])
    return cameras


def held_joints_of(spaces: Iterable[str]) -> dict[str, dict[str, float]]:
    """Action space -> joints of its simulated arm that no plan moves."""
    held = {space: held_joints(space.rpartition("_")[0]) for space in spaces}
    return {space: joints for space, joints in held.items() if joints}
