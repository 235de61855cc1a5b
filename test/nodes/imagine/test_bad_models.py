"""A model that cannot be loaded leaves the node alive, with an ERROR status and honest answers."""

import shutil

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import Image

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def damaged(model, tmp_path, how):
    """A copy of the model with something wrong."""
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    weights = folder / "model.safetensors"
    if how == "no weights":
        weights.unlink()
    elif how == "cut weights":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif how == "no card":
        (folder / "card.json").write_text("{}")
    return str(folder)


@pytest.mark.parametrize(
    "how, parameters, words",
    [
        ("", {"model": "nonsense"}, "model 'nonsense'"),
        ("no weights", {}, "no model.safetensors"),
        ("cut weights", {}, "sha256"),
        ("no card", {}, "not a model card"),
        ("", {"backend": "abacus"}, "unknown backend 'abacus'; known are ['auto', 'onnx', 'openvino'"),
        ("", {"device": "moon"}, "device 'moon'"),
        ("", {"critics": ["goal", "charm"]}, "unknown critic 'charm'; known are goal, goal_pose"),
    ],
)
def test_the_node_lives_and_says_why(graph, small_model, tmp_path, how, parameters, words):
    graph.status.clear()
    model = damaged(small_model, tmp_path, how)
    graph.start("imagine", {"model": model, **parameters})
    status = graph.status_says("imagine: model", DiagnosticStatus.ERROR, words)
    values = {pair.key: pair.value for pair in status.values}
    assert words in values["error"]
    response = graph.call("/imagine/imagine")
    assert not response.success and words in response.message
    # It still listens: an image is received, and said to be received.
    assert graph.node.count_subscribers("/image") == 1
    camera = graph.publisher(Image, "image", 5)
    graph.status_says(
        "imagine: camera", DiagnosticStatus.ERROR, "magic", lambda: camera.publish(Image(encoding="magic"))
    )
    graph.node.destroy_publisher(camera)
    assert graph.running["imagine"].poll() is None
    assert graph.stop() == {"imagine": 0}
    log = graph.log("imagine")
    assert words in log and "Traceback" not in log
    graph.until(lambda: graph.node.count_subscribers("/image") == 0, "the node is gone")


@pytest.mark.parametrize(
    "executable, parameters, words",
    [
        ("imagine", {"goal.weight": -1.0}, "goal.weight"),
        ("imagine", {"horizon": "long"}, "parameter 'horizon' is 'long'"),
        (
            "imagine",
            {"candidates.type": "std_msgs/msg/String"},
            "known are trajectory_msgs/msg/JointTrajectory, nav_msgs/msg/Path",
        ),
        ("simulator", {"robot": "ur5"}, "unknown robot 'ur5'; known are kuka, panda"),
        ("simulator", {"world": "moon"}, "unknown world 'moon'"),
        ("plan_source", {"count": 0}, "count is 0"),
    ],
)
def test_parameters_that_cannot_work_end_the_start(graph, executable, parameters, words):
    graph.start(executable, parameters)
    assert graph.running[executable].wait(90) == 1
    log = graph.log(executable)
    assert words in log and "Traceback" not in log
