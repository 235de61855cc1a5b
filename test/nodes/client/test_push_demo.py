"""`astra demo --loop`, with the real planner process, the real simulator and a model of random weights."""

import pytest

pytest.importorskip("ompl")
pytest.importorskip("pinocchio")
pytest.importorskip("toppra")
pytest.importorskip("pybullet")

from astra_ros import cli
from astra_ros.evaluation import push_loop

pytestmark = pytest.mark.slow


def test_the_loop_pushes_and_films(small_model, tmp_path, capsys, monkeypatch):
    asked, fewer = [], push_loop.PushLoop.__init__

    def shortened(self, *args, improvement):
        asked.append(improvement)
        fewer(self, *args, most_choices=1, improvement=improvement)

    monkeypatch.setattr(push_loop.PushLoop, "__init__", shortened)
    words = ["demo", "--loop", "--model", str(small_model), "--plans", "2", "--seed", "1000", "--out", str(tmp_path)]
    assert cli.main([*words, "--improve-seconds", "0.5"]) == 0
    assert [each.seconds for each in asked] == [0.5]
    told = capsys.readouterr().out
    assert "2 pushes planned" in told and "Choices: 1." in told
    import imageio_ffmpeg

    film = imageio_ffmpeg.read_frames(str(tmp_path / "loop.mp4"))
    about = next(film)
    assert about["fps"] == 4.0 and len(list(film)) == 16


@pytest.mark.parametrize("words", [[], ["--loop", "--world", "drive"]])
def test_only_the_arms_loop_improves(words, capsys):
    assert cli.main(["demo", *words, "--improve-seconds", "1"]) == 1
    assert "--improve-seconds" in capsys.readouterr().err
