"""What the tests of the explore world build their rooms from."""

import numpy as np

from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.simulation.explore.floorplan import ExploreSceneSettings, FloorPlan, Room
from astra_ros.simulation.explore.geometry import Block
from astra_ros.simulation.explore.scene import House, RoomLook
from astra_ros.simulation.explore.world import ExploreState

LOOK = RoomLook((0.9, 0.8, 0.7), (0.5, 0.4, 0.3), (0.6, 0.6, 0.6), (0.3, 0.3, 0.3), "plain", "tiles")


def plan_of(world, rows, dt_s=0.25, name="plan") -> VelocityPlan:
    return VelocityPlan(world.spec.motion_names, dt_s, rows, name)


def hall(world, xy=(6.0, 6.0), yaw=0.0, furniture=()) -> None:
    """Put the robot into one empty room of 12 m x 12 m, its walls' faces at 0.06 and 11.94."""
    settings = ExploreSceneSettings()
    sides = [
        Block("wall", centre, half)
        for centre, half in (
            ((6.0, 0.0, 1.25), (6.0, 0.06, 1.25)),
            ((6.0, 12.0, 1.25), (6.0, 0.06, 1.25)),
            ((0.0, 6.0, 1.25), (0.06, 6.0, 1.25)),
            ((12.0, 6.0, 1.25), (0.06, 6.0, 1.25)),
        )
    ]
    walls = (*sides, *(block for block in furniture if block.kind == "wall"))
    pieces = tuple(block for block in furniture if block.kind != "wall")
    plan = FloorPlan((Room((0.0, 0.0), (12.0, 12.0), False),), (), walls)
    start = world.spec.pose(xy, 1.0 if world.spec.flies else 0.0, yaw)
    house = House(0, 0, settings, plan, (LOOK,), pieces, np.array([0.0, 0.0, 1.0]), start)
    world._enter(house)
    rest = np.zeros(len(world.spec.motion_names))
    world._state = ExploreState(0, start, rest, None, 0, rest, False)


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[key], other[key], equal_nan=one[key].dtype != bool) for key in one
    )
