"""Simulator and imagine node as real processes over DDS, fed with plans and listened to."""

from types import SimpleNamespace

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Float32MultiArray
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.client.node_specs import node_specs
from astra_ros.nodes.qos import LATCHED, reliable

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
PLANS, HORIZON, DT_NS = 8, 16, 250_000_000


def start(graph, small_model):
    """Simulator and imagine node, started as the launch file does, and ears on every output."""
    specs = {spec.executable: spec for spec in node_specs({"model": str(small_model)})}
    for name in ("simulator", "imagine"):
        # All plans are accepted, whatever the random model thinks; one test vetoes them again.
        accepting = {"collision.veto_above": 1.0, "scoring.veto_below": 0.0, "playback_rate": 0.0}
        extra = accepting if name == "imagine" else {}
        graph.start(name, specs[name].parameters | extra, specs[name].remappings)
    made = SimpleNamespace(
        graph=graph,
        plans=graph.node.create_publisher(JointTrajectory, "plans", reliable(64)),
        camera=graph.listen(Image, "camera/image_raw", reliable(10)),
        scores=graph.listen(DiagnosticArray, "imagine/scores", LATCHED),
        matrix=graph.listen(Float32MultiArray, "imagine/score_matrix", LATCHED),
        markers=graph.listen(MarkerArray, "imagine/plan_markers", LATCHED),
        best=graph.listen(JointTrajectory, "imagine/best_plan", reliable(10), raw=True),
        video=graph.listen(Image, "imagine/imagined/image", reliable(64)),
    )
    graph.until(lambda: made.plans.get_subscription_count(), "the imagine node listens to plans")
    graph.status_says("imagine: model", OK, "loaded")
    graph.until(lambda: len(made.camera) > 12, "a second of camera images")
    return made


def send(bench, trajectories):
    for trajectory in trajectories:
        bench.plans.publish(trajectory)


def swings(make_plan, count=PLANS):
    """Plans as bytes: their padding is anything, so a message is not serialized twice alike."""
    return [serialize_message(plan_to_trajectory(make_plan(swing))) for swing in np.linspace(-0.6, 0.6, count)]


def ask(bench):
    """Call ~/imagine until the history is full again; its message, and the scores that followed."""

    def answered():
        return (response := bench.graph.call("/imagine/imagine")).success and response

    before = len(bench.scores)
    response = bench.graph.until(answered, "a successful answer of ~/imagine")
    bench.graph.until(lambda: len(bench.scores) > before, "scores")
    return response.message, bench.scores[-1]


def imagined_by(bench, make_plan):
    """Eight fresh plans, imagined because they came, and everything that was published of them."""
    messages = swings(make_plan)
    counts = {name: len(getattr(bench, name)) for name in ("scores", "matrix", "markers", "best")}
    bench.video.clear()
    send(bench, messages)
    bench.graph.until(
        lambda: (
            len(bench.video) >= HORIZON and all(len(getattr(bench, name)) > count for name, count in counts.items())
        ),
        "all outputs of a request",
    )
    made = {name: getattr(bench, name)[-1] for name in counts}
    return SimpleNamespace(sent=messages, video=bench.video[-HORIZON:], **made)
