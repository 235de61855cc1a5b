"""Which plans of a request can be imagined, and as which motions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.plans.errors import PlanError, RobotUnknown
from astra_ros.plans.plan import Plan
from astra_ros.plans.start import RobotNow, StartRules
from astra_ros.settings import check_ranges, limited
from astra_ros.texts import listed

MAX_HORIZON = 256


class NothingToImagine(ValueError):
    """No plan of the request can be imagined. The message gives each plan's reason.

    Attributes:
        refused: plan name -> why it cannot be imagined.
        unknown_joints: some plan may be imagined as soon as it is known where these are.
    """

    def __init__(self, refused: Mapping[str, str], unknown_joints: Sequence[str] = ()) -> None:
        super().__init__(f"no plan can be imagined: {_together(refused) or 'no plan was given'}")
        self.refused = dict(refused)
        self.unknown_joints = tuple(unknown_joints)


@dataclass(frozen=True)
class PlanSettings:
    """Which plans are taken.

    Attributes:
        horizon: steps to imagine; the model's own step length makes them seconds.
        partial_plans: take plans that last longer than the horizon, judged by their beginning alone;
            otherwise they are refused.
        start_tolerance: how far (rad; m for sliding joints) any joint may be from a plan's first
            point; a plan that starts elsewhere is refused, and so is every plan while it is not known
            where the robot is. 0: anywhere.
        action_space: name of the model's action space that plans are of; '' takes the one with the
            plan's joints, and must be set where a model has several with the same ones.
        max_start_speed: rad/s, with which a plan whose first point is later than 0 s may go there
            from where the robot is; a faster one is refused.
        ignore_joints: joints that plans may have beside the model's own and that are not looked at, such as
            the fingers of a gripper; those that do not move along a plan are left out without being named.
    """

    # Upper limits are there for typing errors, which would take all memory or hours.
    horizon: int = limited(16, 1, MAX_HORIZON, "steps")
    partial_plans: bool = False
    start_tolerance: float = limited(0.1, 0.0, 1e6, "rad")
    max_start_speed: float = limited(2.0, 1e-6, 1e6, "rad/s")
    action_space: str = ""
    ignore_joints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class PreparedPlans:
    """The plans of a request that the model can imagine, at the model's times.

    Attributes:
        space: the model's action space.
        plans: K plans, columns in the action space's order.
        motion: float64 [K, H+1, D], as ``space`` has it; row 0 is where the robot is now.
        refused: plan name -> why it cannot be imagined.
        left_out: joints that plans have, the model does not know, and nothing was said of; they stand still.
    """

    space: ActionSpace
    plans: tuple[Plan, ...]
    motion: np.ndarray
    refused: dict[str, str]
    left_out: tuple[str, ...] = ()


class PlanPreparer:
    """Matches plans with a model's action spaces and samples them at the model's times.

    Args:
        model: its name, for messages.
        spaces: the model's action spaces, by name.
        dt_s: the model's step.
        settings: which plans are taken.
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
        """The usable ones of some plans.

        The action space of a request is the one that the newest usable plan fits; plans of
        another one are refused, since one robot is imagined at a time.

        Args:
            plans: candidates with unique names, oldest first; columns in any order.
            motion_now: column -> where the robot is (joints, rad: plans must start there, and those
                whose first point is later than 0 s begin there) or how it moved in the last step
                (bases, m/s and rad/s). None: nobody asks; a joint that is missing: nobody knows. The joints
                that turn without end are those that it names, and the model's that it does not call limited.

        Raises:
            NothingToImagine: no plan is left.
            ValueError: plan names repeat.
        """
        names = [plan.name for plan in plans]
        if len(set(names)) != len(names):
            raise ValueError(f"plan names repeat: {names}; give each plan its own name")
        robot = RobotNow.of(motion_now)
        times_s = np.arange(self.settings.horizon + 1) * self.dt_s
        refused: dict[str, str] = {}
        unknown_joints: tuple[str, ...] = ()
        fitting: list[tuple[Plan, ActionSpace, np.ndarray]] = []
        left_out: dict[str, None] = {}
        for plan in plans:
            try:
                space = self._space_of(plan)
                self._check_span(plan)
                begun, now = space.begin(plan, robot, self._rules)
                fitting.append((begun, space, begun.motion(times_s, now)))
                extra = [name for name in plan.motion_names if name not in space.motion_names]
                left_out |= dict.fromkeys(name for name in extra if name not in self.settings.ignore_joints)
            except PlanError as error:
                refused[plan.name] = str(error)
                if isinstance(error, RobotUnknown):
                    unknown_joints = error.joints
        if not fitting:
            raise NothingToImagine(refused, unknown_joints)
        newest = fitting[-1][1]
        for plan, space, _ in fitting:
            if space is not newest:
                refused[plan.name] = (
                    f"plan '{plan.name}': it moves {space.name}, but the newest plan moves {newest.name}; send the "
                    "plans of one robot at a time"
                )
        kept = [(plan, motion) for plan, space, motion in fitting if space is newest]
        return PreparedPlans(
            space=newest,
            plans=tuple(plan for plan, _ in kept),
            motion=np.stack([motion for _, motion in kept]),
            refused=refused,
            left_out=tuple(left_out),
        )

    def _check_span(self, plan: Plan) -> None:
        """Raises PlanError where a part of the plan would be judged unseen."""
        dt_s = self.dt_s
        span_s = self.settings.horizon * dt_s
        if not self.settings.partial_plans and plan.duration_s > span_s + 0.5 * dt_s:
            raise PlanError(
                f"it lasts {plan.duration_s:.2f} s, but only {span_s:.2f} s are imagined ({self.settings.horizon} "
                f"steps of {dt_s:g} s)",
                thing=f"plan '{plan.name}'",
                cure=f"send its first {span_s:.2f} s, raise horizon, or set partial_plans to judge it by its beginning",
                found=plan.duration_s,
                limit=span_s,
            )

    def check_start(self, plan: Plan, motion_now: Mapping[str, float] | RobotNow | None) -> None:
        """Raises StartError where a plan, as it came, does not begin where the robot is; RobotUnknown where that is not
        known."""
        self._space_of(plan).check_start(plan, RobotNow.of(motion_now), self._rules)

    def _space_of(self, plan: Plan) -> ActionSpace:
        """The action space with the plan's columns, or else with its columns and some that need no attention.

        Raises:
            PlanError: none, or more than one; the message names those known.
        """
        wanted, thing = self.settings.action_space, f"plan '{plan.name}'"
        if wanted and wanted not in self.spaces:
            raise PlanError(
                f"action_space is '{wanted}'; the model '{self.model}' knows {', '.join(self.spaces)}",
                thing=thing,
                cure="name one of these",
            )
        alike = [space for space in self.spaces.values() if isinstance(plan, space.plan)]
        asked_for = [space for space in alike if wanted in ("", space.name)]
        columns = set(plan.motion_names)
        fitting = [space for space in asked_for if set(space.motion_names) == columns]
        if not fitting:
            within = [space for space in asked_for if set(space.motion_names) < columns]
            fitting = [space for space in within if not self._moving_extras(plan, space)]
            if within and not fitting:
                space, moving = within[0], self._moving_extras(plan, within[0])
                raise PlanError(
                    f"it also moves {listed(moving)}, which the model '{self.model}' does not know ({space.name}: "
                    f"{listed(space.motion_names)}), so that motion is not imagined",
                    thing=thing,
                    cure="leave them out of the plan, or name them in ignore_joints if their motion does not matter",
                    column=moving[0],
                )
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise PlanError(
                f"it fits the action spaces {', '.join(s.name for s in fitting)} of the model '{self.model}'",
                thing=thing,
                cure="set action_space to one of them",
            )
        noun = alike[0].column_noun if alike else "columns"
        known = "; ".join(f"{space.name}: {listed(space.motion_names)}" for space in alike) or "no plans of this kind"
        asked = f", and action_space is '{wanted}'" if wanted else ""
        raise PlanError(
            f"it moves the {noun} {listed(plan.motion_names)}{asked}; the model '{self.model}' knows {known}",
            thing=thing,
            cure=f"send exactly these {noun}, in any order, or take a model that was trained on this robot",
        )

    def _moving_extras(self, plan: Plan, space: ActionSpace) -> list[str]:
        """The plan's columns that are not the space's, move, and are not to be ignored."""
        known = {*space.motion_names, *self.settings.ignore_joints}
        return space.moving(plan, [name for name in plan.motion_names if name not in known])


def _together(refused: Mapping[str, str]) -> str:
    """Why plans were refused, each reason once: it is often the same for all of them."""
    plans_of: dict[str, list[str]] = {}
    for name, reason in refused.items():
        plans_of.setdefault(reason.replace(f"plan '{name}'", "plan", 1), []).append(name)
    reasons = []
    for reason, names in plans_of.items():
        if len(names) == 1:
            reasons.append(refused[names[0]])
        else:
            shown = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
            reasons.append(f"{reason} ({len(names)} plans: {shown})")
    return "; ".join(reasons)
