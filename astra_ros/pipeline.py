"""From frames and plans to scores: the heart of the imagine node, the benchmark and the evaluation.

No ROS, no network library, no simulator in here: a world model behind its protocol, plans, critics.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from astra_ros.planning.critics import CRITICS, CriticInput
from astra_ros.planning.drawings import Drawings
from astra_ros.planning.imagination import Imagination
from astra_ros.planning.plans import JointPlan, PlanError
from astra_ros.planning.scoring import PlanScore, ScoringSettings, missing_critics, score_plans


MAX_HORIZON = 256
MAX_DENOISING_STEPS = 1000


class NothingToImagine(ValueError):
    """No plan of the request can be imagined. The message gives each plan's reason."""


@dataclass(frozen=True)
class ImaginerSettings:
    """How a request is imagined.

    Attributes:
        horizon: steps to imagine; the model's own step length makes them seconds.
        denoising_steps: steps of the sampler per frame; 0 takes the model's default.
        partial_plans: take plans that last longer than the horizon, judged by their beginning alone;
            otherwise they are refused.
        start_tolerance: how far (rad; m for sliding joints) any joint may be from a plan's first
            point, where the joints are known; a plan that starts elsewhere is refused. 0: anywhere.
        action_space: name of the model's action space that plans are of; '' takes the one with the
            plan's joints, and must be set where a model has several with the same ones.
        max_start_speed: rad/s, with which a plan whose first point is later than 0 s may go there
            from where the robot is; a faster one is refused.
    """

    horizon: int = 16
    denoising_steps: int = 0
    partial_plans: bool = False
    start_tolerance: float = 0.1
    max_start_speed: float = 2.0
    action_space: str = ""

    def __post_init__(self) -> None:
        # The upper limits are there for typing errors, which would take all memory or hours.
        if not 1 <= self.horizon <= MAX_HORIZON:
            raise ValueError(
                f"horizon is {self.horizon}; imagine at least 1 step and at most {MAX_HORIZON}"
            )
        if not 0 <= self.denoising_steps <= MAX_DENOISING_STEPS:
            raise ValueError(
                f"denoising_steps is {self.denoising_steps}; give 0 (the model's default) to "
                f"{MAX_DENOISING_STEPS}"
            )
        if not self.start_tolerance >= 0.0:
            raise ValueError(f"start_tolerance is {self.start_tolerance}; it must be >= 0")
        if not self.max_start_speed > 0.0:
            raise ValueError(f"max_start_speed is {self.max_start_speed}; it must be > 0")


@dataclass(frozen=True)
class Prepared:
    """The plans of a request that the model can imagine, at the model's times.

    Attributes:
        space: name of the model's action space.
        plans: K plans, joints in the action space's order.
        positions: float64 [K, H+1, J], rad; row 0 is where the plan starts.
        refused: plan name -> why it cannot be imagined.
    """

    space: str
    plans: tuple[JointPlan, ...]
    positions: np.ndarray
    refused: dict[str, str]


@dataclass(frozen=True)
class Result:
    """What was imagined, and what the critics say about it.

    Attributes:
        prepared: the plans that were imagined, in the order of everything below.
        imagination: latents [K, H, C, h, w], uncertainty [K, H], outcomes.
        scores: K scores, in plan order.
        missing: critic name -> why it could not score.
        undrawn: why the model had to do without the robot drawn along the plans, or ''; only of
            models that were trained with such drawings.
        timings_s: seconds spent in "prepare", "draw", "encode", "imagine", "critics", "total".
    """

    prepared: Prepared
    imagination: Imagination
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


