"""Has the imagine node judge plans, one at a time, and says whether they may pass. Without ROS.

A plan passes only by a decision record that names it, made after it was sent. Everything else, silence included, is a
rejection.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from astra_ros.critics.scoring import ACCEPTED, RISKY
from astra_ros.nodes.gate.settings import GateSettings
from astra_ros.nodes.imagine.decision_record import FORMAT

REPLACED = "a newer plan took its place before it was judged"
CLOSING = "the gate is shutting down"


@dataclass(frozen=True)
class Answer:
    """Whether a plan may pass.

    Attributes:
        reason: why not; '' where it may.
        verdict: the imagine node's: "accepted", "risky", "vetoed", "refused" or "not judged"; '' where it did not
            decide.
        score: None where the plan has none.
        request: number of the decision; None where there was none.
        sha256: of the plan's message, its stamp 0; '' where it was not sent to the imagine node.
    """

    passed: bool = False
    reason: str = ""
    verdict: str = ""
    score: float | None = None
    request: int | None = None
    sha256: str = ""


@dataclass(eq=False)
class Question:
    """A plan that waits for its decision. ``asked_s``: on the monotonic clock."""

    sha256: str
    asked_s: float
    answer: Callable[[Answer], object]

    def give(self, answer: Answer) -> None:
        """Give the answer."""
        self.answer(replace(answer, sha256=self.sha256))


class PlanJudge:
    """Sends plans to the imagine node and reads its decision records. Safe to use from several threads.

    Args:
        send: publishes the bytes of a plan to the imagine node.
        absent: why nothing will judge a plan, or ''.
    """

    def __init__(
        self,
        settings: Callable[[], GateSettings],
        send: Callable[[bytes], object],
        absent: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._send, self._absent, self._clock = settings, send, absent, clock
        self._lock = threading.Lock()
        self._open: Question | None = None
        self._closed = False
        self._unreadable = ""

    def ask(self, data: bytes, answer: Callable[[Answer], object]) -> Question:
        """Have a plan judged; ``answer`` is called once, from any thread, unless the question is withdrawn.

        An earlier question that is open is answered with `REPLACED`.
        """
        question = Question(hashlib.sha256(data).hexdigest(), self._clock(), answer)
        absent = self._absent()
        with self._lock:
            reason = CLOSING if self._closed else absent
            replaced, self._open = self._open, None if reason else question
            self._unreadable = ""
        if replaced is not None:
            replaced.give(Answer(reason=REPLACED))
        if reason:
            answer(Answer(reason=reason))
            return question
        try:
            self._send(data)
        except BaseException:
            self.withdraw(question)
            raise
        return question

    def withdraw(self, question: Question) -> bool:
        """Drop a question; False where it was answered."""
        with self._lock:
            was_open = self._open is question
            if was_open:
                self._open = None
        return was_open

    def on_decision(self, text: str) -> None:
        """Take a decision record of the imagine node."""
        with self._lock:
            question = self._open
        if question is None:
            return
        try:
            answer = answer_in(json.loads(text), question, self._clock(), self._settings().pass_risky)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._unreadable = f"; a decision could not be read ({type(error).__name__}: {error})"
            return
        if answer is not None and self.withdraw(question):
            question.give(answer)

    def check(self) -> None:
        """Reject the open plan if its time is over; call it often."""
        with self._lock:
            question = self._open
        timeout_s = self._settings().timeout_s
        if question is None or self._clock() - question.asked_s < timeout_s:
            return
        if self.withdraw(question):
            text = f"no decision of the imagine node within {timeout_s:g} s{self._unreadable}; /diagnostics says why"
            question.give(Answer(reason=text))

    def close(self) -> None:
        """Reject what is open, and all that comes."""
        with self._lock:
            self._closed = True
            question, self._open = self._open, None
        if question is not None:
            question.give(Answer(reason=CLOSING))


def answer_in(record: Mapping[str, Any], question: Question, now_s: float, pass_risky: bool) -> Answer | None:
    """The answer that a decision record gives; None where it is about other plans, or about an equal one of before.

    A plan passes where the imagine node hands on exactly this one: it is chosen, its verdict is good enough, and the
    camera and the robot's position were still as imagined. Raises what reading a record of another form raises.
    """
    if record["format"] != FORMAT:
        raise ValueError(f"its format is {record['format']}, expected {FORMAT}")
    # Seconds are compared and not stamps: the two nodes may run on machines with other clocks.
    oldest_s = now_s - question.asked_s - record["timing"]["request_s"]
    # Where the imagine node keeps several plans, an equal one of before may be among them.
    plans = [each for each in record["plans"] if each["sha256"] == question.sha256 and each["age_s"] <= oldest_s]
    if not plans:
        return None
    plan = min(plans, key=lambda each: each["age_s"])
    choice, verdict = record["choice"], plan["verdict"]
    if verdict not in ((ACCEPTED, RISKY) if pass_risky else (ACCEPTED,)):
        reason = f"{verdict}: {'; '.join(plan['reasons'])}"
    elif record["outcome"] == "withheld":
        reason = choice["withheld"]
    elif choice["sha256"] != question.sha256:
        reason = (
            f"{choice['plan'] or 'no plan'} was chosen instead; for a gate, set <source>.keep of the imagine node to 1 "
            "and give it no other source"
        )
    elif record["outcome"] != "handed_on":
        reason = f"it was not handed on ({record['outcome']})"
    else:
        reason = ""
    return Answer(not reason, reason, verdict, plan.get("score"), record["number"])
