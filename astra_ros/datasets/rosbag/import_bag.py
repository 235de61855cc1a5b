"""A rosbag2 of a real robot, with a camera and its motion, as episodes.

Reads sqlite3 (.db3) and MCAP bags without ROS. Which topics hold the camera and the motion is found
where only one fits, else named here or in a YAML file (config/robot.example.yaml). Frames are taken
a model step apart, the motion is brought to the frames' times, and a report says what was found,
what was dropped and why. The same bag is not imported twice; an import that was stopped goes on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from astra_ros.datasets.dataset import check_alike, check_names, save_episode
from astra_ros.datasets.dataset_card import write_card
from astra_ros.datasets.episode import LEAST_FRAMES, DatasetError, Episode
from astra_ros.datasets.rosbag.bag import BadMessage, Bag
from astra_ros.datasets.rosbag.camera_error import TwoCameras
from astra_ros.datasets.rosbag.clock import ClockError, choose_clock
from astra_ros.datasets.rosbag.description import beyond_limits, check_base, read_urdf
from astra_ros.datasets.rosbag.existing_imports import REPORT, EarlierImports
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.datasets.rosbag.layout import BROKEN, SHORT, Piece, lay_out
from astra_ros.datasets.rosbag.lens import camera_on_robot
from astra_ros.datasets.rosbag.motion import make_motion, motion_series
from astra_ros.datasets.rosbag.pictures import BadImage, to_rgb
from astra_ros.datasets.rosbag.reader import read_recording
from astra_ros.datasets.rosbag.report import Found, make_report, report_text, too_short
from astra_ros.datasets.rosbag.storage import BagError
from astra_ros.datasets.rosbag.topics import Choice, choose_topics, other_modalities
from astra_ros.errors import UserError
from astra_ros.files import OutputError, atomic_write
from astra_ros.plans.action_spaces import action_space_class


def examine(bag: Bag, choice: Choice) -> Found:
    """All that can be known of a bag without decoding its pictures.

    Raises BagError where it cannot become episodes.
    """
    recording, notes = read_recording(bag, choice), []
    pictures = recording.pictures
    if not any(pictures.values):
        raise BagError(
            f"{bag.path}: {choice.image.name}: none of its {len(pictures)} pictures is "
            "whole"
            + "".join(f"; the first: {why}" for why in pictures.broken[:1])
            + "".join(f"\n{note}" for note in bag.notes)
        )
    if conflict := pictures.sources.conflict():
        raise TwoCameras(choice.image.name, conflict)
    if not motion_series(recording):
        reasons = "; ".join(f"{count} messages: {why}" for why, count in recording.bad[choice.motion.name].items())
        raise BagError(
            f"{bag.path}: {choice.motion.name}: no message of it can be used"
            + f" ({reasons})" * bool(reasons)
            + _positions_cure(bag, choice)
            + "".join(f"\n{note}" for note in bag.notes)
        )
    sources = {choice.image.name: [pictures]}
    if recording.stamped:
        sources[choice.motion.name] = motion_series(recording)
    try:
        clock = choose_clock(sources, "" if recording.stamped else choice.motion.name, choice.settings.clock, pictures)
    except ClockError as error:
        raise BagError(f"{bag.path}: {error}") from error
    motion = make_motion(recording, choice, clock)
    camera = camera_on_robot(recording, choice, notes)
    layout = lay_out(pictures, clock, motion, choice.settings)
    found = Found(bag, choice, recording, clock, motion, layout, camera, notes)
    if not layout.pieces:
        raise too_short(found)
    if action_space_class(choice.settings.modality).columns_are_joints:
        # The angles of a joint that turns without end have no limits, whatever the description says.
        limited = {name: column for name, column in zip(motion.names, found.stored.T) if name not in motion.continuous}
        notes += beyond_limits(choice.settings, recording, limited)
    return found


def _positions_cure(bag: Bag, choice: Choice) -> str:
    """What to do where no message says where the joints are; '' of another motion."""
    if not action_space_class(choice.settings.modality).columns_are_joints:
        return ""
    other = other_modalities(bag, choice.settings.modality)
    return "; have the driver publish positions, and record again" + f", or {other}" * bool(other)


def import_bag(path: Path, out: Path, settings: BagSettings, force: bool = False, dry_run: bool = False) -> dict | None:
    """Write the episodes of one bag into `out`. Returns the report; None where all was there.

    Raises BagError or OutputError. What was written before stays, and the same call goes on from there.
    """
    try:
        return _import_bag(path, out, settings, force, dry_run)
    except BagError as error:
        error.bag = str(path)
        raise
    except DatasetError as error:
        raise BagError(str(error), thing=path) from error


def _import_bag(path: Path, out: Path, settings: BagSettings, force: bool, dry_run: bool) -> dict | None:
    with Bag(path) as bag:
        choice = choose_topics(bag, settings)
        earlier = EarlierImports(out, bag.identity, choice.settings)
        if not force and earlier.settings not in (None, choice.settings.to_dict()):
            wanted = choice.settings.to_dict()
            other = sorted(key for key in wanted | earlier.settings if earlier.settings.get(key) != wanted.get(key))
            raise BagError(
                f"{path}: already in {out} with another {', '.join(other)}; --force "
                "replaces those episodes, another --out keeps both"
            )
        seen = earlier.messages(choice.image.name)
        if not force and not dry_run and seen is not None and seen != choice.image.count:
            raise BagError(
                f"{path}: already in {out}, but read then as {seen} messages of {choice.image.name}, now as "
                f"{choice.image.count}; --force replaces those episodes"
            )
        described = settings.urdf is None or _same(settings.urdf, out / f"{settings.robot}.urdf")
        if earlier.complete and described and not force and not dry_run:
            return None
        if out.is_dir():
            check_alike(
                out, choice.settings.image_size, choice.settings.dt_s, but=earlier.paths.values() if force else ()
            )
        found = examine(bag, choice)
        found.notes.extend(earlier.notes_on_turns(found.motion.continuous, force))
        spans = [
            tuple(found.clock.origin_ns + round(at * 1e9) for at in piece.times_s[[0, -1]])
            for piece in found.layout.pieces
        ]
        found.first_notes.extend(earlier.find_again(bag.path.resolve().name, spans, force and not dry_run))
        urdf = None
        if settings.urdf is not None:
            joints = found.motion.names if action_space_class(choice.settings.modality).columns_are_joints else ()
            urdf = read_urdf(settings.urdf, joints, found.notes)
            check_base(settings.urdf, urdf, settings.camera_pose)
        if dry_run:
            return make_report(found, [_entry("not written", piece) for piece in found.layout.pieces])
        check_names(
            out,
            settings.robot,
            choice.settings.modality,
            found.motion.names,
            but=earlier.paths.values() if force else (),
        )
        try:
            out.mkdir(parents=True, exist_ok=True)
            if urdf is not None:
                _copy_urdf(urdf, out / f"{settings.robot}.urdf", force)
            entries = _write(found, out, earlier, force)
            if not entries:
                raise too_short(found)
            report = make_report(found, entries)
            _write_report(out / (entries[0]["file"] + REPORT), report)
            if earlier.report not in (None, out / (entries[0]["file"] + REPORT)):
                earlier.report.unlink(missing_ok=True)
            for other in set(earlier.again_reports) - {out / (entries[0]["file"] + REPORT)}:
                other.unlink(missing_ok=True)
            for text in write_card(out):
                print(f"note: {text}", file=sys.stderr)
        except OSError as error:
            raise OutputError.of(out, error, "episodes written so far are whole") from error
    return report


def _write(found: Found, out: Path, earlier: EarlierImports, force: bool) -> list[dict]:
    """Decode and write the pieces; what each file holds."""
    settings, names = found.choice.settings, earlier.free_paths()
    entries, left = [], [*earlier.paths.values(), *earlier.again] if force else []
    report = earlier.report.name if earlier.report and not force else None
    for piece, frames in _decoded(found):
        first = int(piece.numbers[0])
        if first in earlier.paths and not force:
            target = earlier.paths[first]
        else:
            target = left.pop(0) if left else next(names)
            report = report or target.stem + REPORT
            save_episode(target, _episode(found, piece, frames, report), settings.crf)
        entries.append(_entry(target.stem, piece))
    for path in left:  # of an import that is replaced and had more episodes
        path.unlink()
        path.with_suffix(".mp4").unlink(missing_ok=True)
    return entries


def _decoded(found: Found) -> Iterator[tuple[Piece, np.ndarray]]:
    """The pieces with their frames uint8 [N, h, w, 3]; divided where one cannot be decoded."""
    from astra_ros.camera.frame_size import to_model_size

    bag, image, layout = found.bag, found.choice.image, found.layout
    piece_of = {int(number): index for index, piece in enumerate(layout.pieces) for number in piece.numbers}
    frames: list[np.ndarray | None] = []
    messages = enumerate(raw for _, _, raw in bag.messages([image.name]))
    for number, raw in tqdm(
        messages, total=len(layout.fates), unit="picture", unit_scale=True, desc=f"import {bag.path.name}"
    ):
        if number not in piece_of:
            continue
        try:
            pixels = to_rgb(image.type, bag.decode(image.name, raw))
            frames.append(to_model_size(pixels, found.choice.settings.image_size))
        except (BadImage, BadMessage) as error:
            frames.append(None)
            layout.fates[number] = BROKEN
            found.recording.pictures.broken.append(str(error))
        piece = layout.pieces[piece_of[number]]
        if number == piece.numbers[-1]:
            yield from _whole_parts(piece, frames, layout.fates)
            frames = []


def _whole_parts(piece: Piece, frames: list, fates: np.ndarray) -> Iterator[tuple[Piece, np.ndarray]]:
    bad = [index for index, frame in enumerate(frames) if frame is None]
    for begin, end in zip([0, *(index + 1 for index in bad)], [*bad, len(frames)]):
        if end - begin >= LEAST_FRAMES:
            yield piece.part(begin, end), np.stack(frames[begin:end])
        else:
            fates[piece.numbers[begin:end]] = SHORT


def _episode(found: Found, piece: Piece, frames: np.ndarray, report: str) -> Episode:
    settings, pictures = found.choice.settings, found.recording.pictures
    height, width = pictures.values[piece.numbers[0]]
    source = {
        "bag": found.bag.path.resolve().name,
        "bag_id": found.bag.identity,
        "report": report,
        "image_topic": found.choice.image.name,
        "motion_topic": found.choice.motion.name,
        "motion": found.motion.how,
        "clock": found.clock.name,
        "encoding": ", ".join(pictures.encodings),
        "camera_size": [width, height],
        "first_picture": int(piece.numbers[0]),
        "last_picture": int(piece.numbers[-1]),
        "start_ns": found.clock.origin_ns + round(piece.times_s[0] * 1e9),
        "settings": settings.to_dict(),
    }
    if found.motion.unfit:
        source["unfit"] = found.motion.unfit
    return Episode(
        frames,
        piece.motion.astype(np.float32),
        piece.labels,
        found.motion.names,
        settings.modality,
        settings.world,
        settings.robot,
        settings.dt_s,
        behaviour="recorded",
        camera=found.camera,
        source=source,
        continuous_joints=found.motion.continuous,
    )


def _entry(name: str, piece: Piece) -> dict:
    start, end = float(piece.times_s[0]), float(piece.times_s[-1])
    return {"file": name, "frames": len(piece), "seconds": round(end - start, 3), "start_s": round(start, 3)}


def _write_report(path: Path, report: dict) -> None:
    with atomic_write(path) as part:
        part.write_text(json.dumps(report, indent=1) + "\n")


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def _copy_urdf(data: bytes, target: Path, force: bool) -> None:
    if target.exists() and target.read_bytes() != data and not force:
        raise BagError(
            f"{target}: another description is there already; give this robot another "
            "name (--robot), or replace the file with --force"
        )
    target.write_bytes(data)


@dataclass(frozen=True)
class ImportRequest:
    """Bags to be imported.

    Attributes:
        bags: folders or files.
        folder: of the episodes.
        force: whether episodes of the same bag are replaced.
        dry_run: whether nothing is written.
    """

    bags: Sequence[Path]
    folder: Path
    settings: BagSettings
    force: bool = False
    dry_run: bool = False


def import_bags(request: ImportRequest) -> None:
    """Import one bag after the other, and print a report of each.

    Raises BagError where a bag cannot be imported; of several bags after the last one.
    """
    failed = []
    for path in request.bags:
        try:
            report = import_bag(path, request.folder, request.settings, request.force, request.dry_run)
        except UserError as error:
            if len(request.bags) == 1:
                raise
            print(f"{error}\n", file=sys.stderr)
            failed.append(str(path))
            continue
        if report is None:
            print(f"{path}: already in {request.folder}; --force imports it again")
        else:
            print(report_text(report))
    if failed:
        raise BagError(f"{len(failed)} of {len(request.bags)} bags could not be imported: " + ", ".join(failed))