def to_model_size(frame: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Scale a picture to what the model sees.

    Args:
        frame: uint8 [H, W, 3] RGB.
        image_size: the model's (height, width).

    Returns:
        uint8 [height, width, 3], contiguous. Pictures of another shape are first cut in the
        middle to the model's aspect ratio, so that nothing is stretched.
    """
    height, width = image_size
    rows, columns = frame.shape[:2]
    if rows * width != columns * height:
        keep_rows = min(rows, max(1, round(columns * height / width)))
        keep_columns = min(columns, max(1, round(rows * width / height)))
        top, left = (rows - keep_rows) // 2, (columns - keep_columns) // 2
        frame = frame[top : top + keep_rows, left : left + keep_columns]
    if frame.shape[:2] != (height, width):
        shrinks = frame.shape[0] >= height
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        frame = cv2.resize(frame, (width, height), interpolation=how)
    return np.ascontiguousarray(frame)


class Imaginer:
    """A world model with its critics: plans in, scores out.

    Not thread safe: one thread owns it, because it owns the model.

    Args:
        model: a loaded world model (see ``astra_ros.backends.base.WorldModel``).
        settings: horizon and denoising steps.
        critics: critic name -> its settings; a critic that is not named has its defaults.
        scoring: where a plan counts as risky, and the like.
    """

    def __init__(
        self,
        model,
        settings: ImaginerSettings = ImaginerSettings(),
        critics: Mapping[str, object] | None = None,
        scoring: ScoringSettings = ScoringSettings(),
    ) -> None:
        self.model = model
        card = model.card
        self.drawings = Drawings(card.cameras, card.held_joints, card.image_size)
        self.configure(settings, critics or {}, scoring)

    def configure(
        self,
        settings: ImaginerSettings,
        critics: Mapping[str, object],
        scoring: ScoringSettings = ScoringSettings(),
    ) -> None:
        """Take other settings from the next request on; the model stays as it is."""
        if unknown := sorted(set(critics) - set(CRITICS)):
            raise ValueError(f"unknown critics {unknown}; known are {sorted(CRITICS)}")
        self.settings = settings
        self.scoring = scoring
        self.critics = [
            critic_class(critics.get(name, settings_class()))
            for name, (critic_class, settings_class) in CRITICS.items()
        ]

    def prepare(
        self, plans: Sequence[JointPlan], joints_now: Mapping[str, float] | None = None
    ) -> Prepared:
        """Match plans with the model's action spaces and sample them at the model's times.

        The action space of a request is the one that the newest usable plan fits; plans of
        another one are refused, since one robot is imagined at a time.

        Args:
            plans: candidates with unique names, oldest first; joints in any order.
            joints_now: joint name -> rad, where the robot is: plans must start there, and those whose
                first point is later than 0 s begin there.

        Raises:
            NothingToImagine: no plan is left.
        """
        card = self.model.card
        times_s = np.arange(self.settings.horizon + 1) * card.dt_s
        refused: dict[str, str] = {}
        fitting: list[tuple[JointPlan, str, np.ndarray]] = []
        for plan in plans:
            try:
                space = self._space_of(plan)
                plan = plan.reordered(space.joint_names)
                start = _joints_in_order(joints_now, space.joint_names)
                self._check_span(plan)
                self._check_start(plan, start)
                fitting.append((plan, space.name, plan.sample(times_s, start=start)))
            except PlanError as error:
                refused[plan.name] = str(error)
        space = fitting[-1][1] if fitting else ""
        for plan, name, _ in fitting:
            if name != space:
                refused[plan.name] = (
                    f"plan '{plan.name}' moves {name}, but the newest plan moves {space}; "
                    "send the plans of one robot at a time"
                )
        kept = [(plan, positions) for plan, name, positions in fitting if name == space]
        if not kept:
            reasons = "; ".join(refused.values()) or "no plan was given"
            raise NothingToImagine(f"no plan can be imagined: {reasons}")
        return Prepared(
            space=space,
            plans=tuple(plan for plan, _ in kept),
            positions=np.stack([positions for _, positions in kept]),
            refused=refused,
        )

    def score(
        self,
        history: np.ndarray,
        plans: Sequence[JointPlan],
        joints_now: Mapping[str, float] | None = None,
        goal_frame: np.ndarray | None = None,
        seed: int = 0,
        goal_position: np.ndarray | None = None,
    ) -> Result:
        """Imagine every plan and score what was imagined.

        Args:
            history: uint8 [T, h, w, 3] RGB, oldest first, ``dt_s`` apart, at the model's size.
            plans: K candidates with unique names.
            joints_now: joint name -> rad, the robot's joints at the newest frame.
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
        prepared = self.prepare(plans, joints_now)
        space = card.action_spaces[prepared.space]
        actions = space.encode(prepared.positions)
        clock.lap("prepare")
        drawings = self.drawings.draw(space, prepared.positions) if card.cameras else None
        clock.lap("draw")
        seen = [history[-1]] if goal_frame is None else [history[-1], goal_frame]
        latents = self.model.encode(np.stack(seen))
        clock.lap("encode")
        imagination = self.model.imagine(
            history,
            actions,
            prepared.space,
            seed=seed,
            steps=self.settings.denoising_steps or None,
            drawings=drawings,
        )
        clock.lap("imagine")
        critic_input = CriticInput(
            imagination=imagination,
            positions=prepared.positions,
            dt_s=card.dt_s,
            current_latent=latents[0],
            goal_latent=None if goal_frame is None else latents[1],
            goal_position=goal_position,
        )
        names = [plan.name for plan in prepared.plans]
        scores = score_plans(names, critic_input, self.critics, self.scoring)
        missing = missing_critics(critic_input, self.critics)
        clock.lap("critics")
        undrawn = self.drawings.problem if card.cameras and drawings is None else ""
        return Result(prepared, imagination, scores, missing, undrawn, clock.stop())

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Pictures of latents: float32 [..., C, h, w] -> uint8 [..., height, width, 3] RGB."""
        lead = latents.shape[:-3]
        frames = self.model.decode(latents.reshape(-1, *latents.shape[-3:]))
        return frames.reshape(*lead, *frames.shape[1:])

    def _check_span(self, plan: JointPlan) -> None:
        """Raises PlanError where a part of the plan would be judged unseen."""
        dt_s = self.model.card.dt_s
        span_s = self.settings.horizon * dt_s
        if not self.settings.partial_plans and plan.duration_s > span_s + 0.5 * dt_s:
            raise PlanError(
                f"plan '{plan.name}' lasts {plan.duration_s:.2f} s, but only {span_s:.2f} s are imagined "
                f"({self.settings.horizon} steps of {dt_s:g} s); send its first {span_s:.2f} s, or "
                "raise the parameter horizon, or set partial_plans to judge it by its beginning"
            )

    def _check_start(self, plan: JointPlan, now: np.ndarray | None) -> None:
        """Raises PlanError where the plan does not start where the robot is."""
        tolerance, begin_s = self.settings.start_tolerance, float(plan.times_s[0])
        if now is None or not tolerance:
            return
        away = np.abs(plan.positions[0] - now)
        if away.max() > tolerance + self.settings.max_start_speed * begin_s:
            worst = int(away.argmax())
            raise PlanError(
                f"plan '{plan.name}' starts with {plan.joint_names[worst]} at "
                f"{plan.positions[0][worst]:.3f} rad at {begin_s:g} s, but the robot is "
                f"{away[worst]:.3f} away from there (start_tolerance is {tolerance:g}, max_start_speed "
                f"{self.settings.max_start_speed:g}); plan from where the robot is"
            )

    def _space_of(self, plan: JointPlan):
        """The action space with exactly the plan's joints, or PlanError naming those known."""
        card, wanted = self.model.card, self.settings.action_space
        arms = [space for space in card.action_spaces.values() if space.modality == "joints"]
        fitting = [space for space in arms if set(space.joint_names) == set(plan.joint_names)]
        if wanted:
            fitting = [space for space in fitting if space.name == wanted]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise PlanError(
                f"plan '{plan.name}' fits the action spaces {', '.join(s.name for s in fitting)} of the "
                f"model '{card.name}'; set the parameter action_space to one of them"
            )
        known = "; ".join(f"{space.name}: {', '.join(space.joint_names)}" for space in arms)
        asked = f", and action_space is '{wanted}'" if wanted else ""
        raise PlanError(
            f"plan '{plan.name}' moves the joints {', '.join(plan.joint_names)}{asked}; the model "
            f"'{card.name}' knows {known or 'no arm'}. Send exactly these joints, in any order, "
            "or take a model that was trained on this robot"
        )


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


def _joints_in_order(
    joints_now: Mapping[str, float] | None, names: Sequence[str]
) -> np.ndarray | None:
    """[J] rad in the order of names, or None when any of them is unknown."""
    if joints_now is None or any(name not in joints_now for name in names):
        return None
    return np.array([joints_now[name] for name in names], dtype=np.float64)
