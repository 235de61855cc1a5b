"""What every simulated world offers, and how one is made by name.

A new world is one module with a class that fits `World`, and one line in `WORLDS`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Embodiment:
    """Who acts in a world, and in what numbers.

    Attributes:
        world: key of ``WORLDS``.
        robot: one of that world's robots.
        modality: kind of action, a module of ``astra_ros/plans/action_spaces``.
        motion_names: D names, the columns of ``World.motion``.
    """

    world: str
    robot: str
    modality: str
    motion_names: tuple[str, ...]

    @property
    def space(self) -> str:
        """Name of its action space in a model's card, e.g. 'panda_joints'."""
        return f"{self.robot}_{self.modality}"


@dataclass(frozen=True)
class Verdict:
    """How good an executed plan was.

    Attributes:
        outcome: higher is better, 1 is about as good as it gets; what is compared with scores.
        collision: whether anything was touched that should not be.
        parts: what the outcome is made of, by name.
    """

    outcome: float
    collision: bool
    parts: dict[str, float]


class Referee(Protocol):
    """Watches one plan being executed. It is made where the plan starts, which it has then seen."""

    def watch(self) -> None:
        """See the world after one more step."""

    def verdict(self) -> Verdict:
        """How good the plan was so far."""


class World(Protocol):
    """One simulated world with one robot. The same seed and commands give the same bits.

    ``labels`` are what is true at this moment; the names mean the same in every world, and a world
    gives those that make sense in it, NaN where there is nothing to measure:

    - ``obstacle_contact`` [] bool: the robot (or what it pushes) touched an obstacle, a wall or
      another road user during the last ``step``.
    - ``object_contact`` [] bool: the arm touched the object during the last ``step``.
    - ``off_road`` [] bool: drive only, a wheel is off the lanes.
    - ``object_position`` [3] m, world frame: arm only, the object.
    - ``nearest_obstacle`` [3] m: mobile only, the nearest point of an obstacle, wall or road user that
      the camera can see, in the robot's frame (x forward, y left).
    - ``tool_position`` [3] m, world frame: arm only.
    - ``camera_pose`` [7]: x y z (m) and quaternion x y z w of the camera's optical frame (x right,
      y down, z forward) in the world frame.
    """

    embodiment: Embodiment

    @property
    def time_s(self) -> float:
        """Simulated seconds since the reset."""

    def reset(self, seed: int, style_seed: int | None = None) -> None:
        """Start the episode that belongs to ``seed``: layout, traffic, and how it looks.

        With ``style_seed`` surfaces and light are that seed's, and all else stays: the same commands then
        give the same motion and the same labels.
        """

    def play(self, rng: np.random.Generator, seconds: float) -> str:
        """Choose what the robot does for the next ``seconds``, well or badly, and command it.

        Returns the behaviour's name. Collisions, failures and random play belong to it.
        """

    def command(self, plan) -> None:
        """Follow a JointPlan or VelocityPlan from now on; it replaces the one before."""

    def step(self, seconds: float) -> None:
        """Advance by ``seconds``, rounded to whole physics steps, at least one."""

    def render(self) -> np.ndarray:
        """The camera's view: uint8 [height, width, 3] RGB."""

    def motion(self) -> np.ndarray:
        """[D] what was commanded, in the embodiment's modality.

        Joints: the positions commanded now, rad. Velocities: the mean over the last ``step``.
        """

    def labels(self) -> dict[str, np.ndarray]:
        """What is true now; see the class."""

    def scene(self) -> dict[str, list[float] | float | str]:
        """What stays as it is until the next reset, such as a goal's position; ready for JSON."""

    def state(self) -> Any:
        """The true state, of a kind of its own in every world."""

    def propose(self, count: int, seed: int) -> list[tuple[str, Any]]:
        """Candidate plans of four seconds from here, good and bad: K of (kind, plan)."""

    def goal_image(self) -> np.ndarray | None:
        """What the camera should see in the end, where the world has such a picture."""

    def referee(self) -> Referee:
        """Who says how good the next plan is."""

    def snapshot(self) -> Any:
        """This moment, to come back to with ``restore``: what follows repeats bit by bit."""

    def restore(self, snapshot: Any) -> None:
        """Go back to a moment of this world."""

    def camera(self) -> dict | None:
        """The camera as `PinholeCamera.to_dict`: in the world where it never moves, else on the robot.

        That is in the robot's base frame, or for a camera that moves itself in its own optical frame.
        """

    def close(self) -> None:
        """Free the simulation."""


@dataclass(frozen=True)
class WorldSpec:
    """Where a world is, and who can act in it.

    Attributes:
        module: has ``make(robot, size) -> World``.
        robots: robot -> modality of its actions.
    """

    module: str
    robots: dict[str, str]


WORLDS: dict[str, WorldSpec] = {
    "arm": WorldSpec("astra_ros.simulation.arm.episodes", {"panda": "joints", "kuka": "joints"}),
    "drive": WorldSpec("astra_ros.simulation.drive.world", {"car": "twist"}),
    "explore": WorldSpec("astra_ros.simulation.explore.world", {"rover": "twist", "drone": "camera"}),
}


def make_world(world: str, robot: str | None = None, size: int = 128) -> World:
    """A world by name, with the first of its robots or the one that is named.

    Args:
        size: rows and columns of the camera's square picture.

    Raises:
        ValueError: unknown world or robot; the message lists the known ones.
    """
    if world not in WORLDS:
        raise ValueError(f"unknown world '{world}'; known worlds: {', '.join(WORLDS)}")
    spec = WORLDS[world]
    robot = next(iter(spec.robots)) if robot is None else robot
    if robot not in spec.robots:
        raise ValueError(f"world '{world}' has no robot '{robot}'; it has {', '.join(spec.robots)}")
    return importlib.import_module(spec.module).make(robot, size)
