"""Exploration by imagination: what is predicted, what is chosen, and what the generator hands on."""

import numpy as np
import pytest
from small_models import BASE, SIZE, write_random_model

from astra_ros.agents.exploration import (
    ByImaginedGain,
    ByMapGain,
    CameraOnBase,
    ExplorationError,
    Observation,
    WorldExploration,
)
from astra_ros.agents.range_reader import LEAST_EXAMPLES, RangeReader
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.control.frontier_explorer import Explored, FrontierExplorer, FrontierSettings
from astra_ros.control.map_prediction import seen_from
from astra_ros.control.occupancy_grid import FREE, OCCUPIED, UNKNOWN, OccupancyGrid
from astra_ros.inference import load_world_model
from astra_ros.inference.card import ModelError
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings

HORIZON = 4


@pytest.fixture(scope="module")
def imaginer(tmp_path_factory):
    write_random_model(folder := tmp_path_factory.mktemp("model"))
    settings = RankingSettings(action_space=BASE.name, horizon=HORIZON, partial_plans=True)
    return Imaginer(load_world_model("torch", folder, "cpu"), settings)


def corridor(unknown_from=6, length=12):
    """A corridor along x, 1 m wide, of cells of 0.5 m, known up to a column."""
    cells = np.full((4, 2 * length), FREE)
    cells[[0, -1]] = OCCUPIED
    cells[:, 0] = OCCUPIED
    cells[:, 2 * unknown_from :] = UNKNOWN
    return OccupancyGrid(cells, 0.5)


def observation(grid=None, x=3.0, yaw=0.0):
    frames = np.random.default_rng(0).integers(0, 256, (3, *SIZE, 3), np.uint8)
    return Observation(grid or corridor(), np.array([x, 1.0]), yaw, frames=frames)


def plan(ahead, turn, name="plan", rows=HORIZON):
    return VelocityPlan(("linear.x", "angular.z"), 0.25, np.tile([ahead, turn], (rows, 1)), name)


def explorer(**more):
    return FrontierExplorer(FrontierSettings(radius_m=0.2, least_frontier_m=0.0, **more))


# -- what a map would become -----------------------------------------------------------------------------------------


def test_a_predicted_map_ends_where_ranges_end_and_at_known_obstacles():
    cells = np.full((3, 8), UNKNOWN)
    cells[1, :3] = FREE
    cells[2, 3] = OCCUPIED
    grid = OccupancyGrid(cells, 1.0)
    # One view from the left: straight on for 5.5 m until an obstacle; another ray to the known one, and not beyond.
    views, bearings = np.array([[0.5, 1.5, 0.0]]), np.array([0.0, np.arctan2(1.0, 3.0)])
    seen = seen_from(grid, views, bearings, np.array([[5.5, 8.0]]), 8.0).cells
    assert seen[1].tolist() == [FREE] * 6 + [OCCUPIED, UNKNOWN]
    assert seen[2, 3] == OCCUPIED and (seen[2, 4:] == UNKNOWN).all()
    # As far as the camera sees there is no obstacle at the end.
    assert OCCUPIED not in seen_from(grid, views, bearings[:1], np.array([[9.0]]), 3.0).cells[1]


def test_bearings_run_from_left_to_right():
    camera = PinholeCamera(4, 4, 2.0, 2.0, 1.5, 1.5, np.eye(4))
    assert CameraOnBase(camera, 2, 1.0).bearings == pytest.approx([np.arctan(0.5), -np.arctan(0.5)])


# -- reading ranges --------------------------------------------------------------------------------------------------


def test_ranges_are_read_as_they_were_learned():
    random = np.random.default_rng(0)
    latents = random.normal(0, 10, (60, 2, 3, 4))
    ranges = np.clip(2.0 + latents[:, 0, 1] * 0.06, 0.0, 4.0)
    reader = RangeReader(4.0)
    assert (reader.read(latents[:1]) == 4.0).all()  # nothing is known yet: nothing blocks the view
    some = ranges.copy()
    some[:, 2] = np.nan  # what is not known teaches nothing
    for each in range(50):
        reader.learn(latents[each : each + 1], some[each : each + 1])
    assert reader.examples == 150 == LEAST_EXAMPLES and reader.is_ready
    held_out = reader.read(latents[50:].reshape(2, 5, 2, 3, 4))
    assert held_out.shape == (2, 5, 4)
    error = np.abs(held_out.reshape(10, 4) - ranges[50:])[:, [0, 1, 3]].mean()
    assert error < 0.5 * np.abs(ranges[50:] - ranges[50:].mean()).mean()


# -- imagining -------------------------------------------------------------------------------------------------------


def test_a_motion_is_predicted_where_it_ends(imaginer):
    world = WorldExploration(imaginer, explorer())
    now = observation()
    ahead, turn = world.predict(now, [plan(0.5, 0.0, "a"), plan(0.0, 0.5, "b")])
    assert ahead.place == pytest.approx([3.5, 1.0]) and ahead.yaw == pytest.approx(0.0)
    assert turn.place == pytest.approx([3.0, 1.0]) and turn.yaw == pytest.approx(0.5)
    assert ahead.velocity == (0.5, 0.0) and 0.0 <= ahead.contact <= 1.0
    known = now.grid.known
    assert ahead.grid.known_m2 > now.grid.known_m2 and (ahead.grid.cells[known] == now.grid.cells[known]).all()
    assert world.imagined(ahead).shape == (HORIZON, *SIZE, 3) and ahead.ranges.shape[0] == HORIZON
    # What was imagined once is not imagined again.
    assert world.predict_next(now, ahead.action) is ahead
    assert world.predict_next(now, plan(0.1, 0.0)) is not ahead


