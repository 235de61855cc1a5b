"""The plan source node: candidate trajectories, as a motion planner would send them.

It plans in its own copy of the simulator's scene, so its robot and seed must be those of the simulator. Replace it by a
real planner that publishes JointTrajectory.

It publishes `plans` and /diagnostics, and answers `~/propose`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.executable import run
from astra_ros.nodes.imagine.settings import LONGEST_S, MOST_PLANS, MOST_SEED
from astra_ros.nodes.planners.proposer import Proposer
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.settings import check_ranges, setting
from astra_ros.simulation.arm.candidates import propose
from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings


@dataclass(frozen=True)
class PlanSourceSettings:
    """Which plans to send, and when."""

    robot: str = setting("panda", "the arm, 'panda' or 'kuka', as in the simulator")
    seed: int = setting(0, "the scene, as in the simulator, and the draw of plans", 0, MOST_SEED)
    count: int = setting(8, "plans per proposal", 1, MOST_PLANS, "plans")
    period_s: float = setting(
        5.0, "seconds between two proposals; 0 sends only when ~/propose is called", 0.01, LONGEST_S, "s", "when asked"
    )

    def __post_init__(self) -> None:
        check_ranges(self)


class PlanSource(Proposer[PlanSourceSettings]):
    """Publishes ``count`` trajectories."""

    def __init__(self, node: Node) -> None:
        super().__init__(node, PlanSourceSettings(), JointTrajectory, read_only=("robot",))
        self._world = ArmWorld(ArmWorldSettings(robot=self.settings.robot))
        self._proposed: tuple[tuple[int, int], list[tuple[str, JointPlan]]] | None = None

    def close(self) -> None:
        super().close()
        self._world.close()

    def propose(self) -> None:
        self.send([plan_to_trajectory(plan) for _, plan in self._candidates()])

    def answer(self) -> tuple[bool, str]:
        self.propose()
        kinds = [kind for kind, _ in self._candidates()]
        return self.listeners > 0, f"sent {len(kinds)} plans to {self.listeners} listeners: {', '.join(kinds)}"

    def values(self) -> dict[str, object]:
        return {"robot": self.settings.robot, "seed": self.settings.seed}

    def _candidates(self) -> list[tuple[str, JointPlan]]:
        """Kind and plan of each; they stay the same until a setting changes."""
        key = (self.settings.seed, self.settings.count)
        if self._proposed is None or self._proposed[0] != key:
            self._world.reset(self.settings.seed)
            self._proposed = (key, propose(self._world, self.settings.count, self.settings.seed))
        return self._proposed[1]


def declared_settings() -> dict[str, object]:
    """Namespace -> the settings that the node declares."""
    return {"": PlanSourceSettings()}


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return run("plan_source", PlanSource, declared_settings, argv)


if __name__ == "__main__":
    sys.exit(main())
