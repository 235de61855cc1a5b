"""Depth images in metres."""

from types import SimpleNamespace

import numpy as np
import pytest

from astra_ros.camera.depth_images import raw_to_depth
from astra_ros.camera.errors import BadImage, UnsupportedImage


def message(values, encoding, step=None, big=False, **changes):
    values = np.asarray(values)
    kind = values.astype(values.dtype.newbyteorder(">" if big else "<"))
    height, width = values.shape
    made = dict(encoding=encoding, height=height, width=width, is_bigendian=int(big), data=kind.tobytes())
    return SimpleNamespace(**made | {"step": step or width * values.itemsize} | changes)


@pytest.mark.parametrize("big", [False, True])
def test_metres_and_millimetres(big):
    metres = np.array([[1.5, np.nan], [0.0, np.inf]], np.float32)
    wanted = [[1.5, np.nan], [np.nan, np.nan]]
    assert np.array_equal(raw_to_depth(message(metres, "32FC1", big=big)), wanted, equal_nan=True)
    millimetres = np.array([[1500, 0]], np.uint16)
    read = raw_to_depth(message(millimetres, "16UC1", big=big))
    assert read[0, 0] == pytest.approx(1.5) and np.isnan(read[0, 1])


def test_rows_may_be_padded():
    rows = np.array([[1, 2, 9], [3, 4, 9]], np.float32)
    assert raw_to_depth(message(rows, "32FC1", step=12, width=2)).tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("changes", [{"height": 3}, {"step": 4}, {"width": 0}])
def test_sizes_that_do_not_fit_are_refused(changes):
    with pytest.raises(BadImage):
        raw_to_depth(message(np.ones((2, 2), np.float32), "32FC1", **changes))


def test_a_colour_image_is_not_depth():
    with pytest.raises(UnsupportedImage) as caught:
        raw_to_depth(message(np.ones((2, 2), np.uint8), "mono8"))
    assert "mono8" in caught.value.problem and "32FC1" in caught.value.cure
