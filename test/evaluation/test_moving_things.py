"""Whether moving things stay visible: things that are kept, fade to half their contrast, or vanish."""

import numpy as np
import pytest

from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.evaluation import thing_detector
from astra_ros.evaluation.moving_figures import Kept, MovingThing, moving_table
from astra_ros.evaluation.moving_things import labelled_thing, unlabelled_things
from astra_ros.evaluation.space_figures import ROWS

SIZE = 64
TABLE, THING = np.array([90, 100, 110]), np.array([200, 60, 40])


def images_of(pixels, strength=1.0):
    """A square of 8 pixels around each of pixels [N, 2], on a plain table: uint8 [N, SIZE, SIZE, 3]."""
    frames = np.tile(TABLE.astype(np.uint8), (len(pixels), SIZE, SIZE, 1))
    for frame, (u, v) in zip(frames, np.round(pixels).astype(int)):
        frame[v - 4 : v + 4, u - 4 : u + 4] = TABLE + strength * (THING - TABLE)
    return frames


def episode(rng, labelled=True):
    """A square at random places, 1 m before a camera in which a pixel is 1/64 m."""
    pixels = rng.integers(10, SIZE - 10, (40, 2)).astype(float)
    camera = PinholeCamera(SIZE, SIZE, 64.0, 64.0, 31.5, 31.5, np.eye(4))
    places = np.concatenate([(pixels - 31.5) / 64, np.ones((40, 1))], axis=1)
    labels = {"object_position": places.astype(np.float32)} if labelled else {}
    motion = np.zeros((40, 1), np.float32)
    return Episode(images_of(pixels), motion, labels, ("j",), "joints", "arm", "mine", 0.25, camera=camera.to_dict())


@pytest.fixture(scope="module")
def detector():
    rng = np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thing_detector, "DETECTOR_STEPS", 80)
        return thing_detector.train_detector([episode(rng) for _ in range(5)], "object_position")


@pytest.fixture
def moves():
    """Two clips of a thing that moves 3 pixels a frame to the right: places [2, 1 + 8, 2], frames [2, 8, h, w, 3]."""
    places = np.stack([16.0 + 3 * np.arange(9), np.full(9, 32.0)], axis=1)
    places = np.stack([places, places + [0.0, 12.0]])
    return places, np.stack([images_of(clip[1:]) for clip in places])


def test_a_labelled_thing_is_kept_faded_or_gone(detector, moves):
    places, truth = moves
    faded, gone = (np.stack([images_of(clip[1:], strength) for clip in places]) for strength in (0.5, 0.0))
    copy = np.stack([images_of(np.repeat(clip[:1], 8, 0)) for clip in places])
    beside = np.stack([images_of(clip[1:] + [0.0, -12.0]) for clip in places])
    rows = {"ceiling": truth, "model": faded, "decoded": gone, "copy": copy, "beside": beside}
    found = labelled_thing(detector, places, truth, rows)
    assert found.found_real == 1.0 and found.count == 16
    kept = found.rows
    assert (kept["ceiling"].found, kept["ceiling"].in_place) == (1.0, 1.0)
    assert kept["ceiling"].contrast == pytest.approx(1.0, abs=0.01)
    assert kept["ceiling"].contrast_in_place == pytest.approx(1.0)
    assert kept["model"].contrast == pytest.approx(0.5, abs=0.01)
    assert kept["model"].contrast_by_frame == pytest.approx(8 * [0.5], abs=0.01)
    assert (kept["decoded"].found, kept["decoded"].in_place) == (0.0, 0.0)
    assert kept["decoded"].contrast == pytest.approx(0.0, abs=1e-6)
    assert kept["decoded"].found_by_frame == 8 * [0.0]
    # A thing that is whole but elsewhere has not faded.
    assert (kept["beside"].found, kept["beside"].in_place) == (1.0, 0.0)
    assert kept["beside"].contrast == pytest.approx(1.0, abs=0.01) and kept["beside"].contrast_in_place < 0.5
    # More than 1/16 of 64 pixels from the last observed place: all frames but the first. A copy leaves it there.
    assert found.displaced_count == 14
    assert kept["copy"].found == 1.0 and found.displaced["copy"].in_place < kept["copy"].in_place < 1.0


def test_frames_count_where_the_thing_is_found_in_the_real_ones(detector, moves):
    places, truth = moves
    hidden = truth.copy()
    hidden[0] = images_of(places[0, 1:], 0.0)  # behind something, of which the label does not know
    out = places.copy()
    out[1, 5:] = np.nan
    found = labelled_thing(detector, out, hidden, {"model": hidden})
    assert found.count == 4 and found.found_real == pytest.approx(4 / 12) and found.rows["model"].found == 1.0
    assert found.rows["model"].found_by_frame == 4 * [1.0] + 4 * [None]
    empty = np.stack([images_of(clip[1:], 0.0) for clip in places])
    assert labelled_thing(detector, places, empty, {"model": truth}) is None


def test_without_labels_what_moved_is_kept_faded_or_gone(moves):
    places, truth = moves
    background = np.tile(TABLE.astype(np.uint8), (2, SIZE, SIZE, 1))
    faded = np.stack([images_of(clip[1:], 0.4) for clip in places])
    gone = np.broadcast_to(background[:, None], truth.shape)
    beside = np.stack([images_of(clip[1:] + [3.0, 0.0]) for clip in places])
    rows = {"ceiling": truth, "model": faded, "decoded": gone, "copy": beside}
    moved = unlabelled_things(background, truth, rows)
    assert moved.count == 16 and moved.found_real is None and moved.displaced is None
    assert moved.rows["ceiling"] == Kept(1.0, 1.0, pytest.approx(1.0), pytest.approx(1.0), 8 * [1.0], 8 * [1.0])
    assert moved.rows["model"].contrast == pytest.approx(0.4, abs=0.01) and moved.rows["model"].found == 0.0
    assert moved.rows["decoded"] == Kept(0.0, 0.0, 0.0, 0.0, 8 * [0.0], 8 * [0.0])
    # 3 of 8 columns beside the true place: whole nearby, 5/8 of it where it should be.
    assert moved.rows["copy"].contrast == pytest.approx(1.0)
    assert moved.rows["copy"].contrast_in_place == pytest.approx(5 / 8)
    assert unlabelled_things(background, gone, rows) is None


def test_a_table_has_a_line_for_each_thing():
    kept = Kept(0.5, 0.25, 0.4, 0.3, [], [])
    things = {"object": MovingThing(10, {"copy": kept, "model": kept}, 0.9, 4, {"copy": kept, "model": kept})}
    assert moving_table(things, ROWS) == [
        ["found, in its place, contrast (of how many)", "model", "copy the last frame"],
        ["object (10)", "50%, 25%, 0.40", "50%, 25%, 0.40"],
        ["object, where it has moved (4)", "50%, 25%, 0.40", "50%, 25%, 0.40"],
    ]


def test_training_is_seeded_and_names_an_episode_without_labels(monkeypatch):
    monkeypatch.setattr(thing_detector, "DETECTOR_STEPS", 2)
    rng = np.random.default_rng(0)
    known, unknown = episode(rng), episode(rng, labelled=False)
    first, again = (thing_detector.train_detector([known], "object_position").state_dict() for _ in range(2))
    assert all((first[name] == again[name]).all() for name in first)
    with pytest.raises(DatasetError) as error:
        thing_detector.train_detector([unknown], "object_position")
    assert error.value.thing == unknown.title and "object_position" in error.value.problem
