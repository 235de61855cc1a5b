"""From the plans of a request to motions at the model's times; plans that cannot be imagined are refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from astra_ros.errors import UserError
from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.plans.errors import PlanError, RobotUnknown
from astra_ros.plans.limits import LimitSettings
from astra_ros.plans.plan import Plan
from astra_ros.plans.start import RobotNow, StartRules
from astra_ros.settings import CheckedSettings, setting
from astra_ros.texts import listed

MAX_HORIZON = 256


class UnmatchedPlan(PlanError):
    """A plan fits no action space of the model, or several. ``known`` are those to choose from."""

    def __init__(self, problem: str, *, thing: str, cure: str, known: Iterable[str], column: str = "") -> None:
        super().__init__(problem, thing=thing, cure=cure, column=column)
        self.known = tuple(known)


class NothingToImagine(UserError, ValueError):
    """No plan of a request can be imagined. ``refused`` says of each plan, by name, why not."""

    def __init__(self, refused: Mapping[str, PlanError]) -> None:
        super().__init__(f"no plan can be imagined: {_together(refused.values()) or 'no plan was given'}")
        self.refused = dict(refused)

    @property
    def unknown_joints(self) -> tuple[str, ...]:
        """Joints whose positions are not known; a plan may be imagined as soon as they are. Empty where none waits."""
        waiting = [error.joints for error in self.refused.values() if isinstance(error, RobotUnknown)]
        return tuple(waiting[-1]) if waiting else ()


@dataclass(frozen=True)
class PlanSettings(CheckedSettings):
    """Which plans are imagined, and how far."""

    # Upper limits catch typing errors, which would take all memory or hours.
    horizon: int = setting(16, "steps to imagine; the model's step length makes them seconds", 1, MAX_HORIZON, "steps")
    partial_plans: bool = setting(
        False,
        "take plans that last longer than the horizon, and score their beginning alone; otherwise they are refused",
    )
    start_tolerance: float = setting(
        0.1,
        "largest distance (rad; m for sliding joints) of any joint from a plan's first point; a plan that starts "
        "elsewhere is refused, and so is every plan while the robot's position is not known; 0: plans may start "
        "anywhere",
        0.0,
        1e6,
        "rad",
    )
    max_start_speed: float = setting(
        2.0,
        "rad/s, the speed at which a plan whose first point is later than 0 s may go there from the robot's position; "
        "a faster plan is refused",
        1e-6,
        1e6,
        "rad/s",
    )
    action_space: str = setting(
        "",
        "name of the model's action space that plans belong to; '' takes the one with the plan's joints, and one must "
        "be named where a model has several with the same joints",
    )
    ignore_joints: tuple[str, ...] = setting(
        (),
        "joints that plans may have beside the model's own, such as the fingers of a gripper; they may move, and are "
        "not imagined; other such joints must stand still along a plan",
    )
    limits: LimitSettings = LimitSettings()


@dataclass(frozen=True)
class PreparedPlans:
    """The plans of a request that the model can imagine, at the model's times.

    Attributes:
        plans: K plans, columns in the action space's order.
        motion: float64 [K, H+1, D] in the units of ``space``; row 0 is now.
        refused: plan name -> why it cannot be imagined.
        left_out: joints of plans that the model does not know and that ``ignore_joints`` does not name; they stand
            still.
    """

    space: ActionSpace
    plans: tuple[Plan, ...]
    motion: np.ndarray
    refused: dict[str, PlanError]
    left_out: tuple[str, ...] = ()


class PlanPreparer:
    """Matches plans with the action spaces of a model, by its name, and samples them at its times.

    Args:
        continuous: action space -> its joints that turn without end.
    """

    def __init__(
        self,
        model: str,
        spaces: Mapping[str, ActionSpace],
        dt_s: float,
        settings: PlanSettings,
        continuous: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.model, self.spaces, self.dt_s, self.settings = model, spaces, dt_s, settings
        joints = frozenset(name for names in (continuous or {}).values() for name in names)
        self._rules = StartRules(settings.start_tolerance, settings.max_start_speed, settings.ignore_joints, joints)

    def __call__(
        self, plans: Sequence[Plan], motion_now: Mapping[str, float] | RobotNow | None = None
    ) -> PreparedPlans:
        """Check the plans' numbers, and sample those that can be imagined at the model's times.

        One robot is imagined at a time: the newest usable plan chooses the action space, and plans of other action
        spaces are refused.

        Args:
            plans: candidates with unique names, oldest first; columns in any order.
            motion_now: column -> the robot's position (joints, rad) or its motion in the last step (bases, m/s and
                rad/s). Plans of joints must start there; one whose first point is later than 0 s first goes there.
                A joint that is missing has no known position. With None, plans may start anywhere.

        Raises:
            NothingToImagine: no plan is left.
        """
        names = [plan.name for plan in plans]
        if len(set(names)) != len(names):
            raise ValueError(f"plan names repeat: {names}; give each plan its own name")
        robot = RobotNow.of(motion_now)
        times_s = np.arange(self.settings.horizon + 1) * self.dt_s
        refused: dict[str, PlanError] = {}
        fitting: list[tuple[Plan, ActionSpace, np.ndarray]] = []
        left_out: dict[str, None] = {}
        for plan in plans:
            try:
                space = self._space_of(plan)
                self._check_span(plan)
                begun, now = space.begin(plan, robot, self._rules)
                if self.settings.limits.enabled:
                    space.check_limits(plan, robot, self._rules, self.settings.limits)
                fitting.append((begun, space, begun.motion(times_s, now)))
                left_out |= dict.fromkeys(self._extras(plan, space))
            except PlanError as error:
                refused[plan.name] = error
        if not fitting:
            raise NothingToImagine(refused)
        newest = fitting[-1][1]
        kept = [(plan, motion) for plan, space, motion in fitting if space is newest]
        for plan, space, _ in fitting:
            if space is not newest:
                problem = f"it moves {space.name}, but the newest plan moves {newest.name}"
                cure = "send the plans of one robot at a time"
                refused[plan.name] = PlanError(problem, thing=f"plan '{plan.name}'", cure=cure)
        motion = np.stack([motion for _, motion in kept])
        return PreparedPlans(newest, tuple(plan for plan, _ in kept), motion, refused, tuple(left_out))

    def _check_span(self, plan: Plan) -> None:
        """Raises PlanError where the plan is longer than what is imagined, and partial plans are not taken."""
        dt_s, span_s = self.dt_s, self.settings.horizon * self.dt_s
        if not self.settings.partial_plans and plan.duration_s > span_s + 0.5 * dt_s:
            steps, thing = f"{self.settings.horizon} steps of {dt_s:g} s", f"plan '{plan.name}'"
            problem = f"it lasts {plan.duration_s:.2f} s, but only {span_s:.2f} s are imagined ({steps})"
            cure = f"send its first {span_s:.2f} s, raise `horizon`, or set `partial_plans` to judge its beginning"
            raise PlanError(problem, thing=thing, cure=cure, found=plan.duration_s, limit=span_s)

    def check_start(self, plan: Plan, motion_now: Mapping[str, float] | RobotNow | None) -> None:
        """Raises StartError where a plan, as it came, does not begin where the robot is, or RobotUnknown."""
        self._space_of(plan).check_start(plan, RobotNow.of(motion_now), self._rules)

    def _space_of(self, plan: Plan) -> ActionSpace:
        """The action space with the plan's columns, or else one without the columns that stand still or are ignored."""
        wanted, thing = self.settings.action_space, f"plan '{plan.name}'"
        if wanted and wanted not in self.spaces:
            problem = f"action_space is '{wanted}'; the model '{self.model}' knows {', '.join(self.spaces)}"
            raise UnmatchedPlan(problem, thing=thing, cure="name one of these", known=self.spaces)
        alike = [space for space in self.spaces.values() if isinstance(plan, space.plan)]
        asked_for = [space for space in alike if wanted in ("", space.name)]
        columns = set(plan.motion_names)
        fitting = [space for space in asked_for if set(space.motion_names) == columns]
        if not fitting:
            within = [space for space in asked_for if set(space.motion_names) < columns]
            moved = {space.name: space.moving(plan, self._extras(plan, space)) for space in within}
            fitting = [space for space in within if not moved[space.name]]
            if within and not fitting:
                space, moving = within[0], moved[within[0].name]
                own = f"{space.name}: {listed(space.motion_names)}"
                problem = f"it also moves {listed(moving)}, which the model '{self.model}' does not know ({own})"
                problem += ", so that motion is not imagined"
                cure = "leave them out of the plan, or name them in `ignore_joints` if their motion does not matter"
                raise UnmatchedPlan(problem, thing=thing, cure=cure, known=[space.name], column=moving[0])
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            names = [space.name for space in fitting]
            problem = f"it fits the action spaces {', '.join(names)} of the model '{self.model}'"
            raise UnmatchedPlan(problem, thing=thing, cure="set `action_space` to one of them", known=names)
        noun = alike[0].column_noun if alike else "columns"
        known = "; ".join(f"{space.name}: {listed(space.motion_names)}" for space in alike) or "no plans of this kind"
        asked = f", and action_space is '{wanted}'" if wanted else ""
        problem = f"it moves the {noun} {listed(plan.motion_names)}{asked}; the model '{self.model}' knows {known}"
        cure = f"send exactly these {noun}, in any order, or take a model that was trained on this robot"
        raise UnmatchedPlan(problem, thing=thing, cure=cure, known=[space.name for space in alike])

    def _extras(self, plan: Plan, space: ActionSpace) -> list[str]:
        """The plan's columns that the space does not have and that are not ignored."""
        known = {*space.motion_names, *self.settings.ignore_joints}
        return [name for name in plan.motion_names if name not in known]


def _together(errors: Iterable[PlanError]) -> str:
    """Errors in one text, each reason once: all plans are often refused for the same reason."""
    alike: dict[tuple[str, str], list[PlanError]] = {}
    for error in errors:
        alike.setdefault((error.problem, error.cure), []).append(error)
    texts = []
    for (problem, cure), found in alike.items():
        thing = f"{len(found)} plans ({listed((error.thing for error in found), 2)})"
        texts.append(str(UserError(problem, thing=thing, cure=cure) if len(found) > 1 else found[0]))
    return "; ".join(texts)
