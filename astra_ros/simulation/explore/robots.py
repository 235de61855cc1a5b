"""The exploring robots, a rover and a drone, and the motion of their bodies.

A body is a pose that moves at a twist (three linear, then three angular rates) in its own frame,
held for a short time: the exponential map of SE(3) (Lynch and Park, Modern Robotics, 3.3).
The rover's frame is x forward, y left, z up on the floor under its middle; the drone's frame is its
camera's optical frame, x right, y down, z forward (REP 103).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astra_ros.registry import UnknownName
from astra_ros.rotations import antisymmetric, cross_matrix

# Columns: the camera's right, down and forward in a body frame of x forward, y left, z up.
LOOKING_AHEAD = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
LOOKING_AHEAD.setflags(write=False)


@dataclass(frozen=True, eq=False)
class Pose:
    """A body in the world frame: ``position`` [3] m, ``rotation`` [3, 3], columns its axes."""

    position: np.ndarray
    rotation: np.ndarray

    def __matmul__(self, other: Pose) -> Pose:
        """``other``, given in this body's frame, in the world frame."""
        return Pose(self.position + self.rotation @ other.position, self.rotation @ other.rotation)


@dataclass(frozen=True, eq=False)
class MobileSpec:
    """One robot.

    Attributes:
        name: key of ``ROBOTS``.
        modality: kind of action.
        motion_names: D names of its velocities.
        twist_columns: D places of those velocities in the body's twist.
        max_speed, max_acceleration: [D] m/s and rad/s; m/s^2 and rad/s^2.
        radius_m: of its body, seen from above.
        height_m: of its upright cylinder, standing on the floor; 0 for a sphere round its position.
        altitude_m: lowest and highest height of its position above the floor.
        camera: the camera's optical frame in the body's frame.
        fov_deg: the camera's field of view.
    """

    name: str
    modality: str
    motion_names: tuple[str, ...]
    twist_columns: tuple[int, ...]
    max_speed: np.ndarray
    max_acceleration: np.ndarray
    radius_m: float
    height_m: float
    altitude_m: tuple[float, float]
    camera: Pose
    fov_deg: float = 80.0

    @property
    def flies(self) -> bool:
        return self.height_m == 0.0

    def twist(self, velocity: np.ndarray) -> np.ndarray:
        """The body's twist [6] at the velocities [D]."""
        twist = np.zeros(6)
        twist[list(self.twist_columns)] = velocity
        return twist

    def band(self, altitude_m: float) -> tuple[float, float]:
        """Lowest and highest point (m) of the body when its position is at this height."""
        if self.flies:
            return altitude_m - self.radius_m, altitude_m + self.radius_m
        return altitude_m, altitude_m + self.height_m

    def pose(self, xy, altitude_m: float, yaw: float) -> Pose:
        """Upright at a place, its camera looking along ``yaw`` (rad)."""
        level = turned_z(yaw)
        return Pose(np.array([*xy, altitude_m], dtype=np.float64), level @ LOOKING_AHEAD if self.flies else level)

    def yaw(self, pose: Pose) -> float:
        """Where the robot heads (rad): its forward axis, projected onto the floor."""
        ahead = pose.rotation[:, 2 if self.flies else 0]
        if np.hypot(ahead[0], ahead[1]) < 1e-6:  # a camera straight up or down: its image's up
            ahead = -pose.rotation[:, 1] * np.sign(-ahead[2])
        return float(np.arctan2(ahead[1], ahead[0]))


ROBOTS = {
    "rover": MobileSpec(
        name="rover",
        modality="twist",
        motion_names=("linear.x", "angular.z"),
        twist_columns=(0, 5),
        max_speed=np.array([0.8, 1.2]),
        max_acceleration=np.array([1.5, 4.0]),
        radius_m=0.2,
        height_m=0.42,
        altitude_m=(0.0, 0.0),
        camera=Pose(np.array([0.1, 0.0, 0.35]), LOOKING_AHEAD),
    ),
    "drone": MobileSpec(
        name="drone",
        modality="camera",
        motion_names=(
            "linear.x", "linear.y", "linear.z", "angular.x", "angular.y", "angular.z",
        ),
        twist_columns=(0, 1, 2, 3, 4, 5),
        max_speed=np.full(6, 0.8),
        max_acceleration=np.array([1.5, 1.5, 1.5, 3.0, 3.0, 3.0]),
        radius_m=0.15,
        height_m=0.0,
        altitude_m=(0.2, 2.0),
        camera=Pose(np.zeros(3), np.eye(3)),
    ),
}  # fmt: skip


def mobile_spec(name: str) -> MobileSpec:
    if name not in ROBOTS:
        raise UnknownName("robot", name, sorted(ROBOTS))
    return ROBOTS[name]


def advanced(pose: Pose, twist: np.ndarray, seconds: float) -> Pose:
    """The pose after a constant body twist [6]; its rotation stays orthonormal over long drives."""
    motion = np.asarray(twist, dtype=np.float64) * seconds
    turn, travel = _turn_and_travel(motion[3:])
    rotation = pose.rotation @ turn
    # One Newton step towards the nearest rotation: errors of 1e-16 a step do not pile up.
    rotation = rotation @ (1.5 * np.eye(3) - 0.5 * rotation.T @ rotation)
    return Pose(pose.position + pose.rotation @ (travel @ motion[:3]), rotation)


def twist_between(start: Pose, end: Pose, seconds: float) -> np.ndarray:
    """The constant body twist [6] that moves ``start`` to ``end``; they differ by less than pi."""
    turn = start.rotation.T @ end.rotation
    angle = np.arccos(np.clip((np.trace(turn) - 1.0) / 2.0, -1.0, 1.0))
    rotation = antisymmetric(turn) / np.sinc(angle / np.pi)
    gap = start.rotation.T @ (end.position - start.position)
    return np.concatenate([np.linalg.solve(_turn_and_travel(rotation)[1], gap), rotation]) / seconds


def turned_z(angle: float) -> np.ndarray:
    """[3, 3] a turn about the z axis."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def gimbal(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """[3, 3] a camera's optical axes: heading, nose up by ``pitch``, then rolled clockwise."""
    nose_up = np.array([[np.cos(pitch), 0, -np.sin(pitch)], [0, 1, 0], [np.sin(pitch), 0, np.cos(pitch)]])
    return turned_z(yaw) @ nose_up @ LOOKING_AHEAD @ turned_z(roll)


def gimbal_angles(rotation: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch and roll (rad) of a camera's optical axes: the inverse of ``gimbal``."""
    ahead = rotation[:, 2]
    yaw = float(np.arctan2(ahead[1], ahead[0]))
    pitch = float(np.arcsin(np.clip(ahead[2], -1.0, 1.0)))
    rolled = gimbal(yaw, pitch, 0.0).T @ rotation
    return yaw, pitch, float(np.arctan2(rolled[1, 0], rolled[0, 0]))


def _turn_and_travel(vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[3, 3] rotation by a rotation vector [3], and [3, 3] from linear velocity to shift during that turn.

    ``rotations.exponential`` is the same map, but rounds otherwise, and recorded episodes hold these bits.
    """
    angle = float(np.sqrt(vector @ vector))
    cross = cross_matrix(vector)
    a, b = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2.0 * np.pi)) ** 2
    c = 1.0 / 6.0 if angle < 1e-3 else (angle - np.sin(angle)) / angle**3
    return np.eye(3) + a * cross + b * cross @ cross, np.eye(3) + b * cross + c * cross @ cross
