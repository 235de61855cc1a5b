"""The report of an import, as JSON and as text: what it found, dropped and wrote, and why."""

from __future__ import annotations

import numpy as np

from astra_ros.camera import significant_bits
from astra_ros.datasets.rosbag.analysis import Analysis
from astra_ros.datasets.rosbag.bag import Topic
from astra_ros.datasets.rosbag.calibration import lens_in_words
from astra_ros.datasets.rosbag.resample import SILENT
from astra_ros.datasets.rosbag.segmentation import FROZEN, STARES, USED
from astra_ros.plans.action_spaces import action_space_class
from astra_ros.texts import bounded, short

STILL = 1e-3  # rad, m, rad/s or m/s: less is noise
SHOWN_CUTS = 20


def make_report(analysis: Analysis, episodes: list[dict]) -> dict:
    """The report, ready for JSON. `episodes`: file, frames, seconds and start_s of each written episode."""
    bag, selection, images = analysis.bag, analysis.selection, analysis.recording.images
    times = analysis.clock.times_s(images)
    steps = np.diff(times[np.isfinite(times)])
    settings = selection.settings
    rows = analysis.stored
    return {
        "bag": str(bag.path),
        "bag_id": bag.identity,
        "format": bag.format,
        "files": [file.name for file in bag.files],
        "topics": [_topic(each, selection.used.get(each.name, "")) for each in bag.topics]
        + [_topic(each, "") | {"why_not": each.unusable} for each in bag.unusable],
        "camera": {
            "topic": selection.image.name,
            "encoding": ", ".join(images.encodings),
            "frame_id": ", ".join(images.frames),
            "sizes": sorted({(w, h) for h, w in filter(None, images.values)}),
            "per_second": round(1 / float(np.median(steps)), 2) if len(steps) else None,
            "pose_known": analysis.camera is not None,
            "lens": lens_in_words(analysis.recording, selection),
        },
        "motion": {
            "topic": selection.motion.name,
            "modality": settings.modality,
            "units": action_space_class(settings.modality).units,
            "how": analysis.motion.how,
            "messages": analysis.motion.samples,
            "columns": {
                name: [round(float(low), 4), round(float(high), 4)]
                for name, low, high in zip(analysis.motion.names, rows.min(axis=0), rows.max(axis=0))
            },
        },
        "clock": {"name": analysis.clock.name, "why": analysis.clock.why},
        "frames": {
            "in_bag": len(images),
            "used": int((analysis.segmentation.fates == USED).sum()),
            "dropped": analysis.segmentation.dropped,
        },
        "cuts": [{"at_s": round(at, 3), "why": why} for at, why in analysis.segmentation.cuts],
        "episodes": episodes,
        "notes": _notes(analysis, rows),
        "settings": settings.to_dict(),
    }


def _topic(topic: Topic, used_as: str) -> dict:
    return {"name": topic.name, "type": topic.type, "messages": topic.count, "used_as": used_as}


def report_text(report: dict) -> str:
    """A report for the terminal."""
    camera, motion, frames = report["camera"], report["motion"], report["frames"]
    height, width = report["settings"]["image_size"]
    sizes = ", ".join(f"{w} x {h}" for w, h in camera["sizes"])
    names = max(len(short(topic["name"])) for topic in report["topics"])
    kinds = max(len(short(topic["type"])) for topic in report["topics"])
    lines = [f"{report['bag']}: {report['format']}, {', '.join(report['files'])}, id {report['bag_id'][:12]}", "topics"]
    lines += [
        f"  {short(topic['name']):{names}}  {short(topic['type']):{kinds}} {topic['messages']:7}  "
        + (topic["used_as"] or f"not used: {topic.get('why_not', '')}".rstrip(": "))
        for topic in report["topics"]
    ]
    rate = f", {camera['per_second']:g} a second" if camera["per_second"] else ""
    lines += [
        f"camera   {sizes} {camera['encoding']}{rate}, frame '{short(camera['frame_id'])}'; made {width} x {height}"
    ]
    lines += [f"lens     {camera['lens']}"] * bool(camera["lens"])
    lines += [f"motion   {motion['modality']}: {motion['how']}; {motion['units']}"]
    longest = max(len(short(name)) for name in motion["columns"])
    lines += [
        f"  {short(name):{longest}}  {low:8.3f} to {high:8.3f}" for name, (low, high) in motion["columns"].items()
    ]
    lines += [
        f"clock    {report['clock']['why']}",
        f"frames   {frames['in_bag']} in the bag, {frames['used']} used, {frames['in_bag'] - frames['used']} dropped",
    ]
    lines += [f"  {count:6} {why}" for why, count in frames["dropped"].items()]
    cuts = report["cuts"]
    lines += [f"cuts     {len(cuts) or 'none'}"] + [
        f"  at {cut['at_s']:8.2f} s: {cut['why']}" for cut in cuts[:SHOWN_CUTS]
    ]
    if len(cuts) > SHOWN_CUTS:
        lines.append(f"  and {len(cuts) - SHOWN_CUTS} more, see the JSON file")
    lines.append(f"episodes {len(report['episodes'])}")
    lines += [
        f"  {episode['file']}  {episode['frames']} frames, {episode['seconds']:.2f} s, from {episode['start_s']:.2f} s"
        for episode in report["episodes"]
    ]
    if report["notes"]:
        lines += ["notes", *(f"  - {note}" for note in report["notes"])]
    return "\n".join(bounded(line) for line in lines)


