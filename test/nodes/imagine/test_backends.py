"""The imagine node with exported engines: it exports by itself, and says what runs."""

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticStatus

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(
    "backend, runs, said",
    [
        ("onnx", "onnxruntime", "opset"),
        ("openvino", "openvino", "opset"),
        ("auto", "float32", "backend auto: measured torch"),
    ],
)
def test_the_node_says_what_runs_its_model(graph, small_model, backend, runs, said):
    graph.status.clear()
    graph.start("imagine", {"model": str(small_model), "backend": backend})
    status = graph.status_says("imagine: model", DiagnosticStatus.OK, "loaded")
    values = {pair.key: pair.value for pair in status.values}
    assert values["backend"] == backend and runs in values["runs_on"]
    log = graph.log("imagine")
    assert said in log and f"runs on {values['runs_on']}" in log
