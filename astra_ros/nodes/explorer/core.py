"""What the explorer node knows and decides, without ROS, clock or thread of its own.

Its inputs are taken as they come. A decision needs a map, the odometry and a full history of images.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from astra_ros.agents.exploration import ByImaginedGain, ByMapGain, Observation, WorldExploration
from astra_ros.camera.frame_size import to_model_size
from astra_ros.camera.history import FrameHistory
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.control.frontier_explorer import FrontierExplorer
from astra_ros.control.frontiers import Approach
from astra_ros.control.occupancy_grid import OccupancyGrid
from astra_ros.control.occupancy_mapper import OccupancyMapper, depth_scan
from astra_ros.nodes.explorer.settings import DEPTH, IMAGINED, NEAREST, ExplorerSettings
from astra_ros.plans.base_now import BaseNow
from astra_ros.plans.velocity_plan import VelocityPlan

KEPT_POSES = 200
# A base that moves so far (m) between two messages was put elsewhere: its map does not fit any more.
JUMP_M = 1.0
# A base that is told to move at this speed (m/s) and stands for so long (s) has touched something.
TOLD_M_S, STANDS_M_S, STANDS_S = 0.1, 0.02, 0.75


@dataclass(frozen=True)
class NextMotion:
    """What was decided.

    Attributes:
        action: the motion; None where nothing is left to explore.
        value: what its prediction is worth, m^2; NaN where nothing was imagined.
        video: uint8 [H, h, w, 3] RGB, the imagined motion; None where nothing was imagined.
        candidates: name -> value of all motions.
    """

    action: VelocityPlan | None
    grid: OccupancyGrid = field(repr=False)
    open_frontiers: list[Approach] = field(repr=False)
    value: float = float("nan")
    video: np.ndarray | None = field(default=None, repr=False)
    candidates: dict[str, float] = field(default_factory=dict)

    def in_words(self) -> str:
        """What is done now."""
        if self.action is None:
            return f"complete: no frontier is left, {self.grid.known_m2:.1f} m^2 are known"
        worth = "" if math.isnan(self.value) else f", worth {self.value:.1f} m^2"
        return f"moving: {self.action.name}{worth}"


class ExplorerCore:
    """Not thread safe, except that `decide` may run in a thread of its own.

    Args:
        world: imagines. Its explorer is the one that finds frontiers.
    """

    def __init__(self, world: WorldExploration, settings: ExplorerSettings) -> None:
        self.settings = settings
        card = world.imaginer.model.card
        self.dt_s = card.dt_s
        self._size = card.image_size
        self._on_base = card.moving_cameras[settings.action_space].camera.world_from_optical
        self._world, self.explorer = world, world.explorer
        self._history = FrameHistory(card.history, card.dt_s)
        self._poses: deque[tuple[float, BaseNow]] = deque(maxlen=KEPT_POSES)
        self.forget()

    def forget(self) -> None:
        """Begin a new map."""
        self._mapper: OccupancyMapper | None = None
        self._given: OccupancyGrid | None = None
        self._mapped_s = -np.inf  # stamp of the newest depth image in the map
        self._history.clear()
        self._touched = False
        self._stands_since: float | None = None
        self.explorer = FrontierExplorer(self.settings.frontiers)

    # -- inputs ------------------------------------------------------------------------------------------------------

    def take_odometry(self, pose: BaseNow, stamp_s: float) -> str:
        """Returns why the map begins anew, or ''."""
        why = ""
        if self._poses:
            before_s, before = self._poses[-1]
            if before.frame != pose.frame:
                why = f"the odometry's frame changed from '{before.frame}' to '{pose.frame}'"
            elif stamp_s < before_s - 1.0:
                why = f"the odometry's time jumped back by {before_s - stamp_s:.1f} s"
            elif np.hypot(pose.x - before.x, pose.y - before.y) > JUMP_M:
                why = f"the odometry jumped by {np.hypot(pose.x - before.x, pose.y - before.y):.1f} m"
        if why:
            self._poses.clear()
            self.forget()
        self._poses.append((stamp_s, pose))
        return f"{why}; the map begins anew" if why else ""

    def take_image(self, rgb: np.ndarray, stamp_s: float) -> str:
        """Returns why the history of images begins anew, or ''."""
        return self._history.push(stamp_s, to_model_size(rgb, self._size)) or ""

    def take_depth(self, depth: np.ndarray, camera: PinholeCamera, stamp_s: float) -> str:
        """Add a depth image [h, w] m to the map; returns why it cannot be used, or ''."""
        pose = self._pose_at(stamp_s)
        if pose is None:
            return self._no_pose() or f"no odometry within {self.settings.stale_s:g} s of the depth image"
        if self._mapper is None:
            self._mapper = OccupancyMapper(self.settings.mapping, (pose.x, pose.y), pose.frame)
        c, s = np.cos(pose.yaw), np.sin(pose.yaw)
        base = np.array([[c, -s, 0, pose.x], [s, c, 0, pose.y], [0, 0, 1, 0], [0, 0, 0, 1]])
        scan = depth_scan(depth, camera.directions(), base @ self._on_base, self.settings.mapping)
        self._mapper.add(scan)
        self._mapper.stand((pose.x, pose.y), self.settings.frontiers.radius_m)
        self._mapped_s = stamp_s
        return ""

    def take_grid(self, grid: OccupancyGrid) -> None:
        """Take a map that another node made."""
        self._given = grid

    def told(self, ahead: float, now_s: float) -> bool:
        """Note the speed (m/s) that the base is told; returns whether it touches something: it stands all the same."""
        pose = self.pose
        if pose is None or abs(ahead) < TOLD_M_S or abs(pose.velocities.get("linear.x", 0.0)) > STANDS_M_S:
            self._stands_since = None
            return False
        self._stands_since = now_s if self._stands_since is None else self._stands_since
        if now_s - self._stands_since < STANDS_S:
            return False
        self._stands_since, self._touched = None, True
        if self._mapper is not None:
            reach = np.sign(ahead) * (self.settings.frontiers.radius_m + self.settings.mapping.resolution_m / 2.0)
            self._mapper.bump(np.array([pose.x + reach * np.cos(pose.yaw), pose.y + reach * np.sin(pose.yaw)]))
        return True

    # -- decisions ---------------------------------------------------------------------------------------------------

    @property
    def pose(self) -> BaseNow | None:
        """Where the base was last."""
        return self._poses[-1][1] if self._poses else None

    @property
    def frame(self) -> str:
        """The frame of odometry and map; '' before the first odometry."""
        return self.pose.frame if self.pose else ""

    @property
    def grid(self) -> OccupancyGrid | None:
        """The map so far."""
        if self.settings.map_from == DEPTH:
            return None if self._mapper is None else self._mapper.grid
        return self._given

    def not_ready(self, now_s: float) -> str:
        """What a decision waits for, or ''."""
        if why := self.lost(now_s):
            return why
        if self.grid is None:
            return "no depth image yet" if self.settings.map_from == DEPTH else "no map yet"
        if self.settings.map_from == DEPTH and (age_s := now_s - self._mapped_s) > self.settings.stale_s:
            return f"the newest depth image is {age_s:.1f} s old"
        if waits := self._history.not_ready():
            return waits
        assert self._history.newest_s is not None
        age_s = now_s - self._history.newest_s
        return f"the newest camera image is {age_s:.1f} s old" if age_s > self.settings.stale_s else ""

    def lost(self, now_s: float) -> str:
        """Why it is not known where the base is, so that it must not move; or ''."""
        if why := self._no_pose():
            return why
        age_s = now_s - self._poses[-1][0]
        return f"the odometry is {age_s:.1f} s old" if age_s > self.settings.stale_s else ""

    def observation(self, decides: bool = True) -> Observation:
        """What is known now; only where `not_ready` gives ''. A contact counts until a decision is made of it."""
        pose, grid = self.pose, self.grid
        assert pose is not None and grid is not None
        touched, self._touched = self._touched, self._touched and not decides
        ahead, turn = (pose.velocities.get(name, 0.0) for name in ("linear.x", "angular.z"))
        place = np.array([pose.x, pose.y])
        return Observation(grid, place, pose.yaw, (ahead, turn), float(touched), frames=self._history.frames())

    def decide(self, observation: Observation) -> NextMotion:
        """The next motion.

        Raises:
            GridError: the base is outside the map.
        """
        explorer, world = self.explorer, self._world
        if self.settings.choose != IMAGINED:
            space = world.imaginer.model.card.action_spaces[self.settings.action_space]
            by_map = ByMapGain(explorer, world.camera, space)
            action = (explorer if self.settings.choose == NEAREST else by_map).select_action(observation)
            return NextMotion(action, observation.grid, explorer.open_frontiers)
        policy = ByImaginedGain(world, explorer)
        step = next(world.explore(observation, policy), None)
        if step is None:
            return NextMotion(None, observation.grid, explorer.open_frontiers)
        values = {each.action.name: value for each, value in zip(policy.predictions, policy.values)}
        video = world.imagined(step["predicted"])
        return NextMotion(step["action"], observation.grid, explorer.open_frontiers, step["value"], video, values)

    def learn(self, observation: Observation) -> None:
        """Learn to read imagined images from a real one."""
        self._world.observe(observation)

    def _no_pose(self) -> str:
        return "" if self._poses else "no odometry yet"

    def _pose_at(self, stamp_s: float) -> BaseNow | None:
        """The pose nearest in time, if it is near."""
        if not self._poses:
            return None
        nearest_s, pose = min(self._poses, key=lambda each: abs(each[0] - stamp_s))
        return pose if abs(nearest_s - stamp_s) <= self.settings.stale_s else None
