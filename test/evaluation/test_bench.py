"""`astra bench`: engines in processes of their own, in turns, beside an older build from git."""

import json
import os
import subprocess
from contextlib import contextmanager
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from user_errors import refusal

from astra_ros.evaluation import benchmark
from astra_ros.evaluation.bench_processes import BenchError, BenchProcess, BenchScene, NotLoaded, Setup
from astra_ros.evaluation.bench_result import Condition, Measurement, Percentiles, Ratio, Timing
from astra_ros.evaluation.bench_text import growth
from astra_ros.evaluation.old_build import OldBuildError, old_build
from astra_ros.evaluation.requests import BenchRequest
from astra_ros.files import OutputError
from astra_ros.inference.card import ModelError, model_directory
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.registry import UnknownName
from astra_ros.settings import SettingError
from astra_ros.simulation.arm.robots import robot_spec

# A build that speaks the oldest API that can be measured, without torch. It scores by the plan's last joint.
OLD_BUILD = {
    "__init__.py": "",
    "backends.py": """
import types, numpy as np
def load_backend(backend, model, device):
    if model == "ends": raise SystemExit(7)
    if "/" in model: raise ValueError("card version 9, this package reads 1; export the model again")
    card = types.SimpleNamespace(image_size=(8, 8), history=2, sha256="old" * 10, dt_s=0.25)
    return types.SimpleNamespace(card=card, imagine=lambda plans: [float(each.positions[-1, 0]) + 1 for each in plans])
""",
    "planning/__init__.py": "",
    "planning/plans.py": """
import dataclasses
@dataclasses.dataclass
class JointPlan:
    joint_names: tuple
    times_s: object
    positions: object
    name: str
""",
    "pipeline.py": """
import dataclasses, time, types
from astra_ros.planning.plans import JointPlan
@dataclasses.dataclass
class ImaginerSettings:
    horizon: int
    partial_plans: bool
    action_space: str
def to_model_size(image, size):
    return image[: size[0], : size[1]]
class Imaginer:
    def __init__(self, model, settings):
        self.model, self.settings = model, settings
        self.drawings = types.SimpleNamespace(describe=lambda urdf: None)
    def score(self, history, plans, motion_now, goal):
        assert history.shape == (2, 8, 8, 3) and all(type(plan) is JointPlan for plan in plans)
        time.sleep(0.002)
        scores = [types.SimpleNamespace(score=value) for value in self.model.imagine(plans)]
        return types.SimpleNamespace(scores=scores, timings_s={"imagine": 0.002, "total": 0.002})
""",
}


def git(folder, *words):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    """A git checkout whose revision `old` is `OLD_BUILD`, and whose revision `empty` has no package."""
    folder = tmp_path / "checkout"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs/page").touch()
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "empty")
    git(folder, "tag", "empty")
    for name, text in OLD_BUILD.items():
        path = folder / "astra_ros" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-m", "old")
    git(folder, "tag", "old")
    (folder / "astra_ros/pipeline.py").write_text("1 / 0")  # what is not committed is not measured
    return folder


@pytest.fixture
def scene(tmp_path):
    """Three plans of a black scene, in a file."""
    pytest.importorskip("pybullet_data")
    joints, black = robot_spec("panda").joint_names, np.zeros((16, 16, 3), np.uint8)
    plans = [JointPlan(joints, [0.0, 1.0], np.full((2, 7), k / 10), f"candidates/{k}") for k in range(3)]
    BenchScene("panda", black, black, {3: plans}).save(tmp_path / "scene.npz")
    return tmp_path / "scene.npz"


def test_an_older_build_answers_under_the_names_of_its_time(checkout, scene, tmp_path):
    with old_build("old", checkout) as build:
        assert build.commit == git(checkout, "rev-parse", "--short=7", "old") and build.date.startswith("2")
        process = BenchProcess(build.commit, Setup("torch", "any", "cpu", scene, build.root), tmp_path, 3, 4)
        try:
            # The stub lacks `plans/`; a module of the installed build in its place would fail the stub's assertion.
            first, second = process.ask("request"), process.ask("request")
            assert process.ask("scores") == {"scores": pytest.approx([1.0, 1.1, 1.2])}
            about = process.ask("about")
        finally:
            process.close()
    assert not build.root.exists()
    assert first["seconds"] >= 0.002 and first["parts_s"] == {"imagine": 0.002} and second["idle_s"] > 0
    assert about["sha256"] == "old" * 10 and 10 < about["peak_memory_mb"] < 500 and process.start_up_s > 0


