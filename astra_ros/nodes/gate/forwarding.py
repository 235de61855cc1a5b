"""The way of a goal through the gate: judged, forwarded to the controller, followed to its end. Without ROS.

Goal handles, the action client and its futures are rclpy's, or have the same methods.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from astra_ros.errors import UserError, as_user_error
from astra_ros.nodes.gate.judge import CLOSING, Answer, PlanJudge
from astra_ros.nodes.gate.settings import GateSettings
from astra_ros.nodes.reports import Tell

# Of action_msgs/GoalStatus.
SUCCEEDED, CANCELED = 4, 5
LOOK_EVERY_S = 0.1
# The controller acknowledges within this time that it stops, while the gate shuts down.
STOPS_WITHIN_S = 1.0
# Each goal in flight takes a thread. More than one is executed only while a newer one takes its place.
MOST_GOALS = 4
FULL = f"{MOST_GOALS} other goals are on their way, or the gate shuts down"


@dataclass(frozen=True)
class Action:
    """What a goal's way depends on in its action type.

    Attributes:
        controller: name of the controller's action.
        client: rclpy's ActionClient of it.
        data: the bytes of the plan in a goal, to be judged. Raises UserError where the goal cannot be used.
        failure: makes a result that tells a failure.
    """

    controller: str
    client: Any
    data: Callable[[Any], bytes]
    failure: Callable[[str], Any]


@dataclass(eq=False)
class _Run:
    """One goal on its way. ``taken``: the controller's handle of it; ``replaced_s``: when it took a newer one."""

    handle: Any
    taken: Any = None
    replaced_s: float | None = None
    wake: threading.Event = field(default_factory=threading.Event)

    def woken(self, *_: object) -> None:
        self.wake.set()

    def wait(self) -> None:
        self.wake.wait(LOOK_EVERY_S)
        self.wake.clear()


