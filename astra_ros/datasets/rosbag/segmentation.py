"""The camera frames of each episode, and why others are dropped. No image is decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from astra_ros.camera.frame_order import Order, order_of
from astra_ros.camera.repeated_images import MOVED
from astra_ros.datasets.episode import LEAST_FRAMES
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.datasets.rosbag.motion import Motion
from astra_ros.datasets.rosbag.recording import ImageSeries
from astra_ros.datasets.rosbag.resample import Clock, divide
from astra_ros.plans.action_spaces import action_space_class

# If a larger share of its images repeats, a camera sees nothing of the motion. Then nothing is cut.
STARES = 0.9
# A camera whose period exceeds the model's step by this factor leaves too many steps without a frame.
SLOW = 1.02

USED = "used"
THINNED = "between the steps: the camera is faster than dt_s"
SHORT = f"in a stretch of less than {LEAST_FRAMES} frames, too short to train on"
BROKEN = "broken pictures"
FUTURE = "stamped later than they were recorded"
FROZEN = "that repeat the picture before to the byte while the robot moves"


@dataclass(frozen=True)
class Segment:
    """N frames that become one episode."""

    numbers: np.ndarray  # int [N], of the camera's messages
    times_s: np.ndarray  # float64 [N], since the bag's first image
    motion: np.ndarray  # float64 [N, D]
    labels: dict[str, np.ndarray]  # N rows each

    def __len__(self) -> int:
        return len(self.numbers)

    def part(self, begin: int, end: int) -> Segment:
        rows = slice(begin, end)
        labels = {name: values[rows] for name, values in self.labels.items()}
        return Segment(self.numbers[rows], self.times_s[rows], self.motion[rows], labels)


@dataclass
class Segmentation:
    """The segments of a bag, and the fate of each of the camera's messages."""

    fates: np.ndarray  # text [N], one of the above or another reason to drop it
    segments: list[Segment] = field(default_factory=list)
    cuts: list[tuple[float, str]] = field(default_factory=list)  # (second since the first image, why)

    @property
    def dropped(self) -> dict[str, int]:
        """Reason -> number of frames, the most frequent first."""
        return dict(Counter(fate for fate in self.fates if fate != USED).most_common())


def segment_recording(images: ImageSeries, clock: Clock, motion: Motion, settings: BagSettings) -> Segmentation:
    """Cut a recording into segments. Raises BagError where the camera is too slow for the model."""
    segmentation = Segmentation(np.full(len(images), "", dtype=object))
    times, received = clock.times_s(images), clock.received_s(images)
    runs = _runs(images, clock, settings.gap_s, segmentation)
    _check_rate([times[run] for run in runs], settings)
    space = action_space_class(settings.modality)
    live = len(images.again) < STARES * len(images)
    for run in runs:
        at = float(np.median(received[run]))

        def travelled(then: np.ndarray, at: float = at) -> np.ndarray:
            return space.distances(motion.rows(then - settings.dt_s, then, at), then)

        why = motion.problems(times[run], at)
        if live:
            why[_frozen(run, why, times, images.again, travelled, settings.repeat_s)] = FROZEN
        segmentation.fates[run] = why
        for stretch in _stretches(run, why, times, segmentation):
            _divide(stretch, times, at, motion, settings, segmentation)
    segmentation.cuts.sort()
    return segmentation


def _runs(images: ImageSeries, clock: Clock, gap_s: float, segmentation: Segmentation) -> list[np.ndarray]:
    """Numbers of usable messages, in runs without a jump, a gap or another size."""
    times, received = clock.times_s(images), clock.received_s(images)
    runs: list[list[int]] = []
    newest, change = None, ""
    for number, size in enumerate(images.values):
        change = images.changes.get(number, change)
        if size is None:
            segmentation.fates[number] = BROKEN
        elif images.received_ns[number] in clock.future:
            segmentation.fates[number] = FUTURE
        elif np.isnan(times[number]):
            segmentation.fates[number] = "without a stamp"
        elif newest is None:
            runs.append([number])
            newest, change = number, ""
        else:
            step = times[number] - times[newest]
            order = order_of(step)
            if order is Order.SAME:  # the last of them counts, as in the node
                same_size = size == images.values[newest]
                segmentation.fates[newest if same_size else number] = "duplicates: the same stamp again"
                if same_size:
                    newest = runs[-1][-1] = number
                continue
            if order is Order.LATE:
                segmentation.fates[number] = "out of order: older than the frame before"
                continue
            cut = _cut(step, received[number] - received[newest], gap_s, images.values[newest], size) or change
            if not cut and (jump := clock.jumps.get(images.received_ns[number])):
                cut = f"the clock of the stamps jumped by {jump:+.2f} s"
            if cut:
                segmentation.cuts.append((float(times[newest]), cut))
                runs.append([])
            runs[-1].append(number)
            newest, change = number, ""
    return [np.array(run) for run in runs]


