"""ONNX Runtime's providers without a GPU: arrays that stay, devices that are not there, what runs, TensorRT's cache."""

import json
import logging
import shutil
import time
from collections import Counter
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from small_models import ARM, some_images, some_plans, write_random_model
from user_errors import refusal

from astra_ros.files import OutputError, user_cache
from astra_ros.inference import (
    ModelCard,
    ModelError,
    engine_cache,
    load_world_model,
    onnx_engine,
    onnx_providers,
    onnx_tensorrt,
)
from astra_ros.inference.engine_cache import NOTE, EngineCache, engine_folder
from astra_ros.inference.exported_files import export_folder, graph_file
from astra_ros.inference.onnx_arrays import DeviceArray
from astra_ros.inference.onnx_providers import CPU, CUDA, TENSORRT, check_places, provider_of


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A model whose chunks share memory, tokens and outcomes."""
    changes = dict(num_layers=1, reprojection=False, compositing=False, time_attention=True, chunk=2)
    directory = write_random_model(tmp_path_factory.mktemp("model") / "one", **changes, initial_noise=0.5)
    load_world_model("onnx", directory)
    return directory


def test_arrays_stay_on_the_device_from_one_graph_to_the_next(one, monkeypatch):
    """Memory, robot tokens and features; and what is imagined is what `session.run` gives, to the bit."""
    model = load_world_model("onnx", one)
    engine, images, plans = model._engine, some_images(3), some_plans(ARM, 3, 5, renders=True)
    real, kept, given = engine._infer, Counter(), Counter()

    def watched(graph, inputs):
        made = real(graph, inputs)
        kept.update(f"{graph}.{name}" for name, value in made.items() if isinstance(value, DeviceArray))
        given.update(f"{graph}.{name}" for name, value in inputs.items() if isinstance(value, DeviceArray))
        return made

    monkeypatch.setattr(engine, "_infer", watched)
    bound = model.imagine(images, plans)
    # three chunks, and the memory is renewed after the first and second
    assert kept == {"remember.keys_0": 3, "remember.values_0": 3, "robot_tokens.tokens": 3, "denoise.features": 3}
    expected = {"keys_0": 3, "values_0": 3, "robot_tokens": 3}
    assert given == {f"denoise.{name}": count for name, count in expected.items()} | {"outcomes.features": 3}

    def plain(graph, inputs):
        session = engine._sessions[graph]
        names = [each.name for each in session.get_outputs()]
        return dict(zip(names, session.run(names, {each.name: inputs[each.name] for each in session.get_inputs()})))

    monkeypatch.setattr(engine, "_infer", plain)
    run = model.imagine(images, plans)
    np.testing.assert_array_equal(bound.latents, run.latents)
    np.testing.assert_array_equal(bound.uncertainty, run.uncertainty)
    for name, values in run.outcomes.items():
        np.testing.assert_array_equal(bound.outcomes[name], values)


def test_many_renders_are_worked_on_in_parts(one, monkeypatch):
    model, images, plans = load_world_model("onnx", one), some_images(3), some_plans(ARM, 3, 4, renders=True)
    whole = model.imagine(images, plans)
    monkeypatch.setattr(model._engine, "renders_at_once", 4)
    np.testing.assert_allclose(model.imagine(images, plans).latents, whole.latents, atol=1e-5)


def test_an_array_of_the_device_changes_its_shape():
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    array = DeviceArray(onnxruntime.OrtValue.ortvalue_from_numpy(values))
    assert array.shape == (2, 3, 4)
    np.testing.assert_array_equal(np.asarray(array.reshape(-1, 1, 4)), values.reshape(6, 1, 4))
    assert np.asarray(array, np.float64).dtype == np.float64
    for wrong in ((5, -1), (2, 3)):
        with pytest.raises(ValueError):
            array.reshape(*wrong)


def test_a_device_is_a_provider_whose_float32_is_float32():
    assert provider_of("cpu").name == CPU and provider_of("cpu").options == {}
    assert provider_of("cuda") == provider_of("cuda:0")
    cuda = provider_of("cuda:2")
    assert (cuda.name, cuda.place) == (CUDA, ("cuda", 2)) and cuda.options == {"device_id": "2", "use_tf32": "0"}
    for wrong in ("cuda:", "cuda:x", "gpu", "cpu:0", ""):
        with refusal(ModelError, f"'{wrong}'", cure=["cuda"]):
            provider_of(wrong)


@pytest.fixture
def gpu_build(monkeypatch):
    """ONNX Runtime as built for GPUs, with a driver."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    monkeypatch.setattr(onnx_providers, "_has_driver", lambda: True)


@pytest.mark.parametrize("backend", ["onnx", "tensorrt"])
def test_a_provider_that_fell_back_is_an_error(one, gpu_build, backend):
    """ONNX Runtime makes a session with the CPU's provider where CUDA's does not start, and raises nothing."""
    with refusal(ModelError, "'cuda'", CUDA, CPU, "'encode'", cure=["driver", "onnxruntime-gpu"]):
        load_world_model(backend, one, "cuda")


