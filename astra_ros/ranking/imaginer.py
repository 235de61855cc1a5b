"""From frames and plans to scores: the heart of the imagine node, the benchmark and the evaluation.

No ROS, no network library, no simulator in here: a world model behind its protocol, plans, critics.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from astra_ros.critics import DEFAULT_CRITICS, CriticInput, CriticSettings, load_critic
from astra_ros.critics.scoring import PlanScore, ScoringSettings, score_plans
from astra_ros.inference.conditioning import Conditioning
from astra_ros.inference.imagination import Imagination
from astra_ros.outcomes import OBJECT_POSITION
from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.ranking.prepare import Plan, PlanPreparer, PlanSettings, Prepared
from astra_ros.ranking.robot_now import RobotNow
from astra_ros.robot.plan_renders import PlanRenders
from astra_ros.settings import limited

MAX_DENOISING_STEPS = 1000
# Among the reasons of each score that would have been another one with the robot drawn along the plan.
UNDRAWN = "imagined without the robot's render"


@dataclass(frozen=True)
class ImaginerSettings(PlanSettings):
    """How a request is imagined.

    Attributes:
        denoising_steps: steps of the sampler per frame; 0 takes the model's default.
        critics: names of the critics that are loaded, in the order in which they are shown; each has the
            parameters <name>.enabled, <name>.weight and further ones.
    """

    denoising_steps: int = limited(0, 1, MAX_DENOISING_STEPS, off="the model's default")
    critics: tuple[str, ...] = DEFAULT_CRITICS

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.critics)) != len(self.critics):
            raise ValueError(f"critics is {self.critics}; name each critic once")


@dataclass(frozen=True)
class Result:
    """What was imagined, and what the critics say about it.

    Attributes:
        prepared: the plans that were imagined, in the order of everything below.
        imagination: latents [K, H, C, h, w], uncertainty [K, H], outcomes.
        observed: uint8 [h, w, 3], the newest frame of the history.
        conditioning: what the plans were imagined by.
        scores: K scores, in plan order.
        missing: critic name -> why it could not score.
        undrawn: why the model had to do without the robot drawn along the plans, or ''; only of
            models that were trained with robot renders.
        timings_s: seconds spent in "prepare", "draw", "encode", "goal", "imagine", "critics", "total".
    """

    prepared: Prepared
    imagination: Imagination
    observed: np.ndarray
    conditioning: Conditioning
    scores: list[PlanScore]
    missing: dict[str, str] = field(default_factory=dict)
    undrawn: str = ""
    timings_s: dict[str, float] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The K plan names, in plan order."""
        return tuple(plan.name for plan in self.prepared.plans)

    @property
    def best(self) -> int | None:
        """Index of the plan with rank 0, or None when every plan is vetoed."""
        for index, score in enumerate(self.scores):
            if score.rank == 0 and score.verdict != "vetoed":
                return index
        return None

    @property
    def shown(self) -> int:
        """Index of the plan with rank 0, vetoed or not: the one to show."""
        return min(range(len(self.scores)), key=lambda index: self.scores[index].rank)


