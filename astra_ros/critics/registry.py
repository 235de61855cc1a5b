"""Critics by name, from this package and from any installed one."""

from __future__ import annotations

from astra_ros.critics.base import Critic, CriticSettings
from astra_ros.errors import UserError
from astra_ros.registry import Registry

OWN = {
    "goal": "astra_ros.critics.goal:GoalCritic",
    "goal_pose": "astra_ros.critics.goal_pose:GoalPoseCritic",
    "progress": "astra_ros.critics.progress:ProgressCritic",
    "curiosity": "astra_ros.critics.curiosity:CuriosityCritic",
    "collision": "astra_ros.critics.collision:CollisionCritic",
    "off_road": "astra_ros.critics.off_road:OffRoadCritic",
    "uncertainty": "astra_ros.critics.uncertainty:UncertaintyCritic",
    "smoothness": "astra_ros.critics.smoothness:SmoothnessCritic",
}
# Loaded unless others are asked for, and shown in this order.
DEFAULT_CRITICS = tuple(OWN)
# Loaded only where they are asked for, and from other rooms, which this one does not import.
ON_REQUEST = {"physics": "astra_ros.simulation.physics_critic:PhysicsCritic"}
CRITICS: Registry[type[Critic]] = Registry("critic", "astra_ros.critics", OWN | ON_REQUEST)


class CriticError(UserError, ValueError):
    """A registered class cannot serve as a critic. ``thing`` is its name."""


def load_critic(name: str) -> type[Critic]:
    """The critic's class. Raises UnknownName, LoadError, or CriticError where it is not a critic of that name."""
    found, thing = CRITICS[name], f"critic '{name}'"
    if not (isinstance(found, type) and issubclass(found, Critic)):
        raise CriticError(f"{found!r} is not a subclass of astra_ros.critics.Critic", thing=thing)
    if found.name != name:
        problem = f"its class {found.__name__} calls itself '{found.name}'"
        raise CriticError(problem, thing=thing, cure="give class and entry point the same name")
    try:
        settings = found.settings_class()
    except Exception as error:
        raise CriticError(f"its settings have no defaults ({error})", thing=thing) from error
    if not isinstance(settings, CriticSettings):
        raise CriticError(f"{settings!r} are not astra_ros.critics.CriticSettings", thing=thing)
    return found
