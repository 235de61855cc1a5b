"""A robot's motion at the times of its camera's frames: joints, a base, or the camera itself.

Each class makes the rows of its modality (`plans/action_spaces`), and tells which frames get no row.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

import numpy as np

from astra_ros.datasets.rosbag.recording import Recording, Series
from astra_ros.datasets.rosbag.resample import Clock
from astra_ros.datasets.rosbag.topics import TopicSelection
from astra_ros.plans.action_spaces import action_space_class


class Motion(Protocol):
    """The motion of a robot. `received_s` selects the run of the clock, see `Track.run`."""

    names: tuple[str, ...]  # D columns of the rows
    continuous: tuple[str, ...]  # those of them that are joints without limits
    how: str  # in words, for the report
    samples: int  # number of its messages
    warnings: list[str]  # for the user, before all notes
    notes: list[str]
    unfit: str  # why the episodes must not be trained on, '' where they may
    cure: str  # how to keep more frames where the motion is silent, or ''

    def problems(self, times: np.ndarray, received_s: float) -> np.ndarray:
        """Why frames at `times` [N] have no row; '' where they have one."""

    def rows(self, begin: np.ndarray, end: np.ndarray, received_s: float) -> np.ndarray:
        """[N, D]: the rows of frames at `end` [N]; the frames before them were at `begin` [N]."""

    def labels(self, times: np.ndarray, received_s: float) -> dict[str, np.ndarray]:
        """Labels of the frames, such as camera poses."""


def make_motion(recording: Recording, selection: TopicSelection, clock: Clock) -> Motion:
    """Raises BagError where no message of the topic can be used, or messages contradict each other."""
    module, _, name = action_space_class(selection.settings.modality).bag_motion.partition(":")
    return getattr(import_module(module), name)(recording, selection, clock)


def motion_series(recording: Recording) -> list[Series]:
    """All series that the motion is made of."""
    moving = [series for _, series in recording.poses.values()]
    return [series for series in (*recording.joints.values(), recording.velocities, *moving) if series]
