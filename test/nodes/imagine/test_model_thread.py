"""The thread that owns the model: who gets which answer, in every order of events."""

import threading

import pytest
from user_errors import fault

from astra_ros.nodes.imagine.model_thread import ModelThread, ShuttingDown

SOON_S = 10.0


class Scripted:
    """A model whose work waits until it is let go; counts what was run."""

    def __init__(self, load=None):
        self.runs = 0
        self.refreshed = threading.Event()
        self.errors = []
        self.working = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.thread = ModelThread(load or (lambda: "model"), self.work, self.refresh, self.errors.append)

    def work(self, model):
        self.working.release()
        assert self.go.acquire(timeout=SOON_S)
        self.runs += 1
        return f"{model} run {self.runs}"

    def refresh(self, model):
        self.refreshed.set()


@pytest.fixture
def scripted():
    made = Scripted()
    made.thread.start()
    yield made
    made.go.release(10)
    made.thread.stop()


def test_requests_during_a_run_share_the_next_run(scripted):
    first = scripted.thread.request()
    assert scripted.working.acquire(timeout=SOON_S)
    later = [scripted.thread.request() for _ in range(3)]
    scripted.go.release(2)
    assert first.result(SOON_S) == "model run 1"
    assert [future.result(SOON_S) for future in later] == ["model run 2"] * 3
    assert scripted.runs == 2


def test_refresh_runs_on_the_thread_when_it_is_free(scripted):
    scripted.thread.refresh()
    assert scripted.refreshed.wait(SOON_S)


def test_refresh_that_is_asked_for_with_a_request_is_not_lost(scripted):
    scripted.thread.request()
    assert scripted.working.acquire(timeout=SOON_S)
    scripted.thread.request()
    scripted.thread.refresh()
    assert not scripted.refreshed.is_set()
    scripted.go.release(2)
    assert scripted.refreshed.wait(SOON_S)


def test_a_failing_load_answers_every_request():
    def load():
        raise OSError("no such model")

    broken = Scripted(load)
    broken.thread.start()
    for _ in range(2):
        with fault(OSError, "no such model"):
            broken.thread.request().result(SOON_S)
    assert str(broken.thread.failure) == "no such model" and len(broken.errors) == 1
    broken.thread.stop()


def test_a_failing_run_is_the_answer_and_the_thread_lives_on():
    answers = iter([ValueError("bad plan"), "fine"])

    def work(_):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    thread = ModelThread(lambda: None, work, lambda _: None, print)
    thread.start()
    with fault(ValueError, "bad plan"):
        thread.request().result(SOON_S)
    assert thread.request().result(SOON_S) == "fine"
    thread.stop()


def test_stop_answers_those_who_wait_and_those_who_come_later(scripted):
    scripted.thread.request()
    assert scripted.working.acquire(timeout=SOON_S)
    waiting = scripted.thread.request()
    scripted.thread.stop(timeout_s=0.0)
    for future in (waiting, scripted.thread.request()):
        with pytest.raises(ShuttingDown):
            future.result(SOON_S)


def test_stop_tells_whether_the_work_at_hand_ended(scripted):
    scripted.thread.request()
    assert scripted.working.acquire(timeout=SOON_S)
    assert scripted.thread.stop(timeout_s=0.0) is False  # still at work
    idle = ModelThread(lambda: None, lambda _: None, lambda _: None, print)
    idle.start()
    assert idle.stop(SOON_S) is True