class Forwarder:
    """Takes goals from planners to the controller. Nothing is forwarded without an answer that lets it pass.

    Args:
        answered: told of each goal that was judged or refused.
        tell: logs a failure that belongs to no goal.
    """

    def __init__(
        self,
        action: Action,
        judge: PlanJudge,
        settings: Callable[[], GateSettings],
        answered: Callable[[Answer], object],
        tell: Tell,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._action, self._judge, self._settings = action, judge, settings
        self._answered, self._tell, self._clock = answered, tell, clock
        self._lock = threading.Lock()
        self._goals = 0
        self._runs: list[_Run] = []  # that the controller took, oldest first
        self._closing = False

    @property
    def busy(self) -> int:
        """Number of goals on their way."""
        return self._goals

    @property
    def full(self) -> bool:
        """Whether there is no room for a goal now."""
        return self._closing or self._goals >= MOST_GOALS

    def room(self) -> bool:
        """Reserve the way for a goal; `execute` frees it. False where too many are on it."""
        with self._lock:
            if self.full:
                return False
            self._goals += 1
            return True

    def free(self) -> None:
        """Give back the room of a goal that is not executed."""
        with self._lock:
            self._goals -= 1

    def turn_away(self, handle: Any) -> Any:
        """In place of `execute`, end a goal that has no room."""
        return self._aborted(_Run(handle), FULL)

    def execute(self, handle: Any) -> Any:
        """Take a goal all the way; returns its result, and leaves its handle in the state of its end. Blocks."""
        run = _Run(handle)
        try:
            answer = self._judged(run)
            if answer is None:
                handle.canceled()
                return self._action.failure("cancelled before it was judged")
            self._answered(answer)
            return self._forwarded(run) if answer.passed else self._aborted(run, answer.reason)
        except Exception as error:  # noqa: BLE001 - the goal must end
            self._tell(f"unexpected error, the goal is aborted:\n{traceback.format_exc()}")
            return self._aborted(run, f"the gate failed: {as_user_error(error)}")
        finally:
            with self._lock:
                self._goals -= 1
                if run in self._runs:
                    self._runs.remove(run)

    def close(self) -> None:
        """Have all goals end: what the controller executes is stopped."""
        self._closing = True
        self._judge.close()

    def _judged(self, run: _Run) -> Answer | None:
        """The answer for a goal; None where the planner cancelled it."""
        if not self._action.client.server_is_ready():
            return Answer(reason=f"no controller offers the action {self._action.controller}")
        try:
            data = self._action.data(run.handle.request)
        except UserError as error:
            return Answer(reason=str(error), verdict="refused")
        answers: list[Answer] = []

        def take(answer: Answer) -> None:
            answers.append(answer)
            run.wake.set()

        question = self._judge.ask(data, take)
        while not answers and not run.handle.is_cancel_requested:
            run.wait()
            self._judge.check()
        if run.handle.is_cancel_requested:
            self._judge.withdraw(question)
            return None
        return answers[0]

    def _forwarded(self, run: _Run) -> Any:
        """Send a goal that may pass to the controller, and follow it."""
        handle, timeout_s = run.handle, self._settings().controller_timeout_s
        if self._closing:
            return self._aborted(run, CLOSING)
        sent = self._action.client.send_goal_async(
            handle.request, feedback_callback=lambda msg: handle.publish_feedback(msg.feedback)
        )
        sent.add_done_callback(run.woken)
        until_s = self._clock() + timeout_s
        while not sent.done() and self._clock() < until_s:
            run.wait()
            if self._closing:
                until_s = min(until_s, self._clock() + STOPS_WITHIN_S)
        if not sent.done():
            sent.add_done_callback(_stop_late)
            said = CLOSING if self._closing else f"within {timeout_s:g} s"
            return self._aborted(run, f"{self._action.controller} did not answer: {said}")
        run.taken = taken = sent.result()
        if not taken.accepted:
            run.taken = None
            return self._aborted(run, f"{self._action.controller} rejected the goal; its log says why")
        with self._lock:
            for earlier in self._runs:
                earlier.replaced_s = earlier.replaced_s or self._clock()
            self._runs.append(run)
        return self._followed(run)

    def _followed(self, run: _Run) -> Any:
        """Pass on cancel and result of a goal that the controller took."""
        result = run.taken.get_result_async()
        result.add_done_callback(run.woken)
        stopped_s: float | None = None
        there_s = self._clock()
        while not result.done():
            run.wait()
            now_s = self._clock()
            if stopped_s is None and (run.handle.is_cancel_requested or self._closing):
                run.taken.cancel_goal_async()
                stopped_s = now_s
            if self._action.client.server_is_ready():
                there_s = now_s
            if not result.done() and (lost := self._lost(run, stopped_s, there_s)):
                return self._aborted(run, lost)
        return self._ended(run, result.result())

    def _lost(self, run: _Run, stopped_s: float | None, there_s: float) -> str:
        """Why the controller's result is not waited for any longer, or ''."""
        now_s, patience_s, name = self._clock(), self._settings().controller_timeout_s, self._action.controller
        if self._closing and stopped_s is not None and now_s - stopped_s > STOPS_WITHIN_S:
            return f"{CLOSING}; {name} was told to stop and has not answered"
        if now_s - there_s > patience_s:
            return f"{name} is gone; whether the robot still moves is not known"
        if run.replaced_s is not None and now_s - run.replaced_s > patience_s:
            return f"{name} took a newer goal in its place"
        return ""

    def _ended(self, run: _Run, ended: Any) -> Any:
        """The controller's result, and its status for the goal here."""
        handle = run.handle
        if ended.status == SUCCEEDED:
            handle.succeed()
        elif ended.status == CANCELED and handle.is_cancel_requested:
            handle.canceled()
        elif ended.status == CANCELED:  # the state machine of actions has no way from executing to canceled
            why = CLOSING if self._closing else "another client cancelled it, or the controller did"
            run.taken = None
            return self._aborted(run, f"{self._action.controller} stopped: {why}")
        else:
            handle.abort()
            if ended.result.error_code == 0:  # as where the controller was restarted and does not know the goal
                return self._action.failure(f"{self._action.controller} ended the goal with status {ended.status}")
        return ended.result

    def _aborted(self, run: _Run, reason: str) -> Any:
        """The result of a goal that ends without the controller's; if that took it, it is told to stop."""
        if run.taken is not None:
            with suppress(Exception):  # or the goal would not end
                run.taken.cancel_goal_async()
        if run.handle.is_active:
            run.handle.abort()
        return self._action.failure(reason)


def _stop_late(sent: Any) -> None:
    """Stop a goal that the controller took after it was given up."""
    if sent.exception() is None and sent.result().accepted:
        sent.result().cancel_goal_async()
