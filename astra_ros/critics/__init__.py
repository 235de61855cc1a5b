"""Critics: each reads the imagined plans and gives every plan a cost, a reason and perhaps a veto."""

from astra_ros.critics.base import Critic, CriticInput, CriticResult, CriticSettings, Settings, setting
from astra_ros.critics.registry import CRITICS, DEFAULT_CRITICS, CriticError, load_critic

__all__ = [
    "CRITICS",
    "DEFAULT_CRITICS",
    "Critic",
    "CriticError",
    "CriticInput",
    "CriticResult",
    "CriticSettings",
    "Settings",
    "load_critic",
    "setting",
]
