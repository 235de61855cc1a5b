"""The benchmark command: over real topics and in one process, with a result file."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def bench(*words):
    command = [sys.executable, "-m", "astra_ros.cli", "bench", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=280)


def test_bench_measures_over_topics_beside_the_plain_loop(tmp_path, small_model):
    out = tmp_path / "latency.json"
    size = ["--plans", 3, "--horizon", 4, "--runs", 4]
    done = bench("--model", small_model, "--engines", "torch", *size, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "torch, image published to scores received" in done.stdout
    figures = json.loads(out.read_text())
    for name in ("image_to_scores", "plans_to_scores", "request"):
        each = figures[name]
        assert 0 < each["p50_ms"] <= each["p95_ms"] <= each["p99_ms"] and each["runs"] == 4
    assert figures["plain_loop_ms"] > figures["request"]["p50_ms"]
    assert figures["plans"] == 3 and figures["loaded_core"] is False


def test_a_model_that_is_not_there_is_said(tmp_path):
    done = bench("--model", tmp_path / "nothing", "--runs", 1)
    assert done.returncode == 1 and "nothing" in done.stderr and "Traceback" not in done.stderr
