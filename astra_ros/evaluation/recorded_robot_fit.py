"""The misfit of a robot in recorded episodes, and the limit that follows: for robots other than the simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from astra_ros.camera.frame_size import to_model_size
from astra_ros.datasets.dataset import list_episodes, load_episode
from astra_ros.datasets.episode import DatasetError, Episode
from astra_ros.datasets.robot_renders import Drawer
from astra_ros.evaluation.requests import PredictionRequest
from astra_ros.evaluation.results import check_writable, write_result
from astra_ros.inference.card import CARD_FILE, ModelCard, model_directory, write_robot_fit_limits
from astra_ros.inference.prediction_limit import PredictionLimit, fit_limit, least_plans
from astra_ros.plans.durations import PLAN_S
from astra_ros.ranking.robot_fit import EVERY_S, NANOSECONDS, RobotFitMonitor

MEASURED = "joint_positions"  # label of simulated arms: where the joints were, not where they should have been
PIECE = round(PLAN_S / EVERY_S)  # images of a piece


def measure_recorded_fit(request: PredictionRequest, folder: Path) -> dict[str, PredictionLimit]:
    """Limits by action space, of pieces of 4 s that stand for a plan each; written into the card if asked to.

    Raises UserError where nothing in the folder can be drawn for the model, or the pieces are too few.
    """
    check_writable(request.fit_out)
    card = ModelCard.read(model_directory(request.model))
    if request.write:
        check_writable(card.path / CARD_FILE)
    drawer = Drawer(folder, card.image_size, card.cameras)
    figures: dict[str, list[float]] = {}
    for path in list_episodes(folder):
        episode = load_episode(path)
        if episode.space in card.cameras:
            drawer.check_cameras([episode], card.cameras[episode.space])
            figures.setdefault(episode.space, []).extend(_misfits(episode, drawer, card))
    figures = {space: found for space, found in figures.items() if found}
    if not figures:
        problem = f"no episode shows a robot that '{card.name}' sees drawn for 4 s"
        cure = f"give episodes of {', '.join(card.cameras) or 'a model that was trained with robot renders'}"
        raise DatasetError(problem, thing=folder, cure=cure)
    limits = {space: _limit(space, found, request.fit_false_alarms, folder) for space, found in figures.items()}
    for space, limit in limits.items():
        print(
            f"{space}: misfit up to {limit.limit:.3f}, but for {limit.false_alarms:.2%} of {limit.plans} pieces of 4 s"
        )
    if request.fit_out:
        write_result(request.fit_out, {"model": card.name, "sha256": card.sha256[:12], "limits": limits})
    if request.write:
        write_robot_fit_limits(card.path, limits)
        print(f"limits of the robot's misfit of {', '.join(limits)} written into the card of '{card.path}'")
    return limits


def _limit(space: str, figures: list[float], false_alarms: float, folder: Path) -> PredictionLimit:
    if len(figures) < (least := least_plans(false_alarms)):
        problem = (
            f"{len(figures)} pieces of 4 s of {space} in view; {least} are needed for {false_alarms:g} false alarms"
        )
        cure = f"record more, or allow at least {1 / (len(figures) + 1):.2g} (--fit-false-alarms)"
        raise DatasetError(problem, thing=folder, cure=cure)
    return fit_limit(figures, false_alarms)


def _misfits(episode: Episode, drawer: Drawer, card: ModelCard) -> list[float]:
    """The largest misfit of each piece of an episode in which the robot can be judged."""
    stride = max(1, round(EVERY_S / episode.dt_s))
    joints = episode.labels.get(MEASURED, episode.motion)[::stride]
    renders = drawer.draw_motion(episode, joints)
    if renders is None:
        return []
    frames, found = episode.frames[::stride], []
    for start in range(0, len(frames) - PIECE + 1, PIECE):
        monitor, misfits = RobotFitMonitor({}), []
        for index in range(start, start + PIECE):
            image = to_model_size(frames[index], card.image_size)
            stamp_ns = round((index + 1) * stride * episode.dt_s * NANOSECONDS)
            monitor.add(episode.space, stamp_ns, image, np.asarray(renders)[index, 0])
            if monitor.fit is not None:
                misfits.append(monitor.fit.misfit)
        if misfits:
            found.append(max(misfits))
    return found
