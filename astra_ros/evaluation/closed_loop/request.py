"""What `astra bench closed-loop` is asked for; its options are these fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from astra_ros.evaluation.requests import CLOSED_LOOP_FROM, ModelRequest
from astra_ros.inference import ARMS_MODEL, DEFAULT_MODEL
from astra_ros.registry import UnknownName
from astra_ros.settings import MOST_SEED, SettingError, check_ranges, setting

IMAGINATION, RANDOM, FIRST, ALONE = "imagination", "random", "first-plan", "plan-alone"
PHYSICS, TOLD, ORACLE = "physics", "physics-told", "oracle"
POLICIES = (IMAGINATION, RANDOM, FIRST, ALONE, PHYSICS, TOLD, ORACLE)
# robot -> its world. The drone is left out, because no closed loop flies it.
ROBOTS = {"panda": "arm", "kuka": "arm", "car": "drive", "rover": "explore"}
# Of worlds; raised with what planners propose or tasks ask for: episodes of another version are not comparable.
TASK_VERSIONS = {"arm": 6, "drive": 2, "explore": 1}
# The physics critic checks arms, and leaves plans of bases out.
OF_ARMS_ALONE = (PHYSICS, TOLD)


@dataclass(frozen=True)
class ClosedLoopRequest(ModelRequest):
    model: str = setting("", f"shipped name or directory (default: {ARMS_MODEL} for arms, else {DEFAULT_MODEL})")
    robots: Sequence[str] = setting(tuple(ROBOTS), "which simulated robots act", choices=list(ROBOTS))
    policies: Sequence[str] = setting(
        POLICIES, "which ways of choosing are compared; those that a robot does not have are left out", choices=POLICIES
    )
    episodes: int = setting(50, "episodes of each robot and policy; all policies meet the same scenes", 1, 1_000_000)
    first_seed: int = setting(CLOSED_LOOP_FROM, "seed of the first scene", 0, MOST_SEED)
    plans: int = setting(8, "candidates of a choice", 1, 12)
    arm_choices: int = setting(8, "pushes of 4 s after which an arm's episode ends", 1, 1000)
    drive_choices: int = setting(20, "choices, one a second, after which a drive ends", 1, 1000)
    distance_m: float = setting(5.0, "metres after which an exploration ends", 0.1, 1000.0, "m")
    explore_s: float = setting(60.0, "simulated seconds after which an exploration ends anyway", 1.0, 1e5, "s")
    out: Path = setting(
        Path("out/closed-loop"),
        "for each robot, ROBOT.jsonl with every episode, from which a stopped run goes on, and ROBOT.json with figures",
        metavar="FOLDER",
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        for what, names, known in (("robot", self.robots, ROBOTS), ("policy", self.policies, POLICIES)):
            for name in names:
                if name not in known:
                    raise UnknownName(what, name, list(known))
        for robot in self.robots:
            if not self.policies_of(robot):
                raise SettingError("policies", ", ".join(self.policies), f"give one that {robot} has too")

    def model_of(self, robot: str) -> str:
        return self.model or (ARMS_MODEL if ROBOTS[robot] == "arm" else DEFAULT_MODEL)

    def policies_of(self, robot: str) -> list[str]:
        """Those that were asked for and that the robot has, in the order of ``POLICIES``."""
        have = [name for name in POLICIES if ROBOTS[robot] == "arm" or name not in OF_ARMS_ALONE]
        return [name for name in have if name in self.policies]
