"""While a plan that was handed on is executed, real frames against imagined ones. Without ROS.

Frames come from the executor's threads; the model's thread encodes and compares them between its requests.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping

import numpy as np

from astra_ros.nodes.reports import OK, WARN, Status
from astra_ros.ranking.imaginer import Imaginer, Result
from astra_ros.ranking.prediction_monitor import ExecutedPlan, FrameComparison, PredictionMonitor

KEPT = 32  # frames that wait while the model's thread is busy: a plan of 4 s has 16
CURE = (
    "check whether the camera was moved, whether robot_description is that of the robot, and whether the scene has "
    "something new"
)


class PredictionWatch:
    """Safe to use from several threads; ``compare`` and ``begin`` run on the model's thread.

    Args:
        publish: told every comparison.
    """

    def __init__(self, publish: Callable[[FrameComparison], None]) -> None:
        self._publish = publish
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, np.ndarray, dict[str, float]]] = deque(maxlen=KEPT)
        self._monitor = PredictionMonitor({})

    def attach(self, limits: Mapping) -> None:
        """Begin anew with a loaded model's limits, by action space."""
        with self._lock:
            self._monitor = PredictionMonitor(limits)
            self._waiting.clear()

    def begin(self, result: Result, name: str, begins_ns: int) -> None:
        """Follow a plan of a result, which begins now or later. Plans that were not imagined frame by frame are not
        followed, nor those of bases: no joints tell whether they are executed."""
        space = result.prepared.space
        if not space.columns_are_joints or name not in result.names:
            return
        best = result.names.index(name)
        made, read = result.imagination, result.critic_input
        if made.strides[best] > 1:  # limits are of plans that were imagined frame by frame
            return
        steps = made.imagined_steps[best]
        plan = ExecutedPlan(
            space.name,
            result.prepared.plans[best],
            begins_ns,
            read.dt_s,
            np.concatenate([read.current_latent[None], made.latents[best, :steps]]),
            np.concatenate([[0.0], made.uncertainty[best, :steps]]),
        )
        with self._lock:
            self._monitor.begin(plan)
            self._waiting.clear()

    def on_frame(self, frame: np.ndarray, stamp_ns: int, joints: Mapping[str, float]) -> bool:
        """Take a frame at the model's size and where the joints were; whether ``compare`` has something to do."""
        with self._lock:
            if not self._monitor.wants(stamp_ns):
                return False
            self._waiting.append((stamp_ns, frame, dict(joints)))
            return True

    def compare(self, imaginer: Imaginer) -> None:
        """Compare the frames that wait, and let the imaginer know how far to trust its model."""
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        if waiting:
            latents = imaginer.model.encode(np.stack([frame for _, frame, _ in waiting]))
            for (stamp_ns, _, joints), latent in zip(waiting, latents):
                with self._lock:
                    found = self._monitor.add(stamp_ns, latent, joints)
                if found is not None:
                    self._publish(found)
        imaginer.uncertainty_factor = self._monitor.factor

    def status(self, on: bool) -> Status:
        """Whether what is seen is what was imagined."""
        with self._lock:
            monitor = self._monitor
            fault, limit, last, strays = monitor.fault, monitor.limit, monitor.last, monitor.strays
            values: dict[str, object] = {"plans_compared": monitor.plans, "frames_compared": monitor.frames}
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
            return Status("prediction", OK, "no limit is known: run astra monitor --write for this model", values)
        return Status("prediction", OK, "what is seen is what was imagined", values)