def test_what_git_cannot_give_is_named(checkout, tmp_path, monkeypatch):
    def refused(revision, where, thing, *facts):
        with refusal(OldBuildError, thing, *facts), old_build(revision, where):
            pass

    refused("bogus", checkout, "against", "'bogus'")
    refused("empty", checkout, "against", "'empty'", "astra_ros")
    refused("old", checkout / "docs", "docs", "not a git checkout")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "unpacked").mkdir()
    refused("old", tmp_path / "unpacked", "unpacked", "not a git checkout")
    monkeypatch.setenv("PATH", str(tmp_path))
    refused("old", checkout, "against", "git is not installed")


def test_a_build_that_ends_or_fails_is_named_with_its_reason(checkout, scene, tmp_path):
    with old_build("old", checkout) as build:
        setup = Setup("torch", "ends", "cpu", scene, build.root)
        with refusal(NotLoaded, build.commit, "ended with code 7"):
            BenchProcess(build.commit, setup, tmp_path, 3, 4)
        setup = Setup("torch", "any", "cpu", scene, build.root)
        (build.root / "astra_ros/pipeline.py").write_text("import nothing_of_that_name")
        with refusal(NotLoaded, build.commit, "nothing_of_that_name"):
            BenchProcess(build.commit, setup, tmp_path, 3, 4)
        (build.root / "astra_ros/backends.py").unlink()
        with refusal(NotLoaded, build.commit, "has none of", "astra_ros.backends:load_backend"):
            BenchProcess(build.commit, setup, tmp_path, 3, 4)


def test_engines_an_older_build_and_all_conditions_in_one_run(checkout, tmp_path, monkeypatch, capsys):
    pytest.importorskip("pybullet")
    monkeypatch.setattr(benchmark, "ROOT", checkout)
    monkeypatch.setattr(benchmark, "ENGINES", {"torch": None, "absent": None})
    commit, out, plot = git(checkout, "rev-parse", "--short=7", "old"), tmp_path / "result.json", tmp_path / "plot.png"
    request = BenchRequest(
        "tiny", plans=2, horizon=2, runs=2, grid=["1x2"], load=True, rate=200.0, against="old", models=["tiny"],
        out=out, plot=plot,
    )  # fmt: skip
    started = []

    @contextmanager
    def start_node(engine, scene, plans, build):
        started.append((engine, build and (build / "astra_ros/pipeline.py").is_file(), len(scene.plans[plans])))
        second = len(started) > 2

        def ask(runs, rate_hz=0.0):
            took_s = 1.1 if build else 0.5 + second / 10
            return SimpleNamespace(from_image_s=[took_s] * runs, from_plans_s=[] if rate_hz else [0.4], asked=2 * runs)

        added = [0.004 + second / 500]
        yield SimpleNamespace(pid=os.getpid(), start_up_s=2.0, ask=ask, ask_beside_images=lambda runs: added * runs)

    benchmark.bench(request, start_node)
    figures, said = json.loads(out.read_text()), capsys.readouterr().out
    assert started == [("torch", None, 2), ("torch", True, 2), ("torch", True, 2), ("torch", None, 2)]
    assert list(figures["cannot_run"]) == ["absent"] and "absent cannot run here: unknown backend" in said
    conditions = [tuple(each[key] for key in ("plans", "horizon", "loaded_core", "rate_hz"))
                  for each in figures["measurements"]]  # fmt: skip
    assert conditions == [(2, 2, load, rate) for load in (False, True) for rate in (0, 200)] + [(1, 2, False, 0)]
    for each in figures["measurements"]:
        torch, old = each["engines"]["torch"], each["engines"][commit]
        assert 0 < torch[f"times_faster_than_{commit}"]["median"] < 1 and 0 < torch["share_of_peak"] < 1
        assert 2 <= old["request"]["p50_ms"] < torch["request"]["p50_ms"] and torch["request"]["runs"] == 2
        assert ("answered" in torch) == (each["rate_hz"] > 0) and torch["cpu_ms"] > 0
    assert figures[f"times_faster_than_{commit}"] < 1 and figures["fastest"] == "torch"
    assert figures["plain_loop_ms"] > figures["request"]["p50_ms"] and figures["image_to_scores"]["p50_ms"] == 550
    assert figures["engines"]["torch"]["peak_memory_mb"] > 100 and figures["engines"][commit]["gflop_per_request"] == 0
    assert cv2.imread(str(plot)).shape == (22 * ((5 + 4 + 1) * 3 + 2 * 2 + 3), 960, 3)
    topics = figures["engines"]["torch"]["over_topics"]
    assert [(each["loaded_core"], each["rate_hz"]) for each in topics] == [
        (load, rate) for load in (False, True) for rate in (0, 200)
    ]
    for each in topics:
        assert each[f"times_faster_than_{commit}"] == pytest.approx(2.0)
        assert ("plans_to_scores" in each) == ("answered" not in each) == (each["rate_hz"] == 0)
    assert topics[1]["answered"] == 0.5
    node = figures["engines"]["torch"]["node"]
    assert node["ros_adds"]["p50_ms"] == pytest.approx(5.0) and node["ros_adds"]["runs"] == 2
    assert node["start_up_s"] == 2.0 and node["peak_memory_mb"] > 50 and "ROS adds" in said
    first, further = figures["models"]  # the same model twice
    assert first["gflop_per_request"] == further["gflop_per_request"] > 0 and further["image_size"] == [64, 64]
    assert 0 < further["engines"]["torch"]["times_the_time"]["median"] and list(further["engines"]) == ["torch"]
    assert "times_the_time" not in first["engines"]["torch"] and "models, in turns" in said
    assert f"{commit} gives other scores than torch" in said
    assert figures["against"]["commit"] == commit and "growth" in said and f"times faster than {commit}" in said


