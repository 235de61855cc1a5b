"""Calibrate a model's probabilities of contact on scenes in which every plan was executed: `astra rank --calibrate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from astra_ros.errors import UserError
from astra_ros.evaluation.contact_calibration import ContactFigures, fit_platt
from astra_ros.evaluation.scene import Scene
from astra_ros.inference.calibration import Calibration
from astra_ros.inference.card import ModelCard, write_calibrations
from astra_ros.outcomes import OBSTACLE_CONTACT


class CalibrationError(UserError):
    """A model's probabilities cannot be calibrated. ``thing`` is the model."""


def calibrate(card: ModelCard, scenes: Mapping[str, Sequence[Scene]], miss_rate: float, horizon: int) -> None:
    """Fit a calibration for each action space, print what it is worth, and write it into the model's card.

    The printed figures are of calibrations that were fitted to one half of the scenes and measured on the other. The
    card gets a calibration that was fitted to all scenes, with the `horizon` of their plans. An action space without a
    usable fit is named, and its entry in the card stays.

    Raises CalibrationError where none has one, OutputError where the card cannot be written.
    """
    fitted: dict[str, dict[str, Calibration]] = {}
    for space, played in scenes.items():
        try:
            calibration = replace(fit(played), horizon=horizon)
            crossed = ContactFigures.of(*cross_calibrated(played), miss_rate)
        except ValueError as error:
            print(f"{space}: not calibrated: {error}")
            continue
        before = ContactFigures.of(*_pairs(played), miss_rate)
        fitted[space] = {OBSTACLE_CONTACT: calibration}
        print(f"{space}: slope {calibration.slope:.3f}, offset {calibration.offset:+.3f}")
        for title, figures in (
            ("as the model gives it", before),
            ("calibrated on the other half of the scenes", crossed),
        ):
            print(f"  {title}:\n  {figures.line()}")
    if not fitted:
        cure = "play more `scenes`, or calibrate a model whose heads know contact"
        raise CalibrationError("no action space could be calibrated", thing=f"model '{card.name}'", cure=cure)
    write_calibrations(card.path, fitted)
    print(f"calibrations of {', '.join(fitted)} written into the card of '{card.path}'")
    print(f"they hold for plans of {horizon} frames, {horizon * card.dt_s:g} s; for other horizons calibrate anew")


def fit(scenes: Sequence[Scene]) -> Calibration:
    """Raises ValueError where the scenes do not tell how to calibrate."""
    chance_N, happened_N = _pairs(scenes)
    if happened_N.all() or not happened_N.any():
        raise ValueError(f"{happened_N.sum()} of {len(happened_N)} plans collide, so nothing can be fitted")
    return fit_platt(chance_N, happened_N)


def cross_calibrated(scenes: Sequence[Scene]) -> tuple[np.ndarray, np.ndarray]:
    """Each plan's probability by the calibration of the half of the scenes that it is not in, and what happened [N]."""
    chances, happened = [], []
    for first in (0, 1):
        calibration = fit(scenes[1 - first :: 2])
        chance_N, happened_N = _pairs(scenes[first::2])
        chances.append(calibration(chance_N))
        happened.append(happened_N)
    return np.concatenate(chances), np.concatenate(happened)


def _pairs(scenes: Sequence[Scene]) -> tuple[np.ndarray, np.ndarray]:
    """The model's own probability of contact of N plans, and whether they collided."""
    chance_N = np.array([chance for scene in scenes for chance in scene.contact])
    if not len(chance_N) or not np.isfinite(chance_N).all():
        raise ValueError("the model gives no probability of contact")
    return np.clip(chance_N, 0.0, 1.0), np.array([hit for scene in scenes for hit in scene.collision], bool)
