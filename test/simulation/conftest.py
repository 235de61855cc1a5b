"""One world per robot for all tests here: each test resets it."""

import pytest

from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings
from astra_ros.simulation.arm.robots import ROBOTS


@pytest.fixture(scope="session", params=sorted(ROBOTS))
def world(request):
    with ArmWorld(ArmWorldSettings(robot=request.param)) as made:
        yield made