def _notes(analysis: Analysis, rows: np.ndarray) -> list[str]:
    """The notes for the user, most important first."""
    selection, images, motion = analysis.selection, analysis.recording.images, analysis.motion
    parts = analysis.first_notes, motion.warnings, analysis.bag.notes, selection.notes, motion.notes, analysis.notes
    notes = [note for part in parts for note in part]
    silent = sum(count for why, count in analysis.segmentation.dropped.items() if why.startswith(SILENT))
    if motion.cure and silent:
        notes.append(motion.cure)
    for bad, what in (
        (analysis.recording.bad, "{} messages left out"),
        (analysis.recording.bad_parts, "of {} messages a part was left out, the rest was used"),
    ):
        reasons = [(topic, why, count) for topic, found in bad.items() for why, count in found.items()]
        notes += [f"{topic}: {what.format(count)}: {why}" for topic, why, count in reasons]
    notes += [
        f"{selection.image.name}: broken images: {len(images.broken)}; the first: {first}"
        for first in images.broken[:1]
    ]
    notes += [
        f"{selection.image.name}: {remark}"
        + f" ({count} of {len(images)} images)" * (count < len(images) - len(images.broken))
        for remark, count in images.remarks.items()
    ]
    notes += [f"{selection.image.name}: {note}" for note in _image_notes(analysis, rows)]
    height, width = selection.settings.image_size
    for tall, wide in sorted({size for size in images.values if size is not None}):
        if tall * width != wide * height:
            keep = min(tall, round(wide * height / width)), min(wide, round(tall * width / height))
            notes.append(
                f"{selection.image.name}: of {wide} x {tall} the middle "
                f"{keep[1]} x {keep[0]} is kept, as the imagine node does"
            )
    if not _moves(analysis, rows) and not motion.unfit:
        notes.append(
            f"{selection.motion.name}: the robot never moves, so a model learns nothing about actions; check that it "
            "is the right topic"
        )
    return notes


def _moves(analysis: Analysis, rows: np.ndarray) -> bool:
    return not (action_space_class(analysis.selection.settings.modality).extents(rows) < STILL).all()


def _image_notes(analysis: Analysis, rows: np.ndarray) -> list[str]:
    """Notes about the images as a whole."""
    images, frozen = analysis.recording.images, np.flatnonzero(analysis.segmentation.fates == FROZEN)
    notes = []
    if len(frozen):
        at_s = analysis.clock.times_s(images)[frozen[0]]
        notes.append(
            f"{len(frozen)} images repeat the one before to the byte while the robot moves, from {at_s:.2f} s on: the "
            "camera or a relay hung. They are left out; check the camera driver"
        )
    elif len(images.again) >= STARES * len(images) and _moves(analysis, rows):
        notes.append(
            f"{len(images.again)} of {len(images)} images repeat the one before to the byte, though the robot "
            "moves: the camera does not see the robot move, or hung; check the camera driver"
        )
    if used := images.bits.used:
        number, full = images.bits.brightest or 0, significant_bits.FULL
        notes.append(
            f"the brightest number of the images looked at is {number} of {full}, as of a camera of {used} bits, so "
            f"their brightest pixel is stored as {(number + 128) // 257} of 255; {significant_bits.CURE}"
        )
    return notes
