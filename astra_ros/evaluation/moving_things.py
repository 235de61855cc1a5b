"""Whether what moves stays visible in imagined frames, or fades: the measuring.

A thing whose position is labelled is looked for by a detector that was trained on real frames. Without labels, things
are the regions of a real frame that differ from the temporal median of their episode. The camera must not move.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from tqdm import tqdm

from astra_ros.evaluation.held_out import HeldOutClips
from astra_ros.evaluation.moving_figures import ByFrame, Kept, MovingThing
from astra_ros.evaluation.space_figures import FOLLOWED
from astra_ros.evaluation.thing_detector import ThingDetector

MEASURED = ("ceiling", "model", "decoded", "copy")  # rows
UNLABELLED = "regions that moved"
NEARBY = 1 / 16  # of the frame's height: a thing is at a place, or moved, within or beyond it
THING = 1 / 14  # side of the square whose mean colour is compared with the ring around, in heights of the frame
CHANGED = 24  # of 255 in one channel: from there on a pixel differs from the temporal median
LEAST_REGION = 1 / 1000  # share of the frame below which a region does not count
HALF = 0.5  # a region is found with this share of its contrast


@dataclass(frozen=True)
class _Readings:
    """What was read of things in M frames, `step` frames ahead each."""

    step: np.ndarray  # int [M], from 0
    found: np.ndarray  # bool [M]
    in_place: np.ndarray  # bool [M]
    contrast: np.ndarray  # [M]
    contrast_in_place: np.ndarray  # [M]

    def kept(self, counted: np.ndarray, length: int) -> Kept:
        """Figures of the frames [M] that count, one at least."""
        found, in_place, contrast, there = (
            values[counted].astype(np.float64)
            for values in (self.found, self.in_place, self.contrast, self.contrast_in_place)
        )
        step = self.step[counted]

        def by_frame(values: np.ndarray) -> ByFrame:
            return [round(float(values[step == k].mean()), 4) if (step == k).any() else None for k in range(length)]

        return Kept(
            found=float(found.mean()),
            in_place=float(in_place.mean()),
            contrast=float(contrast.mean()),
            contrast_in_place=float(there.mean()),
            found_by_frame=by_frame(found),
            contrast_by_frame=by_frame(contrast),
        )


def moving_things(
    clips: HeldOutClips, videos: Mapping[str, np.ndarray], detectors: Mapping[str, ThingDetector]
) -> dict[str, MovingThing] | None:
    """What is left of each moving thing in the first frames of videos, row -> uint8 [N, H, h, w, 3].

    `detectors`: label of `clips.places` -> the detector of that thing. None where the camera moves, or nothing did.
    """
    if clips.background is None:
        return None
    rows = {name: videos[name][:, :FOLLOWED] for name in MEASURED if name in videos}
    truth = clips.future[:, :FOLLOWED]
    made: dict[str, MovingThing | None] = {}
    for label, detector in detectors.items():
        places = clips.places[label][:, : truth.shape[1] + 1]
        made[label.removesuffix("_position")] = labelled_thing(detector, places, truth, rows)
    made[UNLABELLED] = unlabelled_things(clips.background, truth, rows)
    return {name: thing for name, thing in made.items() if thing is not None} or None


def labelled_thing(
    detector: ThingDetector, places: np.ndarray, truth: np.ndarray, rows: Mapping[str, np.ndarray]
) -> MovingThing | None:
    """A thing in rows of frames uint8 [N, H, h, w, 3], beside the same of real frames, `truth`.

    Args:
        places: [N, 1 + H, 2], its pixels (u, v) in the last observed frame and those that follow.

    Returns None where the detector finds it in no real frame.
    """
    clips, length, height, width = truth.shape[:4]
    place_M2: np.ndarray = places[:, 1:].reshape(-1, 2)
    inside = (place_M2 >= 0) & (place_M2 <= [width - 1, height - 1])  # NaN is not
    in_sight = np.asarray(inside.all(-1))
    place_M2 = np.where(in_sight[:, None], place_M2, 0.0)
    near = NEARBY * height
    displaced: np.ndarray = np.linalg.norm(places[:, 1:] - places[:, :1], axis=-1).ravel() > near
    step = np.tile(np.arange(length), clips)

    def look(video: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Frames; where the thing looks most like itself; whether it is found there; whether at its place."""
        frames = video.reshape(-1, height, width, 3)
        above_Mhw = detector.look(frames)
        cells = above_Mhw.shape[1:]
        scale = np.array([width / cells[1], height / cells[0]])
        v, u = np.unravel_index(above_Mhw.reshape(len(frames), -1).argmax(1), cells)
        centres = [(np.arange(count) + 0.5) * each - 0.5 for count, each in zip(cells[::-1], scale)]
        across, down = (centres[axis] - place_M2[:, axis, None] for axis in (0, 1))
        there = np.hypot(down[:, :, None], across[:, None, :]) <= near + scale.max() / 2
        at_place = np.where(there, above_Mhw, -np.inf).max((1, 2)) > 0
        best = np.stack([centres[0][u], centres[1][v]], axis=1)
        return frames, best, above_Mhw.max((1, 2)) > 0, at_place

    real, _, _, seen = look(truth)
    counted = seen & in_sight
    if not counted.any():
        return None
    reach = round(near)
    own_M3 = np.stack([_strongest(_stands_out(real[m]), place_M2[m], reach) for m in range(len(real))])
    weight_M3 = own_M3 / np.maximum(np.square(own_M3).sum(-1, keepdims=True), 1e-6)
    kept, moved = {}, {}
    for name, video in rows.items():
        frames, best, found, at_place = look(video)
        contrast = np.zeros((2, len(frames)))
        for m in np.flatnonzero(counted):
            share = _stands_out(frames[m]) @ weight_M3[m]
            there = _window(share, place_M2[m], reach).max()
            contrast[:, m] = max(there, _window(share, best[m], reach).max()) if found[m] else there, there
        readings = _Readings(step, found, at_place, *contrast)
        kept[name] = readings.kept(counted, length)
        if (counted & displaced).any():
            moved[name] = readings.kept(counted & displaced, length)
    share = float(counted.sum() / in_sight.sum())
    return MovingThing(int(counted.sum()), kept, share, int((counted & displaced).sum()), moved or None)


