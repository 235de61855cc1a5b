"""Trainings to a deadline: how stages share the time, how the schedule follows it, and that it can be resumed."""

import json

import pytest
from networks import NARROW
from safetensors import safe_open
from user_errors import refusal

from astra_ros.commands import train
from astra_ros.training import initial_model, stages, time_budget
from astra_ros.training.checkpoint import CheckpointError
from astra_ros.training.errors import TrainingError
from astra_ros.training.time_budget import StageClock, TimeBudget


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def metadata_of(path):
    with safe_open(str(path), framework="pt") as file:
        return file.metadata()


def lines_of(run, stage="dynamics"):
    return [json.loads(line) for line in (run / f"{stage}.jsonl").read_text().splitlines()]


@pytest.fixture
def clock(monkeypatch):
    """A clock for `astra train` that stands still; a training step takes 1 s. The network is narrow."""
    clock = Clock()
    monkeypatch.setattr(initial_model, "preset", lambda _: NARROW)
    monkeypatch.setattr(stages, "Validation", lambda *_: None)
    monkeypatch.setattr(TimeBudget.__init__, "__defaults__", (clock,))
    for loss in (stages.AutoencoderLoss, stages.DynamicsLoss, stages.CompositorLoss):

        def forward(self, *batch, real=loss.forward):
            clock.seconds += 1
            return real(self, *batch)

        monkeypatch.setattr(loss, "forward", forward)
    return clock


@pytest.fixture
def timed(arguments):
    """`astra train` for so many seconds: (data, out, seconds, *more)."""

    def parse(data, out, seconds, *more):
        args = arguments(data, out, "--minutes", str(seconds / 60), "--warmup-steps", "2", "--stage", "dynamics", *more)
        args.autoencoder_steps, args.dynamics_steps, args.compositor_steps = 0, None, None
        return args

    return parse


def test_stages_share_what_is_left():
    now = Clock()
    budget = TimeBudget(100 / 60, ("autoencoder", "dynamics", "compositor"), now)
    now.seconds = 10.0  # of loading
    first = budget.stage("autoencoder")
    assert first.seconds == pytest.approx(90 * 2 / 10) and first.progress == 0
    now.seconds = 19.0
    assert first.progress == pytest.approx(0.5)
    now.seconds = 36.0  # it took longer than its share: the others have less
    assert first.progress == 1 and first.used == first.seconds
    second = budget.stage("dynamics")
    assert second.seconds == pytest.approx(64 * 7 / 8)
    now.seconds = second.end
    assert budget.stage("compositor").end == pytest.approx(100)
    assert budget.stage("style") is None
    now.seconds = 200.0
    assert budget.stage("compositor").progress == 1


def test_a_later_run_goes_on_where_the_last_checkpoint_was():
    now = Clock()
    stage = TimeBudget(1, ["dynamics"], now).stage("dynamics")
    now.seconds = 45.0
    state = json.loads(json.dumps(stage.state()))
    later = Clock()
    later.seconds = 1000.0
    budget = TimeBudget(1, ["dynamics"], later)
    later.seconds += 3  # loading counts again
    stage = budget.stage("dynamics")
    stage.restore(state)
    assert stage.progress == pytest.approx(48 / 60) and not stage.finished
    later.seconds += 12
    done = TimeBudget(1, ["dynamics"], later).stage("dynamics")
    done.restore(stage.state())
    assert done.finished


def test_the_learning_rate_follows_the_time():
    stage = StageClock(TimeBudget(1, ["dynamics"], Clock()), 1.0)
    assert stage.learning_rate(0, 0.0, 1.0, 200) == pytest.approx(1 / 200)
    assert stage.learning_rate(5, 0.05, 1.0, 200) == pytest.approx(0.5, abs=0.01)  # at most a tenth of the time
    assert stage.learning_rate(999, 0.5, 2.0, 200) == pytest.approx(2 * 0.51)
    assert stage.learning_rate(999, 1.0, 1.0, 200) == pytest.approx(0.02)


def test_a_training_ends_when_its_time_is_up(data, tmp_path, timed, clock):
    clock.seconds = 0.0
    assert train.run(timed(data, tmp_path, 12)) == 0
    lines = lines_of(tmp_path)
    # One second of the first step's FLOPs count went before.
    assert len(lines) == 11
    rates = [line["learning_rate"] for line in lines]
    assert rates[2:] == sorted(rates[2:], reverse=True) and rates[-1] < 0.1 * max(rates)
    # Rollouts begin after three tenths of the time.
    assert ["rollout_latent" in line for line in lines[:6]] == [False, False, False, True, False, True]
    assert json.loads(metadata_of(tmp_path / "dynamics.safetensors")["clock"]) == {"begin": 0, "end": 12, "used": 12}
    before = (tmp_path / "dynamics.safetensors").read_bytes()
    assert train.run(timed(data, tmp_path, 12)) == 0  # finished: not a step more
    assert (tmp_path / "dynamics.safetensors").read_bytes() == before
    with refusal(CheckpointError, ".safetensors") as error:
        train.run(timed(data, tmp_path, 30))
    assert error.value.differing == {"minutes": (0.2, 0.5)}


def test_a_killed_training_has_the_time_that_is_left(data, tmp_path, timed, clock, monkeypatch):
    calls, real = [], stages.one_step_loss

    def killed(*parts):
        calls.append(1)
        if len(calls) == 8:
            raise ZeroDivisionError
        return real(*parts)

    words = ("--checkpoint-every", "5", "--rollout-from", "1")
    with monkeypatch.context() as patch:
        patch.setattr(stages, "one_step_loss", killed)
        with pytest.raises(ZeroDivisionError):
            train.run(timed(data, tmp_path, 12, *words))
    assert json.loads(metadata_of(tmp_path / "dynamics.safetensors")["clock"])["used"] == 6  # and 5 steps
    train.run(timed(data, tmp_path, 12, *words))
    # 6 s are left, and the count of FLOPs takes one again.
    assert [line["step"] for line in lines_of(tmp_path)] == list(range(10))


def test_a_stage_whose_time_went_with_loading_makes_one_step_aloud(data, tmp_path, timed, clock, capsys):
    real = time_budget.TimeBudget.stage

    def late(self, name):
        clock.seconds += 100
        return real(self, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_budget.TimeBudget, "stage", late)
        train.run(timed(data, tmp_path, 12))
    assert len(lines_of(tmp_path)) == 1 and "note: dynamics: loading took" in capsys.readouterr().err


def test_minutes_and_steps_together_are_refused(data, tmp_path, arguments):
    with refusal(TrainingError, "minutes", "--dynamics-steps"):
        train.run(arguments(data, tmp_path, "--minutes", "1"))


def test_the_bar_shows_the_time_left_and_the_speed(data, tmp_path, timed, clock, capsys):
    train.run(timed(data, tmp_path, 5))
    shown = capsys.readouterr().err.replace("\r", "\n").splitlines()
    last = [line for line in shown if line.startswith("dynamics:")][-1]
    assert "100%" in last and "<00:00" in last and "clips/s" in last and "MFU=" in last
