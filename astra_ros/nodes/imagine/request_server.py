"""Serves a request of the imagine node, from its inputs to the decision which plan is handed on. Without ROS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from astra_ros.critics.scoring import PlanScore
from astra_ros.nodes.imagine.health import ImagineHealth, LastRequest
from astra_ros.nodes.imagine.inputs import Refused, Request
from astra_ros.nodes.imagine.message_readers import Clocks
from astra_ros.nodes.imagine.plan_inputs import HeldPlan
from astra_ros.nodes.imagine.plan_stamps import stamp_refusals
from astra_ros.nodes.imagine.robot_state import RobotState
from astra_ros.nodes.imagine.settings import ImagineSettings, NodeSettings
from astra_ros.plans.errors import PlanError
from astra_ros.plans.plan import renamed
from astra_ros.ranking.imaginer import Imaginer, Result
from astra_ros.ranking.prepare import NothingToImagine
from astra_ros.ranking.vetoes import vetoed_by_numbers


@dataclass(frozen=True)
class Decision:
    """The result of a request, and the plan that is handed on.

    Attributes:
        result: what was imagined; None where all plans are vetoed by their numbers, or refused.
        scores: of the plans that were imagined, in their order, then of those that their numbers veto.
        handed_on: the winner; None where all plans are vetoed, the winner is withheld, or was handed on before.
        restamp: hand it on with the stamp 0, otherwise byte for byte.
        withheld: why the winner must not be handed on, or ''.
        repeats: the winner was handed on before, and is not again.
    """

    request: Request
    result: Result | None
    scores: list[PlanScore]
    handed_on: HeldPlan | None = None
    restamp: bool = False
    withheld: str = ""
    repeats: bool = False


class Outputs(Protocol):
    """Where decisions go."""

    def publish(self, decision: Decision, imaginer: Imaginer) -> None:
        """Publish scores, and hand the plan on."""

    def draw(self, imaginer: Imaginer, settings: ImagineSettings, robot_description: str | None) -> str:
        """Publish pictures and markers of the last decision; returns why the tool link's path is not shown, or ''."""


