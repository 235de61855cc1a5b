"""Does the plan touch what is known: the robot itself, and obstacles of a file or of the planner?

The world model sees what the camera sees and nothing else; this critic knows what it was told and nothing else. So both
count, each with its own number. It is loaded where the parameter `critics` names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from astra_ros.critics.base import Critic, CriticInput, CriticResult, CriticSettings
from astra_ros.errors import UserError
from astra_ros.obstacles import KnownObstacle, read_obstacles
from astra_ros.settings import setting
from astra_ros.texts import listed

if TYPE_CHECKING:
    from astra_ros.simulation.arm.joint_torques import Effort, JointTorques
    from astra_ros.simulation.arm.plan_contacts import Nearest, PlanContacts


@dataclass(frozen=True)
class PhysicsSettings(CriticSettings):
    obstacles: str = setting(
        "", "YAML file of known obstacles, see docs/physics-critic.md; '' knows none but those of topics"
    )
    margin: float = setting(
        0.005,
        "m, distance to an obstacle or to the robot itself below which a plan is marked risky and costs, up to 1 at "
        "contact",
        1e-4,
        0.1,
    )
    veto: bool = setting(True, "whether a plan that touches an obstacle or the robot itself is vetoed")
    step_s: float = setting(0.02, "s between two looks along a plan; shorter contacts may be missed", 0.001, 1.0)
    effort_share: float = setting(
        1.0, "share of a joint's effort limit above which a plan is marked risky; the arm carries nothing", 0.01, 100.0
    )


class PhysicsCritic(Critic):
    """The least distance of an arm to itself and to known obstacles along a plan, m; contact vetoes it."""

    name = "physics"
    settings_class = PhysicsSettings
    reads_imagination = False
    unit = "m"

    def missing(self, inp: CriticInput) -> str | None:
        if not inp.space.columns_are_joints:
            return "it checks arms, and these plans move a base"
        if inp.robot_description is None:
            return "no robot description is known"
        try:
            self._robot(inp)
        except ImportError as error:
            return f"the package {error.name} is not installed; run: pip install 'astra_ros[sim,ros]'"
        except UserError as error:
            return str(error)
        return None

    def score(self, inp: CriticInput) -> CriticResult:
        contacts, torques = self._robot(inp)
        horizon_s = (inp.motion.shape[1] - 1) * inp.dt_s
        times_s = np.linspace(0.0, horizon_s, max(1, round(horizon_s / self.settings.step_s)) + 1)
        found = contacts.nearest(times_s, inp.motion_at(times_s))
        efforts = torques.largest(inp.motion, inp.dt_s)
        distance = np.array([each.distance_m for each in found])
        touches = np.array([each.touches for each in found])
        near = np.where(touches, 1.0, np.clip(1.0 - distance / self.settings.margin, 0.0, 1.0))
        strained = np.array([each is not None and each.share > self.settings.effort_share for each in efforts])
        reasons = tuple(_reason(*each, contacts) for each in zip(found, efforts))
        return CriticResult(distance, near, reasons, touches & self.settings.veto, (near > 0.0) | strained)

    def _robot(self, inp: CriticInput) -> tuple[PlanContacts, JointTorques]:
        """Raises UserError where robot or obstacles cannot be used, ImportError without PyBullet."""
        of_file = _of_file(self.settings.obstacles) if self.settings.obstacles else ()
        assert inp.robot_description is not None
        held = tuple(sorted(inp.held_joints.items()))
        return _built(inp.robot_description, inp.space.motion_names, held, (*of_file, *inp.obstacles))


@lru_cache(maxsize=4)
def _built(
    urdf: str, joints: tuple[str, ...], held: tuple[tuple[str, float], ...], obstacles: tuple[KnownObstacle, ...]
) -> tuple[PlanContacts, JointTorques]:
    from astra_ros.simulation.arm.joint_torques import JointTorques
    from astra_ros.simulation.arm.plan_contacts import PlanContacts

    contacts = PlanContacts(urdf, joints, dict(held), obstacles)
    return contacts, JointTorques(urdf, contacts.links)


def _of_file(path: str) -> tuple[KnownObstacle, ...]:
    try:
        changed = Path(path).stat().st_mtime_ns
    except OSError:
        changed = 0  # reading it says what is wrong
    return _read(path, changed)


@lru_cache(maxsize=4)
def _read(path: str, _changed: int) -> tuple[KnownObstacle, ...]:
    return read_obstacles(path)


def _reason(nearest: Nearest, effort: Effort | None, contacts: PlanContacts) -> str:
    who = f"{nearest.link} touches {_named(nearest)}" if nearest.touches else ""
    if who:
        text = f"{who} at {nearest.time_s:.2f} s"
    elif nearest.link:
        where = f"{nearest.link} and {_named(nearest)} at {nearest.time_s:.2f} s"
        text = f"least distance {nearest.distance_m:.3f} m, {where}"
    else:
        text = f"nothing known is nearer than {nearest.distance_m:.2f} m"
    if effort is not None:
        text += f"; {effort.joint} needs {effort.share:.0%} of its effort limit at {effort.time_s:.2f} s"
    return text + (f"; left out: {listed(contacts.left_out)}" if contacts.left_out else "")


def _named(nearest: Nearest) -> str:
    return nearest.other if nearest.is_link else f"obstacle '{nearest.other}'"
