"""The torques that an arm needs along plans, against those that its description allows; PyBullet's inverse dynamics."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from functools import partial
from xml.etree import ElementTree

import numpy as np

from astra_ros.robot.kinematics import LinkPoses
from astra_ros.simulation.bullet import pybullet
from astra_ros.simulation.session import Session

GRAVITY = (0.0, 0.0, -9.81)  # m/s^2, in the base frame: the base stands upright
# PyBullet gives a link without inertia 1 kg. Links that no joint moves, such as tool frames, get this instead.
NO_MASS_KG = 1e-9


@dataclass(frozen=True)
class Effort:
    """The joint that needs the largest share of its effort limit along a plan."""

    joint: str
    share: float
    time_s: float


class JointTorques:
    """Torques of an arm that carries nothing, with its base fixed and upright.

    Args:
        urdf: as `links` was made from; limits and masses are read from it.

    Attributes:
        missing: why torques are not known, or ''.
    """

    def __init__(self, urdf: str, links: LinkPoses) -> None:
        self._links = links
        root = ElementTree.fromstring(urdf)
        self.missing = _weigh(root)
        self._limit = {
            joint.name: float(joint.limit.effort)
            for joint in links.robot.joints
            if joint.limit is not None and joint.limit.effort and np.isfinite(joint.limit.effort)
        }
        if not self._limit:
            self.missing = self.missing or "no joint has an effort limit"
        if self.missing:
            return
        self._session = Session()
        weakref.finalize(self, self._session.close)
        load = partial(self._session.loadURDF, useFixedBase=True, flags=pybullet.URDF_USE_INERTIA_FROM_FILE)
        self._arm = self._session.load_file(load, ElementTree.tostring(root), ".urdf")
        self._session.setGravity(*GRAVITY)
        joints = [self._session.getJointInfo(self._arm, j) for j in range(self._session.getNumJoints(self._arm))]
        self._moving = [info[1].decode() for info in joints if info[2] != pybullet.JOINT_FIXED]

    def largest(self, motion: np.ndarray, dt_s: float) -> list[Effort | None]:
        """Of K plans, joint positions [K, N, J] each ``dt_s``; None where N is below 3 or torques are not known.

        Velocities and accelerations are differences of the positions, so of what happens within ``dt_s`` the mean
        counts.
        """
        if self.missing or motion.shape[1] < 3:
            return [None] * len(motion)
        values = self._links.joint_values(motion)
        q = np.stack([values[name] for name in self._moving], axis=-1)
        velocity = (q[:, 2:] - q[:, :-2]) / (2 * dt_s)
        acceleration = np.diff(q, n=2, axis=1) / dt_s**2
        return [self._largest(*each, dt_s) for each in zip(q[:, 1:-1], velocity, acceleration)]

    def _largest(self, q: np.ndarray, velocity: np.ndarray, acceleration: np.ndarray, dt_s: float) -> Effort:
        rows = zip(q.tolist(), velocity.tolist(), acceleration.tolist())
        torque = np.array([self._session.calculateInverseDynamics(self._arm, *row) for row in rows])
        limit = np.array([self._limit.get(name, np.inf) for name in self._moving])
        share = np.abs(torque) / limit
        row, column = np.unravel_index(int(np.argmax(share)), share.shape)
        return Effort(self._moving[column], float(share[row, column]), (int(row) + 1) * dt_s)


def _weigh(root: ElementTree.Element) -> str:
    """Take the shapes out of a URDF, and give links that no joint moves by themselves a mass of nearly 0.

    The base's own inertia goes too: PyBullet 3.2.7 takes its axes for the world's (findings/
    pybullet_base_inertia_turns_gravity.sh).

    Returns:
        Which moving link has no mass, in words, or ''.
    """
    turned = {joint.find("child").get("link") for joint in root.findall("joint") if joint.get("type") != "fixed"}  # type: ignore[union-attr]
    carried = {joint.find("child").get("link") for joint in root.findall("joint")}  # type: ignore[union-attr]
    for link in root.findall("link"):
        needless = link.findall("visual") + link.findall("collision")
        for part in needless if link.get("name") in carried else needless + link.findall("inertial"):
            link.remove(part)
        if link.find("inertial/mass") is not None:
            continue
        if link.get("name") in turned:
            return f"link '{link.get('name')}' has no mass"
        inertial = ElementTree.SubElement(link, "inertial")
        ElementTree.SubElement(inertial, "mass", value=f"{NO_MASS_KG}")
        same = dict.fromkeys(("ixx", "iyy", "izz"), f"{NO_MASS_KG}") | dict.fromkeys(("ixy", "ixz", "iyz"), "0")
        ElementTree.SubElement(inertial, "inertia", same)
    return ""
