"""Places of goals in the gate: only goals that rclpy really accepted take one. Its action server is played by rule."""

from types import SimpleNamespace as Fields

import pytest

pytest.importorskip("rclpy")

from rclpy.action import GoalResponse

from astra_ros.nodes.gate import action_gate
from astra_ros.nodes.gate.forwarding import FULL, MOST_GOALS
from astra_ros.nodes.gate.settings import GateSettings


class Server:
    """Asks and tells as rclpy's action server does."""

    def __init__(self, node, kind, name, execute, **callbacks):
        self.execute, self.goal = execute, callbacks["goal_callback"]
        self.accepted = callbacks.get("handle_accepted_callback", lambda handle: handle.execute())

    def offer(self, handle):
        """A goal comes; ``handle`` None: creating it fails."""
        response = self.goal("goal")
        if response == GoalResponse.ACCEPT and handle is not None:
            handle.server = self
            self.accepted(handle)
        return response


class Handle:
    """A goal that is on its way until it is told to go."""

    is_active, is_cancel_requested, fails = True, False, False

    def execute(self, callback=None):
        if self.fails:
            raise RuntimeError("the state cannot be changed")
        self.callback = callback or self.server.execute

    def go(self):
        return self.callback(self)

    def abort(self):
        self.is_active = False


@pytest.fixture
def gate(monkeypatch):
    kind = Fields(Result=lambda **fields: Fields(**fields))
    kind.Result.INVALID_GOAL = -1
    monkeypatch.setattr(action_gate, "action_type", lambda: kind)
    monkeypatch.setattr(action_gate, "ActionServer", Server)
    monkeypatch.setattr(action_gate, "ActionClient", lambda *_, **__: Fields(server_is_ready=lambda: False))
    log = Fields(warning=lambda text: None, error=lambda text: None)
    node = Fields(resolve_topic_name=lambda name: name, get_logger=lambda: log, executor=None)
    judge = Fields(close=lambda: None)
    return action_gate.ActionGate(node, judge, lambda: GateSettings(controller="arm"), lambda answer: None)


def test_goals_whose_handles_cannot_be_made_take_no_place(gate):
    for _ in range(MOST_GOALS + 1):
        assert gate._server.offer(None) == GoalResponse.ACCEPT
    assert not gate._forwarder.busy


def test_goals_that_cannot_begin_take_no_place(gate):
    handle = Handle()
    handle.fails = True
    for _ in range(MOST_GOALS + 1):
        with pytest.raises(RuntimeError):
            gate._server.offer(handle)
    assert not gate._forwarder.busy


def test_only_so_many_goals_are_taken_and_each_gives_its_place_back(gate):
    handles = [Handle() for _ in range(MOST_GOALS)]
    for handle in handles:
        assert gate._server.offer(handle) == GoalResponse.ACCEPT
    assert gate._forwarder.busy == MOST_GOALS and gate._server.offer(Handle()) == GoalResponse.REJECT
    assert handles[0].go().error_string and gate._forwarder.busy == MOST_GOALS - 1
    assert gate._server.offer(Handle()) == GoalResponse.ACCEPT


def test_goals_that_are_accepted_at_once_for_one_place_end_but_for_one(gate):
    handles = [Handle() for _ in range(MOST_GOALS + 1)]
    for handle in handles:
        handle.server = gate._server
        assert gate._server.goal("goal") == GoalResponse.ACCEPT
    for handle in handles:
        gate._server.accepted(handle)
    result = handles[-1].go()
    assert result.error_string == FULL and not handles[-1].is_active and gate._forwarder.busy == MOST_GOALS
