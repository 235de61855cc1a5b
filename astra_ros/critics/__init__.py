"""Critics: each looks at the imagined plans and gives a cost, a reason and perhaps a veto."""

from astra_ros.critics.base import Critic, CriticInput, CriticResult, CriticSettings, Settings, setting
from astra_ros.critics.collision import CollisionCritic, CollisionSettings
from astra_ros.critics.curiosity import CuriosityCritic, CuriositySettings
from astra_ros.critics.goal import GoalCritic, GoalSettings
from astra_ros.critics.goal_pose import GoalPoseCritic, GoalPoseSettings
from astra_ros.critics.off_road import OffRoadCritic, OffRoadSettings
from astra_ros.critics.progress import ProgressCritic, ProgressSettings
from astra_ros.critics.smoothness import SmoothnessCritic, SmoothnessSettings
from astra_ros.critics.uncertainty import UncertaintyCritic, UncertaintySettings

# Name (also the parameter namespace) -> (critic, its settings). Shown in this order everywhere.
CRITICS: dict[str, tuple[type, type[CriticSettings]]] = {
    "goal": (GoalCritic, GoalSettings),
    "goal_pose": (GoalPoseCritic, GoalPoseSettings),
    "progress": (ProgressCritic, ProgressSettings),
    "curiosity": (CuriosityCritic, CuriositySettings),
    "collision": (CollisionCritic, CollisionSettings),
    "off_road": (OffRoadCritic, OffRoadSettings),
    "uncertainty": (UncertaintyCritic, UncertaintySettings),
    "smoothness": (SmoothnessCritic, SmoothnessSettings),
}

__all__ = [
    "CRITICS",
    "CollisionCritic",
    "CollisionSettings",
    "Critic",
    "CriticInput",
    "CriticResult",
    "CriticSettings",
    "CuriosityCritic",
    "CuriositySettings",
    "GoalCritic",
    "GoalPoseCritic",
    "GoalPoseSettings",
    "GoalSettings",
    "OffRoadCritic",
    "OffRoadSettings",
    "ProgressCritic",
    "ProgressSettings",
    "Settings",
    "SmoothnessCritic",
    "SmoothnessSettings",
    "UncertaintyCritic",
    "UncertaintySettings",
    "setting",
]
