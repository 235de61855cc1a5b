"""The way of a goal through the gate, with a controller by rule: nothing reaches it that was not let pass."""

import threading
import time
from types import SimpleNamespace

import pytest

from astra_ros.errors import UserError
from astra_ros.nodes.gate import forwarding
from astra_ros.nodes.gate.forwarding import CANCELED, MOST_GOALS, SUCCEEDED, Action, Forwarder
from astra_ros.nodes.gate.judge import CLOSING, Answer, PlanJudge
from astra_ros.nodes.gate.settings import GateSettings

ABORTED, UNKNOWN = 6, 0
PATIENCE_S = 20.0


class Future:
    def __init__(self):
        self.calls, self.value = [], None

    def done(self):
        return self.value is not None

    def set(self, value):
        self.value = value
        for call in self.calls:
            call(self)

    def result(self):
        return self.value

    def exception(self):
        return None

    def add_done_callback(self, call):
        call(self) if self.done() else self.calls.append(call)


class Handle:
    """The gate's goal handle, with the state machine of actions."""

    def __init__(self, request="goal"):
        self.request, self.state, self.feedback = request, "executing", []

    is_cancel_requested = property(lambda self: self.state == "canceling")
    is_active = property(lambda self: self.state in ("executing", "canceling"))

    def publish_feedback(self, feedback):
        self.feedback.append(feedback)

    def end(self, state, *allowed):
        assert self.state in allowed, f"{self.state} -> {state}"
        self.state = state

    def succeed(self):
        self.end("succeeded", "executing", "canceling")

    def abort(self):
        self.end("aborted", "executing", "canceling")

    def canceled(self):
        self.end("canceled", "canceling")


class Taken:
    """The controller's handle of a goal."""

    def __init__(self, accepted=True):
        self.accepted, self.ended, self.cancels = accepted, Future(), 0

    def get_result_async(self):
        return self.ended

    def cancel_goal_async(self):
        self.cancels += 1

    def end(self, status, error_code=0, text="by the controller"):
        self.ended.set(SimpleNamespace(status=status, result=SimpleNamespace(error_code=error_code, error_string=text)))


class Bench:
    """A forwarder, and a controller that answers when it is told to."""

    def __init__(self, **settings):
        self.settings = GateSettings(controller="arm", **{"timeout_s": 100.0, **settings})
        self.there, self.sent, self.answered, self.told, self.unusable = True, [], [], [], None
        self.ahead_s = 0.0
        self.judge = PlanJudge(lambda: self.settings, lambda data: None, lambda: "")
        client = SimpleNamespace(server_is_ready=lambda: self.there, send_goal_async=self.send)
        action = Action("/arm", client, self.data, lambda text: SimpleNamespace(error_code=-1, error_string=text))
        answered, told = self.answered.append, self.told.append
        self.forwarder = Forwarder(action, self.judge, lambda: self.settings, answered, told, self.clock)

    def clock(self):
        return time.monotonic() + self.ahead_s

    def data(self, request):
        if self.unusable:
            raise self.unusable
        return request.encode()

    def send(self, goal, feedback_callback):
        self.sent.append(SimpleNamespace(goal=goal, feedback=feedback_callback, answer=Future()))
        return self.sent[-1].answer

    def goal(self, request="goal"):
        """A goal on its way in a thread of its own."""
        assert self.forwarder.room()
        run = SimpleNamespace(handle=Handle(request), result=None)

        def execute():
            run.result = self.forwarder.execute(run.handle)

        run.thread = threading.Thread(target=execute, daemon=True)
        run.thread.start()
        return run

    def answer(self, passed=True, reason=""):
        """The imagine node's answer for the goal that is open."""
        question = until(lambda: self.judge._open)
        assert self.judge.withdraw(question)
        question.give(Answer(passed, reason))

    def forwarded(self, count=1):
        return until(lambda: len(self.sent) == count and self.sent[-1])

    def taken(self, count=1):
        """The controller takes the newest goal."""
        made = Taken()
        self.forwarded(count).answer.set(made)
        until(lambda: made.ended.calls)
        return made


