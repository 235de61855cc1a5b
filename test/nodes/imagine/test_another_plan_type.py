"""The plan type of the docs page, in a package of its own: from the message to the winner, found by entry point."""

import os

import pytest
from installed_package import code_of, install

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Float32MultiArray

from astra_ros.bridge.scores import diagnostics_to_scores
from astra_ros.nodes.client.node_specs import node_specs
from astra_ros.nodes.qos import LATCHED, reliable

pytestmark = [pytest.mark.ros, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory):
    """The package on the path of the nodes, before they start."""
    entry = {"astra_ros.plan_adapters": {"std_msgs/msg/Float32MultiArray": "velocities:VelocitiesAdapter"}}
    folder = install(tmp_path_factory.mktemp("other"), "velocities", code_of("add-a-plan-type.md"), entry)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        yield


def test_plans_of_the_other_type_are_scored_and_the_winner_is_handed_on_as_it_came(installed, graph, small_car_model):
    simulator, imagine = (
        next(spec for spec in node_specs({"model": str(small_car_model)}) if spec.executable == name)
        for name in ("simulator", "imagine")
    )
    graph.start("simulator", simulator.parameters, simulator.remappings)
    accepting = {"collision.veto_above": 1.0, "scoring.veto_below": 0.0}
    other = {"candidates.type": "std_msgs/msg/Float32MultiArray"}
    graph.start("imagine", imagine.parameters | accepting | other, imagine.remappings)
    camera = graph.listen(Image, "camera/image_raw", reliable(10))
    scores = graph.listen(DiagnosticArray, "imagine/scores", LATCHED)
    best = graph.listen(Float32MultiArray, "imagine/best_velocities", reliable(10), raw=True)
    plans = graph.publisher(Float32MultiArray, "plans", reliable(64))
    graph.status_says("imagine: model", DiagnosticStatus.OK, "loaded")
    graph.until(lambda: len(camera) > 12, "a second of camera images")

    plans.publish(Float32MultiArray(data=[1.0]))  # not a pair
    graph.status_says("imagine: plans", DiagnosticStatus.WARN, "plan 'candidates': it has 1 numbers; send pairs")
    sent = [serialize_message(Float32MultiArray(data=[speed, 0.1] * 8)) for speed in (0.5, 1.0)]
    for message in sent:
        plans.publish(message)
    graph.until(lambda: best, "a winner")
    names = [score.name for score in diagnostics_to_scores(scores[-1])]
    assert names == ["candidates/0", "candidates/1"][: len(names)]
    assert best[0] in sent
    assert "Traceback" not in graph.log("imagine")
