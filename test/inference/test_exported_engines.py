"""Exported engines imagine what torch imagines, and say what is wrong where they cannot."""

import json
import logging
import os
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from small_models import ARM, BASE, some_images, some_plans, write_random_model

from astra_ros.cli import main
from astra_ros.inference import ModelCard, ModelError, exported_engine, load_world_model, onnx_engine
from astra_ros.inference.exported_files import MANIFEST, OPSET, card_digest, export_folder, graph_file, read_manifest
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings

ENGINES = ("onnx", "openvino")
NETWORKS = {
    "frame by frame": {},
    "one pass": {"time_attention": True, "chunk": 4, "initial_noise": 0.5, "object_token": True},
    "plain": {"drawing": False, "reprojection": False, "chunk": 3},
}
# float32 sums in another order; measured on the shipped models: 2e-5
TOLERANCE = dict(atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module", params=NETWORKS)
def directory(request, tmp_path_factory):
    return write_random_model(tmp_path_factory.mktemp("model") / "random", **NETWORKS[request.param])


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """One model for what does not depend on the kind of network, without time for what is not looked at."""
    changes = dict(num_layers=1, drawing=False, reprojection=False, compositing=False, displacements=0)
    changes["observed_displacements"] = 0
    directory = write_random_model(tmp_path_factory.mktemp("model") / "one", **changes)
    load_world_model("onnx", directory)
    return directory


@pytest.fixture
def copy(one, tmp_path):
    """The same with its exported files beside it."""
    directory = shutil.copytree(one, tmp_path / "copy")
    shutil.copytree(export_folder(ModelCard.read(one)), directory / "onnx")
    return directory


def same(ours, theirs):
    np.testing.assert_allclose(ours.latents, theirs.latents, **TOLERANCE)
    np.testing.assert_allclose(ours.uncertainty, theirs.uncertainty, **TOLERANCE)
    assert ours.outcomes.keys() == theirs.outcomes.keys()
    for name, values in theirs.outcomes.items():
        np.testing.assert_allclose(ours.outcomes[name], values, **TOLERANCE)


def test_they_imagine_what_torch_imagines(directory):
    """For every K and H, with and without renders and a moving camera; files that were just written and old ones."""
    torch = load_world_model("torch", directory)
    cases = [
        (some_plans(ARM, 3, 4), None),
        (some_plans(ARM, 1, 1, renders=True), None),
        (some_plans(ARM, 3, 7, renders=True), 3),
        (some_plans(BASE, 3, 2), 2),
        (some_plans(BASE, 5, 4, moving=True), None),
        (some_plans(BASE, 1, 3, renders=True, moving=True), 2),
    ]
    images = some_images(3)
    spread = 0
    for round in range(2):
        for name in ENGINES:
            model = load_world_model(name, directory)
            for plans, steps in cases:
                expected = torch.imagine(images, plans, seed=5, steps=steps)
                same(model.imagine(images, plans, seed=5, steps=steps), expected)
                spread = max(spread, np.ptp(expected.latents, axis=0).max())
                shown, right = (each.pictures(expected.latents, images[-1], plans) for each in (model, torch))
                assert shown.dtype == np.uint8 and shown.shape == right.shape
                assert np.abs(shown.astype(int) - right).max() <= 1
            np.testing.assert_allclose(model.encode(images), torch.encode(images), **TOLERANCE)
            assert np.abs(model.decode(expected.latents[0]).astype(int) - torch.decode(expected.latents[0])).max() <= 1
            assert not model.can_restyle and round in (0, 1)
    assert spread > 0.01, "all plans look alike: nothing was compared"


@pytest.mark.parametrize("name", ENGINES)
def test_a_graph_is_loaded_when_it_is_first_run(directory, name, monkeypatch):
    """A robot needs a few of them; the denoiser's, the largest, is there twice."""
    compared = []
    monkeypatch.setattr(
        exported_engine, "read_manifest", lambda *given: (compared.append(given), read_manifest(*given))[1]
    )
    model = load_world_model(name, directory)
    assert model._engine._loaded == {"encode"} and len(compared) == 1
    model.warmup(2, 3, "arm")
    needed = {"encode", "remember", "condition_arm", "denoise", "outcomes"} | {"robot_tokens"} & model._engine._graphs
    assert model._engine._loaded == needed
    model.imagine(some_images(3), some_plans(BASE, 2, 3, moving=True))
    more = {"condition_base", "denoise_moving", "reproject_base"} & model._engine._graphs
    assert model._engine._loaded == needed | more | {"condition_base"}


@pytest.mark.parametrize("name", ENGINES)
def test_a_model_that_the_cache_has_forgotten_meanwhile_is_exported_again(one, name, tmp_path, monkeypatch):
    exported = export_folder(ModelCard.read(one))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shutil.copytree(exported, export_folder(ModelCard.read(one)))
    model = load_world_model(name, one)
    shutil.rmtree(export_folder(ModelCard.read(one)))
    made, right = (
        each.imagine(some_images(3), some_plans(ARM, 1, 2)) for each in (model, load_world_model("torch", one))
    )
    same(made, right)


def test_what_runs_is_said(one, caplog):
    caplog.set_level(logging.INFO)
    onnx_says, openvino_says = (load_world_model(name, one).runs_on for name in ENGINES)
    assert "onnxruntime" in onnx_says and "CPUExecutionProvider" in onnx_says and "float32" in onnx_says
    assert "openvino" in openvino_says and "float32" in openvino_says
    card = ModelCard.read(one)
    assert f"model sha256 {card.sha256[:12]}" in caplog.text and f"opset {OPSET}" in caplog.text


def test_every_file_says_what_it_was_made_from(one):
    card = ModelCard.read(one)
    folder = export_folder(card)
    manifest = json.loads((folder / MANIFEST).read_text())
    assert set(manifest["files"]) == {file.stem for file in folder.glob("*.onnx")} and len(manifest["files"]) == 9
    for name in manifest["files"]:
        file = onnx.load(graph_file(folder, name))
        values = {each.key: each.value for each in file.metadata_props}
        assert values["model_sha256"] == card.sha256 and values["card_sha256"] == card_digest(card)
        assert {"astra_ros", "torch", "format_version"} <= set(values)
        assert [each.version for each in file.opset_import if not each.domain] == [OPSET] == [int(values["opset"])]


def refused(directory, name="onnx"):
    with pytest.raises(ModelError) as error:
        load_world_model(name, directory)
    assert "astra export --engine onnx" in error.value.cure
    return error.value


@pytest.mark.parametrize("name", ENGINES)
def test_files_beside_the_model_that_do_not_fit_are_refused(copy, name):
    assert load_world_model(name, copy)
    folder = copy / "onnx"
    file = graph_file(folder, "denoise")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    error = refused(copy, name)
    assert error.thing == str(file) and "cut off" in error.problem
    file.unlink()
    assert refused(copy, name).thing == str(file)
    file.write_bytes(whole)

    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"format_version": 99, "astra_ros": "7.0"}))
    error = refused(copy, name)
    assert error.thing == str(folder) and "format 99" in error.problem and "7.0" in error.problem
    (folder / MANIFEST).write_text("{}")
    assert refused(copy, name).thing == str(folder / MANIFEST)
    (folder / MANIFEST).unlink()
    assert refused(copy, name).thing == str(folder / MANIFEST)

    (folder / MANIFEST).write_text(json.dumps(manifest))
    card = json.loads((copy / "card.json").read_text())
    (copy / "card.json").write_text(json.dumps(card | {"dt_s": 0.5}))
    error = refused(copy, name)
    assert error.thing == str(folder) and "another" in error.problem


