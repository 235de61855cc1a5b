"""A request of the imagine node, from its inputs to its outputs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from rclpy.node import Node

from astra_ros.nodes.imagine.health import ImagineHealth, LastRequest
from astra_ros.nodes.imagine.inputs import ImagineInputs, Refused, Request
from astra_ros.nodes.imagine.outputs import ImagineOutputs
from astra_ros.nodes.imagine.plan_stamps import stamp_refusals
from astra_ros.nodes.imagine.robot_description import RobotDescription
from astra_ros.nodes.imagine.robot_state import RobotState
from astra_ros.nodes.imagine.settings import ImagineParameters, ImagineSettings
from astra_ros.plans.errors import PlanError
from astra_ros.ranking.imaginer import Imaginer, Result
from astra_ros.ranking.prepare import NothingToImagine


class Served(NamedTuple):
    """What became of a request: in words, and whether its winner was withheld, so that another one is due."""

    summary: str
    withheld: bool


class RequestServer:
    """Serves requests, on the model's thread.

    Attributes:
        wanted_joints: the plans of the last request wait until it is known where these are; empty where none do.
    """

    def __init__(
        self,
        node: Node,
        parameters: ImagineParameters,
        inputs: ImagineInputs,
        robot: RobotState,
        description: RobotDescription,
        health: ImagineHealth,
        outputs: ImagineOutputs,
    ) -> None:
        self._node = node
        self._parameters = parameters
        self._inputs = inputs
        self._robot = robot
        self._description = description
        self._health = health
        self._outputs = outputs
        self._first = True
        self.wanted_joints: tuple[str, ...] = ()

    def __call__(self, imaginer: Imaginer, asked: bool) -> Served:
        """Work on everything that has come so far.

        Args:
            asked: somebody called ~/imagine: the best plan is handed on also if it was before.

        Raises:
            Refused, NothingToImagine: it cannot be served.
        """
        own = self._parameters.own
        request = self._inputs.request(own.camera_timeout_s, own.goal_max_age_s)
        imaginer.configure(own, self._parameters.critics, self._parameters.scoring)
        result = self._score(imaginer, request, own)
        self._description.missed |= bool(result.undrawn)
        self._note_refused(request, result.prepared.refused)
        self._health.left_out(result.prepared.left_out, imaginer.model.card.name)
        # What was true when the request began may not be any more.
        hands_on = self._outputs.would_publish(request, result, asked)  # or the robot executes it already
        withheld = self._withheld(own, imaginer, request, result, hands_on)
        self._outputs.publish(
            request,
            result,
            imaginer.model.card.name,
            hand_on=not withheld,
            again=asked,
            restamp=hands_on and not withheld and self._restamps(own, request, result),
        )
        latency_s = time.monotonic() - request.received_s
        count = len(result.scores)
        summary = f"{count} plan{'s' * (count != 1)} imagined in {1000 * latency_s:.0f} ms, "
        if withheld:
            self._health.refused_requests.add(withheld)
            summary += withheld
        elif result.best is None:
            shown = result.scores[result.shown]
            summary += f"all vetoed; {shown.name}, first among them: {shown.reasons[0]}"
        else:
            best = result.scores[result.best]
            summary += f"best is {best.name} with score {best.score:.3f}"
            if not hands_on:
                summary += ", which was already handed on (~/imagine hands it on again)"
        if result.prepared.refused:
            summary += f"; {len(result.prepared.refused)} refused"
        self._health.done(
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
            self._node.get_logger().info(f"{summary}; further results are on {self._outputs.topic}")
            self._first = False
        self._outputs.show(imaginer, own)
        self._outputs.mark(own, self._description.text)
        return Served(summary, bool(withheld))

    def _score(self, imaginer: Imaginer, request: Request, own: ImagineSettings) -> Result:
        """A request's result; what becomes of its plans is noted, also when it cannot be served."""
        judged = False
        stamped = stamp_refusals(request.held, own.stamps, self._now_ns())
        try:
            result = imaginer.score(
                request.history,
                [plan for plan in request.plans if plan.name not in stamped],
                replace(self._robot.now(own.camera_timeout_s), values=request.joints_now),
                request.goal_frame,
                own.seed,
                request.goal_position,
            )
            result.prepared.refused.update(stamped)
            judged, self.wanted_joints = True, ()
            return result
        except NothingToImagine as error:
            self.wanted_joints = error.unknown_joints
            if error.unknown_joints:  # they wait until it is known where the robot is
                raise Refused(str(error)) from error
            judged = True
            refused = error.refused | stamped
            self._note_refused(request, refused, quiet=True)  # the request's own refusal names them all in the log
            raise NothingToImagine(refused) from error
        finally:
            self._inputs.over(request, judged)

    def _note_refused(self, request: Request, refused: Mapping[str, PlanError], quiet: bool = False) -> None:
        """Count and log why plans are refused, each message once: it is held, and refused again by each request."""
        for name, reason in refused.items():
            if not request.held[name].refused:
                request.held[name].refused = True
                self._health.refused_plans.add(str(reason), quiet=quiet)

    def _restamps(self, own: ImagineSettings, request: Request, result: Result) -> bool:
        """Whether the winner, which is handed on, goes out with the stamp 0."""
        restamps = own.stamps.restamps(request.held[result.names[result.best]].stamp, self._now_ns())
        if restamps:
            self._health.say_once(
                "the header.stamp of a plan is not now: it is handed on with the stamp 0, to begin at once, and "
                "otherwise byte for byte (parameters past_stamp and future_stamp)"
            )
        return restamps

    def _withheld(
        self, began_with: ImagineSettings, imaginer: Imaginer, request: Request, result: Result, hands_on: bool
    ) -> str:
        """Why the winner must not be handed on, or ''."""
        reason = self._inputs.not_ready(began_with.camera_timeout_s)
        if not reason and result.best is not None:
            best = result.prepared.plans[result.best]
            if self._inputs.too_old(request, best.name):
                reason = f"{best.name} became older than its source's max_age_s"
            elif hands_on:
                reason = began_with.stamps.refusal(request.held[best.name].stamp, self._now_ns())
                now = self._robot.now(began_with.camera_timeout_s)
                try:
                    imaginer.prepare.check_start(replace(request.held[best.name].plan, name=best.name), now)
                except PlanError as error:
                    reason = str(error)
        return f"no plan is handed on: meanwhile, {reason}" if reason else ""

    def _now_ns(self) -> int:
        return self._node.get_clock().now().nanoseconds
