"""Names of 100,000 characters in a bag: what is said about them stays short, what is stored stays whole."""

from dataclasses import replace

import numpy as np
import pytest
from bag_maker import BagMaker

from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.datasets.rosbag.report import report_text
from astra_ros.texts import TEXT

LONG = "x" * 100_000
SETTINGS = BagSettings(robot="mine")


def bag_of(path, frame="camera", encoding="rgb8", joint="j1"):
    with BagMaker(path) as bag:
        for t in np.arange(0, 6, 0.1):
            bag.image(t, frame=frame, encoding=encoding)
            bag.joints(t, **{joint: 0.2 * t})
    return path


def test_the_report_is_short_in_every_line(tmp_path):
    report = import_bag(bag_of(tmp_path / "bag", frame=LONG, joint=LONG), tmp_path / "out", SETTINGS, dry_run=True)
    assert report["camera"]["frame_id"] == LONG
    lines = report_text(report).splitlines()
    assert max(map(len, lines)) < TEXT + 60
    (frame,) = [line for line in lines if line.startswith("camera ")]
    assert len(frame) < 250 and frame.endswith("'; made 64 x 64")


@pytest.mark.parametrize("changes, settings", [({"encoding": LONG}, {}), ({"joint": LONG}, {"joints": ("j1",)})])
def test_an_error_is_short_and_still_names_its_bag(tmp_path, changes, settings):
    with pytest.raises(BagError) as error:
        import_bag(bag_of(tmp_path / "bag", **changes), tmp_path / "out", replace(SETTINGS, **settings))
    assert str(error.value).startswith(str(tmp_path / "bag"))
    assert max(map(len, str(error.value).splitlines())) < TEXT + 300