def test_larger_sizes_have_fewer_runs_that_take_as_long():
    request = BenchRequest(plans=8, horizon=16, runs=40)
    runs = [request.runs_of(Condition(plans, horizon)) for plans, horizon in ((1, 16), (8, 16), (16, 16), (256, 16))]
    assert runs == [40, 40, 20, 5] and BenchRequest(runs=3).runs_of(Condition(256, 16)) == 3


def test_operations_are_counted_with_the_robot_renders_that_are_timed(tmp_path):
    """The network reads the robot's renders, which costs operations."""
    pytest.importorskip("pybullet")
    BenchScene.of("panda", [1]).save(tmp_path / "scene.npz")
    values = dict(np.load(tmp_path / "scene.npz"))
    values["facts"] = json.dumps({**json.loads(str(values["facts"])), "description": "<robot/>"})
    np.savez(tmp_path / "undrawn.npz", **values)
    process = BenchProcess("torch", Setup("torch", "tiny", "cpu", tmp_path / "scene.npz"), tmp_path, 1, 2)
    try:
        flops = process.ask("flops")["flops"]
        process.ask("load", backend="torch", model="tiny", device="cpu", scene=str(tmp_path / "undrawn.npz"))
        process.ask("size", plans=1, horizon=2)
        assert flops > process.ask("flops")["flops"] > 0
    finally:
        process.close()


def test_without_an_engine_that_runs_the_reasons_are_said(monkeypatch):
    pytest.importorskip("pybullet")
    monkeypatch.setattr(benchmark, "ENGINES", {"absent": None})
    with refusal(BenchError, "'astra-tiny'", "absent: unknown backend 'absent'"):
        benchmark.bench(BenchRequest("tiny", plans=1))


def test_a_model_directory_that_the_older_build_cannot_read_is_named_before_engines_start(checkout, monkeypatch):
    pytest.importorskip("pybullet")
    monkeypatch.setattr(benchmark, "ROOT", checkout)
    monkeypatch.setattr(benchmark, "ENGINES", {"absent": None})
    directory = str(model_directory("tiny"))
    with refusal(BenchError, "against", "'old'", directory, "card version 9", cure=["tiny"]) as caught:
        benchmark.bench(BenchRequest(directory, plans=1, against="old"))
    assert "export the model again" not in str(caught.value)


def test_what_cannot_be_measured_is_refused_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "BenchScene", None)
    with refusal(UnknownName, "", "'tensorflow'"):
        benchmark.bench(BenchRequest("tiny", engines=["tensorflow"]))
    with refusal(ModelError, "nothing'"):  # the engine is known
        benchmark.bench(BenchRequest(str(tmp_path / "nothing"), engines=["auto"]))
    with refusal(SettingError, "", "grid is 8x0"):
        benchmark.bench(BenchRequest("tiny", grid=["8x0"]))
    with refusal(SettingError, "", "rate is nan"):
        benchmark.bench(BenchRequest("tiny", rate=float("nan")))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        benchmark.bench(BenchRequest("tiny", out=tmp_path / "file" / "result.json"))


def test_ratios_are_of_pairs():
    # 4 / 2, 9 / 3, 16 / 2: one slow moment that met both does not count.
    assert Ratio.of([4.0, 9.0, 16.0], [2.0, 3.0, 2.0]) == Ratio(3.0, 2.5, 5.5)


def test_growth_is_a_multiple_of_the_first_size():
    def at(plans, horizon, p50_ms):
        timing = Timing(Percentiles(p50_ms, 0, 0, 1), 0, None, {}, 0, 0)
        return Measurement(Condition(plans, horizon), {"torch": timing})

    rows = growth([at(8, 16, 500), at(16, 16, 900), at(1, 16, 100)]).splitlines()[2:]
    assert [" ".join(row.split()) for row in rows] == [
        "1 x 16 100 ms (0.20)", "8 x 16 500 ms (1.00)", "16 x 16 900 ms (1.80)"
    ]  # fmt: skip