def test_a_build_or_a_driver_that_is_not_there_is_named(one, monkeypatch):
    with refusal(ModelError, "'cuda'", CUDA, cure=["onnxruntime-gpu"]):
        load_world_model("onnx", one, "cuda")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnx_providers, "_has_driver", lambda: False)
    with refusal(ModelError, "'cuda'", "libcuda.so.1", cure=["driver"]):
        load_world_model("onnx", one, "cuda")
    with refusal(ModelError, "'cpu'", "TensorRT", cure=["another backend"]):
        load_world_model("tensorrt", one)


def test_tensorrt_on_the_cpu_is_told_to_take_the_gpu_that_is_there(one, gpu_build):
    with refusal(ModelError, "'cpu'", "TensorRT", cure=["'cuda'"]):
        load_world_model("tensorrt", one)


def test_two_packages_in_one_folder_are_named(one, monkeypatch, caplog):
    monkeypatch.setattr(onnx_providers, "_is_installed", lambda name: True)
    assert load_world_model("onnx", one)
    assert "onnxruntime and onnxruntime-gpu are both installed" in caplog.text
    with refusal(ModelError, "'cuda'", "onnxruntime-gpu", cure=["alone"]):
        load_world_model("onnx", one, "cuda")


class Session:
    """A session that says that its operators run in these places."""

    def __init__(self, *providers, places):
        self._providers, self._places = providers, places

    def get_providers(self):
        return [*self._providers]

    def get_provider_graph_assignment_info(self):
        def nodes(operators):
            return lambda: [SimpleNamespace(op_type=name) for name in operators]

        return [SimpleNamespace(ep_name=name, get_nodes=nodes(operators)) for name, operators in self._places]


def test_operators_that_another_provider_runs_are_counted_and_named(caplog):
    caplog.set_level(logging.INFO)
    places = [(CUDA, ["MatMul", "Add"]), (CPU, ["Shape", "Gather"]), (CPU, ["Shape"])]
    assert check_places(Session(CUDA, CPU, places=places), "denoise", CUDA, "cuda") == {CPU: 3}
    assert "2 Shape" in caplog.text and "'denoise'" in caplog.text
    assert not check_places(Session(CUDA, CPU, places=[]), "denoise", CUDA, "cuda"), "an older ONNX Runtime tells none"
    with refusal(ModelError, "'cuda'", CUDA, "CPU", "Conv, MatMul", "'encode'", cure=["torch"]):
        check_places(Session(CUDA, CPU, places=[(CUDA, ["Add"]), (CPU, ["MatMul", "Conv"])]), "encode", CUDA, "cuda")
    with refusal(ModelError, "'cuda'", TENSORRT, CUDA, cure=["torch"]):
        check_places(Session(TENSORRT, CUDA, CPU, places=[(CUDA, ["MatMul"])]), "denoise", TENSORRT, "cuda")


def test_onnx_runtime_tells_which_provider_runs_what(one):
    """The facts that the check reads, from a real session."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(onnx_providers.NOTE_PLACES, "1")
    file = str(graph_file(export_folder(ModelCard.read(one)), "denoise"))
    session = onnxruntime.InferenceSession(file, options, providers=[CPU])
    (info,) = {part.ep_name for part in session.get_provider_graph_assignment_info()}
    names = {node.op_type for part in session.get_provider_graph_assignment_info() for node in part.get_nodes()}
    assert info == CPU and "MatMul" in names
    assert check_places(session, "denoise", CPU, "cpu") == {}


# TensorRT, whose sessions run on the CPU here: which options it gets, and what becomes of its files.


@pytest.fixture
def pretended(one, gpu_build, monkeypatch, tmp_path):
    """Sessions of TensorRT and CUDA that compute on the CPU; TensorRT's write an engine for each new size."""
    exported = export_folder(ModelCard.read(one))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(exported, export_folder(ModelCard.read(one)))
    made = {}

    class Pretended(onnxruntime.InferenceSession):
        def __init__(self, file, options, providers, **more):
            assert more == {"enable_fallback": 0}
            super().__init__(file, options, providers=[CPU])
            self.asked = dict(providers)
            made[file.rpartition("/")[2].removesuffix(".onnx")] = self

        def get_providers(self):
            return [*self.asked, CPU]

        def get_provider_graph_assignment_info(self):
            return []

        def compiles(self):
            """Stands for the minutes that TensorRT takes."""

        def run_with_iobinding(self, binding, run_options=None):
            self.compiles()
            super().run_with_iobinding(binding, run_options)
            if TENSORRT in self.asked:
                folder = self.asked[TENSORRT]["trt_engine_cache_path"]
                with open(f"{folder}/denoise_sm90.engine", "ab") as file:
                    file.write(b"x" * 1000)

    cuda = onnx_providers.Provider(CUDA, {"device_id": "1", "use_tf32": "0"})  # with arrays on the CPU
    for module in (onnx_engine, onnx_tensorrt):
        monkeypatch.setattr(module, "provider_of", lambda device: cuda)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Pretended)
    return made


