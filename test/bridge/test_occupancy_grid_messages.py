"""Maps as messages, those that cannot be used, and the markers of frontiers."""

import math

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion
from nav_msgs.msg import OccupancyGrid as OccupancyGridMsg
from visualization_msgs.msg import Marker

from astra_ros.bridge.errors import BridgeError
from astra_ros.bridge.occupancy_grids import frontiers_to_markers, grid_to_message, message_to_grid
from astra_ros.control.frontiers import approaches, frontiers
from astra_ros.control.grid_paths import ways_from
from astra_ros.control.occupancy_grid import OccupancyGrid

GRID = OccupancyGrid([[0, 0, -1], [100, 30, -1]], 0.5, (1.0, -2.0, 0.3), "odom")


def message(**changes) -> OccupancyGridMsg:
    msg = grid_to_message(GRID, Time(sec=3))
    for name, value in changes.items():
        *path, last = name.split("__")
        thing = msg
        for each in path:
            thing = getattr(thing, each)
        setattr(thing, last, value)
    return msg


def test_a_map_comes_back_from_its_message():
    msg = message()
    assert (msg.header.frame_id, msg.header.stamp.sec, msg.info.width, msg.info.height) == ("odom", 3, 3, 2)
    back = message_to_grid(msg, "/odom")
    assert (back.cells == GRID.cells).all() and back.cells.dtype == np.int8
    assert back.resolution_m == 0.5 and back.origin == pytest.approx(GRID.origin)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"header__frame_id": "map"}, "'map'"),
        ({"info__width": 0, "data": []}, "0 x 2"),
        ({"info__height": 0, "data": []}, "3 x 0"),
        ({"info__width": 4}, "6 values"),
        ({"data": [0] * 5}, "5 values"),
        ({"data": [0, 0, 0, 0, 0, 101]}, "101"),
        ({"data": [0, 0, 0, 0, 0, -7]}, "-7"),
        ({"info__resolution": math.nan}, "nan"),
        ({"info__resolution": math.inf}, "inf"),
        ({"info__resolution": 0.0}, "0.0"),
        ({"info__origin__position__x": math.inf}, "inf"),
        ({"info__origin__orientation": Quaternion(w=0.0)}, "0.0, 0.0, 0.0, 0.0"),
        ({"info__origin__orientation": Quaternion(x=1.0, w=0.0)}, "flat"),
    ],
)
def test_a_map_that_cannot_be_used_is_refused_by_name(changes, word):
    with pytest.raises(BridgeError) as caught:
        message_to_grid(message(**changes), "odom", "my_map")
    assert caught.value.thing == "my_map" and caught.value.cure and word in caught.value.problem


def test_frontiers_are_drawn_with_the_target_in_another_colour():
    found = approaches(ways_from(GRID, GRID.middles([0, 0]), 0.1), frontiers(GRID), 0.5)
    msg = frontiers_to_markers(GRID, found, 0, Time(sec=3))
    first, cells, label = msg.markers
    assert first.action == Marker.DELETEALL and cells.header.frame_id == "odom"
    assert [(p.x, p.y) for p in cells.points] == [pytest.approx(tuple(GRID.middles([0, 1])))]
    assert cells.color.g > cells.color.b and "0.5 m wide" in label.text
    other = frontiers_to_markers(GRID, found, None, Time()).markers[1]
    assert other.color.b > other.color.g
