"""Drawings of the robot for kinematic conditioning, as training and evaluation need them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from astra_ros.learning.dataset import read_footer
from astra_ros.learning.episode import DatasetError, Episode
from astra_ros.planning.kinematics import KinematicsError
from astra_ros.planning.pinhole import PinholeCamera
from astra_ros.planning.robot_drawing import CHANNELS, RobotDrawing


class Drawer:
    """Draws the robots of a dataset's episodes, where URDF and camera are known.

    Simulated arms bring both. For others the URDF lies beside the episodes as `<robot>.urdf`
    (`astra import-bag` copies it there), and the camera is in the episode.
    """

    def __init__(self, folder: Path, image_size: tuple[int, int]):
        self.folder = Path(folder)
        self.shape = (CHANNELS, *image_size)
        self._robots: dict[str, RobotDrawing | None] = {}
        self._cameras: dict[str, dict] = {}

    def draw(self, episode: Episode) -> np.ndarray | None:
        """uint8 [N, 3, h, w], row k the robot as commanded at frame k; None where it is not known.

        Raises DatasetError where a robot's cameras differ: then it must have two names.
        """
        return self.draw_motion(episode, episode.motion)

    def draw_motion(self, episode: Episode, motion: np.ndarray) -> np.ndarray | None:
        """As `draw`, along another motion [..., D] of the episode's robot: uint8 [..., 3, h, w]."""
        if episode.modality != 'joints' or episode.camera is None:
            return None
        if episode.robot not in self._robots:
            urdf = self._urdf(episode)
            camera = PinholeCamera.from_dict(episode.camera).fitted(self.shape[1:])
            self._robots[episode.robot] = None if urdf is None else self._build(
                urdf, episode, camera)
            self._cameras[episode.robot] = episode.camera
        self.check_cameras([episode], self._cameras[episode.robot])
        robot = self._robots[episode.robot]
        return None if robot is None else robot.draw(motion)

    @staticmethod
    def check_cameras(episodes: Iterable[Episode], camera: dict | None) -> None:
        """Raises DatasetError where an episode's camera is known and is not this one."""
        for episode in episodes:
            if camera and episode.camera and episode.camera != camera:
                raise DatasetError(
                    f'{episode.title}: its camera is not where it is in other episodes of '
                    f"'{episode.robot}', or for the model; give the robot another name for each camera")

    @staticmethod
    def _build(urdf: str, episode: Episode, camera: PinholeCamera) -> RobotDrawing | None:
        try:
            return RobotDrawing(urdf, episode.motion_names, camera,
                                held=held_joints(episode.robot))
        except KinematicsError as error:
            warnings.warn(f"'{episode.robot}' is not drawn: {error}", stacklevel=2)
            return None

    def _urdf(self, episode: Episode) -> str | None:
        beside = self.folder / f'{episode.robot}.urdf'
        if beside.is_file():
            return beside.read_text()
        return simulated_urdf(episode.robot)


def simulated_urdf(robot: str) -> str | None:
    """The description of a simulated arm, or None for another robot."""
    from astra_ros.simulation.arm.robots import ROBOTS, robot_description

    return robot_description(ROBOTS[robot], coarse=True) if robot in ROBOTS else None


def held_joints(robot: str) -> dict[str, float]:
    """Joints of a simulated arm that no plan moves."""
    from astra_ros.simulation.arm.robots import ROBOTS

    return dict(ROBOTS[robot].held_joints) if robot in ROBOTS else {}


def cameras_of(paths: Iterable[Path]) -> dict[str, dict]:
    """Action space -> camera, of every space whose episodes know a fixed one."""
    cameras: dict[str, dict] = {}
    for path in paths:
        footer = read_footer(path)
        if footer['camera'] and footer['modality'] == 'joints':
            cameras.setdefault(f'{footer["robot"]}_{footer["modality"]}', footer['camera'])
    return cameras


def held_joints_of(spaces: Iterable[str]) -> dict[str, dict[str, float]]:
    """Action space -> joints of its simulated arm that no plan moves."""
    held = {space: held_joints(space.rpartition('_')[0]) for space in spaces}
    return {space: joints for space, joints in held.items() if joints}
