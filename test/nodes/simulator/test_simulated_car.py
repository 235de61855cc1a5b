"""A simulated car follows paths on a clock that goes on, and its outcome is that of its last path."""

import numpy as np
import pytest

pytest.importorskip("pybullet")

from astra_ros.control.lane_paths import lane_paths
from astra_ros.control.vehicle_controller import COMFORT, VehicleController
from astra_ros.nodes.simulator.simulated_car import SimulatedCar
from astra_ros.nodes.simulator.simulated_robot import RESET_GAP_S
from astra_ros.plans.errors import StartError
from astra_ros.plans.path_plan import PathPlan
from astra_ros.simulation.camera import CameraSettings
from astra_ros.simulation.drive.path_driver import REST, PathDriver
from astra_ros.simulation.drive.routes import lane_ahead, layout_of
from astra_ros.simulation.drive.world import DASHBOARD_CAMERA, DriveWorld, DriveWorldSettings

SEED = 1001


@pytest.fixture(scope="module")
def car():
    camera = CameraSettings(**vars(DASHBOARD_CAMERA) | {"width": 16, "height": 16})
    made = SimulatedCar(DriveWorld(DriveWorldSettings(camera=camera, physics_hz=120)), SEED)
    yield made
    made.close()


def paths(car):
    state = car.world.state().car
    return dict(lane_paths(lane_ahead(car.world.layout, state), state, "odom"))


def test_the_planner_knows_the_simulators_roads(car):
    assert layout_of(SEED).start == car.world.layout.start


def test_a_path_is_followed_within_25_cm_and_then_the_car_stops(car):
    car.reset(SEED)
    before = car.time_s
    assert car.truth().plan_elapsed_s == -1.0
    path = paths(car)["keep"]
    car.command(path)
    for _ in range(48):
        car.advance(1 / 24)
    state, truth = car.world.state().car, car.truth()
    reference = [np.interp(2.0, path.times_s, column) for column in path.positions[:, :2].T]
    assert np.hypot(*(np.array(reference) - (state.x, state.y))) < 0.5
    assert truth.path_error_m < 0.25 and truth.plan_elapsed_s == pytest.approx(2.0, abs=0.01)
    assert truth.progress > 0.25 and not truth.collision
    assert car.time_s == pytest.approx(before + 2.0, abs=0.01)
    car.command(paths(car)["stop"])
    for _ in range(100):
        car.advance(1 / 24)
    assert car.world.state().car.speed == 0.0
    car.reset(SEED)
    assert car.time_s > before + 2.0 + RESET_GAP_S and car.truth().path_error_m == 0.0


def test_at_rest_it_brakes_as_hard_as_it_can_whatever_is_comfortable(car):
    car.reset(SEED)
    car.command(paths(car)["keep"])
    car.advance(2.0)
    speed, braking = car.world.state().car.speed, car.world.limits.braking
    assert speed > 3.0
    car.command(REST)
    car.advance(speed / braking - 0.1)
    assert 0.0 < car.world.state().car.speed < 1.0
    car.advance(0.2)
    assert car.world.state().car.speed == 0.0


@pytest.mark.parametrize("step_s", [0.25, 1 / 24])
def test_along_a_path_it_brakes_no_harder_than_its_controller_would(car, step_s):
    """However long a step is: the controller's period is 0.1 s, and a step need not be a multiple of that."""
    car.reset(SEED)
    driver, controller = PathDriver(car.world), VehicleController(car.world.limits)
    driver.command(paths(car)["keep"])
    for _ in range(round(2.0 / step_s)):
        driver.step(step_s)
    x, y, yaw, speed, _ = car.world.state().car
    assert speed > 3.0 and 0.0 < driver.acceleration < 2.5
    ahead = np.arange(0.0, 5.0)[:, None] * [np.cos(yaw), np.sin(yaw), 0.0] + [x, y, 0.0]
    driver.command(PathPlan("odom", ahead, np.arange(5.0) * 10.0))  # 0.1 m/s
    driver.step(step_s)
    assert driver.acceleration == pytest.approx(-COMFORT * controller.limits.braking)
    assert car.world.state().car.speed == pytest.approx(speed + driver.acceleration * step_s)


@pytest.mark.parametrize(("asked_s", "ticks"), [(0.0, 1), (0.01, 1), (1 / 24, 5), (0.254, 30)])
def test_a_drivers_time_is_that_of_the_world(car, asked_s, ticks):
    """Which goes on in whole steps of physics, 120 a second here, at least one."""
    car.reset(SEED)
    driver, began_s = PathDriver(car.world), car.world.time_s
    x, y, yaw, *_ = car.world.state().car
    ahead = np.arange(0.0, 5.0)[:, None] * [np.cos(yaw), np.sin(yaw), 0.0] + [x, y, 0.0]
    driver.command(PathPlan("odom", ahead, np.arange(5.0) / 7.0))  # the car speeds up as it can
    steps = 2 if asked_s > 0.1 else 10
    for _ in range(steps):
        driver.step(asked_s)
        assert driver.acceleration == pytest.approx(car.world.limits.acceleration)
    assert car.world.time_s - began_s == pytest.approx(steps * ticks / 120)
    while driver.acceleration > 0.0 and car.world.time_s < began_s + 2.0:
        driver.step(asked_s)
    assert 0.0 <= car.world.time_s - began_s - 4.0 / 7.0 <= 2 * ticks / 120  # it rests once the path's time is over
    driver.step(1.0)
    driver.forget()
    assert driver.acceleration == 0.0


def test_a_path_elsewhere_is_refused_and_the_old_one_goes_on(car):
    car.reset(SEED)
    car.command(paths(car)["keep"])
    car.advance(0.5)
    far = PathPlan("odom", np.array([[1e3, 0.0, 0.0], [1e3 + 5.0, 0.0, 0.0]]))
    with pytest.raises(StartError):
        car.command(far)
    speed = car.world.state().car.speed
    car.advance(0.5)
    assert car.world.state().car.speed > speed
