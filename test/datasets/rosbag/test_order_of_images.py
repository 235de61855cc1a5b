"""The import and the running node keep the same images of a camera, whatever their order."""

from types import SimpleNamespace

import numpy as np
import pytest

from astra_ros.camera.history import FrameHistory
from astra_ros.datasets.rosbag.segmentation import Segmentation, _runs


def kept_by_the_import(stamps):
    received = np.arange(len(stamps)) * 0.05
    images = SimpleNamespace(values=[(2, 2)] * len(stamps), changes={}, received_ns=(received * 1e9).astype(int))
    segmentation = Segmentation(np.full(len(stamps), "", dtype=object))
    clock = SimpleNamespace(
        times_s=lambda _: np.array(stamps), received_s=lambda _: received, jumps={}, future=frozenset()
    )
    return _runs(images, clock, 0.5, segmentation)[-1].tolist()


def kept_by_the_node(stamps):
    history = FrameHistory(100, 0.2)
    for number, stamp in enumerate(stamps):
        history.push(stamp, np.full((2, 2, 3), number, np.uint8))
    return [int(frame[0, 0, 0]) for _, frame in history._frames]


@pytest.mark.parametrize("seed", range(8))
def test_late_and_repeated_images_and_clocks_that_are_set_back(seed):
    draw = np.random.default_rng(seed)
    stamps = list(100.0 + np.arange(60) * 0.05)
    for _ in range(8):
        number = int(draw.integers(1, 50))
        what = draw.integers(3)
        if what == 0:  # overtaken by others
            stamps.insert(number + int(draw.integers(1, 8)), stamps.pop(number))
        elif what == 1:  # again
            stamps.insert(number, stamps[number])
        else:
            stamps.insert(number + 1, stamps[number] - 0.02)
    if seed % 2:  # a simulation that is reset
        stamps = stamps + [stamp - 95.0 for stamp in stamps]
    assert kept_by_the_node(stamps) == kept_by_the_import(stamps)
