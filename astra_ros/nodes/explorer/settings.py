"""The settings of the explorer node. Without ROS."""

from __future__ import annotations

from dataclasses import dataclass

from astra_ros.agents.exploration import ExplorationSettings
from astra_ros.control.frontier_explorer import FrontierSettings
from astra_ros.control.occupancy_mapper import MappingSettings
from astra_ros.inference import BACKEND_TEXT, DEFAULT_MODEL
from astra_ros.settings import setting

DEPTH, TOPIC = MAPS = ("depth", "topic")
IMAGINED, BY_MAP, NEAREST = CHOICES = ("imagined", "map", "nearest")


@dataclass(frozen=True)
class ExplorerSettings(ExplorationSettings):
    """What explores, and how."""

    model: str = setting(DEFAULT_MODEL, "a name under models/, or a directory with model.safetensors and card.json")
    backend: str = setting("torch", BACKEND_TEXT)
    device: str = setting("cpu", "where the model runs: 'cpu', 'cuda' or 'cuda:0'")
    action_space: str = setting("rover_twist", "the model's action space of this base, with a camera that it carries")
    map_from: str = setting(DEPTH, "'depth' makes the map from depth images, 'topic' takes that of the topic map")
    choose: str = setting(
        IMAGINED,
        "'imagined' takes the motion with the largest imagined gain, 'map' the one with the largest gain by the map "
        "alone, 'nearest' goes to the nearest frontier",
    )
    act_s: float = setting(2.0, "seconds that the base moves before it stops and chooses anew", 0.25, 4.0, "s")
    stale_s: float = setting(
        1.0, "seconds without odometry after which the base is stopped, and images do not count", 0.05, 3600.0, "s"
    )
    mapping: MappingSettings = setting(MappingSettings(), "how depth becomes a map")
    frontiers: FrontierSettings = setting(FrontierSettings(), "where to go")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (("map_from", MAPS), ("choose", CHOICES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is '{getattr(self, name)}'; known are {', '.join(known)}")
