"""What the imagine node knows of its model and of the request that it served last."""

from __future__ import annotations

from dataclasses import dataclass, field

from astra_ros.nodes.imagine.robot_description import PREPARING
from astra_ros.outcomes import OBJECT_POSITION

# What they lack where nothing is wanted is no fault.
OF_GOALS = ("goal", "goal_pose")


@dataclass
class ModelState:
    """What is known of the model: its card once it is loaded, or why it is not."""

    card: object | None = None
    error: str = ""
    load_s: float = 0.0
    doing: str = "loading"

    def prepare(self) -> None:
        """The model is loaded, and what else it needs is being made."""
        self.doing = PREPARING

    @property
    def arms(self) -> list[str]:
        """Action spaces of joints; none before it is loaded."""
        spaces = self.card.action_spaces if self.card else {}
        return [name for name, space in spaces.items() if space.columns_are_joints]

    def never_scores_poses(self, space: str) -> bool:
        """Whether it cannot say where an object ends, which a goal pose asks, on the robot of the last request.

        Args:
            space: its action space; '' before the first request: on any of its arms.
        """
        asked = [space] if space else self.arms
        return bool(asked) and not any(OBJECT_POSITION in self.card.outcomes.get(name, ()) for name in asked)


@dataclass
class LastRequest:
    """What the newest imagination gave."""

    count: int = 0
    plans: int = 0
    summary: str = ""
    space: str = ""
    latency_s: float = 0.0
    timings_s: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    undrawn: str = ""
    all_vetoed: bool = False

    def lacks(self, goal_wanted: bool) -> list[str]:
        """What was missing for whole scores, in words."""
        said = [
            f"{critic} does not score: {why}"
            for critic, why in self.missing.items()
            if goal_wanted or critic not in OF_GOALS
        ]
        if self.undrawn:
            said.append(f"imagined less exactly, without the robot drawn along the plan: {self.undrawn}")
        return said