def wait_for(condition, seconds=60.0):
    ends_s = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends_s:
        time.sleep(0.001)


def test_tensorrt_compiles_the_denoiser_once_and_says_so(one, pretended, caplog, monkeypatch):
    monkeypatch.setattr(engine_cache, "SAYS_EVERY_S", 0.0001)
    caplog.set_level(logging.INFO)
    images, plans = some_images(3), some_plans(ARM, 3, 2)
    model = load_world_model("tensorrt", one, "cuda:1")
    assert "onnxruntime" in model.runs_on and TENSORRT in model.runs_on and "TF32" in model.runs_on
    pretended["denoise"].compiles = lambda: wait_for(lambda: "so far" in caplog.text)
    made = model.imagine(images, plans)
    pretended["denoise"].compiles = lambda: None
    (folder,) = (user_cache() / "tensorrt").iterdir()
    assert pretended["denoise"].asked == {
        TENSORRT: {"device_id": "1", "trt_engine_cache_enable": "1", "trt_engine_cache_path": str(folder)},
        CUDA: {"device_id": "1", "use_tf32": "0"},
    }
    assert [*pretended["encode"].asked] == [CUDA], "the rest runs on CUDA"
    assert json.loads((folder / NOTE).read_text()).keys() == {"denoise_sm90.engine"}
    said = [text for text in caplog.messages if "TensorRT compiles 'denoise' for 1 x 3 plans" in text]
    assert "minutes" in said[0] and "so far" in said[1] and "took" in said[-1]
    caplog.clear()
    model.imagine(images, plans)
    assert "compiles" not in caplog.text, "an engine of that size is there"
    np.testing.assert_allclose(made.latents, load_world_model("torch", one).imagine(images, plans).latents, atol=1e-4)


def test_engines_that_are_cut_off_are_compiled_again_and_said(one, pretended, caplog):
    model = load_world_model("tensorrt", one, "cuda")
    images, plans = some_images(3), some_plans(ARM, 3, 2)
    model.imagine(images, plans)
    (folder,) = (user_cache() / "tensorrt").iterdir()
    engine = folder / "denoise_sm90.engine"
    assert load_world_model("tensorrt", one, "cuda") and engine.is_file() and not caplog.records
    engine.write_bytes(engine.read_bytes()[:10])
    again = load_world_model("tensorrt", one, "cuda")
    assert not engine.exists() and str(folder) in caplog.text and "cut off" in caplog.text
    again.imagine(images, plans)
    assert engine.is_file() and json.loads((folder / NOTE).read_text())


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda folder: (folder / NOTE).unlink(), "killed"),
        (lambda folder: (folder / NOTE).write_text("{"), "cannot be read"),
        (lambda folder: (folder / "a.engine").unlink(), "a.engine is missing"),
    ],
)
def test_what_a_killed_process_left_is_deleted(tmp_path, damage, said, caplog):
    cache = EngineCache(tmp_path / "tensorrt/key")
    cache.check()
    cache.check()
    with cache.compiling("a size"):
        (cache.folder / "a.engine").write_bytes(b"engine")
    cache.check()
    assert not caplog.records and (cache.folder / "a.engine").is_file()
    damage(cache.folder)
    cache.check()
    assert said in caplog.text and [*cache.folder.iterdir()] == []


def test_engines_are_of_one_model_runtime_and_driver(one, tmp_path):
    card = ModelCard.read(one)
    first = engine_folder(card, "onnxruntime 1.31.1", tmp_path)
    assert first == engine_folder(card, "onnxruntime 1.31.1", tmp_path)
    folders = {first, engine_folder(card, "onnxruntime 1.31.2", tmp_path)}
    driver = tmp_path / "proc/driver/nvidia"
    (driver / "gpus/0000:01:00.0").mkdir(parents=True)
    for version in ("580.10", "580.20"):
        (driver / "version").write_text(f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}\nGCC version: 12\n")
        folders.add(engine_folder(card, "onnxruntime 1.31.1", tmp_path))
    for gpu in ("NVIDIA H100", "NVIDIA T4"):
        (driver / "gpus/0000:01:00.0/information").write_text(f"Model: \t\t {gpu}\nIRQ:   {len(folders)}\n")
        folders.add(engine_folder(card, "onnxruntime 1.31.1", tmp_path))
    assert len(folders) == 6
    (driver / "gpus/0000:01:00.0/information").write_text("Model: \t\t NVIDIA T4\nIRQ:   77\n")
    assert engine_folder(card, "onnxruntime 1.31.1", tmp_path) in folders


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        EngineCache(tmp_path / "file/tensorrt/key").check()
