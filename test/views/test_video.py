"""Videos: the grid read back pixel by pixel, and files read back by ffmpeg."""

import sys

import numpy as np
import pytest
from user_errors import fault

from astra_ros.critics.scoring import PlanScore
from astra_ros.views import canvas as look
from astra_ros.views.imagined_plans import ImaginedPlans
from astra_ros.views.video import VideoError, side_by_side, write_mp4

SCORES = [PlanScore("a", 1, 0.2, "vetoed", {}, ()), PlanScore("b", 0, 0.9, "accepted", {}, ())]


def clips(value, size=32):
    """K = 2 plans, H = 4 steps; the red channel counts steps in tens from `value`."""
    frames = np.full((2, 4, size, size, 3), 200, np.uint8)
    frames[..., 0] = value + 10 * np.arange(4)[None, :, None, None]
    frames[1, ..., 1] = 90
    return frames


def shown(truth=None, truth_notes=()):
    return ImaginedPlans(clips(0), SCORES, 0.25, truth, truth_notes)


def read(path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    reader = ffmpeg.read_frames(str(path))
    info = next(reader)
    columns, rows = info["size"]
    return info, np.stack([np.frombuffer(f, np.uint8).reshape(rows, columns, 3) for f in reader])


def test_grid_sizes_and_hold():
    video = side_by_side(shown(clips(100, 64)), hold_s=1.0)
    assert video.dtype == np.uint8 and video.ndim == 4 and len(video) == 4 + 4
    assert video.shape[1] % 2 == 0 and video.shape[2] % 2 == 0
    assert (video[4:] == video[3]).all() and (video[2] != video[3]).any()
    alone = side_by_side(shown(), hold_s=0)
    assert len(alone) == 4 and alone.shape[2] < video.shape[2]


def columns_of(picture, colour):
    return np.flatnonzero((picture == colour).all(axis=2).any(axis=0))


def test_best_plan_comes_first_beside_its_truth():
    video = side_by_side(shown(clips(100)))
    for step in range(4):
        best, other = columns_of(video[step], (10 * step, 90, 200)), columns_of(video[step], (10 * step, 200, 200))
        truth = columns_of(video[step], (100 + 10 * step, 90, 200))
        assert len(best) == len(truth) == len(other) == 160
        assert best.max() < truth.min() and truth.max() < other.min()


def test_tiles_wear_their_verdicts_colours():
    picture = side_by_side(shown())[0]
    accepted = columns_of(picture, look.VERDICT_COLOURS["accepted"])
    vetoed = columns_of(picture, look.VERDICT_COLOURS["vetoed"])
    assert len(accepted) and accepted.max() < vetoed.min()


def test_notes_make_the_tiles_taller():
    plain = side_by_side(shown())
    noted = side_by_side(shown(truth_notes=["reached", "touched"]))
    assert noted.shape[1] > plain.shape[1]


def test_grid_wraps_into_rows():
    many = np.concatenate([clips(0)] * 3)
    scores = [PlanScore(str(k), k, 0.5, "risky", {}, ()) for k in range(6)]
    wide = side_by_side(ImaginedPlans(many, scores, 0.25), columns=6)
    tall = side_by_side(ImaginedPlans(many, scores, 0.25), columns=3)
    assert tall.shape[1] > wide.shape[1] and tall.shape[2] < wide.shape[2]


def test_mp4_can_be_read_back(tmp_path):
    frames = np.zeros((6, 33, 41, 3), np.uint8)  # odd sizes
    frames[:, :, :20] = (200, 40, 40)
    path = write_mp4(tmp_path / "clip.mp4", frames, 4)
    info, video = read(path)
    assert video.shape == (6, 34, 42, 3)
    assert info["codec"] == "h264" and info["pix_fmt"].startswith("yuv420p") and info["fps"] == 4
    assert np.abs(video[3, 10, 8].astype(int) - (200, 40, 40)).max() < 12
    assert video[3, 10, 35].max() < 25
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]  # no partial file is left


def test_mp4_replaces_a_file_only_when_complete(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_text("old")
    frames = [np.zeros((32, 32, 3), np.uint8), np.zeros((32, 64, 3), np.uint8)]
    with fault(ValueError, path, "frame 1", "(32, 64, 3)", "(32, 32, 3)"):
        write_mp4(path, frames, 4)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]
    write_mp4(path, frames[:1], 4)
    assert len(read(path)[1]) == 1


@pytest.mark.parametrize(
    "frames, fps, facts",
    [
        ([], 4, ("no frames",)),
        (np.zeros((2, 32, 32)), 4, ("frame 0", "float64 (32, 32)", "uint8 [h, w, 3]")),
        (np.zeros((2, 32, 32, 3), np.uint8), 0, ("fps", 0, 0)),
    ],
)
def test_bad_videos_are_refused(tmp_path, frames, fps, facts):
    with fault(ValueError, tmp_path / "clip.mp4", *facts):
        write_mp4(tmp_path / "clip.mp4", frames, fps)
    assert not list(tmp_path.iterdir())


def test_missing_folder_is_named(tmp_path):
    path = tmp_path / "nowhere" / "clip.mp4"
    with pytest.raises(VideoError) as error:
        write_mp4(path, np.zeros((1, 32, 32, 3), np.uint8), 4)
    assert error.value.thing == str(path) and error.value.cure


def test_missing_imageio_ffmpeg_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(VideoError) as error:
        write_mp4(tmp_path / "clip.mp4", np.zeros((1, 32, 32, 3), np.uint8), 4)
    assert error.value.cure == "pip install imageio-ffmpeg"
