"""The demo: one command from nothing to pictures, and honest about what goes wrong."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def demo(out, *words):
    """The demo as a process, in a ROS domain of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "ROS_DOMAIN_ID"}
    command = [sys.executable, "-m", "astra_ros.cli", "demo", "--out", str(out), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def still_running(out):
    """Processes whose command line names this demo's parameters."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if f"ASTRA_TEST={out}".encode() in environment:
            found.append(pid)
    return found


def test_the_demo_ends_with_a_table_and_pictures(tmp_path, small_model):
    process = demo(tmp_path, "--plans", "2", "--model", str(small_model), "--robot", "kuka")
    printed, said = process.communicate(timeout=280)
    assert process.returncode == 0, said
    for word in ("candidates/0", "candidates/1", "collision", "outcome", "First imagined frame"):
        assert word in printed
    assert "executing plan 2 of 2" in said
    sheet = cv2.imread(str(tmp_path / "contact_sheet.png"))
    assert sheet is not None and sheet.shape[1] > 500
    video = cv2.VideoCapture(str(tmp_path / "imagined.mp4"))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(4.0)
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) >= 16


def test_a_model_that_does_not_load_is_said_and_is_a_failure(tmp_path):
    process = demo(tmp_path, "--model", "nonsense")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1 and not (tmp_path / "log").exists()  # before a node was started
    assert "astra demo: model 'nonsense'" in said and "Traceback" not in said
    process = demo(tmp_path, "--model", "tiny", "--device", "cuda:99")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1 and "device 'cuda:99'" in said and "Traceback" not in said
    assert "the last lines of the imagine node" in said


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    process = demo(tmp_path / "file")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1 and "file: the folder cannot be made" in said and "Traceback" not in said


def test_a_node_that_cannot_start_is_named_with_its_last_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_nonsense")
    process = demo(tmp_path)
    _, said = process.communicate(timeout=120)
    assert process.returncode != 0 and "rmw_nonsense" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_the_demo_ends_every_node(tmp_path, monkeypatch, number):
    monkeypatch.setenv("ASTRA_TEST", str(tmp_path))
    process = demo(tmp_path)
    log = tmp_path / "log" / "plan_source.log"
    deadline = time.monotonic() + 60
    while not log.exists():  # the last of the three nodes is started
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    assert len(still_running(tmp_path)) >= 4
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert still_running(tmp_path) == []


@pytest.mark.parametrize("words", [("--seed", "-1"), ("--plans", "0"), ("--robot", "ur5")])
def test_wrong_words_exit_2(tmp_path, words):
    process = demo(tmp_path, *words)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2 and words[0] in said