def until(done):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := done()):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return found


def end_of(run):
    run.thread.join(PATIENCE_S)
    assert not run.thread.is_alive()
    return run.handle.state, run.result.error_code, run.result.error_string


def test_an_accepted_goal_goes_to_the_controller_and_its_feedback_and_result_come_back():
    bench = Bench()
    run = bench.goal("swing")
    bench.answer()
    taken = bench.taken()
    assert bench.sent[0].goal == "swing"
    bench.sent[0].feedback(SimpleNamespace(feedback="half way"))
    taken.end(SUCCEEDED)
    assert end_of(run) == ("succeeded", 0, "by the controller") and run.handle.feedback == ["half way"]
    assert not taken.cancels and [each.passed for each in bench.answered] == [True] and not bench.forwarder.busy


def test_a_goal_that_must_not_pass_is_aborted_with_the_reason_and_never_sent():
    bench = Bench()
    run = bench.goal()
    bench.answer(False, "vetoed: contact")
    assert end_of(run) == ("aborted", -1, "vetoed: contact")
    bench.unusable = UserError("no points")
    assert end_of(bench.goal()) == ("aborted", -1, "no points")
    bench.there = False
    state, _, text = end_of(bench.goal())
    assert state == "aborted" and "/arm" in text and not bench.sent and len(bench.answered) == 3


@pytest.mark.parametrize("fails", ["data", "answered"])
def test_a_goal_that_fails_in_the_gate_is_aborted_and_never_sent(fails):
    bench = Bench()

    def broken(*_):
        raise RuntimeError("broken")

    if fails == "data":
        bench.unusable = RuntimeError("broken")
    else:
        bench.forwarder._answered = broken
    run = bench.goal()
    if fails == "answered":
        bench.answer()
    state, code, text = end_of(run)
    assert (state, code) == ("aborted", -1) and "RuntimeError: broken" in text
    assert not bench.sent and "Traceback" in bench.told[0] and not bench.forwarder.busy


def test_silence_of_the_imagine_node_ends_a_goal_without_a_timer():
    bench = Bench(timeout_s=0.05)
    state, _, text = end_of(bench.goal())
    assert state == "aborted" and "0.05 s" in text and not bench.sent


def test_a_goal_that_is_cancelled_before_it_was_judged_is_never_sent():
    bench = Bench()
    run = bench.goal()
    until(lambda: bench.judge._open)
    run.handle.state = "canceling"
    assert end_of(run)[0] == "canceled" and not bench.sent and bench.judge._open is None


def test_a_cancel_goes_to_the_controller_and_its_result_comes_back():
    bench = Bench()
    run = bench.goal()
    bench.answer()
    taken = bench.taken()
    run.handle.state = "canceling"
    until(lambda: taken.cancels)
    taken.end(CANCELED)
    assert end_of(run) == ("canceled", 0, "by the controller") and taken.cancels == 1


def test_a_goal_that_ends_well_though_it_was_cancelled_has_succeeded():
    bench = Bench()
    run = bench.goal()
    bench.answer()
    taken = bench.taken()
    run.handle.state = "canceling"
    taken.end(SUCCEEDED)
    assert end_of(run)[0] == "succeeded"


def test_failures_of_the_controller_are_failures_here():
    bench = Bench()
    for count, (status, code, said) in enumerate(
        [(ABORTED, -4, "by the controller"), (UNKNOWN, 0, "status 0"), (CANCELED, 0, "stopped")], 1
    ):
        run = bench.goal()
        bench.answer()
        bench.taken(count).end(status, code)
        state, error_code, text = end_of(run)
        assert state == "aborted" and error_code == (code or -1) and said in text


def test_a_goal_that_the_controller_rejects_is_aborted():
    bench = Bench()
    run = bench.goal()
    bench.answer()
    bench.forwarded().answer.set(Taken(accepted=False))
    state, code, text = end_of(run)
    assert state == "aborted" and code == -1 and "rejected" in text


