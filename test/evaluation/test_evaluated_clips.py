"""Held-out clips, what is imagined of them, and their figures by hand."""

from dataclasses import replace

import numpy as np
import pytest

from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.datasets.episode import DatasetError
from astra_ros.datasets.robot_renders import Drawer
from astra_ros.evaluation.evaluation_result import OverallFigures
from astra_ros.evaluation.figures import STILL_DB, ImaginedClips, figures_of, imagine_clips
from astra_ros.evaluation.held_out import HeldOutClips
from astra_ros.evaluation.metrics import psnr
from astra_ros.evaluation.moving_figures import Kept, MovingThing
from astra_ros.evaluation.report import curves_svg
from astra_ros.evaluation.space_figures import REAL, ROWS, STYLE_ROWS, Gain, PoseFigures, SpaceFigures, StillFigures
from astra_ros.evaluation.style_figures import imagine_styled
from astra_ros.inference import load_world_model
from astra_ros.inference.conditioning import Conditioning


def test_shuffled_actions_begin_where_the_arm_is(data, model):
    card = load_world_model("torch", model).card
    episodes = [load_episode(path) for path in list_episodes(data)]
    clips = HeldOutClips(episodes, card, 16, each=2, seed=0, drawer=Drawer(data, card.image_size))
    assert len(clips) == 6 and clips.own.robot_renders.shape == (6, 17, 3, 64, 64)
    space, joints = clips.space, len(clips.space.motion_names)
    step = np.array(space.step_std)
    # The change over each step is the other clip's; where it leads, this clip's start decides.
    own, shuffled = clips.own.actions, clips.shuffled.actions
    np.testing.assert_allclose(shuffled[2, :, joints:], own[0, :, joints:], atol=1e-4)
    start = own[2, 0, :joints] * space.position_std - own[2, 0, joints:] * step
    other = shuffled[2, 0, :joints] * space.position_std - shuffled[2, 0, joints:] * step
    np.testing.assert_allclose(start, other, atol=1e-4)
    assert not np.array_equal(clips.own.robot_renders[2], clips.shuffled.robot_renders[2])
    np.testing.assert_array_equal(clips.own.robot_renders[2, 0], clips.shuffled.robot_renders[2, 0])


def test_frames_without_a_change_are_left_out_and_counted(data, model):
    loaded = load_world_model("torch", model)
    episodes = [load_episode(path) for path in list_episodes(data)]
    drawer = Drawer(data, loaded.card.image_size)
    clips = HeldOutClips(episodes, loaded.card, 8, each=2, seed=0, drawer=drawer)
    made = imagine_clips(loaded, clips, seed=0)
    assert figures_of(clips, made).still.share < 0.2
    # One clip stands still at first, another one all the time.
    clips.future[0, :4] = clips.history[0, -1]
    clips.future[1] = clips.history[1, -1]
    after = figures_of(clips, made)
    assert after.still.share >= (4 + 8) / (6 * 8)
    assert np.isfinite(after.still.psnr_db) and after.still.psnr_db < 60
    assert max(after.psnr_curve_db["copy"]) < STILL_DB
    others = slice(2, None)
    copy = psnr(made.videos["copy"][others] / np.float32(255), clips.future[others] / np.float32(255))[:, 3]
    assert after.psnr_db["copy"]["4"] == pytest.approx(copy[copy < STILL_DB].mean(), abs=1e-3)
    # Where nothing ever moves, every clip counts.
    clips.future[:] = clips.history[:, -1:]
    assert figures_of(clips, made).psnr_db["copy"]["8"] == pytest.approx(100)


