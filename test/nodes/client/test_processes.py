"""Where the demo's nodes talk, and that none of them outlives it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from astra_ros.nodes.client.processes import ros_environment, signals_deferred


@pytest.mark.parametrize("taken", [None, "0", "42", str(1 + os.getpid() % 101)])
def test_the_demo_never_joins_the_domain_that_is_set(monkeypatch, taken):
    monkeypatch.setenv("ROS_STATIC_PEERS", "192.0.2.1")
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    if taken is not None:
        monkeypatch.setenv("ROS_DOMAIN_ID", taken)
    made = ros_environment()
    assert made["ROS_DOMAIN_ID"] != taken and 1 <= int(made["ROS_DOMAIN_ID"]) <= 101
    assert made["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST" and "ROS_STATIC_PEERS" not in made


def test_a_domain_can_be_named():
    assert ros_environment(7)["ROS_DOMAIN_ID"] == "7"


def test_signals_are_deferred_until_a_process_is_known():
    done = []
    with pytest.raises(KeyboardInterrupt), signals_deferred():
        signal.raise_signal(signal.SIGINT)
        done.append("the block went on")
    assert done and signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    "words, code, text",
    [
        (["--help"], 0, "ros2 run astra_ros simulator --ros-args -p parameter:=value"),
        (["--help"], 0, "\n  camera.width: 256  (1 to 4096)\n"),
        (["--seed", "3"], 2, "simulator: unknown arguments --seed 3"),
        (["--ros-args", "-r", "camera/image_raw:=bad topic!"], 2, "bad topic!"),
        (["--ros-args", "--params-file", "nowhere.yaml"], 2, "nowhere.yaml"),
        (["--ros-args", "--foo"], 2, "--foo"),
    ],
)
def test_a_node_explains_its_command_line_instead_of_starting(words, code, text):
    command = [sys.executable, "-m", "astra_ros.nodes.simulator.node", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == code and text in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("delay_s", [0.2, 0.5, 0.8])
def test_told_to_stop_while_it_imports_a_node_just_ends(delay_s):
    # Whether it is still importing then depends on the machine; either way it ends well.
    code = "import sys; from astra_ros.nodes.start import simulator; print('up', flush=True); sys.exit(simulator())"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in errors, errors


@pytest.mark.ros
@pytest.mark.slow
def test_signals_that_come_late_change_nothing(graph, small_model):
    """`ros2 launch` sends SIGTERM to what has not ended 5 s after SIGINT."""
    graph.start("imagine", {"model": str(small_model)})
    process = graph.running["imagine"]
    graph.until(lambda: "loading model" in graph.log("imagine"), "the node is up")
    process.send_signal(signal.SIGINT)
    while process.poll() is None:
        time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0, graph.log("imagine")
    assert "Traceback" not in graph.log("imagine")
