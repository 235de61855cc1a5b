"""Plans in, scores out: the core of the imagine node, the benchmark and the evaluation.

The steps are prepare (``prepare.py``) -> condition -> imagine (``strategies.py``) -> score (``critics/scoring.py``).
Nothing here knows ROS, a network library or a simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from astra_ros.camera.new_space import new_space
from astra_ros.critics import DEFAULT_CRITICS, CriticInput, CriticSettings, load_critic
from astra_ros.critics.scoring import PlanScore, Scores, ScoringSettings, score_plans
from astra_ros.inference.conditioning import Conditioning
from astra_ros.inference.imagination import Imagination
from astra_ros.inference.plan_batches import check_memory
from astra_ros.inference.world_model import WorldModel
from astra_ros.obstacles import KnownObstacle
from astra_ros.plans.start import RobotNow
from astra_ros.ranking.object_finder import ObjectFinder
from astra_ros.ranking.prepare import Plan, PlanPreparer, PlanSettings, PreparedPlans
from astra_ros.ranking.stopwatch import Stopwatch
from astra_ros.ranking.strategies import ALL_AT_ONCE, STRATEGIES, PlanRollouts, StrategySettings
from astra_ros.robot.plan_renders import PlanRenders
from astra_ros.robot.renders_on_demand import RendersOnDemand
from astra_ros.settings import setting


@dataclass(frozen=True)
class RankingSettings(StrategySettings, PlanSettings):
    """How a request is imagined."""

    denoising_steps: int = setting(
        0, "steps of the sampler per frame; 0 takes the model's default", 1, 1000, off="the model's default"
    )
    critics: tuple[str, ...] = setting(
        DEFAULT_CRITICS,
        "names of the critics that are loaded, in the order in which they are shown; each has the parameters "
        "<name>.enabled, <name>.weight and further ones",
    )
    strategy: str = setting(
        ALL_AT_ONCE,
        "which plans are imagined how far: 'all_at_once' imagines every frame of every plan; 'coarse_to_fine' imagines "
        "some frames of every plan and then every frame of the best ones, with a one-pass model",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.critics)) != len(self.critics):
            raise ValueError(f"critics is {self.critics}; name each critic once")
        if self.strategy not in STRATEGIES:
            raise ValueError(f"strategy is '{self.strategy}'; known are {', '.join(STRATEGIES)}")


@dataclass(frozen=True)
class Result:
    """The imagined plans of one request with their scores.

    Attributes:
        prepared: the K imagined plans, in the order of everything below.
        observed: uint8 [h, w, 3], the newest frame of the history.
        critic_input: what the critics read.
        missing: critic name -> why it could not score.
        undrawn: why the robot was not rendered along the plans, or ''. Only models that were trained with robot
            renders need them.
        timings_s: seconds spent in "prepare", "draw", "encode", "goal", "imagine", "critics", "total".
    """

    prepared: PreparedPlans
    imagination: Imagination
    observed: np.ndarray
    conditioning: Conditioning
    critic_input: CriticInput = field(repr=False)
    scores: list[PlanScore]
    missing: dict[str, str] = field(default_factory=dict)
    undrawn: str = ""
    timings_s: dict[str, float] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(plan.name for plan in self.prepared.plans)

    @property
    def best(self) -> int | None:
        """Index of the plan with rank 0, or None when every plan is vetoed."""
        return None if self.scores[self.shown].verdict == "vetoed" else self.shown

    @property
    def shown(self) -> int:
        """Index of the plan with rank 0, vetoed or not."""
        return min(range(len(self.scores)), key=lambda index: self.scores[index].rank)


class Imaginer:
    """A loaded world model with its critics: plans in, scores out.

    Not thread safe: one thread owns it, because it owns the model.

    Args:
        critics: critic name -> its settings; a loaded critic that is not in it has its defaults.

    Attributes:
        robot_description: URDF text that critics read; None where none is known.
        obstacles: known ones that critics read, in the robot's base frame.
        uncertainty_factor: how much larger real errors were than expected ones; of `PredictionMonitor`.
    """

    robot_description: str | None = None
    obstacles: tuple[KnownObstacle, ...] = ()
    uncertainty_factor: float = 1.0

    def __init__(
        self,
        model: WorldModel,
        settings: RankingSettings = RankingSettings(),
        critics: Mapping[str, CriticSettings] | None = None,
        scoring: ScoringSettings = ScoringSettings(),
    ) -> None:
        self.model = model
        card = model.card
        self._object_finder = ObjectFinder(model)
        self.plan_renders = PlanRenders(card.cameras, card.held_joints, card.image_size)
        self.configure(settings, critics or {}, scoring)

    def configure(
        self,
        settings: RankingSettings,
        critics: Mapping[str, CriticSettings],
        scoring: ScoringSettings = ScoringSettings(),
    ) -> None:
        """Change the settings from the next request on; the model stays.

        Raises:
            UnknownName, LoadError, CriticError: a critic or the strategy cannot be loaded.
            StrategyError: the strategy cannot work with this model.
            ValueError: settings are given for a critic that is not loaded.
        """
        if unknown := sorted(set(critics) - set(settings.critics)):
            raise ValueError(f"settings are given for {unknown}, but the critics are {list(settings.critics)}")
        card = self.model.card
        self.settings = settings
        self.prepare = PlanPreparer(card.name, card.action_spaces, card.dt_s, settings, card.continuous_joints)
        self.scoring = scoring
        self.strategy = STRATEGIES[settings.strategy](settings, card.network.strides)
        self.critics = [load_critic(name)(critics.get(name)) for name in settings.critics]

    def score(
        self,
        history: np.ndarray,
        plans: Sequence[Plan],
        motion_now: Mapping[str, float] | RobotNow | None = None,
        goal_frame: np.ndarray | None = None,
        seed: int = 0,
        goal_position: np.ndarray | None = None,
        preliminary: Callable[[Result], None] | None = None,
    ) -> Result:
        """Imagine every plan and score what was imagined.

        Args:
            history: uint8 [T, h, w, 3] RGB, oldest first, ``dt_s`` apart, at the model's size.
            plans, motion_now: see :class:`PlanPreparer`.
            goal_frame: uint8 [h, w, 3] RGB at the model's size.
            seed: of the noise that all plans share.
            goal_position: [3] m, where the object should end.
            preliminary: called with a first result, before the strategy looks closer; not every strategy has one.

        Raises:
            NothingToImagine: no plan can be imagined.
            ModelError: the engine fails, or memory does not hold the request.
            ValueError: the history or the goal has another shape than the model's card says.
        """
        card = self.model.card
        shape = (card.history, *card.image_size, 3)
        if history.shape != shape or history.dtype != np.uint8:
            needed = f"uint8 {shape}: frames, height, width, RGB"
            raise ValueError(f"history is {history.dtype} {history.shape}; the model '{card.name}' needs {needed}")
        if goal_frame is not None and goal_frame.shape != shape[1:]:
            raise ValueError(f"goal_frame has shape {goal_frame.shape}; expected {shape[1:]}")
        clock = Stopwatch()
        prepared = self.prepare(plans, motion_now)
        check_memory(card, len(prepared.plans), self.settings.horizon)  # before the robot is drawn
        clock.lap("prepare")
        conditioning = self._condition(prepared)
        new_space_K = self._new_space(conditioning)
        clock.lap("draw")
        # What is imagined from the history then finds its latents.
        frames = history if goal_frame is None else np.concatenate([history, goal_frame[None]])
        latents = self.model.encode(frames)
        newest = latents[len(history) - 1]
        clock.lap("encode")
        goal_seen = None
        if goal_frame is not None and goal_position is None and self._enabled("goal_pose"):
            steps = self.settings.denoising_steps or None
            goal_seen = self._object_finder.find(goal_frame, prepared.space, prepared.motion[0, 0], seed, steps)
        clock.lap("goal")

        def critic_input(imagination: Imagination) -> CriticInput:
            return CriticInput(
                imagination,
                prepared.motion,
                prepared.space,
                card.dt_s,
                newest,
                None if goal_frame is None else latents[-1],
                goal_seen if goal_position is None else goal_position,
                goal_seen is not None,
                card.calibrations.get(prepared.space.name, {}),
                prepared.plans,
                self.robot_description,
                card.held_joints.get(prepared.space.name, {}),
                self.obstacles,
                self.uncertainty_factor,
                new_space_K,
            )

        def score(imagination: Imagination) -> Scores:
            names = [plan.name for plan in prepared.plans]
            return score_plans(names, critic_input(imagination), self.critics, self.scoring)

        def imagine(conditioning: Conditioning, steps: int | None, stride: int) -> Imagination:
            return self.model.imagine(history, conditioning, seed=seed, steps=steps, stride=stride)

        needs_renders = prepared.space.name in card.cameras
        undrawn = (self.plan_renders.problem or "") if needs_renders and conditioning.robot_renders is None else ""

        def result(imagination: Imagination, scored: Scores) -> Result:
            scores = [
                replace(each, reasons=(*each.reasons, *_caveats(undrawn, int(stride))))
                for each, stride in zip(scored.scores, imagination.strides)
            ]
            read, times = critic_input(imagination), clock.stop()
            return Result(
                prepared, imagination, history[-1], conditioning, read, scores, scored.missing, undrawn, times
            )

        def show(*early) -> None:
            if preliminary is not None:
                clock.lap("imagine")
                preliminary(result(*early))

        rollouts = PlanRollouts(conditioning, imagine, score, self.settings.denoising_steps or None, show)
        self.strategy(rollouts)
        imagination = rollouts.imagination
        clock.lap("imagine")
        if isinstance(renders := conditioning.robot_renders, RendersOnDemand):
            clock.move(renders.drawn_s, "imagine", "draw")
        scores = score(imagination)
        clock.lap("critics")
        return result(imagination, scores)

    def _condition(self, prepared: PreparedPlans) -> Conditioning:
        card, space, motion = self.model.card, prepared.space, prepared.motion
        renders = self.plan_renders.draw(space, motion) if card.cameras else None
        moving = card.moving_cameras.get(space.name)
        poses = None if moving is None else moving.camera_poses(space, motion, card.dt_s)
        return Conditioning(space.name, space.encode(motion), renders, poses)

    def _new_space(self, conditioning: Conditioning) -> np.ndarray | None:
        """See `new_space`; None where no critic is for it, or the camera's way is not known."""
        if conditioning.camera_poses is None or not self._enabled("curiosity"):
            return None
        camera = self.model.card.moving_cameras[conditioning.space]
        return new_space(camera, conditioning.camera_poses, self.model.card.image_size)

    def _enabled(self, name: str) -> bool:
        return any(critic.name == name and critic.settings.enabled for critic in self.critics)

    def pictures(self, result: Result, which=...) -> np.ndarray:
        """Imagined frames as images uint8 [..., h, w, 3] RGB. A plan's last imagined image repeats after it.

        Args:
            which: index of [K, H]: ``0`` is the first plan, ``np.s_[:, -1]`` the last step of all plans.
        """
        made = result.imagination
        if (made.imagined_steps < made.horizon).any():
            plan_KH, step_KH = np.indices((made.plans, made.horizon))
            which = plan_KH[which], np.minimum(step_KH, made.imagined_steps[:, None] - 1)[which]
        return self.model.pictures(made.latents, result.observed, result.conditioning, which)


def _caveats(undrawn: str, stride: int) -> list[str]:
    """In what the imagination of a plan falls short of the model's best, with which its score would differ."""
    caveats = ["imagined without the robot's render"] if undrawn else []
    return caveats + ([f"imagined coarsely, one frame in {stride}"] if stride > 1 else [])