def test_another_style_is_compared_with_the_recording_in_it(data, model, monkeypatch):
    loaded = load_world_model("torch", model)
    episodes = [load_episode(path, restyled=True) for path in list_episodes(data)]
    drawer = Drawer(data, loaded.card.image_size)
    clips = HeldOutClips(episodes, loaded.card, 3, each=2, seed=0, drawer=drawer)
    assert list(clips.styles) == [0, 1]  # of the one scene that was recorded twice
    seen = [
        [index for index, frame in enumerate(episodes[0].frames) if np.array_equal(frame, clips.future[i, 0])]
        for i in clips.styles
    ]
    asked, begun, real = [], [], loaded.imagine

    def restyle(frames, style):
        asked.append(style)
        return frames // 2

    def imagine(history, *args, **rest):
        begun.append(history)
        return real(history, *args, **rest)

    monkeypatch.setattr(loaded, "restyle", restyle)
    monkeypatch.setattr(loaded, "imagine", imagine)
    monkeypatch.setattr(loaded, "decode", lambda latents: next(answers))
    futures = [clips.styles[i][1] for i in clips.styles]
    answers = iter(
        [
            futures[0],
            clips.future[0],
            clips.future[0],
            futures[0],
            futures[1],
            clips.future[1],
            clips.future[1],
            futures[1],
        ]
    )
    figures, shown = imagine_styled(loaded, clips, seed=0)
    for number, (look, future) in clips.styles.items():
        start = seen[number][0]
        np.testing.assert_array_equal(future, episodes[0].restyled[start : start + 3])
        ends = [number for number in (0, -1) if np.array_equal(look, episodes[0].restyled[number])]
        after = len(episodes[0]) - 1 - (start + 2)
        assert ends == [-1 if after > start - 1 else 0]
        np.testing.assert_array_equal(asked[number], look)
        told, matched, untold = begun[3 * number : 3 * number + 3]
        np.testing.assert_array_equal(told, clips.history[number] // 2)
        np.testing.assert_array_equal(untold, clips.history[number])
        # Clipping and rounding move the mean by less than a grey level or so.
        np.testing.assert_allclose(matched[-1].mean((0, 1)), look.mean((0, 1)), atol=4)
        np.testing.assert_allclose(matched[-1].std((0, 1)), look.std((0, 1)), rtol=0.15)
    assert figures.clips == 2 and set(figures.psnr_db) == set(STYLE_ROWS)
    assert {name: len(frames) for name, frames in shown.items()} == dict.fromkeys(
        ("restyled", "told", "matched", "untold"), 4
    )
    np.testing.assert_array_equal(shown["restyled"], np.concatenate([clips.styles[0][0][None], futures[0]]))
    np.testing.assert_array_equal(shown["told"], np.concatenate([clips.history[0, -1:] // 2, futures[0]]))
    told, untold = figures.psnr_db["told"]["1"], figures.psnr_db["untold"]["1"]
    assert told == figures.psnr_db["ceiling"]["1"] and told > untold + 10
    assert figures.gain_db.horizon == 3 and figures.gain_db.mean > 10
    assert figures.gain_over_matched_db.mean == pytest.approx(figures.gain_db.mean)  # the same answer
    # Where a clip fills the episode, the picture is from before it.
    clips = HeldOutClips(episodes, loaded.card, len(episodes[0]) - 1, each=1, seed=0, drawer=drawer)
    look, future = clips.styles[0]
    assert len(future) == len(episodes[0]) - 1 and np.array_equal(look, episodes[0].restyled[0])
    assert not any(np.array_equal(look, frame) for frame in future)
    # Without a second style there is nothing to compare with.
    plain = [load_episode(path) for path in list_episodes(data)]
    clips = HeldOutClips(plain, loaded.card, 3, each=1, seed=0, drawer=drawer)
    assert clips.styles == {} and imagine_styled(loaded, clips, seed=0) == (None, {})


def test_the_control_is_imagined_with_the_other_motion(data, model, monkeypatch):
    """Else the figure of how much the motion matters would be 0, whatever the model does."""
    loaded = load_world_model("torch", model)
    episodes = [load_episode(path) for path in list_episodes(data)]
    clips = HeldOutClips(episodes, loaded.card, 3, each=1, seed=0, drawer=Drawer(data, loaded.card.image_size))
    asked, real = [], loaded.imagine
    painted, pictures = [], loaded.pictures

    def imagine(history, conditioning, **rest):
        asked.append(conditioning)
        return real(history, conditioning, **rest)

    def paint(latents, observed, conditioning, which):
        painted.append(conditioning.renders_then_and_now(which))
        return pictures(latents, observed, conditioning, which)

    monkeypatch.setattr(loaded, "imagine", imagine)
    monkeypatch.setattr(loaded, "pictures", paint)
    imagine_clips(loaded, clips, seed=0)
    for index, conditioning in enumerate(asked):
        np.testing.assert_array_equal(conditioning.actions, [clips.own.actions[index], clips.shuffled.actions[index]])
        both = np.stack([clips.own.robot_renders[index], clips.shuffled.robot_renders[index]])
        np.testing.assert_array_equal(conditioning.robot_renders, both)
        for drawn, shown in zip(both, painted[2 * index :]):
            np.testing.assert_array_equal(shown[:, 0], drawn[1:])
            np.testing.assert_array_equal(shown[:, 1], np.repeat(drawn[:1], len(shown), axis=0))
    assert len(asked) == len(clips) and not np.allclose(clips.own.actions, clips.shuffled.actions)


def test_drift_and_what_shuffling_loses_by_hand():
    """Errors of 8 grey values until frame 16 and of 16 behind it: half as good is 6.02 dB less."""
    clips = object.__new__(HeldOutClips)
    clips.future = np.full((2, 64, 16, 16, 3), 100, np.uint8)
    clips.history, clips.labels, clips.world = clips.future[:, :4], {}, "arm"
    clips.own = Conditioning("panda_joints", np.zeros((2, 64, 14)))
    away = np.where(np.arange(64) < 16, 8, 16)[:, None, None, None].astype(np.uint8)
    wide = np.broadcast_to(np.uint8(32), clips.future.shape)
    videos = {
        "model": clips.future + away,
        "shuffled": clips.future + wide,
        "copy": clips.future + wide,
        "ceiling": clips.future + np.uint8(1),
    }
    error, uncertainty = (np.random.default_rng(seed).random((2, 64)) for seed in (0, 1))
    figures = figures_of(clips, ImaginedClips(videos, error, uncertainty, {}))
    assert figures.drift_db == pytest.approx(20 * np.log10(2), abs=1e-4)
    assert figures.gain_over_copy_db.mean == pytest.approx(20 * np.log10(4), abs=1e-4)
    whole = OverallFigures.of({"a": figures})
    assert whole.lost_when_shuffled_db == pytest.approx(20 * np.log10(4), abs=1e-4)
    assert whole.drift_db == figures.drift_db


def test_clips_of_another_size_or_robot_are_refused(data, model):
    card = load_world_model("torch", model).card
    kuka = load_episode(list_episodes(data)[0])
    large = replace(kuka, frames=kuka.frames.repeat(2, 1).repeat(2, 2))
    for episodes, facts in (
        ([large], ("128 x 128", "64 x 64")),
        ([replace(kuka, robot="ur5")], ("ur5_joints", "kuka_joints")),
        ([kuka, replace(kuka, dt_s=0.1)], ("0.1 s", "0.25 s")),
    ):
        with pytest.raises(DatasetError) as error:
            HeldOutClips(episodes, card, 16, 1, 0, None)
        assert error.value.thing in (episodes[-1].title, episodes[-1].space)
        assert all(fact in str(error.value) for fact in facts)


def _figures(world, value):
    rows = {row: {"16": value} for row in ROWS}
    return SpaceFigures(
        world=world,
        drawn=False,
        reprojected=False,
        clips=1,
        still=StillFigures(0.0, None),
        psnr_db=rows,
        ssim=rows,
        psnr_curve_db={},
        following={row: PoseFigures(mean_error_m=0.0, near=value) for row in (REAL, *ROWS)},
        following_frames=16,
        gain_over_copy_db=Gain(16, value, (value, value)),
        drift_db=value,
        latent_rmse={},
        uncertainty_correlation=0.0,
        events={},
    )


def test_a_detector_that_hardly_finds_the_thing_in_real_frames_says_so():
    kept = {"model": Kept(0.5, 0.5, 0.5, 0.5, [], [])}
    usable, weak = (replace(_figures("arm", 1.0), moving={"cup": MovingThing(9, kept, share)}) for share in (0.9, 0.2))
    assert "'cup' in only 20%" in weak.table("a") and "only" not in usable.table("a")


def test_the_mean_counts_a_world_once():
    # Two arms of 1 and 3 and a car of 6: (2 + 6) / 2.
    spaces = {"a": _figures("arm", 1.0), "b": _figures("arm", 3.0), "c": _figures("drive", 6.0)}
    overall = OverallFigures.of(spaces)
    assert overall.worlds == ["arm", "drive"] and overall.lpips is None
    assert {
        getattr(overall, key)
        for key in ("ceiling_psnr_db", "gain_over_copy_db", "ssim", "near", "near_shuffled", "drift_db")
    } == {4.0}


def test_curves_keep_their_names_apart():
    svg = curves_svg({"model": [30.0, 20.0], "copy": [25.0, 20.0]})
    heights = [float(part.split('"')[3]) for part in svg.split("<text ")[1:] if "fill=" in part]
    assert len(heights) == 2 and abs(heights[0] - heights[1]) >= 15
    assert svg.count("<polyline") == 2
