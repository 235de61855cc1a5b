"""Several cameras on one topic, told by frames and sizes; and what is one camera all the same."""

import pytest

from astra_ros.camera.image_sources import LEAST, OVER_S, ImageSources, Source

SIZE = (48, 64)


def seen(sources, images, step_s=0.1, begin_s=100.0):
    """The changes; `images` are frames, or sizes."""
    return [sources.add(*((each, SIZE) if isinstance(each, str) else ("cam", each)), begin_s + k * step_s)
            for k, each in enumerate(images)]  # fmt: skip


@pytest.mark.parametrize("step_s", [0.01, 0.1, 1.0])
@pytest.mark.parametrize(
    ("images", "frames"),
    [
        (["left", "right"] * 10, {"left", "right"}),
        (["right", "left"] * 10, {"left", "right"}),
        (
            ["left"] * 8 + ["left", "left", "left", "right"] * 8,
            {"left", "right"},
        ),  # the other one is slower, began later
        (["a", "b", "c"] * 10, {"a", "b", "c"}),
        (["/left", "right"] * 10, {"left", "right"}),  # as ROS 1 wrote it
    ],
)
def test_cameras_that_take_turns_are_named_by_their_frames(images, frames, step_s):
    sources = ImageSources()
    seen(sources, images, step_s)
    conflict = sources.conflict()
    assert {each.frame for each in conflict.sources} == frames and conflict.times > LEAST
    assert all(f"'{frame}'" in str(conflict) for frame in frames)
    assert conflict.last_s <= 100.0 + step_s * len(images)


def test_cameras_of_one_frame_are_named_by_their_sizes():
    sources = ImageSources()
    seen(sources, [(48, 64), (96, 128)] * 5)
    assert sources.conflict().sources == (Source("cam", 48, 64), Source("cam", 96, 128))
    assert "images of 128 x 96 and 64 x 48 pixels come in turn" in str(sources.conflict())


@pytest.mark.parametrize(
    "images",
    [
        ["cam"] * 50,
        ["cam"] * 20 + ["zoomed"] * 30,  # it was changed, once or with a slip
        ["cam"] * 20 + ["zoomed"] + ["cam"] * 30,
        [f"frame_{k}" for k in range(50)],  # a driver that numbers them
        [(48, 64)] * 20 + [(96, 128)] * 20,
    ],
)
def test_one_camera_is_no_conflict(images):
    sources = ImageSources()
    seen(sources, images)
    assert sources.conflict() is None


def test_an_operator_who_looks_through_one_camera_then_another_is_no_conflict():
    sources = ImageSources()
    seen(sources, (["left"] * 60 + ["right"] * 60) * 4)  # 6 s each
    assert sources.conflict() is None


def test_a_conflict_is_over_when_it_is_not_seen_any_more():
    sources = ImageSources()
    seen(sources, ["left", "right"] * 10)
    assert sources.conflict(102.0) is not None
    assert sources.conflict(102.0 + OVER_S) is None and sources.conflict() is not None


def test_another_camera_is_a_change_and_numbered_images_are_none():
    assert [bool(change) for change in seen(ImageSources(), ["left"] * 6 + ["right"] * 6)] == [False] * 6 + [True] + [
        False
    ] * 5
    (change,) = filter(None, seen(ImageSources(), ["left"] * 6 + ["right"] * 6))
    assert change == "the images changed from frame 'left' to frame 'right'"
    (change,) = filter(None, seen(ImageSources(), [(48, 64)] * 6 + [(96, 128)] * 6))
    assert change == "the images changed from 64 x 48 pixels to 128 x 96 pixels"
    assert not any(seen(ImageSources(), [f"frame_{k}" for k in range(50)]))


def test_each_image_of_cameras_that_take_turns_is_a_change():
    assert [bool(change) for change in seen(ImageSources(), ["left", "right"] * 5)] == [False] * 2 + [True] * 8


def test_endless_new_frames_do_not_fill_the_memory():
    sources = ImageSources()
    seen(sources, [f"frame_{k}" for k in range(10_000)], 0.001)
    assert len(sources._seen) < 100


def test_time_that_begins_anew_forgets():
    sources = ImageSources()
    for begin_s in (100.0, 50.0, 0.0):
        seen(sources, ["left", "right"], begin_s=begin_s)
    assert sources.conflict() is None
