"""Which plans of a request can be imagined, and as which motions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.plans.joint_plan import JointPlan, PlanError
from astra_ros.plans.turns import short_way
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.ranking.robot_now import RobotNow, either_way, in_the_turn_of, seam, way_from, whole_turns
from astra_ros.settings import check_ranges, limited
from astra_ros.texts import listed, short

Plan = JointPlan | VelocityPlan

MAX_HORIZON = 256
# A joint that no model knows stands still along a plan if it moves by less, rad (m for sliding joints): a gripper's
# fingers come with some noise.
STILL = 1e-3
# What to do where a joint seems to turn without end, and nothing says so.
TURNS = (
    "if the joint turns without end, publish a robot_description that calls it continuous, or import the model's "
    "recordings with --urdf"
)


class RobotUnknown(PlanError):
    """Where the robot is is not known, so that a plan's start cannot be compared with it; later it may be.

    Attributes:
        joints: of which nobody spoke.
    """

    def __init__(self, message: str, joints: Sequence[str]) -> None:
        super().__init__(message)
        self.joints = tuple(joints)


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
        self._continuous = frozenset(name for names in (continuous or {}).values() for name in names)

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
                whole, space = plan, self._space_of(plan)
                if extra := [name for name in plan.motion_names if name not in space.motion_names]:
                    plan = plan.only(space.motion_names)
                plan = plan.reordered(space.motion_names)
                now = None if robot is None else robot.ordered(space.motion_names)
                self._check_span(plan)
                if isinstance(plan, JointPlan):
                    self._check_seams(plan, robot)
                    self.check_start(plan, robot)
                    self.check_extras(whole, extra, robot)
                    plan, now = in_the_turn_of(plan, now, self._turning(robot), np.array(space.position_mean))
                fitting.append((plan, space, plan.motion(times_s, now)))
                left_out |= dict.fromkeys(name for name in extra if name not in self.settings.ignore_joints)
            except PlanError as error:
                refused[plan.name] = str(error)
                if isinstance(error, RobotUnknown):
                    unknown_joints = error.joints
        newest = fitting[-1][1] if fitting else None
        for plan, space, _ in fitting:
            if space is not newest:
                refused[plan.name] = (
                    f"plan '{plan.name}' moves {space.name}, but the newest plan moves {newest.name}; "
                    "send the plans of one robot at a time"
                )
        kept = [(plan, motion) for plan, space, motion in fitting if space is newest]
        if not kept:
            raise NothingToImagine(refused, unknown_joints)
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
                f"plan '{plan.name}' lasts {plan.duration_s:.2f} s, but only {span_s:.2f} s are imagined "
                f"({self.settings.horizon} steps of {dt_s:g} s); send its first {span_s:.2f} s, or "
                "raise the parameter horizon, or set partial_plans to judge it by its beginning"
            )

    def _turning(self, robot: RobotNow | None) -> frozenset[str]:
        """The joints that are known to turn without end. Of this robot its description knows better than the model."""
        return self._continuous if robot is None else self._continuous - robot.limited | robot.continuous

    def _check_seams(self, plan: JointPlan, robot: RobotNow | None) -> None:
        """Raises PlanError where a joint jumps by about a whole turn and is not known to turn without end, or is known
        to, and may go either way round."""
        turning = self._turning(robot)
        turn = seam(plan, turning)
        if found := turn or either_way(plan, turning):
            name, point = found
            column = plan.positions[:, plan.joint_names.index(name)]
            moves = (
                f"plan '{plan.name}' moves {name} from {column[point - 1]:.3f} to {column[point]:.3f} rad in "
                f"{plan.times_s[point] - plan.times_s[point - 1]:.2f} s"
            )
            if turn:
                raise PlanError(f"{moves}, about one whole turn; {TURNS}")
            raise PlanError(
                f"{moves} (points {point - 1} and {point}), and it turns without end, so it is not known which way "
                "round it goes; send points in between, at most 3.1 rad from each other"
            )

    def check_start(self, plan: JointPlan, motion_now: Mapping[str, float] | RobotNow | None) -> None:
        """Raises PlanError where the plan does not start where the robot is, or nobody knows where that is."""
        tolerance, begin_s = self.settings.start_tolerance, float(plan.times_s[0])
        robot = RobotNow.of(motion_now)
        if robot is None or not tolerance:
            return
        if unknown := robot.unknown(plan.joint_names):
            if doubts := robot.why_unknown(unknown):
                raise RobotUnknown(
                    f"plan '{plan.name}' cannot be compared with where the robot is: {doubts}, or set start_tolerance "
                    "to 0 to take plans that start anywhere",
                    unknown,
                )
            raise RobotUnknown(
                f"plan '{plan.name}' cannot be compared with where the robot is: no joint state of "
                f"{listed(unknown)} came within camera_timeout_s; remap joint_states to the topic that has "
                "them, or set start_tolerance to 0 to take plans that start anywhere",
                unknown,
            )
        turning, start = self._turning(robot), robot.ordered(plan.joint_names)
        away, allowed = np.abs(way_from(plan, start, turning)), tolerance + self.settings.max_start_speed * begin_s
        if away.max() > allowed:
            turned = ", ".join(whole_turns(plan, start, turning, allowed))
            worst = int(away.argmax())
            raise PlanError(
                f"plan '{plan.name}' starts with {plan.joint_names[worst]} at "
                f"{plan.positions[0][worst]:.3f} rad at {begin_s:g} s, but the robot is "
                f"{away[worst]:.3f} rad away from there (start_tolerance is {tolerance:g}, max_start_speed "
                f"{self.settings.max_start_speed:g}); plan from where the robot is"
                + (f". Of {turned} that is about one whole turn (6.283 rad): {TURNS}" if turned else "")
            )

    def check_extras(
        self, plan: JointPlan, extra: Sequence[str], motion_now: Mapping[str, float] | RobotNow | None
    ) -> None:
        """Raises PlanError where joints that stand still along the plan are elsewhere now, and so move unseen.

        Args:
            plan: as it came.
            extra: its joints that the model does not know.
            motion_now: joint -> where it is now, rad (m: sliding joints).
        """
        robot, tolerance = RobotNow.of(motion_now), self.settings.start_tolerance
        if robot is None or not tolerance:
            return
        for name in extra:
            if name in self.settings.ignore_joints:
                continue
            there = float(plan.positions[0, plan.joint_names.index(name)])
            here = robot.values.get(name, there)
            away = short_way(there - here) if name in self._turning(robot) else there - here
            if abs(away) > tolerance:
                raise PlanError(
                    f"plan '{plan.name}' holds {short(name)} at {there:.3f}, but the robot has it at {here:.3f} "
                    f"(start_tolerance is {tolerance:g}), and the model '{self.model}' does not know it, so its way "
                    "there is not imagined; plan from where the robot is, or name it in the parameter ignore_joints"
                )

    def _space_of(self, plan: Plan) -> ActionSpace:
        """The action space with the plan's columns, or else with its columns and some that need no attention.

        Raises:
            PlanError: none, or more than one; the message names those known.
        """
        wanted = self.settings.action_space
        if wanted and wanted not in self.spaces:
            raise PlanError(
                f"plan '{plan.name}' is of no action space: the parameter action_space is '{wanted}'; the model "
                f"'{self.model}' knows {', '.join(self.spaces)}"
            )
        alike = [space for space in self.spaces.values() if isinstance(plan, space.plan)]
        asked_for = [space for space in alike if wanted in ("", space.name)]
        columns = set(plan.motion_names)
        fitting = [space for space in asked_for if set(space.motion_names) == columns]
        if not fitting and isinstance(plan, JointPlan):
            within = [space for space in asked_for if set(space.motion_names) < columns]
            fitting = [space for space in within if not self._moving_extras(plan, space)]
            if within and not fitting:
                space = within[0]
                raise PlanError(
                    f"plan '{plan.name}' also moves {listed(self._moving_extras(plan, space))}, which the model "
                    f"'{self.model}' does not know ({space.name}: {listed(space.motion_names)}); what they do is not "
                    "imagined. Name them in the parameter ignore_joints if that is no matter, or leave them out of the "
                    "plan"
                )
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise PlanError(
                f"plan '{plan.name}' fits the action spaces {', '.join(s.name for s in fitting)} of the "
                f"model '{self.model}'; set the parameter action_space to one of them"
            )
        what, none = ("joints", "no arm") if isinstance(plan, JointPlan) else ("columns", "no base")
        known = "; ".join(f"{space.name}: {listed(space.motion_names)}" for space in alike)
        asked = f", and action_space is '{wanted}'" if wanted else ""
        raise PlanError(
            f"plan '{plan.name}' moves the {what} {listed(plan.motion_names)}{asked}; the model "
            f"'{self.model}' knows {known or none}. Send exactly these {what}, in any order, "
            "or take a model that was trained on this robot"
        )

    def _moving_extras(self, plan: JointPlan, space: ActionSpace) -> list[str]:
        """The plan's joints that are not the space's, move, and are not to be ignored."""
        return [
            name
            for name, way in zip(plan.joint_names, plan.positions.T)
            if name not in space.motion_names and name not in self.settings.ignore_joints and np.ptp(way) > STILL
        ]


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
