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
    fewer = push_loop.PushLoop.__init__
    monkeypatch.setattr(push_loop.PushLoop, "__init__", lambda self, *args: fewer(self, *args, most_choices=1))
    words = ["demo", "--loop", "--model", str(small_model), "--plans", "2", "--seed", "1000", "--out", str(tmp_path)]
    assert cli.main(words) == 0
    told = capsys.readouterr().out
    assert "2 pushes planned" in told and "Choices: 1." in told
    import imageio_ffmpeg

    film = imageio_ffmpeg.read_frames(str(tmp_path / "loop.mp4"))
    about = next(film)
    assert about["fps"] == 4.0 and len(list(film)) == 16
