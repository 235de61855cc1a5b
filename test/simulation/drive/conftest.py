"""A drive world, and streets made by hand."""

import numpy as np
import pytest

from astra_ros.control.vehicle import VehicleState
from astra_ros.simulation.drive import world as drive_world
from astra_ros.simulation.drive.road import Lane, Road, rounded_polygon
from astra_ros.simulation.drive.scene import DriveLayout
from astra_ros.simulation.drive.world import DriveWorld, DriveWorldSettings, make


@pytest.fixture(scope="module")
def world():
    with make(size=64) as made:
        yield made


@pytest.fixture
def street(monkeypatch):
    """Makes worlds on a road of our own: ``street(obstacles, vehicles)``.

    The road is a rounded rectangle, two lanes of 3.5 m. The car starts on its lower side, which is
    straight along x from 20 to 180: s = 0 at (100, 0), heading 0, the right lane's middle at
    y = -1.75. Its rear axle is at (98.7, -1.75), so its bumper (4.2 - 0.8 = 3.4 m on) at x = 102.1
    and its camera (1.2 m on) at x = 99.9.
    """
    corners = np.array([(0.0, 0.0), (200.0, 0.0), (200.0, 90.0), (0.0, 90.0)])
    start, pieces = rounded_polygon(corners, np.full(4, 20.0))
    road = Road(start, pieces, (Lane(-1.75, 1), Lane(1.75, -1)), 3.5, closed=True)
    made = []

    def build(obstacles=(), vehicles=(), car=VehicleState(98.7, -1.75, 0.0), **settings):
        layout = DriveLayout(
            road=road,
            side_roads=(),
            shoulder=0.5,
            sidewalk=0.0,
            crossings=(),
            obstacles=tuple(obstacles),
            vehicles=tuple(vehicles),
            start=car,
            start_lane=0,
        )
        monkeypatch.setattr(drive_world, "sample_layout", lambda *_: layout)
        made.append(DriveWorld(DriveWorldSettings(**settings)))
        return made[-1]

    yield build
    for each in made:
        each.close()
