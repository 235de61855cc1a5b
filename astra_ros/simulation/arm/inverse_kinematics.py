"""Inverse kinematics of an arm whose tool points straight down.

Damped least squares with a null-space pull towards the ready pose. A path is solved point after point, each from the
one before, so that joints never flip on the way.
"""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from astra_ros.robot.described_joints import described_joints
from astra_ros.robot.kinematics import JointStep, TurningChain, turned
from astra_ros.robot.limits import position_limits
from astra_ros.simulation.arm.robots import RobotSpec, robot_description


class ArmKinematics:
    """The chain from an arm's base to its tool.

    Attributes:
        lower, upper: [J] rad, the joints' limits.
    """

    def __init__(self, spec: RobotSpec) -> None:
        self.spec = spec
        urdf = robot_description(spec, shapes=False)
        self._frames = TurningChain(_steps(urdf, spec))
        limits = position_limits(urdf)
        self.lower = np.array([limits[name].lower for name in spec.joint_names])
        self.upper = np.array([limits[name].upper for name in spec.joint_names])

    def forward(self, joints) -> np.ndarray:
        """Tool pose in the base frame: [4, 4] for joints [J] rad."""
        return self._frames(np.asarray(joints, dtype=np.float64))[-1]

    def solve(
        self, position, yaw: float, start, tolerance_m: float = 5e-4, max_iterations: int = 100, max_step: float = 0.2
    ) -> tuple[np.ndarray, float]:
        """Joints that put the tool at a place, pointing straight down.

        Args:
            position: [3] m, base frame.
            yaw: rad, direction in the table plane of the tool's x axis.
            start: [J] rad, where the search begins; the answer is the solution near it.
            tolerance_m: stop when the position is this near, and the orientation alike in rad with 0.1 m as lever.
            max_iterations: stop after as many steps, or when steps no longer help.
            max_step: rad, largest joint move in a step.

        Returns:
            (joints [J] rad within limits, remaining position error in m). For a place out of reach these are the
            joints that came nearest to it.
        """
        joints = np.clip(np.asarray(start, dtype=np.float64), self.lower, self.upper)
        rest = np.asarray(self.spec.ready)
        target = downward(yaw)
        eye = np.eye(len(joints))
        axes = self._frames.axes[:, :, None]
        best, stalled = np.inf, 0
        for _ in range(max_iterations):
            frames = self._frames(joints)
            tool = frames[-1]
            offset = np.asarray(position, dtype=np.float64) - tool[:3, 3]
            rotation = tool[:3, :3]
            skew = target @ rotation.T
            turn = 0.5 * np.array([skew[2, 1] - skew[1, 2], skew[0, 2] - skew[2, 0], skew[1, 0] - skew[0, 1]])
            error = float(offset @ offset + 0.01 * turn @ turn)
            stalled = 0 if error < 0.98 * best else stalled + 1
            if error < best:
                best, best_joints, best_offset = error, joints, offset
            near = offset @ offset < tolerance_m**2 and turn @ turn < (10.0 * tolerance_m) ** 2
            if near or stalled > 5:
                break
            chain = np.array(frames[:-1])
            directions = (chain[:, :3, :3] @ axes)[:, :, 0]
            levers = tool[:3, 3] - chain[:, :3, 3]
            jacobian = np.concatenate([_cross_rows(directions, levers), directions], axis=1).T
            square = jacobian @ jacobian.T + 1e-4 * np.eye(6)
            inverse = np.linalg.solve(square, jacobian).T
            step = inverse @ np.concatenate([offset, turn])
            step += 0.05 * (eye - inverse @ jacobian) @ (rest - joints)
            largest = np.abs(step).max()
            step *= min(1.0, max_step / max(largest, 1e-9))
            joints = np.clip(joints + step, self.lower, self.upper)
        return best_joints, float(np.linalg.norm(best_offset))

    def solve_path(self, positions, yaws, start) -> tuple[np.ndarray, float]:
        """Joints along a path of the tool, each solved from the one before.

        Args:
            positions: [N, 3] m, base frame.
            yaws: [N] rad.
            start: [J] rad, joints near the first point.

        Returns:
            (joints [N, J] rad, the largest position error on the way in m).
        """
        solved, worst, joints = [], 0.0, np.asarray(start, dtype=np.float64)
        for position, yaw in zip(positions, yaws):
            joints, error = self.solve(position, float(yaw), joints)
            solved.append(joints)
            worst = max(worst, error)
        return np.stack(solved), worst


def downward(yaw: float) -> np.ndarray:
    """[3, 3] rotation of a tool whose z axis points down and whose x axis points along ``yaw``."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, s, 0.0], [s, -c, 0.0], [0.0, 0.0, -1.0]])


def tool_yaw(pose: np.ndarray) -> float:
    """rad, direction of the tool's x axis in the table plane, of a [4, 4] tool pose."""
    return float(np.arctan2(pose[1, 0], pose[0, 0]))


def _cross_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Row-wise cross product of [N, 3] arrays; numpy's own is slow for few rows."""
    return a[:, [1, 2, 0]] * b[:, [2, 0, 1]] - a[:, [2, 0, 1]] * b[:, [1, 2, 0]]


def _steps(urdf: str, spec: RobotSpec) -> list[JointStep]:
    """The joints from the base to the tool, read without yourdfpy, which takes seconds to import."""
    joints = described_joints(urdf)
    above = {child.get("link"): joint for joint in joints if (child := joint.find("child")) is not None}
    chain: list[ElementTree.Element] = []
    link: str | None = spec.tool_link
    while link in above:
        chain.insert(0, above[link])
        parent = above[link].find("parent")
        link = None if parent is None else parent.get("link")
    steps = []
    for joint in chain:
        name, axis = joint.get("name", ""), joint.find("axis")
        if name in spec.joint_names and axis is not None:
            column = spec.joint_names.index(name)
            steps.append(JointStep(_origin(joint), "turn", _numbers(axis.get("xyz", "")), column))
        else:
            steps.append(JointStep(_origin(joint)))
    assert sum(step.kind == "turn" for step in steps) == len(spec.joint_names), f"{spec.name}: joints not on the way"
    return steps


def _origin(joint: ElementTree.Element) -> np.ndarray:
    """Pose [4, 4] of a joint in its parent link. Recorded episodes depend on its last digits."""
    pose, origin = np.eye(4), joint.find("origin")
    if origin is not None:
        pose[:3, 3] = _numbers(origin.get("xyz", "0 0 0"))
        angles = _numbers(origin.get("rpy", "0 0 0"))
        roll, pitch, yaw = (turned(axis, angle[None, None])[0] for axis, angle in zip(np.eye(3), angles))
        pose[:3, :3] = yaw @ pitch @ roll
    return pose


def _numbers(text: str) -> np.ndarray:
    return np.array([float(number) for number in text.split()])
