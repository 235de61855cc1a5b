"""No plan is handed on that starts elsewhere than the robot is, or while nobody knows where it is."""

import numpy as np
import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory

from astra_ros.bridge.images import rgb_to_image
from astra_ros.bridge.trajectories import plan_to_trajectory
from astra_ros.nodes.qos import reliable

pytestmark = [pytest.mark.ros, pytest.mark.slow]

WARN = DiagnosticStatus.WARN


def test_the_start_is_checked_before_and_after_a_request_and_never_left_out(graph, small_model, make_plan):
    graph.start("imagine", {
        "model": str(small_model), "collision.veto_above": 1.0, "scoring.veto_below": 0.0, "settle_s": 0.0,
    })  # fmt: skip
    camera = graph.publisher(Image, "image", 5)
    joints = graph.publisher(JointState, "joint_states", 5)
    plans = graph.publisher(JointTrajectory, "plans", reliable(5))
    best = graph.listen(JointTrajectory, "imagine/best_plan", reliable(10), raw=True)
    plan = make_plan()
    ready = dict(zip(plan.joint_names, plan.positions[0].tolist()))

    def world(state=None, extra=None):
        """Camera, joints and perhaps more, as they come all the time."""
        now = graph.node.get_clock().now().to_msg()
        if state is not None:
            joints.publish(JointState(name=list(state), position=list(state.values())))
        camera.publish(rgb_to_image(np.full((64, 64, 3), 90, np.uint8), now, "camera"))
        if extra is not None:
            extra()

    def send():
        plans.publish(serialize_message(plan_to_trajectory(plan)))

    graph.status_says("imagine: model", DiagnosticStatus.OK, "loaded", world)
    graph.status_says("imagine: camera", DiagnosticStatus.OK, "images arrive", world)
    # Nobody knows where the robot is, or where its last joint is.
    last = plan.joint_names[-1]
    names = ", ".join(plan.joint_names)
    silent = f"no joint state of {names} came on /joint_states within camera_timeout_s"
    graph.status_says("imagine: plans", WARN, silent,
                      lambda: world(extra=send))  # fmt: skip
    rest = {name: value for name, value in ready.items() if name != last}
    graph.status_says("imagine: plans", WARN, f"no joint state of {last} came on /joint_states", lambda: world(rest))
    assert not best
    # It is known: the plan that has waited is handed on.
    graph.until(lambda: world(ready) or best, "a best plan")
    # The robot moves while the plan is imagined.
    graph.set_parameter("imagine", "denoising_steps", 1000)

    def busy():  # longer than any of the quick ones before
        world(ready, send)
        values = graph.status["imagine: requests"].values
        return any(value.key == "busy_s" and float(value.value) >= 2.0 for value in values)

    graph.until(busy, "a request that is at work")
    count = len(best)
    elsewhere = ready | {last: ready[last] + 1.0}

    def withheld():
        world(elsewhere)
        lines = [line for line in graph.log("imagine").splitlines() if "no plan is handed on: meanwhile, plan" in line]
        return lines and lines[0]

    why = graph.until(withheld, "the reason why no plan is handed on")
    assert f"starts with {last} at" in why and "1.000 rad away from there" in why and len(best) == count
    # Bytes that are no plan are named, and the node lives on.
    plans.publish(b"\0\1\0\0\xff\xff\xff\xff")
    graph.until(lambda: "/plans: 8 bytes that are not a trajectory_msgs" in graph.log("imagine"), "a refusal of them")
    assert "Traceback" not in graph.log("imagine")
    assert graph.stop() == {"imagine": 0}
