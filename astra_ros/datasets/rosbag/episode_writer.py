"""The segments of a bag, decoded and written as episodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from astra_ros.camera.errors import BadImage
from astra_ros.camera.frame_size import to_model_size
from astra_ros.datasets.dataset import save_episode
from astra_ros.datasets.episode import LEAST_FRAMES, Episode
from astra_ros.datasets.rosbag.analysis import Analysis
from astra_ros.datasets.rosbag.bag import BadMessage
from astra_ros.datasets.rosbag.existing_imports import REPORT, ExistingImports
from astra_ros.datasets.rosbag.recording import to_rgb
from astra_ros.datasets.rosbag.segmentation import BROKEN, SHORT, Segment


def write_episodes(analysis: Analysis, out: Path, existing: ExistingImports, force: bool) -> list[dict]:
    """Decode and write the segments. Returns an entry of the report for each."""
    settings, names = analysis.selection.settings, existing.free_paths()
    entries, left = [], [*existing.paths.values(), *existing.again] if force else []
    report = existing.report.name if existing.report and not force else None
    for segment, frames in _decoded(analysis):
        first = int(segment.numbers[0])
        if first in existing.paths and not force:
            target = existing.paths[first]
        else:
            target = left.pop(0) if left else next(names)
            report = report or target.stem + REPORT
            save_episode(target, _episode(analysis, segment, frames, report), settings.crf)
        entries.append(report_entry(target.stem, segment))
    for path in left:  # of an import that is replaced and had more episodes
        path.unlink()
        path.with_suffix(".mp4").unlink(missing_ok=True)
    return entries


def _decoded(analysis: Analysis) -> Iterator[tuple[Segment, np.ndarray]]:
    """The segments with their frames uint8 [N, h, w, 3]; divided where one cannot be decoded."""
    bag, image, segmentation = analysis.bag, analysis.selection.image, analysis.segmentation
    segment_of = {
        int(number): index for index, segment in enumerate(segmentation.segments) for number in segment.numbers
    }
    frames: list[np.ndarray | None] = []
    messages = enumerate(raw for _, _, raw in bag.messages([image.name]))
    for number, raw in tqdm(
        messages, total=len(segmentation.fates), unit="image", unit_scale=True, desc=f"import {bag.path.name}"
    ):
        if number not in segment_of:
            continue
        try:
            pixels = to_rgb(image.type, bag.decode(image.name, raw))
            frames.append(to_model_size(pixels, analysis.selection.settings.image_size))
        except (BadImage, BadMessage) as error:
            frames.append(None)
            segmentation.fates[number] = BROKEN
            analysis.recording.images.broken.append(str(error))
        segment = segmentation.segments[segment_of[number]]
        if number == segment.numbers[-1]:
            yield from _whole_parts(segment, frames, segmentation.fates)
            frames = []


def _whole_parts(segment: Segment, frames: list, fates: np.ndarray) -> Iterator[tuple[Segment, np.ndarray]]:
    bad = [index for index, frame in enumerate(frames) if frame is None]
    for begin, end in zip([0, *(index + 1 for index in bad)], [*bad, len(frames)]):
        if end - begin >= LEAST_FRAMES:
            yield segment.part(begin, end), np.stack(frames[begin:end])
        else:
            fates[segment.numbers[begin:end]] = SHORT


def _episode(analysis: Analysis, segment: Segment, frames: np.ndarray, report: str) -> Episode:
    settings, images = analysis.selection.settings, analysis.recording.images
    height, width = images.values[segment.numbers[0]]
    source = {
        "bag": analysis.bag.path.resolve().name,
        "bag_id": analysis.bag.identity,
        "report": report,
        "image_topic": analysis.selection.image.name,
        "motion_topic": analysis.selection.motion.name,
        "motion": analysis.motion.how,
        "clock": analysis.clock.name,
        "encoding": ", ".join(images.encodings),
        "camera_size": [width, height],
        "first_picture": int(segment.numbers[0]),
        "last_picture": int(segment.numbers[-1]),
        "start_ns": analysis.clock.origin_ns + round(segment.times_s[0] * 1e9),
        "settings": settings.to_dict(),
    }
    if analysis.motion.unfit:
        source["unfit"] = analysis.motion.unfit
    motion, turning = segment.motion.astype(np.float32), analysis.motion.continuous
    kind = analysis.motion.names, settings.modality, settings.world, settings.robot, settings.dt_s, "recorded"
    return Episode(
        frames, motion, segment.labels, *kind, camera=analysis.camera, source=source, continuous_joints=turning
    )


def report_entry(name: str, segment: Segment) -> dict:
    start, end = float(segment.times_s[0]), float(segment.times_s[-1])
    return {"file": name, "frames": len(segment), "seconds": round(end - start, 3), "start_s": round(start, 3)}
