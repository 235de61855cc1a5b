"""Drives the car of a drive world along paths, with the controller on the car's true state."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from astra_ros.control.path_tracking import FollowedPath, TrackingSettings
from astra_ros.control.vehicle import MOTION_NAMES
from astra_ros.control.vehicle_controller import VehicleController
from astra_ros.plans.path_plan import PathPlan
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.simulation.drive.referee import DriveReferee
from astra_ros.simulation.drive.state import DriveState
from astra_ros.simulation.drive.world import DriveWorld

REST = VelocityPlan(MOTION_NAMES, 1.0, np.zeros((1, 2)), "rest")


class PathDriver:
    """The car as a robot that follows paths in the world frame, which fits ``ActingRobot`` of the closed loop.

    Velocity plans are executed as the world itself does. The world stays its owner's.

    Attributes:
        most_away_m: how far the car has been from the path that it follows; 0 without one.
        acceleration: of the car along its way in the last control period, m/s^2.
    """

    def __init__(self, world: DriveWorld, settings: TrackingSettings = TrackingSettings()) -> None:
        self.world, self._settings = world, settings
        self.controller = VehicleController(world.limits)
        self.forget()

    def forget(self) -> None:
        """Follow nothing any more, as after a reset of the world."""
        self.acceleration = 0.0
        self._follow(None)

    def _follow(self, way: FollowedPath | None) -> None:
        self._way = way
        self._elapsed_s = self.most_away_m = 0.0

    def command(self, plan: PathPlan | VelocityPlan) -> None:
        """Follow a plan from now on; it replaces the one before. Raises PlanError, and then the old one stays."""
        if isinstance(plan, VelocityPlan):
            self.world.command(plan)
            self._follow(None)
            return
        self._follow(FollowedPath(plan, self.world.state().car, self.controller, self._settings))

    def step(self, seconds: float) -> None:
        """Let time pass, in whole physics steps as the world does, at least one; the controller acts once each of its
        periods, or more often where steps end in between."""
        hz = self.world.settings.physics_hz
        ticks = max(1, round(seconds * hz))
        count = math.ceil(ticks / max(1, math.floor(self.controller.period_s * hz + 1e-6)))
        for index in range(count):
            passes_s = ((index + 1) * ticks // count - index * ticks // count) / hz
            speed = self.world.state().car.speed
            if self._way is not None:
                self._act(passes_s)
            self.world.step(passes_s)
            self.acceleration = (self.world.state().car.speed - speed) / passes_s

    def render(self) -> np.ndarray:
        """The camera's view: uint8 [height, width, 3] RGB."""
        return self.world.render()

    def state(self) -> DriveState:
        """The world's."""
        return self.world.state()

    def referee(self) -> DriveReferee:
        """The world's, of the next plan."""
        return self.world.referee()

    def _act(self, seconds: float) -> None:
        assert self._way is not None
        if self._elapsed_s >= self._way.duration_s - 1e-6:
            self.world.command(REST)
            return
        car = self.world.state().car
        controller = replace(self.controller, period_s=seconds)
        action = controller.compute_action(car, self._way.waypoint(car, self._elapsed_s, seconds))
        self.most_away_m = max(self.most_away_m, self._way.away_m)
        # Held until the next action; the period of that one may be shorter.
        self.world.command(VelocityPlan(MOTION_NAMES, self.controller.period_s, np.array([action])))
        self._elapsed_s += seconds