class Imaginer:
    """A world model with its critics: plans in, scores out.

    Not thread safe: one thread owns it, because it owns the model.

    Attributes:
        prepare: which plans can be imagined, see ``ranking/prepare.py``.

    Args:
        model: a loaded world model (see ``astra_ros.inference.base.WorldModel``).
        settings: horizon and denoising steps.
        critics: critic name -> its settings; a loaded critic that is not in it has its defaults.
        scoring: where a plan counts as risky, and the like.
    """

    def __init__(
        self,
        model,
        settings: ImaginerSettings = ImaginerSettings(),
        critics: Mapping[str, CriticSettings] | None = None,
        scoring: ScoringSettings = ScoringSettings(),
    ) -> None:
        self.model = model
        card = model.card
        self.plan_renders = PlanRenders(card.cameras, card.held_joints, card.image_size)
        self.configure(settings, critics or {}, scoring)

    def configure(
        self,
        settings: ImaginerSettings,
        critics: Mapping[str, CriticSettings],
        scoring: ScoringSettings = ScoringSettings(),
    ) -> None:
        """Take other settings from the next request on; the model stays as it is.

        Raises:
            UnknownName, LoadError, CriticError: a critic cannot be loaded.
            ValueError: settings are given for a critic that is not loaded.
        """
        if unknown := sorted(set(critics) - set(settings.critics)):
            raise ValueError(f"settings are given for {unknown}, but the critics are {list(settings.critics)}")
        card = self.model.card
        self.settings = settings
        self.prepare = PlanPreparer(card.name, card.action_spaces, card.dt_s, settings, card.continuous_joints)
        self.scoring = scoring
        self.critics = [load_critic(name)(critics.get(name)) for name in settings.critics]

    def score(
        self,
        history: np.ndarray,
        plans: Sequence[Plan],
        motion_now: Mapping[str, float] | RobotNow | None = None,
        goal_frame: np.ndarray | None = None,
        seed: int = 0,
        goal_position: np.ndarray | None = None,
    ) -> Result:
        """Imagine every plan and score what was imagined.

        Args:
            history: uint8 [T, h, w, 3] RGB, oldest first, ``dt_s`` apart, at the model's size.
            plans: K candidates with unique names.
            motion_now: what the robot does at the newest frame, see ``ranking/prepare.py``.
            goal_frame: uint8 [h, w, 3] RGB at the model's size, or None.
            seed: the one draw of noise that all plans share.
            goal_position: [3] m, where the object should end, or None.

        Raises:
            NothingToImagine: no plan can be imagined.
            ValueError: the history or the goal has another shape than the model's card says.
        """
        card = self.model.card
        shape = (card.history, *card.image_size, 3)
        if history.shape != shape or history.dtype != np.uint8:
            raise ValueError(
                f"history is {history.dtype} {history.shape}; the model '{card.name}' needs "
                f"uint8 {shape}: frames, height, width, RGB"
            )
        if goal_frame is not None and goal_frame.shape != shape[1:]:
            raise ValueError(f"goal_frame has shape {goal_frame.shape}; expected {shape[1:]}")
        clock = _Stopwatch()
        prepared = self.prepare(plans, motion_now)
        space = prepared.space
        actions = space.encode(prepared.motion)
        clock.lap("prepare")
        renders = self.plan_renders.draw(space, prepared.motion) if card.cameras else None
        moving = card.moving_cameras.get(space.name)
        poses = None if moving is None else moving.travel(space, prepared.motion, card.dt_s)
        conditioning = Conditioning(space.name, actions, renders, poses)
        clock.lap("draw")
        seen = [history[-1]] if goal_frame is None else [history[-1], goal_frame]
        latents = self.model.encode(np.stack(seen))
        clock.lap("encode")
        goal_seen = None
        if goal_frame is not None and goal_position is None:
            goal_seen = self._object_in(goal_frame, space, prepared.motion[0, 0], seed)
        clock.lap("goal")
        imagination = self.model.imagine(history, conditioning, seed=seed, steps=self.settings.denoising_steps or None)
        clock.lap("imagine")
        critic_input = CriticInput(
            imagination=imagination,
            motion=prepared.motion,
            space=space,
            dt_s=card.dt_s,
            current_latent=latents[0],
            goal_latent=None if goal_frame is None else latents[1],
            goal_position=goal_seen if goal_position is None else goal_position,
            goal_is_seen=goal_seen is not None,
        )
        names = [plan.name for plan in prepared.plans]
        scores, missing = score_plans(names, critic_input, self.critics, self.scoring)
        clock.lap("critics")
        undrawn = self.plan_renders.problem if space.name in card.cameras and renders is None else ""
        if undrawn:
            scores = [replace(score, reasons=(*score.reasons, UNDRAWN)) for score in scores]
        return Result(prepared, imagination, history[-1], conditioning, scores, missing, undrawn, clock.stop())

    def _object_in(self, frame: np.ndarray, space: ActionSpace, motion: np.ndarray, seed: int) -> np.ndarray | None:
        """Where the model sees the object in a picture, [3] m; None where it was never told of one.

        Outcomes are of imagined frames, so the picture is taken for a scene that stands still, and the
        next frame of it is imagined. The robot is said to be where it is now and not drawn: in the
        picture it may be elsewhere, which costs a centimetre.
        """
        card = self.model.card
        asked = any(critic.name == "goal_pose" and critic.settings.enabled for critic in self.critics)
        if not asked or OBJECT_POSITION not in card.outcomes[space.name]:
            return None
        still = space.encode(np.stack([motion, motion])[None])
        history = np.repeat(frame[None], card.history, axis=0)
        steps = self.settings.denoising_steps or None
        made = self.model.imagine(history, Conditioning(space.name, still), seed=seed, steps=steps)
        return made.outcomes[OBJECT_POSITION][0, 0]

    def pictures(self, result: Result, which=...) -> np.ndarray:
        """What was imagined, as pictures.

        Args:
            which: of the plans and steps, as one indexes [K, H]: ``0`` the first plan, ``np.s_[:, -1]``
                the last step of all.

        Returns:
            uint8 [..., height, width, 3] RGB.
        """
        return self.model.pictures(result.imagination.latents, result.observed, result.conditioning, which)


class _Stopwatch:
    """Seconds per named stretch of work, and in total."""

    def __init__(self) -> None:
        self._begin = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self._laps[name] = now - self._last
        self._last = now

    def stop(self) -> dict[str, float]:
        return {**self._laps, "total": self._last - self._begin}
