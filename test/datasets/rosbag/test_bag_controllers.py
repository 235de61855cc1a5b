"""Import of joints from the state of a controller: which of its fields is read."""

import numpy as np
import pytest
from bag_maker import CONTROLLER, BagMaker, header, make
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from user_errors import refusal

from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.datasets.rosbag.errors import MotionError
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings

# The type of a version that has the old fields and the new ones.
ALL_FOUR = get_typestore(Stores.LATEST)
ALL_FOUR.register(
    get_types_from_msg(
        "std_msgs/Header header\nstring[] joint_names\n"
        + "".join(
            f"trajectory_msgs/JointTrajectoryPoint {field}\n"
            for field in ("desired", "actual", "reference", "feedback")
        ),
        CONTROLLER,
    )
)


def run(bag, out):
    report = import_bag(bag, out, BagSettings(dt_s=0.25))
    return report, [load_episode(path) for path in list_episodes(out)]


def controller_bag(path, fields):
    """`fields`: field -> positions of j1, j2 as a function of t; the others are empty."""
    with BagMaker(path, store=ALL_FOUR) as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t)
        none = np.empty(0)
        for t in np.arange(0, 6, 0.02):
            points = {
                field: make(
                    "trajectory_msgs/msg/JointTrajectoryPoint",
                    positions=np.array(fields[field](t) if field in fields else [], float),
                    velocities=none,
                    accelerations=none,
                    effort=none,
                    time_from_start=make("builtin_interfaces/msg/Duration", sec=0, nanosec=0),
                )
                for field in ("reference", "desired", "feedback", "actual")
            }
            bag.add(
                t,
                "/arm/state",
                CONTROLLER,
                ALL_FOUR.types[CONTROLLER](header=header(t), joint_names=["j1", "j2"], **points),
            )
    return path


@pytest.mark.parametrize("field", ["reference", "desired", "feedback", "actual"])
def test_the_field_that_is_filled_is_read(tmp_path, field):
    there = {field: lambda t: (0.1 * t, 1.0)}
    if field in ("reference", "desired"):
        there["feedback"] = lambda t: (9.0, 9.0)
    report, (episode,) = run(controller_bag(tmp_path / "bag", there), tmp_path / "out")
    assert episode.motion[-1].tolist() == pytest.approx([0.575, 1.0], abs=0.03)
    assert ("measured" in report["motion"]["how"]) == (field in ("feedback", "actual"))


def test_commanded_positions_are_not_mixed_with_measured_ones(tmp_path):
    def sometimes(t):
        return (0.1 * t, 1.0) if round(t * 50) % 2 else ()

    bag = controller_bag(tmp_path / "bag", {"reference": sometimes, "feedback": lambda t: (9.0, 9.0)})
    report, (episode,) = run(bag, tmp_path / "out")
    assert episode.motion.max() < 1.1
    assert any("150 messages left out" in note and "not commanded ones" in note for note in report["notes"])


def test_no_field_is_filled(tmp_path):
    with refusal(MotionError, "/arm/state", 2, 0, "reference, desired, feedback, actual"):
        run(controller_bag(tmp_path / "bag", {}), tmp_path / "out")
    with refusal(MotionError, "/arm/state", 2, 1, "desired"):
        run(controller_bag(tmp_path / "bag2", {"desired": lambda t: [0.0]}), tmp_path / "out")
