"""The interface of all simulated worlds, and their registry.

A new world is one module with a class that fits `World`, and a `WorldSpec` in `WORLDS`: here, or in another package
that the entry point group ``astra_ros.worlds`` names, as ``pond = my_package.pond:WORLD``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from astra_ros.errors import UserError
from astra_ros.registry import Registry, UnknownName


class SceneError(UserError, RuntimeError):
    """No scene fits the settings, which are its ``thing``."""


@dataclass(frozen=True)
class Embodiment:
    """The robot of a world and the columns of its motion.

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
        outcome: higher is better, and 1 is about the best; it is compared with imagined scores.
        collision: whether the robot touched anything that it must not touch.
        parts: name -> the terms of the outcome.
    """

    outcome: float
    collision: bool
    parts: dict[str, float]


class Referee(Protocol):
    """Watches the execution of one plan. It is made at the start of the plan and reads the state there."""

    def watch(self) -> None:
        """Read the state after one more step."""

    def verdict(self) -> Verdict:
        """The judgement of the plan so far."""


class World(Protocol):
    """One simulated world with one robot. The same seed and commands give the same bits.

    ``labels`` are the ground truth of this moment. A name means the same in every world. A world gives the labels that
    apply to it, NaN where there is nothing to measure:

    - ``obstacle_contact`` [] bool: the robot or the object that it pushes touched an obstacle, a wall or another road
      user during the last ``step``.
    - ``object_contact`` [] bool: the arm touched the object during the last ``step``.
    - ``off_road`` [] bool: drive only, a wheel is off the lanes.
    - ``object_position`` [3] m, world frame: arm only, the object.
    - ``nearest_obstacle`` [3] m: mobile robots only, the nearest point of an obstacle, wall or road user in the
      camera's view, in the robot's frame (x forward, y left).
    - ``tool_position`` [3] m, world frame: arm only.
    - ``camera_pose`` [7]: x y z (m) and quaternion x y z w of the camera's optical frame (x right,
      y down, z forward) in the world frame.
    """

    embodiment: Embodiment

    def reset(self, seed: int, style_seed: int | None = None) -> None:
        """Start the episode that belongs to ``seed``: layout, traffic and appearance.

        ``style_seed`` chooses other surfaces and light and changes nothing else: the same commands give the same
        motion and labels.
        """

    def play(self, rng: np.random.Generator, seconds: float) -> str:
        """Choose and command a behaviour for the next ``seconds``; collisions and failures are among them.

        Returns the behaviour's name.
        """

    def step(self, seconds: float) -> None:
        """Advance by ``seconds``, rounded to whole physics steps, at least one."""

    def render(self) -> np.ndarray:
        """The camera's view: uint8 [height, width, 3] RGB."""

    def motion(self) -> np.ndarray:
        """[D] the command: joint positions commanded now (rad), or velocities averaged over the last ``step``."""

    def labels(self) -> dict[str, np.ndarray]:
        """The ground truth now; see the class."""

    def scene(self) -> dict[str, list[float] | float | str]:
        """Facts that hold until the next reset, such as a goal's position, ready for JSON."""

    def camera(self) -> dict | None:
        """The camera as `PinholeCamera.to_dict`.

        Its pose is in the world frame for a fixed camera, else in the robot's base frame. For a camera that is the
        robot, it is in its own optical frame.
        """

    # ``astra rank`` asks for the rest but `between`, recording branches for `between` and some others (NEEDED in
    # ``datasets/branches.py``); other recording does not.

    def command(self, plan) -> None:
        """Follow a JointPlan or VelocityPlan from now on; it replaces the one before."""

    def state(self) -> Any:
        """The true state; each world has its own class."""

    def propose(self, count: int, seed: int) -> list[tuple[str, Any]]:
        """K candidate plans of four seconds from here, good and bad, as (kind, plan)."""

    def between(self) -> Any | None:
        """The plan that the closed loop executes between two choices; None where it has none.

        It has a ``duration_s``.
        """

    def goal_image(self) -> np.ndarray | None:
        """The image of the finished task; None where the task has none."""

    def referee(self) -> Referee:
        """A referee of the next plan."""

    def snapshot(self) -> Any:
        """This moment. What follows ``restore`` of it repeats bit by bit."""

    def restore(self, snapshot: Any) -> None:
        """Go back to a moment of this world."""

    def close(self) -> None:
        """Free the simulation."""


@dataclass(frozen=True)
class WorldSpec:
    """The module of a world and its robots.

    Attributes:
        module: has ``make(robot, size) -> World``.
        robots: robot -> modality of its actions.
    """

    module: str
    robots: dict[str, str]


WORLDS: Registry[WorldSpec] = Registry("world", "astra_ros.worlds", {})
_ARMS = {"panda": "joints", "kuka": "joints"}
WORLDS.register("arm", WorldSpec("astra_ros.simulation.arm.episodes", _ARMS))
WORLDS.register("drive", WorldSpec("astra_ros.simulation.drive.world", {"car": "twist"}))
WORLDS.register("explore", WorldSpec("astra_ros.simulation.explore.world", {"rover": "twist", "drone": "camera"}))
WORLDS.register("pushing", WorldSpec("astra_ros.simulation.arm.planned_pushes", _ARMS))
WORLDS.register("lanes", WorldSpec("astra_ros.simulation.drive.planned_paths", {"car": "twist"}))
ON_REQUEST = ("pushing", "lanes")  # have the same robots as other worlds


def default_worlds() -> list[str]:
    """Names of the worlds that commands take where none is named."""
    return [name for name in WORLDS if name not in ON_REQUEST]


def check_one_world_each(robots: Iterable[tuple[str, str]]) -> None:
    """Raises UserError where a robot of the (world, robot) is in two worlds: files and figures go by its name."""
    worlds: dict[str, list[str]] = {}
    for world, robot in robots:
        worlds.setdefault(robot, []).append(world)
    for robot, found in worlds.items():
        if len(found) > 1:
            raise UserError(f"all have the robot {robot}", thing=f"worlds {', '.join(found)}", cure="name one of them")


def check_a_robot_each(worlds: Iterable[str], robots: Iterable[tuple[str, str]]) -> None:
    """Raises UserError where a world has none of the (world, robot): it would be left out."""
    used = {world for world, _ in robots}
    for world in worlds:
        if world not in used:
            known = ", ".join(WORLDS[world].robots)
            problem, cure = "none of its robots would act", f"name one of {known} too, or leave this world out"
            raise UserError(problem, thing=f"world {world}", cure=cure)


def make_world(world: str, robot: str | None = None, size: int = 128) -> World:
    """A world by name, with the first of its robots or the one that is named.

    Args:
        size: rows and columns of the camera's square image.

    Raises:
        UnknownName: of the world or the robot.
    """
    spec = WORLDS[world]
    robot = next(iter(spec.robots)) if robot is None else robot
    if robot not in spec.robots:
        raise UnknownName(f"robot of world '{world}'", robot, list(spec.robots))
    return importlib.import_module(spec.module).make(robot, size)
