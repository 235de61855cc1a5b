"""Critics: each reads the imagined plans and gives every plan a cost, a reason and perhaps a veto."""

from astra_ros.critics.base import Critic, CriticInput, CriticResult, CriticSettings
from astra_ros.critics.registry import CRITICS, DEFAULT_CRITICS, CriticError, load_critic
from astra_ros.settings import setting

__all__ = [
    "CRITICS",
    "DEFAULT_CRITICS",
    "Critic",
    "CriticError",
    "CriticInput",
    "CriticResult",
    "CriticSettings",
    "load_critic",
    "setting",
]
