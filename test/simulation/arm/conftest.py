"""One world per robot for all tests here: each test resets it."""

import pytest

from astra_ros.simulation.arm.episodes import PlayingArm
from astra_ros.simulation.arm.robots import ROBOTS
from astra_ros.simulation.arm.world import ArmWorldSettings


@pytest.fixture(scope="session", params=sorted(ROBOTS))
def world(request):
    with PlayingArm(ArmWorldSettings(robot=request.param)) as made:
        yield made
