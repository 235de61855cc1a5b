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
    out = tmp_path / "speed.json"
    size = ["--plans", 3, "--horizon", 4, "--runs", 4, "--rate", 10]
    done = bench("--model", small_model, "--engines", "torch", *size, "--out", out)
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    for name in ("image_to_scores", "plans_to_scores", "request"):
        each = figures[name]
        assert 0 < each["p50_ms"] <= each["p95_ms"] <= each["p99_ms"] and each["runs"] == 4
    node, topics = (figures["engines"]["torch"][key] for key in ("node", "over_topics"))
    assert [each["rate_hz"] for each in topics] == [0, 10] and 0 < topics[1]["answered"] <= 1
    # ROS takes a few milliseconds on an idle machine. The model's own time is not among them.
    assert 0 < node["ros_adds"]["p50_ms"] and node["ros_adds"]["runs"] == 4 and node["peak_memory_mb"] > 100
    assert figures["plain_loop_ms"] > figures["request"]["p50_ms"]
    assert figures["plans"] == 3 and figures["loaded_core"] is False


def test_a_model_that_is_not_there_is_said(tmp_path):
    done = bench("--model", tmp_path / "nothing", "--runs", 1)
    assert done.returncode == 1 and "nothing" in done.stderr and "Traceback" not in done.stderr