def test_a_goal_that_the_controller_takes_too_late_is_stopped():
    bench = Bench(controller_timeout_s=0.05)
    run = bench.goal()
    bench.answer()
    late = bench.forwarded()
    state, _, text = end_of(run)
    assert state == "aborted" and "0.05 s" in text
    late.answer.set(taken := Taken())
    assert taken.cancels == 1


def test_a_controller_that_is_gone_ends_the_goal_and_one_that_comes_back_does_not():
    bench = Bench(controller_timeout_s=1000.0)
    run = bench.goal()
    bench.answer()
    taken = bench.taken()
    bench.there = False
    bench.ahead_s = 900.0
    time.sleep(3 * forwarding.LOOK_EVERY_S)
    bench.there = True
    time.sleep(3 * forwarding.LOOK_EVERY_S)
    bench.there = False
    bench.ahead_s = 1800.0
    time.sleep(3 * forwarding.LOOK_EVERY_S)
    assert run.thread.is_alive() and not taken.cancels
    bench.ahead_s = 2800.0
    state, _, text = end_of(run)
    assert state == "aborted" and "gone" in text and taken.cancels == 1


def test_a_newer_goal_replaces_one_that_is_judged_and_an_accepted_one_that_is_executed():
    bench = Bench(controller_timeout_s=0.1)
    judged = bench.goal("first")
    until(lambda: bench.judge._open)
    executed = bench.goal("second")
    assert end_of(judged)[0] == "aborted" and not bench.sent
    bench.answer()
    first = bench.taken()
    vetoed = bench.goal("third")
    bench.answer(False, "vetoed")
    assert end_of(vetoed)[0] == "aborted" and executed.thread.is_alive() and not first.cancels
    newer = bench.goal("fourth")
    bench.answer()
    second = bench.taken(2)
    # The controller says nothing of the goal that it dropped.
    state, _, text = end_of(executed)
    assert state == "aborted" and "newer" in text
    second.end(SUCCEEDED)
    assert end_of(newer)[0] == "succeeded" and not second.cancels
    assert [each.goal for each in bench.sent] == ["second", "fourth"]


def test_shutting_down_stops_what_is_executed_and_rejects_what_is_judged(monkeypatch):
    monkeypatch.setattr(forwarding, "STOPS_WITHIN_S", 0.2)
    bench = Bench()
    executed = bench.goal("first")
    bench.answer()
    taken = bench.taken()
    judged = bench.goal("second")
    until(lambda: bench.judge._open)
    bench.forwarder.close()
    assert end_of(judged) == ("aborted", -1, CLOSING)
    state, _, text = end_of(executed)
    assert state == "aborted" and CLOSING in text and taken.cancels and not bench.forwarder.room()
    assert [each.goal for each in bench.sent] == ["first"] and not bench.forwarder.busy


def test_a_goal_that_the_controller_has_not_taken_yet_ends_while_the_gate_shuts_down(monkeypatch):
    monkeypatch.setattr(forwarding, "STOPS_WITHIN_S", 0.2)
    bench = Bench(controller_timeout_s=1000.0)
    run = bench.goal()
    bench.answer()
    late = bench.forwarded()
    bench.forwarder.close()
    state, _, text = end_of(run)
    assert state == "aborted" and CLOSING in text and not bench.forwarder.busy
    late.answer.set(taken := Taken())
    assert taken.cancels == 1


def test_a_controller_that_stops_in_time_ends_its_goal_while_the_gate_shuts_down():
    bench = Bench()
    run = bench.goal()
    bench.answer()
    taken = bench.taken()
    bench.forwarder.close()
    until(lambda: taken.cancels)
    taken.end(CANCELED)
    state, code, text = end_of(run)
    assert state == "aborted" and code == -1 and CLOSING in text


def test_only_so_many_goals_are_on_their_way():
    bench = Bench()
    assert [bench.forwarder.room() for _ in range(MOST_GOALS + 1)] == [True] * MOST_GOALS + [False]