def test_a_model_that_cannot_explore_is_refused(imaginer):
    with pytest.raises(ModelError):
        WorldExploration(Imaginer(imaginer.model, RankingSettings(action_space="rover_twist")))
    with pytest.raises(ExplorationError) as caught:
        WorldExploration(Imaginer(imaginer.model, RankingSettings(action_space="arm")))
    assert "random" in caught.value.thing and BASE.name in caught.value.cure


# -- the generator ---------------------------------------------------------------------------------------------------


class Counting:
    """A policy with the three methods, and nothing else."""

    def __init__(self, steps):
        self.steps, self.seen, self.judged = steps, [], []

    def is_complete(self):
        return len(self.seen) == self.steps

    def select_action(self, observation):
        self.seen.append(observation)
        return plan(0.1 * len(self.seen), 0.0)

    def evaluate(self, predicted):
        self.judged.append(predicted)
        return float(len(self.judged))


def test_the_generator_yields_action_prediction_and_value_and_goes_on_from_what_it_predicted(imaginer):
    policy = Counting(2)
    start = observation()
    steps = list(WorldExploration(imaginer).explore(start, policy))
    assert [set(each) for each in steps] == [{"action", "predicted", "value"}] * 2
    assert [each["value"] for each in steps] == [1.0, 2.0]
    assert [each["action"].velocities[0, 0] for each in steps] == pytest.approx([0.1, 0.2])
    assert [each["predicted"] for each in steps] == policy.judged
    first, second = policy.seen
    assert first is start and second.place == pytest.approx(steps[0]["predicted"].place)
    assert second.frames.shape == start.frames.shape and (second.grid is steps[0]["predicted"].grid)


def test_the_generator_goes_on_from_what_is_sent(imaginer):
    policy, real = Counting(2), observation(x=2.0)
    steps = WorldExploration(imaginer).explore(observation(), policy)
    next(steps)
    steps.send(real)
    assert policy.seen[1] is real
    with pytest.raises(StopIteration):
        next(steps)


def test_the_generator_ends_in_a_closed_room(imaginer):
    room = corridor()
    cells = room.cells.copy()
    cells[:, 11:] = OCCUPIED
    own = explorer()
    assert list(WorldExploration(imaginer, own).explore(observation(room.with_cells(cells)))) == []
    assert own.is_complete()


# -- choosing --------------------------------------------------------------------------------------------------------


def test_the_candidate_whose_prediction_is_worth_most_is_chosen(imaginer):
    own = explorer()
    policy = ByImaginedGain(WorldExploration(imaginer, own), own)
    chosen = policy.select_action(observation())
    assert len(policy.values) == len(policy.predictions) == 3  # one frontier, two turns
    assert chosen is policy.predictions[int(np.argmax(policy.values))].action
    assert policy.evaluate(policy.predictions[0]) == policy.values[0]


def test_the_map_alone_goes_where_it_does_not_know():
    camera = CameraOnBase(PinholeCamera(32, 32, 20.0, 20.0, 15.5, 15.5, _level()), 8, 4.0)
    policy = ByMapGain(explorer(), camera, BASE)
    now = observation(x=2.0)
    chosen = policy.select_action(Explored(now.grid, now.place, now.yaw))
    assert chosen.name == "frontier 0" and not policy.is_complete()


def _level():
    pose = np.eye(4)
    pose[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    return pose


# -- in the simulated house ------------------------------------------------------------------------------------------


def test_an_image_is_learned_from_once(imaginer):
    world = WorldExploration(imaginer)
    world.observe(observation())
    learned = world.reader.examples
    world.observe(observation())
    assert world.reader.examples == learned > 0


def test_a_rover_maps_what_it_sees_on_its_way(imaginer):
    pytest.importorskip("pybullet")
    from astra_ros.camera.frame_size import to_model_size
    from astra_ros.simulation.explore.mapping_robot import MappingRobot
    from astra_ros.simulation.explore.world import make

    own = FrontierExplorer()
    with make("rover", 48) as world:
        robot = MappingRobot(world)
        robot.reset(3)
        frames = [to_model_size(robot.render(), SIZE)] * 3
        known = [robot.explored.grid.known_m2]

        def observed():
            now = robot.explored
            return Observation(now.grid, now.place, now.yaw, now.velocity, now.contact, frames=np.stack(frames[-3:]))

        steps = WorldExploration(imaginer, own).explore(observed())
        step = next(steps)
        for _ in range(3):
            robot.command(step["action"])
            for _ in range(4):
                robot.step(0.25)
                frames.append(to_model_size(robot.render(), SIZE))
            known.append(robot.explored.grid.known_m2)
            step = steps.send(observed())
        assert known[-1] > known[0] + 1.0 and known == sorted(known)
        assert robot.time_s == 3.0 and len(robot.known_m2) == 13 and not own.is_complete()
        # The floor that it maps is free, the walls are where they are.
        grid = robot.explored.grid
        walls = grid.middles(np.argwhere(grid.occupied))
        assert np.abs(world.house.solids.clearance(walls)).max() < 0.15
        # A trial leaves no trace.
        before = robot.explored
        with robot.trial():
            robot.command(plan(0.5, 0.5))
            robot.step(1.0)
        after = robot.explored
        assert (after.place == before.place).all() and (after.grid.cells == before.grid.cells).all()
        assert robot.time_s == 3.0
