"""While a plan that was handed on is executed, real frames against imagined ones. Without ROS.

Frames come from the executor's threads; the model's thread encodes and compares them between its requests. While it is
busy, one frame waits for each step of the plan, the first that came: the one that would be compared without the wait.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from astra_ros.nodes.reports import OK, WARN, Status
from astra_ros.ranking.imaginer import Imaginer, Result
from astra_ros.ranking.prediction_monitor import ExecutedPlan, FrameComparison, PredictionMonitor

CURE = (
    "check whether the camera was moved, whether robot_description is that of the robot, and whether the scene has "
    "something new; if nothing has changed, train the model on recordings of this robot and camera"
)
NO_LIMIT = (
    "no limit is known for this model, so errors are published without a warning: astra monitor --fit-scenes 0 --write "
    "computes one for the simulated arms, and none can be computed for a robot of your own"
)


@dataclass(frozen=True)
class _Seen:
    """A frame that waits, and where the joints were."""

    stamp_ns: int
    frame: np.ndarray
    joints: Mapping[str, float]


class PredictionWatch:
    """Safe to use from several threads; ``compare`` and ``begin`` run on the model's thread.

    Args:
        publish: told every comparison.
    """

    def __init__(self, publish: Callable[[FrameComparison], None]) -> None:
        self._publish = publish
        self._lock = threading.Lock()
        # Frames, behind the plan that they are of; ``compare`` leaves none, so there are two plans at most.
        self._waiting: deque[_Seen | ExecutedPlan] = deque()
        self._plan: ExecutedPlan | None = None  # the newest
        self._step = 0  # of that plan, for which the last frame was taken
        self._between_steps = self._lost = 0
        self._monitor = PredictionMonitor({})

    def attach(self, limits: Mapping) -> None:
        """Begin anew with a loaded model's limits, by action space."""
        with self._lock:
            self._monitor = PredictionMonitor(limits)
            self._waiting.clear()
            self._plan = None

    def begin(self, result: Result, name: str, begins_ns: int) -> None:
        """Follow a plan of a result, which begins now or later, in place of the one before. Plans that were not
        imagined frame by frame are not followed, nor those of bases: no joints tell whether they are executed."""
        plan = self._followed(result, name, begins_ns)
        with self._lock:
            if self._waiting and isinstance(self._waiting[-1], ExecutedPlan):
                self._waiting.pop()  # it was replaced before any of its frames came
            if plan is not None:
                self._waiting.append(plan)  # behind the frames of the plan before, which were not compared yet
            self._plan, self._step = plan, 0

    @staticmethod
    def _followed(result: Result, name: str, begins_ns: int) -> ExecutedPlan | None:
        """The plan as it is followed, or None."""
        space = result.prepared.space
        if not space.columns_are_joints or name not in result.names:
            return None
        best = result.names.index(name)
        made, read = result.imagination, result.critic_input
        if made.strides[best] > 1:  # limits are of plans that were imagined frame by frame
            return None
        steps = made.imagined_steps[best]
        return ExecutedPlan(
            space.name,
            result.prepared.plans[best],
            begins_ns,
            read.dt_s,
            np.concatenate([read.current_latent[None], made.latents[best, :steps]]),
            np.concatenate([[0.0], made.uncertainty[best, :steps]]),
        )

    def on_frame(self, frame: np.ndarray, stamp_ns: int, joints: Mapping[str, float]) -> bool:
        """Take a frame at the model's size and where the joints were; whether ``compare`` has something to do."""
        with self._lock:
            step = None if self._plan is None else self._plan.compared_step(stamp_ns)
            if step is None:
                return False
            if step <= self._step:
                self._between_steps += 1
                return False
            self._step = step
            self._waiting.append(_Seen(stamp_ns, frame, dict(joints)))
            return True

    def compare(self, imaginer: Imaginer) -> None:
        """Compare the frames that wait, and let the imaginer know how far to trust its model."""
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        frames = [each.frame for each in waiting if isinstance(each, _Seen)]
        try:
            latents = iter(imaginer.model.encode(np.stack(frames)) if frames else ())
        except Exception:  # the frames are lost; the plan is still followed
            with self._lock:
                self._lost += len(frames)
                for plan in waiting:
                    if isinstance(plan, ExecutedPlan):
                        self._monitor.begin(plan)
            raise
        for each in waiting:
            with self._lock:
                if isinstance(each, ExecutedPlan):
                    self._monitor.begin(each)
                    continue
                found = self._monitor.add(each.stamp_ns, next(latents), each.joints)
            if found is not None:
                self._publish(found)
        with self._lock:
            if not self._monitor.follows and not self._waiting:
                self._plan = None
        imaginer.uncertainty_factor = self._monitor.factor

    def status(self, on: bool) -> Status:
        """Whether what is seen is what was imagined."""
        with self._lock:
            monitor = self._monitor
            fault, limit, last, strays = monitor.fault, monitor.limit, monitor.last, monitor.strays
            values: dict[str, object] = {"plans_compared": monitor.plans, "frames_compared": monitor.frames}
            values |= {"frames_between_steps": self._between_steps, "frames_lost": self._lost}
        values |= {
            "last_error": "" if last is None else f"{last.error:.3f}",
            "last_expected_error": "" if last is None else f"{last.expected:.3f}",
            "last_ratio": "" if last is None else f"{last.ratio:.2f}",
            "limit": "" if limit is None else f"{limit.limit:.2f}",
            "false_alarms_per_plan": "" if limit is None else f"{limit.false_alarms:g}",
            "uncertainty_factor": f"{monitor.factor:.2f}",
            "plan_not_followed": strays,
        }
        if not on:
            return Status("prediction", OK, "compare_frames is off", values)
        if fault is not None and limit is not None:
            text = (
                f"the model does not fit: frames differ from the imagined ones {fault.over_window:.1f} times as much "
                f"as expected, {fault.time_s:.1f} s into a plan; at most {limit.false_alarms:.1%} of plans reach "
                f"{limit.limit:.1f} where it fits; {CURE}"
            )
            return Status("prediction", WARN, text, values)
        if strays:
            return Status("prediction", OK, f"the robot does not follow the plan that was handed on: {strays}", values)
        if last is None:
            return Status("prediction", OK, "no plan was executed yet", values)
        if limit is None:
            return Status("prediction", OK, NO_LIMIT, values)
        return Status("prediction", OK, "what is seen is what was imagined", values)
