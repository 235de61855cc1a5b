"""Evaluation end to end on a model of a few steps, and its report."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from user_errors import refusal

from astra_ros import cli
from astra_ros.datasets.dataset import episode_path, list_episodes, load_episode, save_episode
from astra_ros.datasets.episode import DatasetError
from astra_ros.evaluation import action_following, thing_detector
from astra_ros.evaluation.action_following import PoseReader
from astra_ros.evaluation.contact_calibration import ReliabilityBin
from astra_ros.evaluation.evaluate import EvaluationError, EvaluationRequest, evaluate
from astra_ros.evaluation.report import reliability_svg
from astra_ros.evaluation.space_figures import ROWS
from astra_ros.inference import ModelError, load_world_model

pytestmark = pytest.mark.usefixtures("short")


def test_evaluation_writes_figures_and_a_report(data, model, tmp_path, capsys):
    shutil.rmtree(data / "probes", ignore_errors=True)
    ranking = tmp_path / "ranking.json"
    ranked = {"worlds": ["arm", "drive"], "spearman": 0.61, "top1_regret": 0.17}
    bins = [{"probability": 0.05, "frequency": 0.0, "plans": 90}, {"probability": 0.75, "frequency": 0.5, "plans": 10}]
    robots = {"panda": {"contact": {"reliability": bins}}, "car": {}}
    sha256 = load_world_model("torch", model).card.sha256[:12]
    ranking.write_text(json.dumps({"sha256": sha256, "overall": ranked, "robots": robots}))
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
    assert set(figures["moving"]["regions that moved"]["rows"]) == {"ceiling", "model", "decoded", "copy"}
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
    assert result["contact_reliability"] == {"panda": bins}
    assert "contact_reliability.svg" in page and "contact_reliability.svg" in markdown
    assert ">panda</text>" in (tmp_path / "report/contact_reliability.svg").read_text()
    assert "Spearman | 0.61" in markdown and "top-1 regret | 17%" in markdown
    assert "| regions that moved (" in markdown and "  regions that moved (" in text
    assert "LPIPS" not in markdown and "from frame 16 to 64" not in markdown  # not measured here
    assert any((data / "probes").glob("kuka_joints_*"))  # for the next model


def test_evaluation_without_a_probe_is_quick(data, model, tmp_path):
    probes = tmp_path / "probes"
    request = EvaluationRequest(model=model, data=data, probes=probes, pose_probe=False)
    evaluate(replace(request, horizon=16, clips_per_episode=1, out=tmp_path / "e.json"))
    result = json.loads((tmp_path / "e.json").read_text())
    rows = result["spaces"]["kuka_joints"]["psnr_db"]
    assert not probes.exists() and "following" not in result["spaces"]["kuka_joints"]
    assert result["overall"]["near"] is None
    assert result["overall"]["lost_when_shuffled_db"] == rows["model"]["16"] - rows["shuffled"]["16"]
    assert set(result["spaces"]["kuka_joints"]["moving"]) == {"regions that moved"}
    with refusal(DatasetError, "nothing", "no detector"):
        evaluate(replace(request, horizon=4, probe_data=tmp_path / "nothing"))
    evaluate(replace(request, horizon=4, probe_data=data))  # things are looked for, poses are not read
    assert [path.name.startswith("kuka_joints_object_position_") for path in probes.iterdir()] == [True]


def test_probes_are_kept_for_other_models(data, model, tmp_path, monkeypatch, capsys):
    request = EvaluationRequest(model=model, data=data, probe_data=data, horizon=4, probes=tmp_path / "probes")
    evaluate(replace(request, out=tmp_path / "first.json"))
    things, kept = sorted((tmp_path / "probes").iterdir(), key=lambda path: "object_position" not in path.name)
    assert kept.name.startswith("kuka_joints_") and things.name.startswith("kuka_joints_object_position_")
    # Where it cannot be kept, the figures come all the same.
    (tmp_path / "file").touch()
    nowhere = PoseReader.kept_or_trained(list_episodes(data)[:1], tmp_path / "file" / "probes")
    said = capsys.readouterr().out
    assert nowhere.tool and "the pose probe cannot be kept" in said and said.count("training a pose probe") == 2
    monkeypatch.setattr(action_following, "train_probe", None)  # would fail if it were called
    monkeypatch.setattr(thing_detector, "train_detector", None)
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
    things.write_bytes(b"no detector")
    with pytest.raises(DatasetError) as error:
        thing_detector.kept_or_trained(list_episodes(data), "object_position", tmp_path / "probes")
    assert error.value.thing == str(things) and error.value.cure


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


def test_a_reliability_curve_goes_through_its_bins():
    svg = reliability_svg({"panda": [ReliabilityBin(0.0, 0.0, 100), ReliabilityBin(0.5, 1.0, 25)]}, size=158)
    # 100 pixels are one: 0 is at the left and bottom (46, 112), 0.5 in the middle, certainty at the top.
    assert '<polyline points="46.0,112.0 96.0,12.0"' in svg
    assert '<circle cx="46.0" cy="112.0" r="6.0"' in svg and '<circle cx="96.0" cy="12.0" r="4.0"' in svg


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
