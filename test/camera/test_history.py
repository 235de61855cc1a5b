"""FrameHistory: which frames are picked, and every reason for not being ready."""

import numpy as np
import pytest
from user_errors import fault

from astra_ros.camera.history import FrameHistory, HistoryNotReady


def frame(number, shape=(2, 2, 3)):
    return np.full(shape, number % 256, np.uint8)


def filled(stamps, length=4, dt=0.25, **settings):
    history = FrameHistory(length, dt, **settings)
    for number, stamp in enumerate(stamps):
        history.push(stamp, frame(number))
    return history


def numbers(history):
    return history.frames()[:, 0, 0, 0].tolist()


def test_camera_at_the_models_rate():
    history = filled([0.0, 0.25, 0.5, 0.75, 1.0])
    assert numbers(history) == [1, 2, 3, 4] and history.newest_s == 1.0
    assert history.frames().shape == (4, 2, 2, 3) and history.not_ready() is None


def test_faster_camera_gives_the_nearest_frames():
    # 10 Hz up to 1.0 s. Wanted: 0.25, 0.5, 0.75, 1.0 -> 0.2 or 0.3 (tie), 0.5, 0.7 or 0.8, 1.0.
    picked = numbers(filled(np.arange(11) * 0.1))
    assert picked[0] in (2, 3) and picked[1] == 5 and picked[2] in (7, 8) and picked[3] == 10


def test_jitter_picks_the_nearest_stamp():
    # Newest 1.0; wanted 0.5, 0.75. 0.52 is nearer to 0.5 than 0.41; 0.78 nearer than 0.65.
    assert numbers(filled([0.41, 0.52, 0.65, 0.78, 0.9, 1.0], length=3)) == [1, 3, 5]


def test_fast_camera_is_thinned_to_bounded_memory():
    history = filled(np.arange(3000) / 300.0)
    # At most 8 frames per step over 3 steps plus the tolerance, and the newest ones.
    assert len(history) <= 8 * 3.45 + 3
    newest = 2999
    # A thinned frame is at most 1/16 of a step (0.016 s, 5 frames) from the wanted one.
    wanted = np.array([newest - 225, newest - 150, newest - 75, newest])
    assert np.abs(np.array(numbers(history)) - wanted % 256).max() <= 5


def test_slow_camera_is_refused():
    with fault(HistoryNotReady, "2 Hz", "4 frames per second"):
        filled(np.arange(10) * 0.5).frames()


def test_slightly_slow_camera_is_refused():
    # 3.5 Hz: every interval (0.286 s) is within a step and its tolerance, but time would stretch.
    assert "rate too low: 3.5 Hz" in filled(np.arange(10) / 3.5).not_ready()


def test_one_frame_needs_no_rate():
    assert numbers(filled([0.0, 7.0, 14.0], length=1)) == [2]


def test_short_history_is_not_ready():
    history = filled([0.0, 0.25])
    assert history.not_ready() == "2 of 4 frames, 0.25 s apart, are there; ready in about 0.5 s"


def test_empty_history_says_so():
    with fault(HistoryNotReady, "no camera frame"):
        FrameHistory(4, 0.25).frames()


def test_gap_starts_a_new_history():
    history = filled([0.0, 0.25, 0.5, 0.75, 1.0])
    assert "silent for 2.00 s" in history.push(3.0, frame(9))
    assert len(history) == 1
    assert "1 of 4 frames" in history.not_ready() and "silent for 2.00 s" in history.not_ready()
    for k in range(1, 4):
        assert history.push(3.0 + 0.25 * k, frame(9 + k)) is None
    assert numbers(history) == [9, 10, 11, 12]


def test_time_that_jumps_back_clears_the_history():
    history = filled([10.0, 10.25, 10.5, 10.75])
    assert "jumped back by 10.75 s" in history.push(0.0, frame(50))
    assert len(history) == 1 and history.newest_s == 0.0
    assert "simulation reset" in history.not_ready()


def test_new_image_size_clears_the_history():
    history = filled([0.0, 0.25, 0.5, 0.75])
    assert "changed from 2x2 to 6x4" in history.push(1.0, frame(0, (4, 6, 3)))


def test_repeated_stamp_replaces_the_frame():
    history = filled([0.0, 0.25, 0.25], length=2)
    assert len(history) == 2 and numbers(history) == [0, 2]


def test_clear_forgets_all():
    history = filled([0.0, 0.5, 1.0])
    history.clear()
    assert history.newest_s is None and history.not_ready() == "no camera frame yet"


def test_uneven_frames_are_named():
    # Wanted at 1.15: 0.9, 0.65, 0.4. 0.65 has 0.55 and 0.8 near it, more than 0.06 s away.
    history = filled([0.3, 0.4, 0.55, 0.8, 0.9, 1.15], tolerance_s=0.06)
    assert "within 0.06 s of 0.50 s before the newest" in history.not_ready()


@pytest.mark.parametrize(
    "stamp, value", [(0.0, np.zeros((2, 2), np.uint8)), (0.0, np.zeros((2, 2, 3))), (np.nan, frame(0))]
)
def test_bad_frames_are_refused(stamp, value):
    with pytest.raises(ValueError):
        FrameHistory(4, 0.25).push(stamp, value)


@pytest.mark.parametrize("arguments", [(0, 0.25), (4, 0.0), (4, 0.25, 0.2), (4, 0.25, 0.0)])
def test_bad_settings_are_refused(arguments):
    with pytest.raises(ValueError):
        FrameHistory(*arguments)


@pytest.mark.parametrize("rate_hz, every, behind", [(30.0, 15, 1), (60.0, 7, 2), (15.0, 4, 1), (10.0, 5, 4)])
def test_frames_that_others_overtook_are_left_out_and_the_history_stays(rate_hz, every, behind):
    stamps = list(np.arange(int(4 * rate_hz)) / rate_hz)
    late = stamps[every::every]
    sent = [stamp for stamp in stamps if stamp not in late]
    for stamp in late:  # each comes behind those that follow it
        sent.insert(min(len(sent), sent.index(max(s for s in sent if s < stamp)) + 1 + behind), stamp)
    history = FrameHistory(4, 0.25)
    assert [history.push(stamp, frame(0)) for stamp in sent] == [None] * len(sent)
    assert history.not_ready() is None and history.newest_s == max(sent)
    assert history.is_late(history.newest_s - 0.1) and not history.is_late(history.newest_s)


def test_half_a_second_is_the_limit_between_late_and_set_back():
    history = filled([10.0, 10.25, 10.5, 10.75])
    assert history.push(10.25, frame(8)) is None and history.newest_s == 10.75
    assert "jumped back by 0.60 s" in history.push(10.15, frame(9)) and history.newest_s == 10.15