@dataclass(eq=False)
class RequestServer:
    """Serves requests, on the model's thread."""

    settings: Callable[[], NodeSettings]
    robot: RobotState
    health: ImagineHealth
    outputs: Outputs
    clocks: Clocks
    scores_topic: str
    _first: bool = True
    _wanted_joints: tuple[str, ...] = ()  # whose positions the plans of the last request wait for

    def robot_unknown(self) -> str | None:
        """Why the plans that wait cannot be compared with where the robot is, or None."""
        own = self.settings().own
        return self.robot.unknown(self._wanted_joints, own.camera_timeout_s) if own.start_tolerance else None

    def serve(self, imaginer: Imaginer, asked: bool) -> tuple[str, bool]:
        """Imagine all plans that are held, decide, publish. Raises Refused, NothingToImagine.

        Returns the outcome in words, and whether its winner was withheld, so that another request is due. ``asked``:
        ~/imagine was called, so the best plan is handed on also if it was before.
        """
        settings = self.settings()
        own = settings.own
        request = self.robot.inputs.request(own)
        imaginer.configure(own, settings.critics, settings.scoring)
        self._tell_critics(imaginer, own)
        try:
            result = self._score(imaginer, request, own)
        except NothingToImagine as error:
            if vetoed := vetoed_by_numbers(error.refused, 0):
                self.outputs.publish(Decision(request, None, vetoed), imaginer)
            raise
        if result.undrawn:
            self.robot.description.note_undrawn()
        self._note_refused(request, result.prepared.refused)
        self.health.left_out(result.prepared.left_out, imaginer.model.card.name)
        decision = self._decide(imaginer, request, result, own, asked)
        self.outputs.publish(decision, imaginer)
        if decision.handed_on is not None:
            decision.handed_on.handed_on = True
        latency_s = self.clocks.monotonic_s() - request.received_s
        summary = _summary(decision, result, latency_s)
        if decision.withheld:
            self.health.refused_requests.add(decision.withheld)
        self.health.done(
            LastRequest(
                plans=len(result.scores),
                summary=summary,
                space=result.prepared.space.name,
                latency_s=latency_s,
                timings_s=result.timings_s,
                missing=result.missing,
                undrawn=result.undrawn,
                all_vetoed=result.best is None,
            )
        )
        if self._first:
            self.health.tell(f"{summary}; further results are on {self.scores_topic}")
            self._first = False
        if undrawn := self.outputs.draw(imaginer, own, self.robot.description.text):
            self.health.refuse("markers", undrawn)
        return summary, bool(decision.withheld)

    def _tell_critics(self, imaginer: Imaginer, own: ImagineSettings) -> None:
        """Give the imaginer what is known of the robot and of obstacles."""
        described = self.robot.description
        imaginer.robot_description = described.text
        imaginer.obstacles, elsewhere = self.robot.inputs.obstacles.now((own.world_frame, described.base_link))
        if elsewhere:
            self.health.refuse("obstacles", elsewhere)

    def _score(self, imaginer: Imaginer, request: Request, own: ImagineSettings) -> Result:
        """The result of a request; the fates of its plans are noted, also when it cannot be served."""
        judged = False
        messages = {name: each.message for name, each in request.held.items()}
        stamped = stamp_refusals(messages, own.stamps, self.clocks.ros_time_ns())
        try:
            plans = [plan for plan in request.plans if plan.name not in stamped]
            now = replace(self.robot.now(own.camera_timeout_s), values=request.joints_now)
            goal_frame, goal_position = request.goal_frame, request.goal_position
            result = imaginer.score(request.history, plans, now, goal_frame, own.seed, goal_position)
            result.prepared.refused.update(stamped)
            judged = True
            self._wanted_joints = ()
            return result
        except NothingToImagine as error:
            self._wanted_joints = tuple(error.unknown_joints)
            if error.unknown_joints:  # the plans wait for their positions
                raise Refused(self.robot_unknown() or str(error)) from error
            judged = True
            refused = error.refused | stamped
            self._note_refused(request, refused, quiet=True)  # the refusal of the request names them all in the log
            raise NothingToImagine(refused) from error
        finally:
            self.robot.inputs.plans.answer(request.held.values(), judged)

    def _note_refused(self, request: Request, refused: Mapping[str, PlanError], quiet: bool = False) -> None:
        """Count and log why plans are refused, each plan once: it is held, and refused again by each request."""
        for name, reason in refused.items():
            if not request.held[name].refused:
                request.held[name].refused = True
                self.health.refused_plans.add(str(reason), quiet=quiet)

    def _decide(
        self, imaginer: Imaginer, request: Request, result: Result, own: ImagineSettings, asked: bool
    ) -> Decision:
        """The decision. A plan is handed on once, or a controller would start it anew whenever another plan loses
        against it."""
        best = None if result.best is None else request.held[result.names[result.best]]
        repeats = best is not None and best.handed_on and not asked
        hands_on = best is not None and not repeats
        withheld = self._withheld(imaginer, request, result, own, hands_on)
        scores = [*result.scores, *vetoed_by_numbers(result.prepared.refused, len(result.scores))]
        if withheld or best is None or not hands_on:
            return Decision(request, result, scores, withheld=withheld, repeats=repeats)
        restamp = own.stamps.restamps(best.message.stamp_ns, self.clocks.ros_time_ns())
        if restamp:
            self.health.say_once(
                "the header.stamp of a plan is not now: it is handed on with the stamp 0, to begin at once, and "
                "otherwise byte for byte (parameters past_stamp and future_stamp)"
            )
        return Decision(request, result, scores, best, restamp)

    def _withheld(
        self, imaginer: Imaginer, request: Request, result: Result, own: ImagineSettings, hands_on: bool
    ) -> str:
        """Why the winner must not be handed on, or '': what was true when the request began may have changed. Where it
        would not be handed on (``hands_on``), the robot may execute it already."""
        reason = self.robot.inputs.not_ready(own.camera_timeout_s)
        if not reason and result.best is not None:
            best = result.prepared.plans[result.best]
            held = request.held[best.name]
            if self.robot.inputs.plans.too_old(held):
                reason = f"{best.name} became older than its source's max_age_s"
            elif hands_on:
                reason = own.stamps.refusal(held.message.stamp_ns, self.clocks.ros_time_ns())
                now = self.robot.now(own.camera_timeout_s)
                try:
                    imaginer.prepare.check_start(renamed(held.message.plan, best.name), now)
                except PlanError as error:
                    reason = str(error)
        return f"no plan is handed on: meanwhile, {reason}" if reason else ""


def _summary(decision: Decision, result: Result, latency_s: float) -> str:
    count, unimagined = len(result.scores), len(decision.scores) - len(result.scores)
    text = f"{count} plan{'s' * (count != 1)} imagined in {1000 * latency_s:.0f} ms, "
    if decision.withheld:
        text += decision.withheld
    elif result.best is None:
        shown = result.scores[result.shown]
        text += f"all vetoed; {shown.name}, first among them: {shown.reasons[0]}"
    else:
        best = result.scores[result.best]
        text += f"best is {best.name} with score {best.score:.3f}"
        if decision.repeats:
            text += ", which was already handed on (~/imagine hands it on again)"
    if unimagined:
        text += f"; {unimagined} vetoed by their numbers"
    if refused := len(result.prepared.refused) - unimagined:
        text += f"; {refused} refused"
    return text
