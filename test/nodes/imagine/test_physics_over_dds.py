"""Over DDS, in the real node: a known obstacle in the arm's way is named and vetoes plans; while the arm executes the
plan that is left, its images are compared with the imagined ones."""

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from std_msgs.msg import Float32
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.scores import diagnostics_to_scores
from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.critics import DEFAULT_CRITICS
from astra_ros.nodes.client.node_specs import node_specs
from astra_ros.nodes.qos import LATCHED, reliable

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def test_a_known_obstacle_vetoes_plans_and_the_executed_one_is_compared(graph, small_model, make_plan, tmp_path):
    # The panda's hand is at (0.45, 0, 0.4) m or so when ready; a wall stands to its left.
    cell = tmp_path / "cell.yaml"
    cell.write_text("obstacles:\n  - {name: wall, box: [0.6, 0.02, 1.0], xyz: [0.5, 0.25, 0.5]}\n")
    for spec in node_specs({"model": str(small_model), "namespace": "cell"})[:2]:
        more = {}
        if spec.executable == "imagine":
            more = {"collision.veto_above": 1.0, "scoring.veto_below": 0.0, "auto_imagine": False}
            more |= {"critics": [*DEFAULT_CRITICS, "physics"], "physics.obstacles": str(cell)}
        graph.start(spec.executable, spec.parameters | more, spec.remappings, spec.namespace)
    plans = graph.publisher(JointTrajectory, "/cell/plans", reliable(64))
    scores = graph.listen(DiagnosticArray, "/cell/imagine/scores", LATCHED)
    best = graph.listen(JointTrajectory, "/cell/imagine/best_plan", reliable(10))
    errors = graph.listen(Float32, "/cell/imagine/prediction_error", reliable(16))
    graph.status_says("cell/imagine: model", DiagnosticStatus.OK, "loaded")
    for swing in np.linspace(-0.9, 0.9, 4):
        plans.publish(plan_to_trajectory(make_plan(swing)))

    def judged():
        answer = graph.call("/cell/imagine/imagine").success
        found = diagnostics_to_scores(scores[-1]) if answer and scores else []
        # The description may come later than the first request.
        return len(found) == 4 and all("physics" in each.critics for each in found) and found

    right, _, _, left = graph.until(judged, "scores of the physics critic")
    assert left.verdict == "vetoed" and "physics" in left.reasons[0] and "'wall'" in left.reasons[0]
    assert right.verdict != "vetoed" and right.critics["physics"].raw > 0.0
    graph.until(lambda: len(best) >= 1, "the best plan")
    assert best[-1].points[1].positions[0] < 0.45
    graph.until(lambda: len(errors) >= 3, "errors of the images of the plan that is executed")
    found = [each.data for each in errors]
    assert np.isfinite(found).all() and min(found) >= 0.0 and max(found) > 0.0
