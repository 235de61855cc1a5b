"""The robot's misfit over some images: when it is judged, and when it is a fault."""

import numpy as np

from astra_ros.inference.prediction_limit import PredictionLimit
from astra_ros.ranking.robot_fit import IMAGES, NO_EDGES, OUT_OF_VIEW, RobotFitMonitor

NS = 1_000_000_000
LIMIT = PredictionLimit(0.5, 0.001, 999)


def coverage(right=0):
    drawn = np.zeros((64, 64), np.uint8)
    drawn[12:50, 20 + right : 30 + right] = 255
    drawn[12:20, 20 + right : 50 + right] = 255
    return drawn


def image(right=0):
    return np.stack([coverage(right) // 2 + 60] * 3, axis=-1)


def watched(images, limits={"arm": LIMIT}, drawn=coverage()):  # noqa: B006
    monitor, faults = RobotFitMonitor(limits), []
    for index, seen in enumerate(images, start=1):
        monitor.add("arm", round(0.5 * index * NS), seen, drawn)
        faults.append(monitor.fault)
    return monitor, faults


def test_a_moved_camera_is_a_fault_from_the_first_judgement_on_until_it_fits_again():
    monitor, faults = watched([image(4)] * IMAGES + [image()] * IMAGES)
    assert faults[: IMAGES - 1] == [None] * (IMAGES - 1), "not judged yet"
    assert faults[IMAGES - 1].shift == (4, 0) and faults[-1] is None
    assert monitor.judged == IMAGES + 1 and monitor.fit.shift == (0, 0)


def test_without_a_limit_nothing_is_a_fault():
    monitor, faults = watched([image(4)] * IMAGES, limits={})
    assert not any(faults) and monitor.fit.shift == (4, 0) and monitor.limit is None


def test_what_cannot_be_seen_is_not_judged():
    out, _ = watched([image(4)] * IMAGES, drawn=np.zeros((64, 64), np.uint8))
    dark, _ = watched([np.zeros((64, 64, 3), np.uint8)] * IMAGES)
    assert out.unseen == OUT_OF_VIEW and dark.unseen == NO_EDGES
    assert out.fit is dark.fit is None and out.judged == dark.judged == 0


def test_a_jump_of_the_clock_or_another_robot_begins_anew():
    monitor, _ = watched([image()] * IMAGES)
    monitor.add("arm", 1, image(), coverage())
    assert monitor.fit is None
    monitor, _ = watched([image()] * IMAGES)
    monitor.add("other arm", 3 * NS, image(), coverage())
    assert monitor.fit is None and monitor.limit is None
