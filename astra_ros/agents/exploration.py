"""Exploration by imagined information gain: what will the map be worth if the robot moves like this?

Candidate motions are imagined as video. From each imagined latent is read how far the camera would see, and the map is
extended by that much from where the motion takes the robot. The candidate whose map is worth most is chosen.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypedDict

import numpy as np

from astra_ros.agents.range_reader import RangeReader
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.control.frontier_explorer import Explored, FrontierExplorer
from astra_ros.control.map_prediction import seen_from
from astra_ros.control.occupancy_grid import OccupancyGrid, ranges_in
from astra_ros.errors import UserError
from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.ranking.imaginer import Imaginer, Result
from astra_ros.settings import CheckedSettings, setting

# Imagined frames that extend the map: neighbours see nearly the same.
SOME = slice(1, None, 2)


class ExplorationError(UserError, ValueError):
    """The world model cannot imagine for this explorer."""


@dataclass(frozen=True)
class ExplorationSettings(CheckedSettings):
    """How imagined motions extend the map."""

    sight_m: float = setting(4.0, "how far the camera is expected to see, m", 0.1, 100.0, "m")


@dataclass(frozen=True, eq=False)
class Observation(Explored):
    """What an explorer knows, with what its camera saw.

    Attributes:
        frames: uint8 [T, h, w, 3] RGB, oldest first, at the model's size and a step of the model apart.
    """

    frames: np.ndarray = field(kw_only=True, repr=False)


@dataclass(frozen=True, eq=False)
class Prediction(Explored):
    """What an explorer would know after a motion.

    Attributes:
        action: the motion.
        ranges: [H, w] m, how far the camera would see in each column of each imagined image.
        result: of the request in which it was imagined.
        index: of the motion among its plans.
        before: the observation that it begins with.
    """

    action: VelocityPlan = field(kw_only=True)
    ranges: np.ndarray = field(kw_only=True, repr=False)
    result: Result = field(kw_only=True, repr=False)
    index: int = field(kw_only=True)
    before: Observation = field(kw_only=True, repr=False)


class ExplorationPolicy(Protocol):
    """Where to explore."""

    def is_complete(self) -> bool:
        """Whether nothing was left to explore at the last ``select_action``."""

    def select_action(self, observation: Observation) -> VelocityPlan | None:
        """The next motion; None where nothing is left to explore."""

    def evaluate(self, predicted: Explored) -> float:
        """What a predicted moment is worth; higher is better."""


class ExplorationStep(TypedDict):
    """What ``WorldExploration.explore`` yields: the motion, what would come of it, and what that is worth."""

    action: VelocityPlan
    predicted: Prediction
    value: float


class CameraOnBase:
    """Where a base's camera looks, and what that adds to a map.

    Args:
        camera: at the size of the images, its pose in the base's frame; it looks ahead, level.
        columns: directions that are told apart, from left to right.
        sight_m: how far it is expected to see.
    """

    def __init__(self, camera: PinholeCamera, columns: int, sight_m: float) -> None:
        pixels = (np.arange(columns) + 0.5) * camera.width / columns - 0.5
        self.bearings = -np.arctan((pixels - camera.cx) / camera.fx)
        self.sight_m = sight_m
        self._on_base = camera.world_from_optical

    def views(self, state: Explored, poses: np.ndarray) -> np.ndarray:
        """[N, 3] x, y and yaw of the camera where the base is at poses [N, 4, 4] in its frame of now."""
        cameras = _on_floor(state) @ poses @ self._on_base
        ahead = cameras[:, :2, 2]
        return np.column_stack([cameras[:, :2, 3], np.arctan2(ahead[:, 1], ahead[:, 0])])

    def extended(self, state: Explored, poses: np.ndarray, ranges: np.ndarray) -> OccupancyGrid:
        """The map after the camera has seen ``ranges`` [N, W] (m) from poses [N, 4, 4]."""
        return seen_from(state.grid, self.views(state, poses), self.bearings, ranges, self.sight_m)

    def ranges_now(self, state: Explored) -> np.ndarray:
        """[W] m, how far it sees by the map; NaN where the map does not know."""
        x, y, yaw = self.views(state, np.eye(4)[None])[0]
        ranges, known = ranges_in(state.grid, (x, y), yaw + self.bearings, self.sight_m)
        return np.where(known, ranges, np.nan)


class WorldExploration:
    """Imagines what motions of a mobile base would show.

    Args:
        imaginer: its settings name the base's action space; that needs a moving camera in the model's card.
        reader: reads ranges from latents; by default one that has learned nothing yet. It learns on the way.

    Raises:
        ExplorationError: the model knows no moving camera for that action space.
    """

    def __init__(
        self,
        imaginer: Imaginer,
        explorer: FrontierExplorer | None = None,
        settings: ExplorationSettings = ExplorationSettings(),
        reader: RangeReader | None = None,
    ) -> None:
        self.imaginer, self.settings = imaginer, settings
        self.explorer = explorer or FrontierExplorer()
        card, space = imaginer.model.card, imaginer.settings.action_space
        card.check_knows(space)
        if space not in card.moving_cameras:
            known = f"take one that does; it knows {', '.join(sorted(card.moving_cameras)) or 'none'}"
            raise ExplorationError(f"no moving camera for {space}", thing=f"model '{card.name}'", cure=known)
        fitted = card.moving_cameras[space].camera.fitted(card.image_size)
        self.camera = CameraOnBase(fitted, card.latent_shape[2], settings.sight_m)
        self.reader = RangeReader(settings.sight_m) if reader is None else reader
        self._learned: np.ndarray | None = None
        self._predicted: list[Prediction] = []

    def predict(self, observation: Observation, plans: Sequence[VelocityPlan]) -> list[Prediction]:
        """What each of K motions would show, imagined in one request.

        Raises:
            NothingToImagine: no plan fits the model's action space and horizon.
        """
        self.observe(observation)
        now = dict(zip(plans[0].motion_names, observation.velocity))
        result = self.imaginer.score(observation.frames, plans, now)
        space, motion = result.prepared.space, result.prepared.motion
        poses = space.poses(motion, self.imaginer.model.card.dt_s)
        ranges_KHW = self.reader.read(result.imagination.latents)
        made = []
        for index, plan in enumerate(result.prepared.plans):
            grid = self.camera.extended(observation, poses[index, SOME], ranges_KHW[index, SOME])
            place, yaw = _moved(observation, poses[index, -1])
            contact = result.scores[index].critics.get("collision")
            velocity = (float(motion[index, -1, 0]), float(motion[index, -1, 1]))
            risk = 0.0 if contact is None else float(contact.raw)
            more = dict(action=plan, ranges=ranges_KHW[index], result=result, index=index, before=observation)
            made.append(Prediction(grid, place, yaw, velocity, risk, **more))
        self._predicted = made
        return made

    def predict_next(self, observation: Observation, action: VelocityPlan) -> Prediction:
        """What one motion would show. A motion that was among the last ones of ``predict`` is not imagined again."""
        for each in self._predicted:
            if each.action is action and each.before is observation:
                return each
        return self.predict(observation, [action])[0]

    def imagined(self, prediction: Prediction) -> np.ndarray:
        """The imagined video of a prediction: uint8 [H, h, w, 3] RGB."""
        return self.imaginer.pictures(prediction.result, prediction.index)

    def explore(
        self, current_observation: Observation, exploration_policy: ExplorationPolicy | None = None
    ) -> Generator[ExplorationStep, Observation | None, None]:
        """Choose a motion, predict what it shows, and say what that is worth, until nothing is left to explore.

        Send what the robot then really observed, and exploration goes on from there. Without it, it goes on from what
        was predicted: the whole exploration is imagined.

        Args:
            exploration_policy: by default ``ByImaginedGain`` of the own explorer.
        """
        policy = exploration_policy or ByImaginedGain(self, self.explorer)
        observation = current_observation
        while not policy.is_complete():
            action = policy.select_action(observation)
            if action is None:
                return
            predicted = self.predict_next(observation, action)
            value = policy.evaluate(predicted)
            observed = yield ExplorationStep(action=action, predicted=predicted, value=value)
            observation = self._gone_on(predicted) if observed is None else observed

    def _gone_on(self, predicted: Prediction) -> Observation:
        """A prediction as the observation of the next motion."""
        frames = np.concatenate([predicted.before.frames, self.imagined(predicted)])[-len(predicted.before.frames) :]
        return Observation(predicted.grid, predicted.place, predicted.yaw, predicted.velocity, frames=frames)

    def observe(self, observation: Observation) -> None:
        """Learn to read ranges from the newest image and the map; more often than motions are chosen, if possible."""
        newest = observation.frames[-1]
        if self._learned is not None and np.array_equal(self._learned, newest):
            return
        self._learned = newest
        latent = self.imaginer.model.encode(observation.frames)[-1:]
        self.reader.learn(latent, self.camera.ranges_now(observation)[None])


class ByImaginedGain:
    """Imagines the explorer's candidate motions, and takes the one whose prediction is worth most.

    Attributes:
        predictions, values: of the last candidates.
    """

    def __init__(self, world: WorldExploration, explorer: FrontierExplorer) -> None:
        self._world, self._explorer = world, explorer
        self.predictions: list[Prediction] = []
        self.values: list[float] = []

    def is_complete(self) -> bool:
        return self._explorer.is_complete()

    def select_action(self, observation: Observation) -> VelocityPlan | None:
        plans = self._explorer.candidates(observation)
        self.predictions = self._world.predict(observation, plans) if plans else []
        self.values = [self.evaluate(each) for each in self.predictions]
        if not self.predictions:
            return None
        actions = [each.action for each in self.predictions]
        return actions[self._explorer.choose(actions, self.values)]

    def evaluate(self, predicted: Explored) -> float:
        return self._explorer.evaluate(predicted)

    def observe(self, observation: Observation) -> None:
        self._world.observe(observation)


class ByMapGain:
    """The same without imagination: what is not known is taken for free as far as the camera sees."""

    def __init__(self, explorer: FrontierExplorer, camera: CameraOnBase, space: ActionSpace) -> None:
        self._explorer, self._camera, self._space = explorer, camera, space

    def is_complete(self) -> bool:
        return self._explorer.is_complete()

    def select_action(self, observation: Explored) -> VelocityPlan | None:
        plans = self._explorer.candidates(observation)
        values = [self.evaluate(self._predicted(observation, plan)) for plan in plans]
        return plans[self._explorer.choose(plans, values)] if plans else None

    def evaluate(self, predicted: Explored) -> float:
        return self._explorer.evaluate(predicted)

    def _predicted(self, observation: Explored, plan: VelocityPlan) -> Explored:
        times_s = np.arange(len(plan.velocities) + 1) * plan.dt_s
        motion = plan.reordered(self._space.motion_names).motion(times_s)
        poses = self._space.poses(motion, plan.dt_s)
        ranges = np.full((len(poses[SOME]), len(self._camera.bearings)), self._camera.sight_m)
        grid = self._camera.extended(observation, poses[SOME], ranges)
        return Explored(grid, *_moved(observation, poses[-1]))


def _on_floor(state: Explored) -> np.ndarray:
    """[4, 4] the base in the map."""
    c, s = np.cos(state.yaw), np.sin(state.yaw)
    x, y = state.place
    return np.array([[c, -s, 0.0, x], [s, c, 0.0, y], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])


def _moved(state: Explored, pose: np.ndarray) -> tuple[np.ndarray, float]:
    """Place [2] and yaw of the base at a pose [4, 4] in its frame of now."""
    moved = _on_floor(state) @ pose
    return moved[:2, 3], float(np.arctan2(moved[1, 0], moved[0, 0]))