def _stands_out(frame: np.ndarray) -> np.ndarray:
    """Mean colour of a square less that of a ring around it, at each pixel: float32 [h, w, 3]."""
    side = round(THING * len(frame)) | 1
    image = frame.astype(np.float32)
    sums = [cv2.boxFilter(image, -1, (edge, edge), normalize=False) for edge in (side, 2 * side + 1, 3 * side)]
    return sums[0] / side**2 - (sums[2] - sums[1]) / ((3 * side) ** 2 - (2 * side + 1) ** 2)


def _window(values: np.ndarray, place: np.ndarray, reach: int) -> np.ndarray:
    u, v = place.round().astype(int)
    return values[max(v - reach, 0) : v + reach + 1, max(u - reach, 0) : u + reach + 1]


def _strongest(colours: np.ndarray, place: np.ndarray, reach: int) -> np.ndarray:
    """The largest of the colours [h, w, 3] around a pixel."""
    around = _window(colours, place, reach).reshape(-1, 3)
    return around[np.square(around).sum(-1).argmax()]


def unlabelled_things(background: np.ndarray, truth: np.ndarray, rows: Mapping[str, np.ndarray]) -> MovingThing | None:
    """What moved in real frames uint8 [N, H, h, w, 3], in rows of frames. None where nothing did.

    A region of a frame counts that differs from the temporal median, `background` uint8 [N, h, w, 3]. Its contrast is
    the difference. The share that a row keeps is the least-squares factor of that difference, at the true place and
    at the place nearby where the row resembles it most.
    """
    length = truth.shape[1]
    step: list[int] = []
    read: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for n in tqdm(range(len(truth)), desc="what moved", unit="clip", leave=False):
        still = background[n].astype(np.float32)
        for k in range(length):
            real = truth[n, k] - still
            made = {name: video[n, k] - still for name, video in rows.items()}
            for mask, box in _regions(real):
                step.append(k)
                for name, difference in made.items():
                    read[name].append(_shares(difference, real, mask, box))
    if not step:
        return None
    kept = {}
    for name, pairs in read.items():
        contrast, there = np.array(pairs).T
        readings = _Readings(np.array(step), contrast >= HALF, there >= HALF, contrast, there)
        kept[name] = readings.kept(np.ones(len(step), bool), length)
    return MovingThing(len(step), kept)


def _regions(difference: np.ndarray) -> Iterable[tuple[np.ndarray, tuple[slice, slice]]]:
    """Each region that moved: its mask, cut to its box, and the box."""
    changed = (np.abs(difference).max(-1) >= CHANGED).astype(np.uint8)
    count, numbers, boxes, _ = cv2.connectedComponentsWithStats(changed)
    for number in range(1, count):
        left, top, width, height, area = boxes[number]
        if area >= LEAST_REGION * changed.size:
            box = slice(top, top + height), slice(left, left + width)
            yield (numbers[box] == number), box


def _shares(
    difference: np.ndarray, real: np.ndarray, mask: np.ndarray, box: tuple[slice, slice]
) -> tuple[float, float]:
    """Shares of a region's contrast that a difference [h, w, 3] keeps: nearby, and at the true place."""
    wanted = real[box] * mask[..., None]
    norm = float(np.square(wanted).sum())
    reach = round(NEARBY * len(real))
    padded = cv2.copyMakeBorder(difference, *4 * (reach,), cv2.BORDER_CONSTANT, value=(0, 0, 0))
    down, across = ((side.start, side.stop + 2 * reach) for side in box)
    around = padded[slice(*down), slice(*across)]
    weights = np.repeat(mask[..., None].astype(np.float32), 3, axis=2)
    away = cv2.matchTemplate(around, wanted, cv2.TM_SQDIFF, mask=weights)
    v, u = np.unravel_index(away.argmin(), away.shape)
    height, width = mask.shape
    best = around[v : v + height, u : u + width]
    return float((best * wanted).sum() / norm), float((difference[box] * wanted).sum() / norm)
