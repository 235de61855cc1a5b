"""The road, and the others on it."""

import numpy as np
import pytest
from streets import car_in_lane

from astra_ros.control.vehicle import VehicleState
from astra_ros.simulation.drive.obstacles import Obstacle, footprint, overlap
from astra_ros.simulation.drive.road import Lane, Road

# Others on the road.


def test_traffic_moves_along_its_lane(street):
    world = street(vehicles=[car_in_lane(0, 20.0, 3.0), car_in_lane(1, 60.0, 4.0)])
    world.step(2.0)
    poses = world.traffic.poses(world.state().traffic)
    np.testing.assert_allclose(poses[0], [126.0, -1.75, 0.0], atol=1e-6)
    np.testing.assert_allclose(poses[1], [152.0, 1.75, np.pi], atol=1e-6)


def test_traffic_keeps_its_distance(street):
    world = street(vehicles=[car_in_lane(0, 30.0, 6.0), car_in_lane(0, 45.0, 2.0)])
    for _ in range(40):
        world.step(0.25)
        behind, ahead = world.state().traffic.s
        assert ahead - behind > 4.2 + 1.0
    assert world.state().traffic.speeds[0] == pytest.approx(2.0, abs=0.2)


def test_traffic_brakes_for_the_car_from_behind_and_head_on_if_polite(street):
    """The car stands in the way of all; only the one who does not care runs into it."""
    from_behind = car_in_lane(0, -30.0, 6.0, polite=False)
    head_on = VehicleState(98.7, 1.75, 0.0)
    for vehicle, car, contact in (
        (from_behind, VehicleState(98.7, -1.75, 0.0), False),
        (car_in_lane(1, 30.0, 6.0, polite=True), head_on, False),
        (car_in_lane(1, 30.0, 6.0, polite=False), head_on, True),
    ):
        world = street(vehicles=[vehicle], car=car)
        world.step(10.0)
        assert world.labels()["obstacle_contact"] == contact
        assert world.state().car == car
        assert world.state().traffic.speeds[0] < 0.2


def test_obstacles_stand_apart_and_traffic_drives_through_none(world):
    def outlines_near(place, obstacles):
        return [footprint(t) for t in obstacles if np.hypot(t.x - place.x, t.y - place.y) < 14.0]

    for seed in range(4):
        world.reset(seed)
        obstacles = world.layout.obstacles
        for i, one in enumerate(obstacles):
            assert not any(overlap(footprint(one), o) for o in outlines_near(one, obstacles[:i]))
        for _ in range(4):
            world.step(2.0)
            poses = world.traffic.poses(world.state().traffic)
            for pose, vehicle in zip(poses, world.layout.vehicles):
                body = Obstacle(vehicle.kind, *pose, vehicle.size)
                assert not any(overlap(footprint(body), o) for o in outlines_near(body, obstacles))


# The road.


def test_places_on_the_road_and_back(world):
    for seed in range(4):
        world.reset(seed)
        road = world.layout.road
        rng = np.random.default_rng(seed)
        s, d = rng.uniform(0.0, road.length, 300), rng.uniform(-7.0, 7.0, 300)
        x, y, heading = road.place(s, d)
        s_again, d_again, heading_again = road.locate(x, y)
        # Where a straight joins an arc, s may be off by what the arc would bend.
        np.testing.assert_allclose(road.ahead(s, s_again), 0.0, atol=0.15)
        np.testing.assert_allclose(d_again, d, atol=0.01)
        np.testing.assert_allclose(np.sin(heading_again - heading), 0.0, atol=0.02)
        # It is closed: the end is the start.
        np.testing.assert_allclose(road.end_pose[:2], road.place(0.0, 0.0)[:2], atol=1e-9)


def test_an_arc_by_hand():
    """A quarter of a circle of 10 m: 15.708 m on, the place 2 m to its left is (8, 10)."""
    road = Road((0.0, 0.0, 0.0), [(5 * np.pi, 0.1), (5.0, 0.0)], (Lane(0.0, 1),), 3.0, closed=False)
    x, y, heading = road.place(5 * np.pi, 2.0)
    np.testing.assert_allclose([x, y, heading], [8.0, 10.0, np.pi / 2], atol=1e-9)
    np.testing.assert_allclose(road.end_pose, [10.0, 15.0, np.pi / 2], atol=1e-9)
    assert road.covers(10.0, 14.9) and not road.covers(10.0, 15.2) and not road.covers(8.4, 14.0)
