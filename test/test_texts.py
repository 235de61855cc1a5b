"""Texts of others stay short, and what is said about them stays whole."""

import pytest

from astra_ros.texts import NAME, TEXT, bounded, listed, short, with_names

LONG = "x" * 50_000 + "y" * 50_000


def test_a_long_name_keeps_beginning_and_end_and_says_its_length():
    assert short("panda_joint1") == "panda_joint1"
    text = short(LONG)
    assert len(text) < NAME + 40 and text.startswith("xxx") and text.endswith("yyy") and "100000 characters" in text


def test_what_a_terminal_would_obey_is_taken_out():
    assert short("a\x1b[31m\nb") == "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}b"


def test_many_names_are_counted():
    assert listed(["a", "b"]) == "a, b"
    text = listed(f"joint{k}" for k in range(100_000))
    assert len(text) < 400 and text.endswith("and 99976 more")


def test_settings_are_named_as_the_user_knows_them():
    text = "replace it (`force`), or run `astra train` with `other`"
    assert with_names(text, {"force": "--force"}) == "replace it (--force), or run `astra train` with `other`"


def test_a_long_sentence_keeps_the_cure_at_its_end():
    text = bounded(f"topic: the name {LONG} is wrong; rename it")
    assert len(text) < TEXT + 60 and text.startswith("topic: ") and text.endswith("is wrong; rename it")
    assert bounded("short") == "short"


def test_names_of_100000_characters_stay_out_of_every_text_of_the_node():
    rclpy = pytest.importorskip("rclpy")  # noqa: F841
    from builtin_interfaces.msg import Time
    from diagnostic_msgs.msg import DiagnosticStatus
    from geometry_msgs.msg import PoseStamped
    from sensor_msgs.msg import CompressedImage, Image, JointState
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    from astra_ros.bridge.images import compressed_to_rgb, image_to_rgb
    from astra_ros.bridge.poses import pose_to_position
    from astra_ros.bridge.scores import scores_to_diagnostics
    from astra_ros.bridge.trajectories import joint_state_to_positions, trajectory_to_plan
    from astra_ros.critics.scoring import PlanScore
    from astra_ros.nodes.diagnostics import to_message
    from astra_ros.nodes.reports import Status, ThrottledReports

    pose = PoseStamped()
    pose.header.frame_id = LONG
    point = JointTrajectoryPoint(positions=[0.0, 0.0])
    calls = [
        lambda: pose_to_position(pose, "world", "t"),
        lambda: image_to_rgb(Image(encoding=LONG, height=1, width=1, step=1, data=b"x"), "t"),
        lambda: compressed_to_rgb(CompressedImage(format=LONG, data=b"x"), "t"),
        lambda: compressed_to_rgb(CompressedImage(format=LONG + "compressedDepth", data=b"x"), "t"),
        lambda: joint_state_to_positions(JointState(name=[LONG, LONG], position=[0.0, 0.0]), "t"),
        lambda: joint_state_to_positions(JointState(name=[LONG], position=[float("nan")]), "t"),
        lambda: trajectory_to_plan(JointTrajectory(joint_names=[LONG, LONG], points=[point]), "p"),
    ]
    for call in calls:
        with pytest.raises(ValueError) as error:
            call()
        text = str(error.value)
        assert len(text) < 1000 and text.startswith(("t: ", "plan 'p': ")), text[:300]
    logged = []
    reports = ThrottledReports(logged.append)
    reports.add(LONG)
    assert len(logged[0]) < TEXT + 60 and len(reports.last) < TEXT + 60
    made = to_message(Status("part", DiagnosticStatus.OK, LONG, {"k": LONG}), "n", LONG)
    assert max(len(made.message), len(made.hardware_id), len(made.values[0].value)) < TEXT + 60
    score = PlanScore("s/0", 0, 0.5, "accepted", {}, (LONG,))
    (made,) = scores_to_diagnostics([score], Time(), "cam", "m").status
    assert max(len(made.message), *(len(pair.value) for pair in made.values)) < TEXT + 60
