"""What is known of a bag before its images are decoded: topics, clock, motion, camera, segments."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from astra_ros.datasets.episode import LEAST_FRAMES
from astra_ros.datasets.rosbag.bag import Bag
from astra_ros.datasets.rosbag.calibration import camera_on_robot
from astra_ros.datasets.rosbag.clock import choose_clock
from astra_ros.datasets.rosbag.description import beyond_limits
from astra_ros.datasets.rosbag.errors import BagError, MotionError, TwoCameras
from astra_ros.datasets.rosbag.motion import Motion, make_motion, motion_series
from astra_ros.datasets.rosbag.motion_topic import other_modalities
from astra_ros.datasets.rosbag.reader import read_recording
from astra_ros.datasets.rosbag.recording import Recording, Series
from astra_ros.datasets.rosbag.resample import SILENT, Clock
from astra_ros.datasets.rosbag.segmentation import Segmentation, segment_recording
from astra_ros.datasets.rosbag.topics import TopicSelection
from astra_ros.plans.action_spaces import action_space_class


@dataclass(frozen=True)
class Analysis:
    """A bag, read and cut into segments."""

    bag: Bag
    selection: TopicSelection
    recording: Recording
    clock: Clock
    motion: Motion
    segmentation: Segmentation
    camera: dict | None  # as in `Episode`
    notes: list[str]
    first_notes: list[str] = field(default_factory=list)  # before all others

    @property
    def stored(self) -> np.ndarray:
        """The motion that is stored, [N, D], of all segments one after the other."""
        return np.concatenate([segment.motion for segment in self.segmentation.segments])


def analyse(bag: Bag, selection: TopicSelection) -> Analysis:
    """Raises BagError where a bag cannot become episodes."""
    recording = read_recording(bag, selection)
    notes: list[str] = []
    images, settings = recording.images, selection.settings
    if not any(images.values):
        first = "".join(f"; the first: {why}" for why in images.broken[:1])
        problem = f"none of its {len(images)} images is whole{first}"
        raise BagError(problem, thing=selection.image.name, cure="check the camera driver", details=bag.notes)
    if conflict := images.sources.conflict():
        raise TwoCameras(selection.image.name, conflict)
    if not motion_series(recording):
        raise _no_motion(bag, selection, recording)
    sources: dict[str, list[Series]] = {selection.image.name: [images]}
    if recording.stamped:
        sources[selection.motion.name] = motion_series(recording)
    unstamped = "" if recording.stamped else selection.motion.name
    clock = choose_clock(sources, unstamped, settings.clock, images)
    motion = make_motion(recording, selection, clock)
    camera = camera_on_robot(recording, selection, notes)
    segmentation = segment_recording(images, clock, motion, settings)
    analysis = Analysis(bag, selection, recording, clock, motion, segmentation, camera, notes)
    if not segmentation.segments:
        raise too_short(analysis)
    if action_space_class(settings.modality).columns_are_joints:
        # The angles of a joint that turns without end have no limits, whatever the description says.
        columns = dict(zip(motion.names, analysis.stored.T))
        limited = {name: column for name, column in columns.items() if name not in motion.continuous}
        notes += beyond_limits(settings, recording, limited)
    return analysis


def _no_motion(bag: Bag, selection: TopicSelection, recording: Recording) -> MotionError:
    topic = selection.motion.name
    reasons = "; ".join(f"{count} messages: {why}" for why, count in recording.bad[topic].items())
    cure = "check what publishes it, and record again"
    if action_space_class(selection.settings.modality).columns_are_joints:
        other = other_modalities(bag, selection.settings.modality)
        cure = "have the driver publish positions, and record again" + (f", or {other}" if other else "")
    error = MotionError(topic, "no message of it can be used" + (f" ({reasons})" if reasons else ""), cure)
    error.details = tuple(bag.notes)
    return error


def too_short(analysis: Analysis) -> BagError:
    """The error of a bag without a segment that is long enough."""
    segmentation, motion = analysis.segmentation, analysis.motion
    least_s = LEAST_FRAMES * analysis.selection.settings.dt_s
    cure = "record longer, and the camera and the motion at the same time; clock 'receive' helps where stamps are wrong"
    return BagError(
        f"no stretch of {least_s:g} s with images and motion",
        thing=analysis.bag.path,
        cure=motion.cure if motion.cure and _lacks_motion(segmentation) else cure,
        details=[
            f"dropped of {len(segmentation.fates)} images",
            *(f"  {count} {why}" for why, count in segmentation.dropped.items()),
            *(f"  cut at {at:.2f} s: {why}" for at, why in segmentation.cuts[:5]),
            *(f"  {note}" for note in [*motion.warnings, *analysis.bag.notes, *motion.notes]),
        ],
    )


def _lacks_motion(segmentation: Segmentation) -> bool:
    """Whether most images were dropped because the motion was silent."""
    dropped = segmentation.dropped
    return 2 * sum(count for why, count in dropped.items() if why.startswith(SILENT)) > sum(dropped.values())
