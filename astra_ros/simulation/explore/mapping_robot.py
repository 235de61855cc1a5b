"""A simulated rover that maps what its depth camera sees while it drives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import numpy as np

from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.control.frontier_explorer import Explored
from astra_ros.control.occupancy_mapper import MappingSettings, OccupancyMapper, depth_scan
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.simulation.explore.world import ExploreWorld

# An obstacle that the robot felt and did not see stands so far in front of its body (m).
FELT_M = 0.05


class MappingRobot:
    """Renders, follows commands and steps like its world, and adds each image's depth to a map.

    Attributes:
        time_s, distance_m: simulated seconds and metres driven since the reset.
        contacts: steps in which it touched something.
        known_m2: the floor that was known after each step, with the first image: a list of (s, m, m^2).
    """

    def __init__(self, world: ExploreWorld, settings: MappingSettings = MappingSettings()) -> None:
        assert not world.spec.flies, "a robot on the floor maps it"
        self.world, self._settings = world, settings
        self._pixels = PinholeCamera.from_dict(world.camera()).directions()
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Start in the house of a seed, with an empty map."""
        self.world.reset(seed)
        self._mapper = OccupancyMapper(self._settings, self.world.situation.xy, "odom")
        self.time_s = self.distance_m = 0.0
        self.contacts = 0
        self._touched = False
        self.known_m2: list[tuple[float, float, float]] = []
        self._look()

    @property
    def explored(self) -> Explored:
        """The map and the robot now; its contact is that since the last command."""
        now = self.world.situation
        ahead, turn = self.world.state().velocity
        return Explored(self._mapper.grid, now.xy.copy(), now.yaw, (float(ahead), float(turn)), float(self._touched))

    def render(self) -> np.ndarray:
        """The newest image: uint8 [height, width, 3] RGB."""
        return self._image

    def command(self, plan: VelocityPlan) -> None:
        self._touched = False
        self.world.command(plan)

    def step(self, seconds: float) -> None:
        before = self.world.situation.xy
        self.world.step(seconds)
        now = self.world.situation
        self.time_s += seconds
        self.distance_m += float(np.hypot(*(now.xy - before)))
        if now.contact:
            self.contacts += 1
            self._touched = True
            ahead = np.sign(self.world.motion()[0]) or 1.0
            reach = ahead * (self.world.spec.radius_m + FELT_M)
            self._mapper.bump(now.xy + reach * np.array([np.cos(now.yaw), np.sin(now.yaw)]))
        self._look()

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Whatever the robot does in this block did not happen afterwards."""
        world = self.world.snapshot()
        kept = {name: value for name, value in vars(self).items() if name not in ("world", "_mapper")}
        kept["known_m2"] = list(self.known_m2)
        mapper = deepcopy(self._mapper)
        try:
            yield
        finally:
            self.world.restore(world)
            vars(self).update(kept, _mapper=mapper)

    def _look(self) -> None:
        self._image, depth = self.world.layers()
        pose = np.eye(4)
        camera = self.world.camera_pose
        pose[:3, :3], pose[:3, 3] = camera.rotation, camera.position
        self._mapper.add(depth_scan(depth, self._pixels, pose, self._settings))
        self._mapper.stand(self.world.situation.xy, self.world.spec.radius_m + FELT_M)
        self.known_m2.append((self.time_s, self.distance_m, self._mapper.known_m2))