def _cut(step: float, silent: float, gap_s: float, before: tuple[int, int], size: tuple[int, int]) -> str:
    """Why a frame does not go on from the one before, or ''."""
    if step < 0:
        return f"the clock jumped back by {-step:.2f} s"
    if step > gap_s:
        jumped = f"the clock jumped forward by {step - silent:.2f} s"
        return f"no image for {step:.2f} s" if silent > step / 2 else jumped
    if before != size:
        return f"the images changed from {before[1]} x {before[0]} to {size[1]} x {size[0]} pixels"
    return ""


def _frozen(
    run: np.ndarray, why: np.ndarray, times: np.ndarray, again: set[int], travelled: Callable, repeat_s: float
) -> np.ndarray:
    """bool [N]: the frames of a run that repeat an image for longer than `repeat_s` although the robot moved.

    `travelled`: times [M] at which the motion is known -> how far what moves furthest is from the first, rad or m.
    Then the camera hung. A renderer without noise repeats images too, but not while the robot moves in view.
    """
    frozen = np.zeros(len(run), dtype=bool)
    repeated = np.array([False, *(number in again for number in run[1:])])
    edges = np.flatnonzero(np.diff(repeated.astype(int), append=0))
    for before, last in zip(edges[::2], edges[1::2]):
        known = before + np.flatnonzero(why[before : last + 1] == "")
        if not len(known) or times[run[last]] - times[run[before]] <= repeat_s:
            continue
        moved = travelled(times[run[known]]) > MOVED
        gone = known[moved]
        if moved[np.argmax(moved) :].mean() < 0.5:  # a single wrong value is not motion
            continue
        if len(gone) and times[run[last]] - times[run[gone[0]]] > repeat_s:
            frozen[gone[0] : last + 1] = why[gone[0] : last + 1] == ""
    return frozen


def _check_rate(runs: list[np.ndarray], settings: BagSettings) -> None:
    steps = np.concatenate([np.diff(run) for run in runs]) if runs else np.empty(0)
    if not len(steps):
        return
    typical = float(np.median(steps))
    if typical > SLOW * settings.dt_s:
        enough = np.ceil(typical * 1000) / 1000
        problem = f"{1 / typical:.3g} images a second, but dt_s {settings.dt_s:g} needs {1 / settings.dt_s:.3g}"
        cure = f"record with a faster camera, or set dt_s to {enough:g} for a model with that step"
        raise BagError(problem, thing=settings.image_topic, cure=cure)


def _stretches(run: np.ndarray, why: np.ndarray, times: np.ndarray, segmentation: Segmentation) -> list[np.ndarray]:
    """The parts of a run in which the motion is known. Those between them are cuts."""
    edges = np.flatnonzero(np.diff((why == "").astype(int))) + 1
    bounds = [0, *edges, len(run)]
    for begin, end in zip(bounds, bounds[1:]):
        if why[begin] and 0 < begin and end < len(run):
            segmentation.cuts.append((float(times[run[begin]]), f"{end - begin} frames {why[begin]}"))
    return [run[begin:end] for begin, end in zip(bounds, bounds[1:]) if not why[begin]]


def _divide(
    stretch: np.ndarray, times: np.ndarray, at: float, motion: Motion, settings: BagSettings, found: Segmentation
) -> None:
    begin = 0
    segments = divide(times[stretch], settings.dt_s, settings.most_frames, LEAST_FRAMES)
    for picked, end, hole in segments:
        numbers = stretch[picked]
        short = len(picked) < LEAST_FRAMES
        found.fates[stretch[begin:end]] = SHORT if short else THINNED
        begin = end
        if hole:
            found.cuts.append((float(times[numbers[-1]]), "no image near the next step"))
        if short:
            continue
        found.fates[numbers] = USED
        own = times[numbers]
        before = np.append(own[0] - settings.dt_s, own[:-1])
        found.segments.append(Segment(numbers, own, motion.rows(before, own, at), motion.labels(own, at)))