def test_a_damaged_cache_is_said_and_made_again(copy, caplog, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (copy / "onnx").rename(tmp_path / "files")
    folder = export_folder(ModelCard.read(copy))
    assert folder.is_relative_to(tmp_path / "cache/astra_ros/onnx")
    shutil.move(tmp_path / "files", folder)
    file = graph_file(folder, "encode")
    whole = file.read_bytes()
    file.write_bytes(whole[:1000])
    caplog.set_level(logging.INFO)
    assert load_world_model("onnx", copy)
    assert str(file) in caplog.text and "cut off" in caplog.text and "(1 of 9)" in caplog.text
    assert len(file.read_bytes()) == len(whole)
    assert not list(file.parent.parent.glob(".*")), "parts are left"


def test_two_processes_may_export_at_once(one, tmp_path):
    env = os.environ | {"PYTHONPATH": ":".join(sys.path), "XDG_CACHE_HOME": str(tmp_path)}
    words = [sys.executable, "-m", "astra_ros.cli", "export", "--engine", "onnx", "--model", str(one)]
    processes = [subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        assert process.wait(120) == 0, process.stderr.read()
        process.stderr.close()
    (folder,) = (tmp_path / "astra_ros/onnx").iterdir()
    assert read_manifest(folder, ModelCard.read(one)).opset == OPSET


def test_without_torch_an_exported_model_runs_and_another_says_what_to_do(one, tmp_path):
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from astra_ros.inference import load_world_model\n"
        f"for name in {ENGINES}: load_world_model(name, sys.argv[1]).warmup(1, 2)"
    )

    def run(directory, cache):
        env = os.environ | {"PYTHONPATH": ":".join(sys.path)} | cache
        return subprocess.run([sys.executable, "-c", program, directory], capture_output=True, text=True, env=env)

    done = run(one, {})
    assert done.returncode == 0, done.stderr
    failed = run(one, {"XDG_CACHE_HOME": str(tmp_path)})
    assert "torch is not installed here" in failed.stderr and "--out onnx" in failed.stderr


def test_a_cache_that_cannot_be_written_is_named(one, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert main(["export", "--engine", "onnx", "--model", str(one)]) == 1


def test_the_command_exports_to_where_it_is_told(one, tmp_path, capsys):
    assert main(["export", "--engine", "onnx", "--model", str(one), "--out", str(tmp_path / "onnx")]) == 0
    shown = capsys.readouterr()
    assert str(tmp_path / "onnx") in shown.out and "encode (1 of 9)" in shown.err
    directory = shutil.copytree(one, tmp_path / "model")
    (tmp_path / "onnx").rename(directory / "onnx")
    assert load_world_model("openvino", directory)
    for wrong in (["--engine", "onnx"], ["--model", "tiny", "--out", str(tmp_path)], []):
        assert main(["export", *wrong]) == 1
        assert capsys.readouterr().err.startswith("astra export: --")


@pytest.mark.parametrize(
    "name, device", [("onnx", "cuda"), ("onnx", "moon"), ("onnx", "cuda:x"), ("openvino", "cuda"), ("openvino", "gpu")]
)
def test_a_device_that_is_not_there_is_refused(one, name, device):
    with pytest.raises(ModelError) as error:
        load_world_model(name, one, device)
    assert error.value.thing == f"device '{device}'" and error.value.cure


def test_an_engine_that_fails_half_way_is_named(one, monkeypatch):
    model = load_world_model("onnx", one)
    images, plans = some_images(3), some_plans(ARM, 2, 3)
    real, calls = model._engine._infer, []

    def infer(graph, inputs):
        calls.append(graph)
        if graph == "denoise" and calls.count("denoise") == 2:
            raise RuntimeError("the device is lost\nand more")
        return real(graph, inputs)

    monkeypatch.setattr(model._engine, "_infer", infer)
    with pytest.raises(ModelError) as error:
        model.imagine(images, plans)
    assert error.value.thing == "backend 'onnx'" and "the device is lost" in error.value.problem
    assert model.imagine(images, plans).latents.shape[:2] == (2, 3)  # and it goes on


def test_plans_whose_engine_gives_nan_are_vetoed(one, monkeypatch):
    model = load_world_model("onnx", one)
    real = model._engine._infer

    def infer(graph, inputs):
        made = real(graph, inputs)
        if graph == "denoise":
            made["prediction"][0, 1] = np.nan
        return made

    monkeypatch.setattr(model._engine, "_infer", infer)
    plans = [JointPlan(("a", "b"), np.array([0.0, 1.0]), np.full((2, 2), 0.1 * k), f"plan {k}") for k in range(3)]
    result = Imaginer(model, RankingSettings(horizon=4)).score(some_images(3), plans)
    assert [score.score == 0 for score in result.scores] == [False, True, False]
    assert result.scores[1].verdict == "vetoed"


def test_bf16_is_refused_where_the_cpu_does_not_have_it(one):
    """And taken where it has it: what runs is read back."""
    try:
        model = load_world_model("openvino-bf16", one)
    except ModelError as error:
        assert "bf16 was asked for" in error.problem and error.thing == "backend 'openvino-bf16'"
        return
    assert "bfloat16" in model.runs_on
    images, plans = some_images(3), some_plans(ARM, 2, 3)
    ours, theirs = (each.imagine(images, plans).latents for each in (model, load_world_model("torch", one)))
    assert 0 < np.abs(ours - theirs).max() < 0.5


def test_auto_takes_the_fastest_and_says_what_it_measured(one, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    model = load_world_model("auto", one)
    assert any(word in model.runs_on for word in ("torch", "onnxruntime", "openvino"))
    line = caplog.messages[-1]
    assert all(name in line for name in ("torch", "onnx", "openvino", "ms", "takes", "fastest"))


def test_auto_says_which_engines_it_cannot_use(one, caplog, monkeypatch):
    monkeypatch.setattr("astra_ros.inference.fastest.ROUNDS", 1)
    from astra_ros.inference import openvino_engine
    from astra_ros.inference.torch_engine import TorchEngine

    def broken(self, graph, file):
        raise ModelError("no memory", thing=file)

    real = onnx_engine.OnnxEngine.encode
    monkeypatch.setattr(openvino_engine.OpenVinoEngine, "_load", broken)
    monkeypatch.setattr(onnx_engine.OnnxEngine, "encode", lambda *given: real(*given) + 1)
    model = load_world_model("auto", one)
    assert "torch" in model.runs_on
    assert "openvino cannot be used" in caplog.text and "no memory" in caplog.text
    assert "onnx is not used" in caplog.text and "differ" in caplog.text

    def broken_package(self, graph, file):
        raise TypeError("Descriptors cannot be created directly")

    monkeypatch.setattr(openvino_engine.OpenVinoEngine, "_load", broken_package)
    assert "torch" in load_world_model("auto", one).runs_on
    assert "openvino cannot be used: Descriptors" in caplog.text
    monkeypatch.setattr(openvino_engine.OpenVinoEngine, "_load", broken)

    def nowhere(self, card, device):
        raise ModelError("not today")

    monkeypatch.setattr(TorchEngine, "__init__", nowhere)
    monkeypatch.setattr(onnx_engine.OnnxEngine, "_load", broken)
    with pytest.raises(ModelError) as error:
        load_world_model("auto", one)
    assert "not today" in error.value.problem and error.value.problem.count("no memory") == 2


def test_auto_ends_in_time(one, monkeypatch):
    """However slow an engine is, no second round begins after the limit."""
    monkeypatch.setattr("astra_ros.inference.fastest.MEASURE_S", 0.0)
    calls = []
    real = exported_engine.ExportedEngine.remember
    monkeypatch.setattr(exported_engine.ExportedEngine, "remember", lambda *given: (calls.append(1), real(*given))[1])
    load_world_model("auto", one)
    assert len(calls) == 4  # of two engines, a warm-up and one round each
