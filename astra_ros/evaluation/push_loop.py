"""The arm's closed loop in the simulator: pushes are planned, imagined, chosen and executed until the cube is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from astra_ros.agents.loop import Choose, Cycle, LoopSettings
from astra_ros.agents.manipulation import PushTask, RobotWorldModel
from astra_ros.agents.plan_improvement import ImprovementSettings
from astra_ros.control.motion_planner import MotionPlanner
from astra_ros.critics.collision import CollisionSettings
from astra_ros.inference.world_model import WorldModel
from astra_ros.plans.durations import PLAN_S
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.simulation.arm.episodes import PlayingArm
from astra_ros.simulation.arm.planned_pushes import motion_settings, push_settings
from astra_ros.simulation.arm.referee import ArmReferee
from astra_ros.simulation.arm.robots import robot_description

NEAR_M = 0.05
# A contact ends the hope of an untouched obstacle, and a push that gets less far can be repeated.
COLLISION_WEIGHT = 2.0


@dataclass(frozen=True, eq=False)
class PushOutcome:
    """How an episode ended.

    Attributes:
        choices: plans that were asked for.
        touched: whether the arm or the cube touched the obstacle.
        distance_m: from the cube to the goal.
    """

    choices: int
    touched: bool
    distance_m: float

    @property
    def reached(self) -> bool:
        return self.distance_m <= NEAR_M


@dataclass
class PushLoop:
    """Episodes of one simulated arm with one model; one thread owns it.

    Args:
        count: candidates per choice.
        most_choices: after which an episode ends.
        plan_limit_s: for the candidates of one choice.
        choose: chooses among pushes in place of imagination, such as for a comparison.
        sees: False renders nothing, for choices that look at no image; frames are then black.
        improvement: how pushes are refined; by default they are not.

    Attributes:
        outcome: of the last episode, up to now.
    """

    model: WorldModel
    world: PlayingArm
    count: int = 8
    most_choices: int = 8
    plan_limit_s: float = 10.0
    choose: Choose | None = None
    sees: bool = True
    improvement: ImprovementSettings = ImprovementSettings()
    robot: RobotWorldModel = field(init=False)
    outcome: PushOutcome = field(init=False, default=PushOutcome(0, False, np.inf))

    def __post_init__(self) -> None:
        horizon = round(PLAN_S / self.model.card.dt_s)
        ranking = RankingSettings(horizon, partial_plans=True, action_space=self.world.embodiment.space)
        motion = motion_settings(self.count, self.plan_limit_s)
        imaginer = Imaginer(self.model, ranking, {"collision": CollisionSettings(weight=COLLISION_WEIGHT)})
        self.robot = RobotWorldModel(imaginer, MotionPlanner(motion), self.improvement)
        self._horizon = horizon

    def episode(self, seed: int, watch: Callable[[], None] = lambda: None) -> Iterator[Cycle]:
        """Reset the world to a seed and act; each cycle is handed on as it ends, with ``outcome`` up to then.

        Args:
            watch: called after every step.
        """
        world = self.world
        world.reset(seed)
        watched = _Watched(world, watch, self.sees)
        settings = LoopSettings(act_steps=self._horizon, most_choices=self.most_choices)
        task = self.task()
        self.outcome = PushOutcome(0, False, task.distance_m)
        for cycle in self.robot.push(watched, task, settings, seed, self.choose):
            touched = watched.referee.verdict().collision
            self.outcome = PushOutcome(cycle.moment.index + 1, touched, task.distance_m)
            yield cycle

    def task(self) -> PushTask:
        """The push of this scene. The cube's place comes from the simulator, as from a perfect perception."""
        world, spec = self.world, self.world.spec

        def joints() -> dict[str, float]:
            return dict(zip(spec.joint_names, world.motion().tolist()))

        return PushTask(
            robot_description(spec, coarse=True),
            push_settings(spec),
            joints,
            lambda: world.state().object_position,
            world.state().goal_position,
            NEAR_M,
            dict(zip(spec.joint_names, spec.ready)),
        )

    def close(self) -> None:
        self.robot.close()


class _Watched:
    """The world with a referee that sees every step."""

    def __init__(self, world: PlayingArm, watch: Callable[[], None], sees: bool) -> None:
        self._world, self._watch = world, watch
        self.referee = ArmReferee(world)
        self.command = world.command
        self.render = world.render if sees else world.settings.camera.black

    def step(self, seconds: float) -> None:
        self._world.step(seconds)
        self.referee.watch()
        self._watch()
