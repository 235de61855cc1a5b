"""Decides which plan of a request is handed on. Without ROS."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from astra_ros.critics.scoring import PlanScore
from astra_ros.errors import as_user_error
from astra_ros.nodes.imagine.decision import Decision, candidates
from astra_ros.nodes.imagine.inputs import Request
from astra_ros.nodes.imagine.message_readers import Clocks
from astra_ros.nodes.imagine.plan_inputs import HeldPlan
from astra_ros.nodes.imagine.robot_state import RobotState
from astra_ros.nodes.imagine.settings import ImagineSettings, NodeSettings
from astra_ros.plans.errors import PlanError
from astra_ros.plans.path_plan import PathPlan
from astra_ros.plans.plan import renamed
from astra_ros.ranking.choice import PlanChoice, PlanChooser
from astra_ros.ranking.imaginer import Imaginer, Result
from astra_ros.ranking.prepare import NothingToImagine
from astra_ros.ranking.vetoes import vetoed_by_numbers


class PlanDecider:
    """Chooses a plan, checks that it may still be executed, and has it handed on once: a controller would start it anew
    whenever another plan loses against it.

    Args:
        settings: what is set now. It names the plan sources, in their order.
        say_once: tells what happens to a plan that is handed on, the first time.
    """

    def __init__(
        self, settings: Callable[[], NodeSettings], robot: RobotState, clocks: Clocks, say_once: Callable[[str], object]
    ) -> None:
        self._chooser, self._settings = PlanChooser(list(settings().sources)), settings
        self._robot, self._clocks, self._say_once = robot, clocks, say_once
        self._handed_on: HeldPlan | None = None  # the last one

    def decide(
        self, imaginer: Imaginer, request: Request, result: Result, settings: NodeSettings, asked: bool
    ) -> Decision:
        """The decision about plans that were imagined. ``asked``: the best one is handed on also if it was before."""
        own, refused = settings.own, result.prepared.refused
        vetoed = vetoed_by_numbers(refused, len(result.scores))
        coarse = {name for name, stride in zip(result.names, result.imagination.strides) if stride > 1}
        choice = self._choice(request, [*result.scores, *vetoed], settings, coarse)
        chosen = request.held[choice.name] if choice.name else None
        repeats = chosen is not None and chosen.handed_on and not asked
        hands_on = chosen is not None and not repeats
        withheld = self._withheld(imaginer, choice.name, chosen, own, hands_on)
        # A plan that wins anew after another one was handed on is not what the robot executes.
        if chosen is not None and not withheld and (hands_on or chosen is self._handed_on):
            self._chooser.taken(choice, self._clocks.monotonic_s())
        if withheld or chosen is None or repeats:
            return Decision(request, result, refused, choice, withheld=withheld, repeats=repeats)
        restamp = own.stamps.restamps(chosen.message.stamp_ns, self._clocks.ros_time_ns())
        if restamp:
            self._say_once(
                "the header.stamp of a plan is not now: it is handed on with the stamp 0, to begin at once, and "
                "otherwise byte for byte (parameters past_stamp and future_stamp)"
            )
        return Decision(request, result, refused, choice, chosen, restamp)

    def decide_without(self, error: Exception, request: Request, settings: NodeSettings) -> Decision:
        """The decision where nothing was imagined, and why: no plan is handed on."""
        refused = error.refused if isinstance(error, NothingToImagine) else {}
        choice = self._choice(request, vetoed_by_numbers(refused, 0), settings)
        return Decision(request, None, refused, choice, unserved="" if refused else str(as_user_error(error)))

    def published(self, decision: Decision) -> None:
        """Note that a decision was published, so that its plan is not handed on again."""
        if decision.handed_on is not None:
            decision.handed_on.handed_on = True
            self._handed_on = decision.handed_on

    def _choice(
        self, request: Request, scores: Sequence[PlanScore], settings: NodeSettings, coarse: Collection[str] = ()
    ) -> PlanChoice:
        """The plan that is chosen of all that are held, whether the choice can be handed on or not."""
        known = candidates(request.held, scores, settings.sources, coarse)
        return self._chooser.choose(known, settings.own.choice, self._clocks.monotonic_s())

    def _withheld(
        self, imaginer: Imaginer, name: str, chosen: HeldPlan | None, own: ImagineSettings, hands_on: bool
    ) -> str:
        """Why the chosen plan must not be handed on, or '': what was true when the request began may have changed,
        also the vehicle's limits. Where it would not be handed on (``hands_on``), the robot may execute it already."""
        inputs = self._robot.inputs
        reason = inputs.not_ready(own.camera_timeout_s)
        if not reason and chosen is not None:
            if inputs.plans.too_old(chosen):
                reason = f"{name} became older than its source's max_age_s"
            elif hands_on:
                reason = own.stamps.refusal(chosen.message.stamp_ns, self._clocks.ros_time_ns())
                plan, timeout_s = renamed(chosen.message.plan, name), own.camera_timeout_s
                try:
                    if isinstance(plan, PathPlan):
                        inputs.base.check_start(plan, self._settings().vehicle, timeout_s)
                    else:
                        imaginer.prepare.check_start(plan, self._robot.now(timeout_s))
                except PlanError as error:
                    reason = str(error)
        return f"no plan is handed on: meanwhile, {reason}" if reason else ""
