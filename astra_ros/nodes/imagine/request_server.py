"""Serves a request of the imagine node, from its inputs to what is published and recorded. Without ROS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from astra_ros.files import OutputError
from astra_ros.nodes.imagine.decision import Decision
from astra_ros.nodes.imagine.decision_file import DecisionFile
from astra_ros.nodes.imagine.decision_record import Circumstances, as_line, decision_record
from astra_ros.nodes.imagine.health import ImagineHealth, LastRequest
from astra_ros.nodes.imagine.inputs import Refused, Request
from astra_ros.nodes.imagine.message_readers import NANOSECONDS, Clocks
from astra_ros.nodes.imagine.plan_decider import PlanDecider
from astra_ros.nodes.imagine.plan_inputs import HeldPlan
from astra_ros.nodes.imagine.plan_stamps import stamp_refusals
from astra_ros.nodes.imagine.prediction_watch import PredictionWatch
from astra_ros.nodes.imagine.robot_state import RobotState
from astra_ros.nodes.imagine.settings import ImagineSettings, NodeSettings
from astra_ros.plans.errors import PlanError, RobotUnknown
from astra_ros.plans.path_plan import PathPlan
from astra_ros.ranking.imaginer import Imaginer, Result
from astra_ros.ranking.prediction_monitor import FrameComparison
from astra_ros.ranking.prepare import NothingToImagine


class Outputs(Protocol):
    """Where decisions and comparisons go."""

    def predicted(self, comparison: FrameComparison) -> None:
        """Publish how far a real frame is from the imagined one."""

    def publish(self, decision: Decision, imaginer: Imaginer) -> None:
        """Publish scores, none where the request could not be served, and hand the plan on."""

    def publish_preliminary(self, request: Request, result: Result, imaginer: Imaginer) -> None:
        """Publish first scores, which others of the same plans follow."""

    def draw(self, imaginer: Imaginer, settings: ImagineSettings, robot_description: str | None) -> str:
        """Publish pictures and markers of the last decision; returns why the tool link's path is not shown, or ''."""

    def record(self, line: str) -> None:
        """Publish the record of a decision, a JSON object in one line."""


# Images whose stamps are further from the node's clock have a clock of their own.
ANOTHER_CLOCK_S = 10.0


