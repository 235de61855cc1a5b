"""The explorer node: it maps a house with a mobile base, and goes where imagined motions show most.

It stops the base, imagines candidate motions, has the best one executed for ``act_s`` on ``cmd_vel``, and begins
again, until no frontier is left. The map is made from depth images, or taken from another node.

It reads `image`, `odom`, and `depth` with `depth_info` or else `map`. It publishes `cmd_vel`, `~/grid`, `~/frontiers`,
`~/imagined/image` and /diagnostics, and answers `~/pause`, `~/resume` and `~/reset`. All topics: docs/topics.md.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import fields

import numpy as np
from geometry_msgs.msg import Twist
from nav_msgs.msg import OccupancyGrid as OccupancyGridMsg
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger
from visualization_msgs.msg import Marker, MarkerArray

from astra_ros.agents.exploration import ExplorationSettings, WorldExploration
from astra_ros.bridge.images import image_to_depth, image_to_rgb, rgb_to_image
from astra_ros.bridge.occupancy_grids import frontiers_to_markers, grid_to_message, message_to_grid
from astra_ros.bridge.paths import odometry_to_motion
from astra_ros.bridge.stamps import to_seconds
from astra_ros.camera.lens import read_lens
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.errors import UserError, as_user_error
from astra_ros.inference import load_world_model
from astra_ros.nodes.diagnostics import DiagnosticsPublisher
from astra_ros.nodes.executable import run
from astra_ros.nodes.explorer.core import ExplorerCore, NextMotion
from astra_ros.nodes.explorer.pilot import ExplorerPilot
from astra_ros.nodes.explorer.settings import IMAGINED, TOPIC, ExplorerSettings
from astra_ros.nodes.imagine.model_thread import ModelThread
from astra_ros.nodes.parameters import SettingsParameters
from astra_ros.nodes.qos import CAMERA, LATCHED, best_effort, reliable
from astra_ros.nodes.reports import ERROR, OK, WARN, Status, ThrottledReports
from astra_ros.ranking.imaginer import Imaginer, RankingSettings

TICK_S = 0.05
PERIOD_S = 0.5  # between two maps that are published, and between two images that are learned from


class ExplorerNode:
    """Takes what the base sees in the executor's thread; imagines in a thread of its own."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._parameters = SettingsParameters(node)
        names = tuple(item.name for item in fields(ExplorerSettings))
        nested = [item.name for part in ("mapping", "frontiers") for item in fields(getattr(ExplorerSettings(), part))]
        self.settings = self._parameters.declare("", ExplorerSettings(), read_only=(*names, *nested))
        self._parameters.warn_of_unknown()
        self._lock = threading.Lock()  # of the core, which the model's thread learns with
        self._core: ExplorerCore | None = None
        self._lens: PinholeCamera | None = None
        self._stamp = None
        self._refused = ThrottledReports(node.get_logger().error)
        self._model = ModelThread(self._load, self._decide, self._learn, self.failed)
        self._pilot = ExplorerPilot(self.settings.act_s, self._model.request, self)

        self._command = node.create_publisher(Twist, "cmd_vel", reliable(5))
        self._map = node.create_publisher(OccupancyGridMsg, "~/grid", LATCHED)
        self._frontiers = node.create_publisher(MarkerArray, "~/frontiers", LATCHED)
        # Not latched: it is made only while a node subscribes, and an old one would look like the newest.
        self._video = node.create_publisher(Image, "~/imagined/image", reliable(1))
        listen = node.create_subscription
        listen(Image, "image", self._on_image, CAMERA)
        listen(Odometry, "odom", self._on_odometry, best_effort(20))
        if self.settings.map_from == TOPIC:
            listen(OccupancyGridMsg, "map", self._on_grid, LATCHED)
        else:
            listen(Image, "depth", self._on_depth, CAMERA)
            listen(CameraInfo, "depth_info", self._on_depth_info, CAMERA)
        for name, answer in (("pause", self._on_pause), ("resume", self._on_resume), ("reset", self._on_reset)):
            node.create_service(Trigger, f"~/{name}", answer)
        DiagnosticsPublisher(node, lambda: [self._status()], lambda: self.settings.model)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timers = [
            node.create_timer(TICK_S, self._on_tick, clock=steady),
            node.create_timer(PERIOD_S, self._on_period, clock=steady),
        ]
        self._model.start()

    def close(self) -> bool:
        """Stop the base, then the thread."""
        for timer in self._timers:
            timer.cancel()
        self._command.publish(Twist())
        return self._model.stop()

    # -- the model's thread ------------------------------------------------------------------------------------------

    def _load(self) -> ExplorerCore:
        own = self.settings
        model = load_world_model(own.backend, own.model, own.device)
        ranking = RankingSettings(action_space=own.action_space)
        world = WorldExploration(Imaginer(model, ranking), settings=ExplorationSettings(own.sight_m))
        core = ExplorerCore(world, own)
        with self._lock:
            self._core = core
        self._node.get_logger().info(f"model '{model.card.name}' on {model.runs_on}")
        return core

    def _decide(self, core: ExplorerCore) -> NextMotion:
        with self._lock:
            if why := core.not_ready(self._now_s()):
                raise UserError(why)
            observation = core.observation()
        return core.decide(observation)

    def _learn(self, core: ExplorerCore) -> None:
        with self._lock:
            observation = None if core.not_ready(self._now_s()) else core.observation(decides=False)
        if observation is not None:
            core.learn(observation)

    # -- inputs ------------------------------------------------------------------------------------------------------

    def _on_image(self, msg: Image) -> None:
        with self._taking("image") as core:
            if core and (why := core.take_image(image_to_rgb(msg, "image"), to_seconds(msg.header.stamp))):
                self._node.get_logger().warning(why)

    def _on_odometry(self, msg: Odometry) -> None:
        with self._taking("odom") as core:
            now = odometry_to_motion(msg, "odom")
            if core and (why := core.take_odometry(now, to_seconds(msg.header.stamp))):
                self._node.get_logger().warning(why)
                self._begin_anew()

    def _on_depth_info(self, msg: CameraInfo) -> None:
        with self._taking("depth_info"):
            self._lens = read_lens(msg, (msg.height, msg.width), rectified=False).camera(np.eye(4))

    def _on_depth(self, msg: Image) -> None:
        with self._taking("depth") as core:
            depth = image_to_depth(msg, "depth")
            if core is None or self._lens is None:
                return
            if depth.shape != (self._lens.height, self._lens.width):
                size = f"images are {depth.shape[1]} x {depth.shape[0]} pixels"
                wanted = f"depth_info says {self._lens.width} x {self._lens.height}"
                raise UserError(f"{size}, {wanted}", thing="depth", cure="publish the depth camera's own camera_info")
            self._stamp = msg.header.stamp
            if why := core.take_depth(depth, self._lens, to_seconds(msg.header.stamp)):
                self._refused.add(f"depth: {why}", quiet=True)

    def _on_grid(self, msg: OccupancyGridMsg) -> None:
        with self._taking("map") as core:
            if core is None:
                return
            if not core.frame:
                raise UserError("the map came before any odometry", thing="map", cure="publish odom")
            core.take_grid(message_to_grid(msg, core.frame, "map"))
            self._stamp = msg.header.stamp

    def _taking(self, topic: str):
        return _Taking(self, topic)

    # -- acting ------------------------------------------------------------------------------------------------------

    def _now_s(self) -> float:
        return self._node.get_clock().now().nanoseconds / 1e9

    def _on_tick(self) -> None:
        now_s, core = self._now_s(), self._core
        if core is None:
            if self._model.failure is not None:
                self._pilot.said = f"the model cannot be used: {as_user_error(self._model.failure)}"
            return
        with self._lock:
            waits, lost = core.not_ready(now_s), core.lost(now_s)
        self._pilot.tick(now_s, waits, lost)

    def _begin_anew(self) -> None:
        self._pilot.begin_anew()
        self._frontiers.publish(MarkerArray(markers=[Marker(action=Marker.DELETEALL)]))

    # What the pilot wants: see `Base`.

    def stand(self) -> None:
        self._command.publish(Twist())

    def move(self, ahead: float, turn: float, now_s: float) -> bool:
        msg = Twist()
        msg.linear.x, msg.angular.z = ahead, turn
        self._command.publish(msg)
        assert self._core is not None
        with self._lock:
            touched = self._core.told(ahead, now_s)
        if touched:
            self._node.get_logger().warning("the base is told to move and stands: it has touched something")
        return touched

    def failed(self, error: BaseException) -> str:
        said = str(as_user_error(error))
        self._refused.add(said)
        return said

    def decided(self, decision: NextMotion) -> None:
        stamp = self._stamp or self._node.get_clock().now().to_msg()
        target = None if decision.action is None else _target(decision.action.name)
        self._frontiers.publish(frontiers_to_markers(decision.grid, decision.open_frontiers, target, stamp))
        self._map.publish(grid_to_message(decision.grid, stamp))
        if decision.video is not None and self._video.get_subscription_count():
            self._video.publish(rgb_to_image(decision.video[-1], stamp, "camera"))
        if decision.action is None:
            self._node.get_logger().info(decision.in_words())

    # -- outputs and services ----------------------------------------------------------------------------------------

    def _on_period(self) -> None:
        # A base that stands sees nothing new.
        if self._core is not None and not self._pilot.stands and self.settings.choose == IMAGINED:
            self._model.refresh()
        with self._lock:
            grid = self._core.grid if self._core else None
        if grid is not None and self._stamp is not None and self._map.get_subscription_count():
            self._map.publish(grid_to_message(grid, self._stamp))

    def _on_pause(self, _, response: Trigger.Response) -> Trigger.Response:
        self._pilot.pause()
        response.success, response.message = True, "the base stands until ~/resume"
        return response

    def _on_resume(self, _, response: Trigger.Response) -> Trigger.Response:
        self._pilot.resume()
        response.success, response.message = True, "exploring"
        return response

    def _on_reset(self, _, response: Trigger.Response) -> Trigger.Response:
        with self._lock:
            if self._core is not None:
                self._core.forget()
        self._begin_anew()
        response.success, response.message = True, "the map begins anew"
        return response

    def _status(self) -> Status:
        failed = self._core is None and self._model.failure is not None
        recent = self._refused.recent
        core, pilot, decision = self._core, self._pilot, self._pilot.decision
        with self._lock:
            grid = core.grid if core else None
        values = {
            "known_m2": f"{grid.known_m2:.2f}" if grid else "",
            "open_frontiers": len(decision.open_frontiers) if decision else "",
            "decisions": pilot.decisions,
            "complete": str(pilot.is_complete).lower(),
            "contacts": pilot.contacts,
            "frame": core.frame if core else "",
            "refused": self._refused.count,
            "last_refusal": self._refused.last,
        }
        values |= {f"value.{name}": f"{value:.2f}" for name, value in (decision.candidates if decision else {}).items()}
        level = ERROR if failed else WARN if recent or pilot.said.startswith("waiting") else OK
        return Status("exploration", level, recent or pilot.said, values)


class _Taking:
    """Gives the core, if it is there, under its lock; messages that cannot be used are reported, and the node lives."""

    def __init__(self, explorer: ExplorerNode, topic: str) -> None:
        self._explorer, self._topic = explorer, topic

    def __enter__(self) -> ExplorerCore | None:
        self._explorer._lock.acquire()
        return self._explorer._core

    def __exit__(self, _, error: BaseException | None, __) -> bool:
        self._explorer._lock.release()
        if isinstance(error, UserError):
            self._explorer._refused.add(str(error) if error.thing else f"{self._topic}: {error}")
            return True
        return False


def _target(name: str) -> int | None:
    """The frontier that a motion goes to."""
    last = name.rpartition(" ")[2]
    return int(last) if name.startswith("frontier ") and last.isdigit() else 0 if "nearest" in name else None


def declared_settings() -> dict[str, object]:
    """Namespace -> the settings that the node declares."""
    return {"": ExplorerSettings()}


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return run("explorer", ExplorerNode, declared_settings, argv)


if __name__ == "__main__":
    sys.exit(main())
