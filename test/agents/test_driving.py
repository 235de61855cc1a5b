"""`AutonomousDrivingPrediction`: shapes, where the car goes, and what cannot be predicted."""

import numpy as np
import pytest
from small_models import SIZE, write_random_model

from astra_ros.agents.driving import AutonomousDrivingPrediction, DrivingError
from astra_ros.agents.loop import Moment
from astra_ros.control.path_tracking import TrackingSettings
from astra_ros.control.vehicle import VehicleLimits, VehicleState
from astra_ros.control.vehicle_controller import VehicleController
from astra_ros.critics.scoring import ScoringSettings
from astra_ros.inference import load_world_model
from astra_ros.plans.errors import StartError
from astra_ros.plans.path_plan import PathPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.ranking.prepare import NothingToImagine

VIDEO = np.random.default_rng(0).integers(0, 255, (3, 64, 96, 3), np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    write_random_model(folder := tmp_path_factory.mktemp("model"))
    return load_world_model("torch", str(folder), "cpu")


@pytest.fixture
def driving(model):
    never = ScoringSettings(veto_below=0.0, risky_below=0.0)
    imaginer = Imaginer(model, RankingSettings(horizon=8, critics=("smoothness", "progress")), scoring=never)
    return AutonomousDrivingPrediction(imaginer, VehicleController(VehicleLimits(min_radius=2.0)), TrackingSettings())


def ahead(count, speed=1.0, dt_s=0.25):
    return np.stack([speed * dt_s * np.arange(1, count + 1), np.zeros(count)], axis=1)


def path(y=0.0, length=2.0, name="s/0"):
    places = np.stack([np.linspace(0.0, length, 5), np.full(5, y), np.zeros(5)], axis=1)
    return PathPlan("odom", places, np.linspace(0.0, 2.0, 5), name)


def test_one_frame_and_one_state_a_waypoint(driving):
    state = VehicleState(0.0, 0.0, 0.0, 1.0)
    made = driving.predict_trajectory(VIDEO, ahead(6), state)
    assert made.frames.shape == (6, *SIZE, 3) and made.frames.dtype == np.uint8 and len(made.states) == 6
    assert made.states[-1].x == pytest.approx(1.5, abs=0.3) and made.states[-1].y == pytest.approx(0.0, abs=1e-6)
    # Waypoints with speeds: one second at 2 m/s.
    faster = driving.predict_trajectory(VIDEO, np.insert(ahead(4, 2.0), 2, 2.0, axis=1), state)
    assert faster.states[-1].speed == pytest.approx(2.0)
    same = driving.predict_trajectory(VIDEO, ahead(6), state)
    np.testing.assert_array_equal(made.frames, same.frames)


def test_a_path_is_followed_from_where_the_vehicle_is(driving):
    made = driving.predict_trajectory(VIDEO, path(), VehicleState(0.0, 0.0, 0.0, 1.0))
    assert made.frames.shape == (8, *SIZE, 3)
    np.testing.assert_allclose([state.x for state in made.states], np.arange(1, 9) * 0.25, atol=0.1)
    with pytest.raises(StartError):
        driving.predict_trajectory(VIDEO, path(y=5.0), VehicleState(0.0, 0.0, 0.0))


def test_a_short_video_is_filled_with_its_first_frame(driving):
    one = driving.predict_trajectory(VIDEO[:1], ahead(2))
    three = driving.predict_trajectory(np.repeat(VIDEO[:1], 3, axis=0), ahead(2))
    np.testing.assert_array_equal(one.frames, three.frames)


@pytest.mark.parametrize(
    ("video", "trajectory", "thing"),
    [
        (VIDEO[0], ahead(2), "current_video"),
        (VIDEO[:0], ahead(2), "current_video"),
        (VIDEO.astype(float), ahead(2), "current_video"),
        (VIDEO, np.zeros((0, 2)), "planned_trajectory"),
        (VIDEO, np.zeros((3, 4)), "planned_trajectory"),
        (VIDEO, np.full((3, 2), np.nan), "planned_trajectory"),
    ],
)
def test_what_cannot_be_used_is_refused(driving, video, trajectory, thing):
    with pytest.raises(DrivingError) as error:
        driving.predict_trajectory(video, trajectory)
    assert error.value.thing == thing and error.value.cure


def test_a_model_that_knows_no_such_base_is_named(model):
    arm = AutonomousDrivingPrediction(Imaginer(model, RankingSettings(action_space="arm")))
    with pytest.raises(NothingToImagine):
        arm.predict_trajectory(VIDEO, ahead(2))


def test_the_loop_chooses_among_paths_that_can_be_followed(driving):
    driving.imaginer.configure(driving.imaginer.settings, {}, driving.imaginer.scoring)
    choose = driving.choose_path(lambda: VehicleState(0.0, 0.0, 0.0, 1.0))
    choice = choose(Moment(0, 0.0, VIDEO), [path(y=9.0, name="far"), path(name="near")])
    assert choice.index == 1 and choice.result.names == ("near",)
