"""Explore worlds: every robot's, and one of each by name."""

import pytest

from astra_ros.simulation.explore import world as explore_world
from astra_ros.simulation.explore.robots import ROBOTS
from astra_ros.simulation.explore.world import make


@pytest.fixture(scope="module", params=sorted(ROBOTS))
def world(request):
    with make(request.param, 64) as made:
        yield made


@pytest.fixture(scope="module")
def rover():
    with make("rover", 64) as made:
        yield made


@pytest.fixture(scope="module")
def drone():
    with make("drone", 64) as made:
        yield made


@pytest.fixture
def unpainted(monkeypatch):
    """Resets without pictures, for tests of many seeds."""

    class Nothing:
        def show(self, client):
            pass

    monkeypatch.setattr(explore_world, "house_mesh", lambda house: Nothing())
