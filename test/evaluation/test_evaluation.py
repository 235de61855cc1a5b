"""Evaluation end to end on a model of a few steps, its parts by hand, and the report."""

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from user_errors import refusal

from astra_ros import cli
from astra_ros.commands import style, train
from astra_ros.datasets.dataset import episode_path, list_episodes, load_episode, save_episode
from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.datasets.robot_renders import Drawer
from astra_ros.evaluation import action_following
from astra_ros.evaluation.action_following import PoseReader, steps_between
from astra_ros.evaluation.evaluate import EvaluationError, EvaluationRequest, evaluate
from astra_ros.evaluation.evaluation_result import (
    REAL,
    ROWS,
    STYLE_ROWS,
    Gain,
    OverallFigures,
    PoseFigures,
    SpaceFigures,
    StillFigures,
)
from astra_ros.evaluation.figures import STILL_DB, ImaginedClips, figures_of, imagine_clips
from astra_ros.evaluation.held_out import HeldOutClips
from astra_ros.evaluation.metrics import psnr
from astra_ros.evaluation.pose_probe import as_channels, shrunk, train_probe
from astra_ros.evaluation.report import curves_svg
from astra_ros.evaluation.style_figures import imagine_styled
from astra_ros.inference import ModelError, load_world_model
from astra_ros.inference.conditioning import Conditioning


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Probes that are hardly trained: what they read is not looked at here."""
    monkeypatch.setattr(action_following, "PROBE_STEPS", 30)


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    train.run(
        parser.parse_args(
            [
                "--data",
                str(data),
                "--out",
                str(out),
                "--autoencoder-steps",
                "2",
                "--dynamics-steps",
                "2",
                "--compositor-steps",
                "2",
                "--compositor-batch",
                "2",
                "--dynamics-batch",
                "2",
                "--autoencoder-batch",
                "2",
                "--device",
                "cpu",
            ]
        )
    )
    parser = argparse.ArgumentParser()
    style.add_arguments(parser)
    style.run(
        parser.parse_args(
            [
                str(out / "model"),
                "--data",
                str(data),
                "--out",
                str(out / "style"),
                "--style-steps",
                "2",
                "--style-batch",
                "2",
                "--device",
                "cpu",
            ]
        )
    )
    return out / "model"


def test_steps_between_poses_are_in_the_frame_they_start_from():
    half = np.sqrt(0.5)
    # Optical frame looking along the world's x: x right = -y, y down = -z, z forward = +x.
    look = [-0.5, 0.5, -0.5, 0.5]
    forward = np.array([[0, 0, 1, *look], [2, 0, 1, *look], [2, 3, 1, *look]], float)
    np.testing.assert_allclose(steps_between(forward), [[0, 0, 2, 0, 0, 0], [-3, 0, 0, 0, 0, 0]], atol=1e-12)
    # A right angle about the frame's own z: sin(90 degrees) along z, and 1 m along the old x.
    turn = np.array([[0, 0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, half, half]], float)
    np.testing.assert_allclose(steps_between(turn), [[1, 0, 0, 0, 0, 1]], atol=1e-12)


def test_near_by_hand():
    reader = PoseReader(None, True, None)
    true = np.zeros((1, 4, 3))
    read = true + np.array([[0.01], [0.04], [0.06], [0.09]]) * [[1, 0, 0]]
    assert reader.figures(read, true) == PoseFigures(mean_error_m=pytest.approx(0.05), near=0.5)
    # A moving camera: 5 % of the range of motions (4 m, 1 rad), but never less than 5 cm.
    reader = PoseReader(None, False, np.array([4.0, 1.0]))
    true, read = np.zeros((1, 3, 6)), np.zeros((1, 3, 6))
    read[0, :, 0] = 0.19, 0.21, 0.19  # limit 0.2 m
    read[0, 2, 5] = 0.06  # limit 0.05 rad
    assert reader.figures(read, true).near == pytest.approx(1 / 3)


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


def test_evaluation_writes_figures_and_a_report(data, model, tmp_path, capsys):
    shutil.rmtree(data / "probes", ignore_errors=True)
    ranking = tmp_path / "ranking.json"
    ranked = {"worlds": ["arm", "drive"], "spearman": 0.61, "top1_regret": 0.17}
    ranking.write_text(json.dumps({"sha256": load_world_model("torch", model).card.sha256[:12], "overall": ranked}))
    request = EvaluationRequest(model=model, data=data, probe_data=data, ranking=ranking, clips_per_episode=2)
    evaluate(replace(request, out=tmp_path / "e.json", report=tmp_path / "report"))
    result = json.loads((tmp_path / "e.json").read_text())
    figures = result["spaces"]["kuka_joints"]
    assert (figures["clips"], figures["drawn"], figures["world"]) == (6, True, "arm")
    # 33 frames: horizons up to 32, so no drift over 64.
    assert list(figures["psnr_db"]["model"]) == ["1", "4", "8", "16", "32"]
    assert len(figures["psnr_curve_db"]["copy"]) == 32 and "drift_db" not in figures
    assert result["overall"]["drift_db"] is None and result["overall"]["lpips"] is None
    assert result["overall"]["gain_over_copy_db"] == figures["gain_over_copy_db"]["mean"]
    rows = set(ROWS) - {"geometry"}  # the camera stands still
    assert set(figures["following"]) == {"real frames", *rows}
    assert set(figures["events"]) == {"obstacle_contact", "object_contact"}  # no road here
    text = capsys.readouterr().out
    assert "kuka_joints: 6 held-out clips" in text and "another plan" in text
    assert "in another style, 2 clips, decoded alone" in text and figures["style"]["clips"] == 2
    rows = figures["style"]["psnr_db"]
    assert result["overall"]["style_told_db"] == pytest.approx(rows["told"]["16"] - rows["untold"]["16"], abs=1e-4)
    page = (tmp_path / "report/report.html").read_text()
    assert "kuka_joints_0.png" in page and "psnr_kuka_joints.svg" in page
    markdown = (tmp_path / "report/report.md").read_text()
    assert f"with an image of it | {rows['told']['1']:.2f} |" in markdown
    for name in ("kuka_joints.mp4", "kuka_joints_2.png", "psnr_kuka_joints.svg", "kuka_joints_style.png"):
        assert name in markdown and (tmp_path / "report" / name).stat().st_size > 500
    whole = result["overall"]
    assert f"another plan's motion | {whole['lost_when_shuffled_db']:.2f} dB" in markdown
    assert f"an image of it, at 16 | {whole['style_told_db']:+.2f} dB" in markdown
    assert f"near the true one, of the first 16 | {whole['near']:.0%}" in markdown
    assert result["ranking"] == ranked and "scores choose, mean over arm, drive" in markdown
    assert "Spearman | 0.61" in markdown and "top-1 regret | 17%" in markdown
    assert "LPIPS" not in markdown and "from frame 16 to 64" not in markdown  # not measured here
    assert any((data / "probes").glob("kuka_joints_*"))  # for the next model


def test_evaluation_without_a_probe_is_quick(data, model, tmp_path):
    probes = tmp_path / "probes"
    request = EvaluationRequest(model=model, data=data, probe_data=tmp_path, probes=probes, pose_probe=False)
    evaluate(replace(request, horizon=16, clips_per_episode=1, out=tmp_path / "e.json"))
    result = json.loads((tmp_path / "e.json").read_text())
    rows = result["spaces"]["kuka_joints"]["psnr_db"]
    assert not probes.exists() and "following" not in result["spaces"]["kuka_joints"]
    assert result["overall"]["near"] is None
    assert result["overall"]["lost_when_shuffled_db"] == rows["model"]["16"] - rows["shuffled"]["16"]


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


def test_probes_are_kept_for_other_models(data, model, tmp_path, monkeypatch, capsys):
    request = EvaluationRequest(model=model, data=data, probe_data=data, horizon=4, probes=tmp_path / "probes")
    evaluate(replace(request, out=tmp_path / "first.json"))
    (kept,) = (tmp_path / "probes").iterdir()
    assert kept.name.startswith("kuka_joints_")
    # Where it cannot be kept, the figures come all the same.
    (tmp_path / "file").touch()
    nowhere = PoseReader.kept_or_trained(list_episodes(data)[:1], tmp_path / "file" / "probes")
    said = capsys.readouterr().out
    assert nowhere.tool and "the pose probe cannot be kept" in said and said.count("training a pose probe") == 2
    monkeypatch.setattr(action_following, "train_probe", None)  # would fail if it were called
    evaluate(replace(request, out=tmp_path / "again.json"))
    assert "training a pose probe" not in capsys.readouterr().out
    first, again = (json.loads((tmp_path / name).read_text())["spaces"] for name in ("first.json", "again.json"))
    assert first == again
    # Other episodes, another probe; and a damaged one is named.
    one = list_episodes(data)[:1]
    with pytest.raises(TypeError):
        PoseReader.kept_or_trained(one, tmp_path / "probes")
    kept.write_bytes(b"no probe")
    with pytest.raises(DatasetError) as error:
        evaluate(request)
    assert error.value.thing == str(kept) and error.value.cure


def test_a_real_robot_without_labels_is_evaluated_too(data, model, tmp_path):
    for number, path in enumerate(list_episodes(data)):
        episode = replace(load_episode(path), labels={}, seed=None, camera=None)
        save_episode(episode_path(tmp_path, "kuka_joints", number), episode)
    request = EvaluationRequest(model=model, data=tmp_path, clips_per_episode=1, horizon=4)
    evaluate(replace(request, out=tmp_path / "e.json", report=tmp_path / "report"))
    figures = json.loads((tmp_path / "e.json").read_text())
    assert set(figures["spaces"]["kuka_joints"]["psnr_db"]) == set(ROWS) - {"geometry"}
    assert not figures["spaces"]["kuka_joints"]["drawn"] and figures["overall"]["near"] is None


@pytest.mark.parametrize(
    "changes, error_class, facts",
    [
        ({"spaces": ["car_twist"]}, EvaluationError, ("car_twist", "kuka_joints")),
        ({"model": "tiny", "spaces": ["panda_joints"]}, EvaluationError, ("data0", "kuka_joints", "panda_joints")),
        ({"horizon": 40}, DatasetError, ("kuka_joints", "40 frames")),
        ({"model": "tiny", "probe_data": Path("nowhere")}, DatasetError, ("probe", "kuka_joints", "nowhere")),
    ],
)
def test_what_cannot_be_evaluated_is_named(data, model, changes, error_class, facts):
    with pytest.raises(error_class) as error:
        evaluate(replace(EvaluationRequest(model=model, data=data, probe_data=data), **changes))
    assert all(fact in str(error.value) for fact in facts)


def test_a_model_is_named_once(capsys):
    with pytest.raises(SystemExit):
        cli.main(["eval", "small", "--model", "tiny"])
    assert "--model" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, fact",
    [
        ("", "JSON"),
        ('{"overall": {}}', "worlds"),
        ('{"sha256": "abc", "overall": {"worlds": [], "spearman": 1, "top1_regret": 0}}', "abc"),
    ],
)
def test_a_ranking_of_another_model_is_refused(data, model, tmp_path, text, fact):
    path = tmp_path / "ranking.json"
    path.write_text(text)
    with pytest.raises(EvaluationError) as error:
        evaluate(EvaluationRequest(model=model, data=data, pose_probe=False, ranking=path))
    assert error.value.thing == str(path) and fact in error.value.problem and error.value.cure


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


def test_a_model_that_cannot_take_on_a_look_is_evaluated_without(data, model, tmp_path, capsys):
    plain = shutil.copytree(model, tmp_path / "plain")
    (plain / "style.safetensors").unlink()
    out = tmp_path / "result.json"
    request = EvaluationRequest(model=plain, data=data, pose_probe=False)
    evaluate(replace(request, horizon=3, out=out))
    assert "no scene is imagined in its second style; train that with: astra style" in capsys.readouterr().out
    assert "style" not in json.loads(out.read_text())["spaces"]["kuka_joints"]
    (plain / "style.safetensors").write_bytes(b"damaged")
    with refusal(ModelError, plain / "style.safetensors", "damaged"):
        evaluate(request)


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


def test_the_mean_counts_a_world_once():
    def figures(world, value):
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

    # Two arms of 1 and 3 and a car of 6: (2 + 6) / 2.
    spaces = {"a": figures("arm", 1.0), "b": figures("arm", 3.0), "c": figures("drive", 6.0)}
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


def test_a_probe_learns_to_read_a_pose():
    """A bright square whose place is the pose: read to a tenth of its range after some steps."""
    rng = np.random.default_rng(0)
    places = rng.uniform(-1, 1, (400, 3))
    frames = np.zeros((400, 32, 32, 3), np.uint8)
    for frame, (x, y, _) in zip(frames, places):
        row, column = int(12 + 10 * y), int(12 + 10 * x)
        frame[row : row + 8, column : column + 8] = 255
    places[:, 2] = 0.5
    probe = train_probe(frames, places, np.arange(400)[:, None], 300)
    read = probe(as_channels(frames[:50, None])).detach().numpy()
    assert np.abs(read - places[:50]).mean(0).max() < 0.1


def test_a_probe_learns_to_read_a_motion():
    """A camera turns over a wall of noise: what is seen of it is read to a fifth of the range."""
    rng = np.random.default_rng(0)
    wall = np.repeat(np.repeat(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8), 4, 0), 4, 1)
    at = rng.integers(0, 96, (600, 2))
    moved = np.clip(at + rng.integers(-8, 9, (600, 2)), 0, 96)
    frames = np.stack([wall[y : y + 64, x : x + 64] for x, y in np.concatenate([at, moved])])
    targets = np.zeros((600, 6))
    targets[:, :2] = (moved - at) / 8
    picks = np.stack([np.arange(600), np.arange(600, 1200)], axis=1)
    probe = train_probe(frames, targets[:500], picks[:500], 100)
    read = probe(as_channels(frames[picks[500:]])).detach().numpy()
    assert np.abs(read - targets[500:])[:, :2].mean() < 0.2


def test_the_mirror_image_of_a_motion_is_one():
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(5, 7))
    mirrored = poses * [-1, 1, 1, 1, -1, -1, 1]  # places, and quaternions x y z w
    np.testing.assert_allclose(steps_between(mirrored), steps_between(poses) * action_following.MIRRORED, atol=1e-12)


def test_a_probe_sees_mirror_images_where_it_is_told_to():
    """All that is bright is on the right; a probe that has seen mirror images knows it on the left."""
    frames = np.zeros((8, 16, 16, 3), np.uint8)
    frames[:, :, 8:] = 255
    targets = np.ones((8, 1))
    for mirrored, other in ((None, 1.0), ((-1.0,), -1.0)):
        probe = train_probe(frames, targets, np.arange(8)[:, None], 100, mirrored)
        probe.spread.fill_(1.0)
        read = probe(as_channels(frames[:1, None]).flip(-1)).detach()
        assert (float(read) < 0.0) == (other < 0), (mirrored, float(read))


def test_pictures_of_any_size_are_read():
    rng = np.random.default_rng(0)
    for rows, cols in ((64, 64), (128, 96), (72, 128)):
        frames = rng.integers(0, 256, (4, rows, cols, 3), dtype=np.uint8)
        made = shrunk(frames)
        assert made.shape[1] == 64 and made.shape[2] % 4 == 0
        assert abs(made.shape[2] / 64 - cols / rows) < 0.05
        assert made.mean() == pytest.approx(frames.mean(), rel=0.02)


def test_the_way_back_is_an_example_too(monkeypatch):
    """What a motion probe is trained on, for an episode of three frames."""
    seen = {}
    monkeypatch.setattr(
        action_following,
        "train_probe",
        lambda frames, targets, picks, steps, mirrored, **more: seen.update(
            targets=targets, picks=picks, mirrored=mirrored
        ),
    )
    half = np.sqrt(0.5)
    poses = np.array([[0, 0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, half, half], [1, 2, 0, 0, 0, half, half]])
    episode = Episode(
        np.zeros((3, 64, 64, 3), np.uint8),
        np.zeros((3, 1), np.float32),
        {"camera_pose": poses},
        ("linear.x",),
        "twist",
        "drive",
        "car",
        0.25,
    )
    PoseReader.trained([episode])
    assert seen["mirrored"] is None  # a real camera may look past the middle of its picture
    PoseReader.trained([replace(episode, seed=3)])
    assert seen["mirrored"] == action_following.MIRRORED
    assert seen["picks"].tolist() == [[0, 1], [1, 2], [1, 0], [2, 1]]
    # From the turned camera the first place lies 1 m along its own y, and the way back turns back.
    np.testing.assert_allclose(
        seen["targets"], [[1, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, -1], [-2, 0, 0, 0, 0, 0]], atol=1e-12
    )
