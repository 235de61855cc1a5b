"""An engine that runs out of memory and then fails in the middle of a request: said over DDS, and the node lives on."""

import os

import numpy as np
import pytest
from installed_package import code_of, install

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import Image
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.scores import diagnostics_to_scores
from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.client.node_specs import node_specs
from astra_ros.nodes.qos import LATCHED, reliable

pytestmark = [pytest.mark.ros, pytest.mark.slow]

FAILING = """

class FailingEngine(ToyEngine):
    runs_on = "toy 1.0"
    requests = 0  # that imagine more than one plan: the others look for the object in the goal image

    def denoise(self, noisy, time, frame, memory):
        plans = frame.condition.shape[1]
        if plans > 2:
            raise MemoryError(f"no room for {plans} plans")
        if frame.age.flat[0] == 1 and plans > 1:
            self.requests += 1
            if self.requests == 3:  # the first is the warm-up's
                raise RuntimeError("the device is lost")
        return super().denoise(noisy, time, frame, memory)
"""


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory):
    """The engine of the docs page, with faults, on the path of the nodes."""
    source, entry = code_of("add-an-engine.md") + FAILING, {"astra_ros.engines": {"toy": "toy_engine:FailingEngine"}}
    folder = install(tmp_path_factory.mktemp("other"), "toy_engine", source, entry)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        yield


def test_memory_that_is_short_and_a_lost_device_are_said_and_the_next_request_is_served(graph, small_model, make_plan):
    specs = {spec.executable: spec for spec in node_specs({"model": str(small_model), "backend": "toy"})}
    graph.start("simulator", specs["simulator"].parameters, specs["simulator"].remappings)
    own = {"candidates.keep": 3, "auto_imagine": False}
    graph.start("imagine", specs["imagine"].parameters | own, specs["imagine"].remappings)
    camera = graph.listen(Image, "camera/image_raw", reliable(10))
    scores = graph.listen(DiagnosticArray, "imagine/scores", LATCHED)
    plans = graph.publisher(JointTrajectory, "plans", reliable(64))
    graph.status_says("imagine: model", DiagnosticStatus.OK, "loaded")
    graph.until(lambda: len(camera) > 12, "a second of camera images")
    for swing in np.linspace(-0.3, 0.3, 3):
        plans.publish(plan_to_trajectory(make_plan(swing)))

    def received():
        status = graph.status.get("imagine: plans")
        return status and {pair.key: pair.value for pair in status.values}["candidates.received"] == "3"

    graph.until(received, "three plans")
    # On a busy machine the camera may pause, and a request is refused until the history is full again.
    graph.until(lambda: graph.call("/imagine/imagine").success, "an answer")
    graph.until(lambda: scores and scores[-1].status, "the first scores")
    assert len(diagnostics_to_scores(scores[-1])) == 3
    failed = graph.call("/imagine/imagine")
    assert not failed.success and "toy 1.0" in failed.message and "the device is lost" in failed.message
    graph.status_says("imagine: requests", DiagnosticStatus.WARN, "the device is lost")
    answer = graph.call("/imagine/imagine")
    assert answer.success, answer.message
    graph.status_says("imagine: requests", DiagnosticStatus.OK, "")
    log = graph.log("imagine")
    assert "memory does not suffice for 3 plans at once" in log and "2 at a time" in log
    assert "the device is lost" in log and "the node lives on" in log and "Traceback" not in log
    assert graph.stop() == {"simulator": 0, "imagine": 0}
