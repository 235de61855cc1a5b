"""The health of the imagine node: what was refused, what was served, and the state of the model. Without ROS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from astra_ros.inference import ModelCard
from astra_ros.nodes.imagine.robot_description import PREPARING
from astra_ros.nodes.reports import Conditions, Log, ThrottledReports, once
from astra_ros.outcomes import OBJECT_POSITION
from astra_ros.texts import listed

GOAL_INPUTS = ("goal_images", "goal_poses")
INPUTS = ("images", "plans", "joint_states", "odometry", "obstacles", *GOAL_INPUTS)
# Faults that last, such as a description without its meshes, are logged once and not with every request.
LASTING = ("robot_description", "markers")
# What gives these critics a goal. Where no goal is wanted, they are not missed.
GOAL_CURES = {"goal": "publish a goal image, transient local", "goal_pose": "publish a goal pose"}


@dataclass(frozen=True)
class ModelState:
    """The model: its card once it is loaded, or the error ('' without one), and the step of loading at hand."""

    card: ModelCard | None = None
    error: str = ""
    runs_on: str = ""
    load_s: float = 0.0
    doing: str = "loading"

    @property
    def arms(self) -> list[str]:
        """Action spaces of joints; empty before the model is loaded."""
        spaces = self.card.action_spaces if self.card else {}
        return [name for name, space in spaces.items() if space.columns_are_joints]

    def never_scores_poses(self, space: str) -> bool:
        """Whether the model cannot predict where objects end, as goal poses need, in this action space; '': in any."""
        if self.card is None:
            return False
        asked = [space] if space else self.arms
        return bool(asked) and not any(OBJECT_POSITION in self.card.outcomes.get(name, ()) for name in asked)


@dataclass(frozen=True)
class LastRequest:
    """The result of the newest request that was served; ``count`` were served so far.

    ``latency_s`` runs from the arrival of the newest image to the scores. ``missing``: critic -> why it has no score.
    ``undrawn``: why the robot's render was missing, or ''.
    """

    count: int = 0
    plans: int = 0
    summary: str = ""
    space: str = ""
    latency_s: float = 0.0
    timings_s: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    undrawn: str = ""
    none_chosen: bool = False

    def lacks(self, goal_wanted: bool) -> list[str]:
        """What the scores lack, in words."""
        said = [
            f"{critic} does not score: {why}" + (f" ({cure})" if (cure := GOAL_CURES.get(critic)) else "")
            for critic, why in self.missing.items()
            if goal_wanted or critic not in GOAL_CURES
        ]
        if self.undrawn:
            said.append(f"imagined less exactly, without the robot drawn along the plan: {self.undrawn}")
        return said


class ImagineHealth:
    """Collects refusals and results from all threads; `ImagineStatuses` reports them.

    Attributes:
        refused: kind of input -> the messages that could not be used.
        refused_requests: requests that could not be served, or whose winner was withheld.
        refused_plans: plans that a request refused.
        began_s: when the node began, on the clock.
    """

    def __init__(self, log: Log, clock: Callable[[], float]) -> None:
        self.clock = clock

        # A line each: rclpy keeps one severity per line of code.
        self.tell_error = error = lambda text: log.error(text)
        self.warn = warn = lambda text: log.warning(text)
        self.tell = info = lambda text: log.info(text)
        self.refused = {kind: ThrottledReports(error, clock) for kind in INPUTS}
        self.refused |= {kind: ThrottledReports(lambda text: log.debug(text), clock) for kind in LASTING}
        # A planner that sends many plans a second loses some all the time: logged once, and counted.
        self.refused["lost_plans"] = ThrottledReports(once(info), clock)
        self.refused["decisions"] = ThrottledReports(warn, clock)  # records that could not be written
        self.refused_requests = ThrottledReports(warn, clock)
        self.refused_plans = ThrottledReports(error, clock)
        self.remarks = ThrottledReports(info, clock)
        self.conditions = Conditions(warn, info)
        self.say_once = once(info)
        self.model = ModelState()
        self.began_s = clock()
        self._lock = threading.Lock()
        self.last = LastRequest()
        self._busy_since_s: float | None = None

    def refuse(self, kind: str, reason: str) -> None:
        self.refused[kind].add(reason)

    def goal_cleared(self) -> None:
        """Note that the goal was cleared, so earlier refusals of goals are settled."""
        for kind in GOAL_INPUTS:
            self.refused[kind].settle(self.clock())

    def left_out(self, joints: Sequence[str], model: str) -> None:
        """Note joints that plans have and the model does not know; each set of them is logged once."""
        if joints:
            self.say_once(
                f"plans also have {listed(joints)}, which the model '{model}' does not know; they stand still along "
                "the plan, so they are not imagined, and are handed on as they came"
            )

    def model_prepares(self) -> None:
        self.model = replace(self.model, doing=PREPARING)

    def model_loaded(self, card: ModelCard, runs_on: str, load_s: float) -> None:
        self.model = ModelState(card=card, runs_on=runs_on, load_s=load_s)
        self.tell(f"loaded {card.name} from {card.path} (sha256 {card.sha256}) in {load_s:.1f} s; runs on {runs_on}")

    def model_failed(self, error: str) -> None:
        self.model = ModelState(error=error)
        self.tell_error(error)

    def begin(self) -> None:
        with self._lock:
            self._busy_since_s = self.clock()

    def end(self) -> None:
        with self._lock:
            self._busy_since_s = None

    def done(self, last: LastRequest) -> None:
        """Note a request that was served; this settles why earlier ones were not."""
        with self._lock:
            if self._busy_since_s is not None:
                self.refused_requests.settle(self._busy_since_s)
            self.last = replace(last, count=self.last.count + 1)

    @property
    def busy_s(self) -> float:
        """How long the request at hand has taken so far, s; 0 without one."""
        with self._lock:
            return 0.0 if self._busy_since_s is None else self.clock() - self._busy_since_s
