"""Imports of bags, and refusals of them."""

from dataclasses import replace

import pytest

from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_bag import import_bag
from astra_ros.datasets.rosbag.import_settings import BagSettings

SETTINGS = BagSettings(robot="mine")


def run(bag, out, **changes):
    report = import_bag(bag, out, replace(SETTINGS, **changes))
    frames = report["frames"]
    assert frames["used"] + sum(frames["dropped"].values()) == frames["in_bag"]
    return report


def refused(bag, out, thing="", cure="", **changes):
    """The message with which an import is refused, about ``thing`` if given, with ``cure`` in its cure; it names the
    bag, and nothing is written."""
    with pytest.raises(BagError) as error:
        import_bag(bag, out, replace(SETTINGS, **changes))
    assert thing in ("", error.value.thing) and cure in error.value.cure
    assert bag.name in str(error.value)
    assert not out.exists() or not list(out.iterdir())
    return str(error.value)


def lengths(report):
    return [episode["frames"] for episode in report["episodes"]]
