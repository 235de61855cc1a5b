"""The frame history against stamps worked out by hand."""

import numpy as np
import pytest

from astra_ros.history import FrameHistory, NotEnoughFrames


def frame(value: int) -> np.ndarray:
    return np.full((2, 2, 3), value, np.uint8)


def filled(stamps, length=3, dt_s=0.25, **settings) -> FrameHistory:
    history = FrameHistory(length, dt_s, **settings)
    for index, stamp in enumerate(stamps):
        history.add(stamp, frame(index % 256))
    return history


def picked(history: FrameHistory) -> list[int]:
    return history.frames()[0][:, 0, 0, 0].tolist()


def test_a_camera_at_twice_the_rate_gives_every_second_frame():
    history = filled([0.0, 0.125, 0.25, 0.375, 0.5])
    assert picked(history) == [0, 2, 4]
    assert history.frames()[1] == 0.5


def test_the_nearest_frame_is_taken():
    # Wanted are 0.1, 0.35, 0.6; nearest to 0.1 is 0.06, to 0.35 is 0.38.
    assert picked(filled([0.06, 0.16, 0.28, 0.38, 0.6])) == [0, 3, 4]


def test_memory_is_bounded_and_still_holds_what_is_needed():
    history = filled(np.arange(0, 20, 0.01))
    assert len(history) <= 53  # half a second at 100 Hz, and one older frame at each end
    assert len(history.frames()[0]) == 3


def test_no_frame_and_too_few_frames_are_said_so():
    with pytest.raises(NotEnoughFrames, match="no camera image yet"):
        filled([]).frames()
    with pytest.raises(NotEnoughFrames, match="shown 2 of the 3 frames, 0.25 s apart"):
        filled([1.0, 1.25]).frames()


def test_a_camera_slower_than_the_model_is_refused():
    with pytest.raises(NotEnoughFrames, match="4 Hz or faster"):
        filled([0.0, 1.0, 2.0]).frames()


def test_a_jump_back_in_time_forgets_the_past():
    history = filled([5.0, 5.25, 5.5])
    assert history.add(1.0, frame(9)) is False
    assert len(history) == 1 and history.newest_s == 1.0


def test_a_repeated_stamp_replaces_its_frame():
    history = filled([0.0, 0.25, 0.5])
    assert history.add(0.5, frame(9)) is True
    assert picked(history) == [0, 1, 9]


def test_clear():
    history = filled([0.0, 0.25, 0.5])
    history.clear()
    assert history.newest_s is None and len(history) == 0
