"""What an import found, dropped and wrote, and why: as JSON, and as text to read."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from astra_ros.camera import significant_bits
from astra_ros.datasets.episode import LEAST_FRAMES
from astra_ros.datasets.rosbag.bag import Bag
from astra_ros.datasets.rosbag.layout import FROZEN, STARES, USED, Layout
from astra_ros.datasets.rosbag.lens import lens_in_words
from astra_ros.datasets.rosbag.motion import Motion
from astra_ros.datasets.rosbag.reader import Recording
from astra_ros.datasets.rosbag.resample import SILENT, Clock
from astra_ros.datasets.rosbag.storage import BagError
from astra_ros.datasets.rosbag.topics import Choice
from astra_ros.plans.action_spaces import action_space_class
from astra_ros.texts import bounded, short

STILL = 1e-3  # rad, m, rad/s or m/s: less is noise
SHOWN_CUTS = 20


@dataclass(frozen=True)
class Found:
    """Everything that is known of a bag before its pictures are decoded."""

    bag: Bag
    choice: Choice
    recording: Recording
    clock: Clock
    motion: Motion
    layout: Layout
    camera: dict | None
    notes: list[str]
    first_notes: list[str] = field(default_factory=list)

    @property
    def stored(self) -> np.ndarray:
        """The motion that is stored, [N, D], of all pieces one after the other."""
        return np.concatenate([piece.motion for piece in self.layout.pieces])


def make_report(found: Found, episodes: list[dict]) -> dict:
    """Ready for JSON.

    Args:
        episodes: file, frames, seconds and start_s of each that was written.
    """
    bag, choice, pictures = found.bag, found.choice, found.recording.pictures
    times = found.clock.times_s(pictures)
    steps = np.diff(times[np.isfinite(times)])
    settings = choice.settings
    rows = found.stored
    return {
        "bag": str(bag.path),
        "bag_id": bag.identity,
        "format": bag.format,
        "files": [file.name for file in bag.files],
        "topics": [
            {
                "name": topic.name,
                "type": topic.type,
                "messages": topic.count,
                "used_as": choice.used.get(topic.name, ""),
            }
            for topic in bag.topics
        ]
        + [
            {"name": topic.name, "type": topic.type, "messages": topic.count, "used_as": "", "why_not": topic.unusable}
            for topic in bag.unusable
        ],
        "camera": {
            "topic": choice.image.name,
            "encoding": ", ".join(pictures.encodings),
            "frame_id": ", ".join(pictures.frames),
            "sizes": sorted({(w, h) for h, w in filter(None, pictures.values)}),
            "per_second": round(1 / float(np.median(steps)), 2) if len(steps) else None,
            "pose_known": found.camera is not None,
            "lens": lens_in_words(found.recording, choice),
        },
        "motion": {
            "topic": choice.motion.name,
            "modality": settings.modality,
            "units": action_space_class(settings.modality).units,
            "how": found.motion.how,
            "messages": found.motion.samples,
            "columns": {
                name: [round(float(low), 4), round(float(high), 4)]
                for name, low, high in zip(found.motion.names, rows.min(axis=0), rows.max(axis=0))
            },
        },
        "clock": {"name": found.clock.name, "why": found.clock.why},
        "frames": {
            "in_bag": len(pictures),
            "used": int((found.layout.fates == USED).sum()),
            "dropped": found.layout.dropped,
        },
        "cuts": [{"at_s": round(at, 3), "why": why} for at, why in found.layout.cuts],
        "episodes": episodes,
        "notes": _notes(found, rows),
        "settings": settings.to_dict(),
    }


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


def _notes(found: Found, rows: np.ndarray) -> list[str]:
    """What the user should know, beside the numbers."""
    choice, pictures = found.choice, found.recording.pictures
    notes = [
        *found.first_notes,
        *found.motion.warnings,
        *found.bag.notes,
        *choice.notes,
        *found.motion.notes,
        *found.notes,
    ]
    silent = sum(count for why, count in found.layout.dropped.items() if why.startswith(SILENT))
    if found.motion.cure and silent:
        notes.append(found.motion.cure)
    notes += [
        f"{topic}: {count} messages left out: {why}"
        for topic, reasons in found.recording.bad.items()
        for why, count in reasons.items()
    ]
    notes += [
        f"{topic}: of {count} messages a part was left out, and not the rest: {why}"
        for topic, reasons in found.recording.bad_parts.items()
        for why, count in reasons.items()
    ]
    if pictures.broken:
        notes.append(f"{choice.image.name}: broken pictures: {len(pictures.broken)}; the first: {pictures.broken[0]}")
    notes += [
        f"{choice.image.name}: {remark}"
        + f" ({count} of {len(pictures)} pictures)" * (count < len(pictures) - len(pictures.broken))
        for remark, count in pictures.remarks.items()
    ]
    notes += [f"{choice.image.name}: {note}" for note in _picture_notes(found, rows)]
    height, width = choice.settings.image_size
    for tall, wide in sorted({size for size in pictures.values if size is not None}):
        if tall * width != wide * height:
            keep = min(tall, round(wide * height / width)), min(wide, round(tall * width / height))
            notes.append(
                f"{choice.image.name}: of {wide} x {tall} the middle "
                f"{keep[1]} x {keep[0]} is kept, as the imagine node does"
            )
    if not _moves(found, rows) and not found.motion.unfit:
        notes.append(
            f"{choice.motion.name}: the robot never moves; a model learns nothing of "
            "actions from that. Is it the right topic?"
        )
    return notes


def _moves(found: Found, rows: np.ndarray) -> bool:
    return not (action_space_class(found.choice.settings.modality).extents(rows) < STILL).all()


def _picture_notes(found: Found, rows: np.ndarray) -> list[str]:
    """What is wrong with the pictures as a whole."""
    pictures, frozen = found.recording.pictures, np.flatnonzero(found.layout.fates == FROZEN)
    notes = []
    if len(frozen):
        at_s = found.clock.times_s(pictures)[frozen[0]]
        notes.append(
            f"{len(frozen)} pictures {FROZEN}, from {at_s:.2f} s on: the camera, or what passes its "
            "pictures on, hung. They are left out; check the camera driver"
        )
    elif len(pictures.again) >= STARES * len(pictures) and _moves(found, rows):
        notes.append(
            f"{len(pictures.again)} of {len(pictures)} pictures repeat the one before to the byte, though the "
            "robot moves: the camera sees nothing of it, or hung. Check the camera driver"
        )
    if used := pictures.bits.used:
        number, full = pictures.bits.brightest, significant_bits.FULL
        notes.append(
            f"the brightest number of the pictures looked at is {number} of {full}, as of a camera of {used} bits, so "
            f"their brightest pixel is stored as {(number + 128) // 257} of 255; {significant_bits.CURE}"
        )
    return notes


def too_short(found: Found) -> BagError:
    """Where no stretch of a bag is long enough."""
    dropped = "".join(f"\n  {count} {why}" for why, count in found.layout.dropped.items())
    cuts = "".join(f"\n  cut at {at:.2f} s: {why}" for at, why in found.layout.cuts[:5])
    notes = "".join(f"\n  {note}" for note in [*found.motion.warnings, *found.bag.notes, *found.motion.notes])
    least_s = LEAST_FRAMES * found.choice.settings.dt_s
    return BagError(
        f"{found.bag.path}: no stretch of {least_s:g} s with pictures and motion; of "
        f"{len(found.layout.fates)} pictures were dropped{dropped}{cuts}{notes}\n"
        + (
            found.motion.cure
            if _lacks_motion(found) and found.motion.cure
            else "record longer, and the camera and the motion at the same time; --clock "
            "receive helps where stamps are wrong"
        )
    )


def _lacks_motion(found: Found) -> bool:
    """Whether most pictures that were dropped were so because the motion was silent."""
    dropped = found.layout.dropped
    return 2 * sum(count for why, count in dropped.items() if why.startswith(SILENT)) > sum(dropped.values())