@dataclass(eq=False)
class RequestServer:
    """Serves requests, on the model's thread."""

    settings: Callable[[], NodeSettings]
    robot: RobotState
    health: ImagineHealth
    outputs: Outputs
    clocks: Clocks
    scores_topic: str
    prediction: PredictionWatch
    _first: bool = True
    _wanted_joints: tuple[str, ...] = ()  # whose positions the plans of the last request wait for
    _wanted_frames: tuple[str, ...] = ()  # in which the paths are that wait
    _requests: int = 0
    _file: DecisionFile = field(default_factory=DecisionFile)

    def __post_init__(self) -> None:
        self._decider = PlanDecider(self.settings, self.robot, self.clocks, self.health.say_once)

    def robot_unknown(self) -> str | None:
        """Why the plans that wait cannot be compared with where the robot is, or None."""
        own = self.settings().own
        if self._wanted_frames:
            return self.robot.inputs.base.unknown(self._wanted_frames, own.camera_timeout_s)
        return self.robot.unknown(self._wanted_joints, own.camera_timeout_s) if own.start_tolerance else None

    def serve(self, imaginer: Imaginer, asked: bool) -> tuple[str, bool]:
        """Imagine all plans that are held, decide, publish. Raises Refused, NothingToImagine.

        Returns the outcome in words, and whether its winner was withheld, so that another request is due. ``asked``:
        ~/imagine was called, so the best plan is handed on also if it was before.
        """
        settings, began_s = self.settings(), self.clocks.monotonic_s()
        request = self.robot.inputs.request(settings.own)
        self._requests += 1
        try:
            imaginer.configure(settings.own, settings.critics, settings.scoring)
            self._tell_critics(imaginer, settings.own)
            result = self._score(imaginer, request, settings.own)
            decision = self._decider.decide(imaginer, request, result, settings, asked)
        except Exception as error:
            decision = self._decider.decide_without(error, request, settings)
            self.outputs.publish(decision, imaginer)
            self._record(decision, imaginer, settings, began_s)
            raise
        self.outputs.publish(decision, imaginer)
        summary = self._done(decision, result)
        if decision.handed_on is not None and settings.own.compare_frames:
            self.prediction.begin(result, decision.choice.name, self._begins_ns(decision.handed_on, request))
        self._record(decision, imaginer, settings, began_s)
        if undrawn := self.outputs.draw(imaginer, settings.own, self.robot.description.text):
            self.health.refuse("markers", undrawn)
        return summary, bool(decision.withheld)

    def _done(self, decision: Decision, result: Result) -> str:
        """Note a decision that was published; returns it in words."""
        self._decider.published(decision)
        latency_s = self.clocks.monotonic_s() - decision.request.received_s
        summary = decision.in_words(latency_s)
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
                none_chosen=not decision.choice.name,
            )
        )
        if self._first:
            self.health.tell(f"{summary}; further results are on {self.scores_topic}")
            self._first = False
        return summary

    def _begins_ns(self, plan: HeldPlan, request: Request) -> int:
        """When a plan that is handed on now begins, on the clock of the images."""
        now_ns = self.clocks.ros_time_ns()
        if abs(now_ns - request.stamp_ns) > ANOTHER_CLOCK_S * NANOSECONDS:
            return request.stamp_ns + round((self.clocks.monotonic_s() - request.received_s) * NANOSECONDS)
        own = self.settings().own
        return now_ns if own.stamps.restamps(plan.message.stamp_ns, now_ns) else max(now_ns, plan.message.stamp_ns)

    def _record(self, decision: Decision, imaginer: Imaginer, settings: NodeSettings, began_s: float) -> None:
        """Publish and keep the record of a decision. A fault of the file is reported, and stops nothing."""
        ended_s, at_ns = self.clocks.monotonic_s(), self.clocks.ros_time_ns()
        description = self.robot.description.text
        around = Circumstances(self._requests, at_ns, began_s, ended_s, settings, description)
        line = as_line(decision_record(decision, imaginer, around))
        self.outputs.record(line)
        try:
            self._file.write(line, settings.own.decisions)
        except OutputError as error:
            self.health.refuse("decisions", str(error))

    def _tell_critics(self, imaginer: Imaginer, own: ImagineSettings) -> None:
        """Give the imaginer what is known of the robot and of obstacles."""
        described = self.robot.description
        imaginer.robot_description = described.text
        imaginer.obstacles, elsewhere = self.robot.inputs.obstacles.now((own.world_frame, described.base_link))
        if elsewhere:
            self.health.refuse("obstacles", elsewhere)

    def _score(self, imaginer: Imaginer, request: Request, own: ImagineSettings) -> Result:
        """The result of a request; the fates of its plans are noted, also when it cannot be served."""
        judged, base, span_s = False, request.base, own.horizon * imaginer.model.card.dt_s
        apart: dict[str, PlanError] = {}
        messages = {name: each.message for name, each in request.held.items()}
        stamped = stamp_refusals(messages, own.stamps, self.clocks.ros_time_ns())
        try:
            held = [plan for plan in request.plans if plan.name not in stamped]
            plans, apart = self.robot.inputs.base.followed(held, base, self.settings().vehicle, span_s)
            moves = {**(base.velocities if base else {}), **request.joints_now}
            now = replace(self.robot.now(own.camera_timeout_s), values=moves)
            goal_frame, goal_position = request.goal_frame, request.goal_position
            result = imaginer.score(
                request.history,
                plans,
                now,
                goal_frame,
                own.seed,
                goal_position,
                lambda early: self.outputs.publish_preliminary(request, early, imaginer),
            )
            result.prepared.refused.update(stamped | apart)
            judged = True
            self._wanted_joints = self._wanted_frames = ()
            if result.undrawn:
                self.robot.description.note_undrawn()
            self._note_refused(request, result.prepared.refused)
            self.health.left_out(result.prepared.left_out, imaginer.model.card.name)
            return result
        except NothingToImagine as error:
            self._wanted_joints = tuple(error.unknown_joints)
            waiting = {name for name, why in apart.items() if isinstance(why, RobotUnknown)}
            paths = [plan for plan in request.plans if plan.name in waiting and isinstance(plan, PathPlan)]
            self._wanted_frames = tuple(dict.fromkeys(path.frame for path in paths))
            refused = error.refused | apart | stamped
            if error.unknown_joints or waiting:  # the plans wait until it is known where the robot is
                raise Refused(self.robot_unknown() or str(NothingToImagine(refused))) from error
            judged = True
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
