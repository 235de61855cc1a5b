"""Driving: what a car will see along a planned trajectory, and which of several paths it should follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from astra_ros.agents.loop import ByImagination, Choice, Moment
from astra_ros.camera.frame_size import to_model_size
from astra_ros.control.path_tracking import TrackingSettings, track
from astra_ros.control.vehicle import MOTION_NAMES, VehicleState, advance
from astra_ros.control.vehicle_controller import VehicleController, Waypoint
from astra_ros.errors import UserError
from astra_ros.plans.path_plan import PathPlan
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.ranking.imaginer import Imaginer, Result

SUBSTEPS = 5  # of a step of the model, in which the vehicle's motion is predicted


class DrivingError(UserError, ValueError):
    """A video or trajectory cannot be used. ``found`` is its shape."""

    def __init__(self, problem: str, thing: str, cure: str, found: tuple[int, ...] = ()) -> None:
        super().__init__(problem, thing=thing, cure=cure)
        self.found = found


@dataclass(frozen=True, eq=False)
class DrivePrediction:
    """What was imagined along a trajectory of N waypoints.

    Attributes:
        frames: uint8 [N, h, w, 3] RGB at the model's size; frame k is a step of the model later than frame k - 1.
        states: the vehicle at each frame, predicted by its kinematic model.
        result: the imagination with its score and the critics' reasons.
    """

    frames: np.ndarray = field(repr=False)
    states: list[VehicleState] = field(repr=False)
    result: Result = field(repr=False)


@dataclass
class AutonomousDrivingPrediction:
    """A controller drives a vehicle's kinematic model, and the world model imagines what the camera sees on the way.

    Attributes:
        imaginer: its model must know bases with the columns ``linear.x`` and ``angular.z``.
    """

    imaginer: Imaginer
    vehicle_controller: VehicleController = field(default_factory=VehicleController)
    tracking: TrackingSettings = TrackingSettings()

    def predict_trajectory(
        self,
        current_video: np.ndarray,
        planned_trajectory: np.ndarray | PathPlan,
        state: VehicleState = VehicleState(0.0, 0.0, 0.0),
        seed: int = 0,
    ) -> DrivePrediction:
        """The drive along a trajectory, as the camera will see it.

        Args:
            current_video: uint8 [T, height, width, 3] RGB, oldest first, a step of the model apart, at any size. Where
                it is shorter than the model's history, its first frame stands for the missing ones.
            planned_trajectory: float [N, 2] waypoints x, y (m), one a step of the model, or [N, 3] with the speed there
                (m/s); or a path. All are in the frame of ``state``.
            state: of the vehicle now.
            seed: of the model's noise.

        Raises:
            DrivingError: an empty or wrongly shaped video or trajectory, or numbers that are not finite.
            PlanError: a path that does not begin where the vehicle is, or that it cannot follow.
            NothingToImagine: the model does not know such a base.
        """
        card = self.imaginer.model.card
        history = self._history(current_video)
        if isinstance(planned_trajectory, PathPlan):
            tracked = track(planned_trajectory, state, self.vehicle_controller, self.tracking)
            plan = tracked.plan
            per_step = card.dt_s / self.vehicle_controller.period_s
            count = max(1, round(plan.duration_s / card.dt_s))
            at = [min(round((k + 1) * per_step), len(tracked.states) - 1) for k in range(count)]
            states = [tracked.states[index] for index in at]
        else:
            plan, states = self._driven(_waypoints(planned_trajectory), state)
        now = {"linear.x": state.speed, "angular.z": state.yaw_rate}
        settings, imaginer = self.imaginer.settings, self.imaginer
        steps = min(len(states), settings.horizon)
        result = imaginer.score(history, [plan], now, seed=seed)
        return DrivePrediction(imaginer.pictures(result, np.s_[0, :steps]), states[:steps], result)

    def choose_path(
        self, state: Callable[[], VehicleState], seed: int = 0
    ) -> Callable[[Moment, Sequence[PathPlan]], Choice]:
        """A choice among paths for the closed loop; ``state`` tells where the vehicle is, in the frame of the paths."""

        def motion_now() -> Mapping[str, float]:
            now = state()
            return {"linear.x": now.speed, "angular.z": now.yaw_rate}

        def begun(path: PathPlan) -> VelocityPlan:
            return track(path, state(), self.vehicle_controller, self.tracking).plan

        return ByImagination(self.imaginer, motion_now, begun, seed=seed)

    def _history(self, video: np.ndarray) -> np.ndarray:
        card, video = self.imaginer.model.card, np.asarray(video)
        if video.ndim != 4 or video.shape[-1] != 3 or not video.shape[0] or video.dtype != np.uint8:
            problem, cure = f"it is {video.dtype} {list(video.shape)}", "give uint8 [T, height, width, 3] RGB, T >= 1"
            raise DrivingError(problem, "current_video", cure, video.shape)
        frames = [to_model_size(frame, card.image_size) for frame in video[-card.history :]]
        return np.stack([frames[0]] * (card.history - len(frames)) + frames)

    def _driven(self, waypoints: np.ndarray, state: VehicleState) -> tuple[VelocityPlan, list[VehicleState]]:
        """The commands that drive through waypoints [N, 3], and the states after each."""
        dt_s = self.imaginer.model.card.dt_s
        controller = VehicleController(self.vehicle_controller.limits, self.vehicle_controller.settings, dt_s)
        rows, states = [], [state]
        for waypoint in waypoints:
            here = states[-1]
            x, y, speed = waypoint.tolist()
            if np.isnan(speed):
                speed = float(np.hypot(x - here.x, y - here.y)) / dt_s
            action = controller.compute_action(here, Waypoint(x, y, speed))
            for _ in range(SUBSTEPS):
                here = advance(here, action, controller.limits, dt_s / SUBSTEPS)
            rows.append(action)
            states.append(here)
        return VelocityPlan(MOTION_NAMES, dt_s, np.array(rows), "trajectory"), states[1:]


def _waypoints(trajectory: np.ndarray) -> np.ndarray:
    """float64 [N, 3]; the speed is NaN where it follows from the distance."""
    points = np.asarray(trajectory, dtype=np.float64)
    if points.ndim != 2 or points.shape[-1] not in (2, 3) or not len(points):
        problem, cure = f"its shape is {list(points.shape)}", "give waypoints [N, 2] or [N, 3], N >= 1"
        raise DrivingError(problem, "planned_trajectory", cure, points.shape)
    if not np.isfinite(points).all():
        index = int(np.argwhere(~np.isfinite(points))[0, 0])
        raise DrivingError(f"waypoint {index} is not finite", "planned_trajectory", "give finite m and m/s", (index,))
    return points if points.shape[1] == 3 else np.insert(points, 2, np.nan, axis=1)
