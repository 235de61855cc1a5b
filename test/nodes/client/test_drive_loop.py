"""`astra demo --loop --world drive`: the real simulator, and a model of random weights that vetoes or accepts all."""

import pytest

pytest.importorskip("pybullet")

from astra_ros import cli
from astra_ros.agents.loop import Choice, LoopSettings
from astra_ros.evaluation import drive_demo, drive_loop
from astra_ros.inference import load_world_model
from astra_ros.simulation.drive.world import make


def test_the_car_drives_and_is_filmed(small_car_model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(drive_demo.drive_demo, "__defaults__", (2,))
    words = ["demo", "--loop", "--world", "drive", "--model", str(small_car_model), "--plans", "3", "--seed", "1003"]
    assert cli.main([*words, "--out", str(tmp_path)]) == 0
    assert "3 paths" in capsys.readouterr().out
    import imageio_ffmpeg

    film = imageio_ffmpeg.read_frames(str(tmp_path / drive_demo.FILM))
    assert next(film)["fps"] == 4.0 and len(list(film)) == 2 * drive_loop.ACT_STEPS


def test_paths_are_followed_within_25_cm_and_nothing_is_driven_where_nothing_is_chosen(small_car_model):
    model = load_world_model("torch", str(small_car_model), "cpu")
    with make(size=16) as world:
        first = drive_loop.DriveLoop(model, world, 4, LoopSettings(4, 4), lambda moment, paths: Choice(0))
        assert [cycle.choice.index for cycle in first.episode(1003)] == [0] * 4
        assert first.outcome.followed and first.outcome.choices == 4 and first.outcome.rests == 0
        # The planner knows no obstacles: its first path leads into one here.
        assert first.outcome.progress > 0.2 and first.outcome.collision
        none = drive_loop.DriveLoop(model, world, 4, LoopSettings(4, 2), lambda moment, paths: Choice(None))
        list(none.episode(1003))
        assert none.outcome.rests == 2 and none.outcome.progress == pytest.approx(0.0) and not none.state().speed


def test_a_car_needs_the_loop(capsys):
    assert cli.main(["demo", "--world", "drive"]) == 1
    assert "--world drive" in capsys.readouterr().err
