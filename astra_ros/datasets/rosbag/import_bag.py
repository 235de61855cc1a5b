"""A rosbag2 of a real robot, with a camera and its motion, as episodes.

Frames are taken a model step apart, and the motion is interpolated at the frames' times. A report says what was
found, what was dropped and why. A bag is not imported twice, and an import that was stopped goes on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from astra_ros.datasets.dataset import check_alike, check_names
from astra_ros.datasets.dataset_card import write_card
from astra_ros.datasets.episode import DatasetError
from astra_ros.datasets.rosbag.analysis import Analysis, analyse, too_short
from astra_ros.datasets.rosbag.bag import Bag
from astra_ros.datasets.rosbag.description import check_base, read_urdf
from astra_ros.datasets.rosbag.episode_writer import report_entry, write_episodes
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.existing_imports import REPORT, ExistingImports
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.datasets.rosbag.report import make_report, report_text
from astra_ros.datasets.rosbag.topics import select_topics
from astra_ros.errors import UserError
from astra_ros.files import OutputError, atomic_write
from astra_ros.plans.action_spaces import action_space_class
from astra_ros.texts import with_names


@dataclass(frozen=True)
class ImportRequest:
    """Bags to be imported."""

    bags: Sequence[Path]  # folders or files
    folder: Path  # of the episodes
    settings: BagSettings
    force: bool = False  # whether episodes of the same bag are replaced
    dry_run: bool = False  # whether nothing is written


def import_bags(request: ImportRequest, names: Mapping[str, str] = {}) -> None:
    """Import one bag after the other, and print a report of each.

    Args:
        names: setting -> how the user calls it; see ``with_names``.

    Raises BagError where a bag cannot be imported; of several bags after the last one.
    """
    failed = []
    for path in request.bags:
        try:
            report = import_bag(path, request.folder, request.settings, request.force, request.dry_run)
        except UserError as error:
            if len(request.bags) == 1:
                raise
            print(f"{with_names(str(error), names)}\n", file=sys.stderr)
            failed.append(str(path))
            continue
        if report is None:
            print(with_names(f"{path}: already in {request.folder}; `force` imports it again", names))
        else:
            print(with_names(report_text(report), names))
    if failed:
        raise BagError(f"{len(failed)} of {len(request.bags)} bags could not be imported: " + ", ".join(failed))


def import_bag(path: Path, out: Path, settings: BagSettings, force: bool = False, dry_run: bool = False) -> dict | None:
    """Write the episodes of one bag into `out`. Returns the report; None where all episodes are there already.

    Raises BagError or OutputError. What was written before stays, and the same call goes on from there.
    """
    try:
        with Bag(path) as bag:
            return _import(bag, out, settings, force, dry_run)
    except BagError as error:
        error.bag = str(path)
        raise
    except DatasetError as error:
        raise BagError(str(error), thing=path) from error


def _import(bag: Bag, out: Path, settings: BagSettings, force: bool, dry_run: bool) -> dict | None:
    urdf_path, selection = settings.urdf, select_topics(bag, settings)
    settings = selection.settings
    existing = ExistingImports(out, bag.identity, settings)
    if not force:
        existing.check_settings(settings)
        if not dry_run:
            existing.check_count(selection.image)
            described = urdf_path is None or _same(urdf_path, out / f"{settings.robot}.urdf")
            if existing.complete and described:
                return None
    replaced = existing.paths.values() if force else ()
    if out.is_dir():
        check_alike(out, settings.image_size, settings.dt_s, but=replaced)
    analysis = analyse(bag, selection)
    analysis.notes.extend(existing.notes_on_turns(analysis.motion.continuous, force))
    spans = [analysis.clock.span_ns(segment.times_s) for segment in analysis.segmentation.segments]
    analysis.first_notes.extend(existing.find_again(bag.path.resolve().name, spans, force and not dry_run))
    urdf = None
    if urdf_path is not None:
        joints = analysis.motion.names if action_space_class(settings.modality).columns_are_joints else ()
        urdf = read_urdf(urdf_path, joints, analysis.notes)
        check_base(urdf_path, urdf, settings.camera_pose)
    if dry_run:
        return make_report(analysis, [report_entry("not written", each) for each in analysis.segmentation.segments])
    check_names(out, settings.robot, settings.modality, analysis.motion.names, but=replaced)
    try:
        out.mkdir(parents=True, exist_ok=True)
        if urdf is not None:
            _copy_urdf(urdf, out / f"{settings.robot}.urdf", force)
        report = _write(analysis, out, existing, force)
        for text in write_card(out):
            print(f"note: {text}", file=sys.stderr)
    except OSError as error:
        raise OutputError.of(out, error, "episodes written so far are whole") from error
    return report


def _write(analysis: Analysis, out: Path, existing: ExistingImports, force: bool) -> dict:
    """Write the episodes, then their report."""
    entries = write_episodes(analysis, out, existing, force)
    if not entries:
        raise too_short(analysis)
    report, path = make_report(analysis, entries), out / (entries[0]["file"] + REPORT)
    with atomic_write(path) as part:
        part.write_text(json.dumps(report, indent=1) + "\n")
    for other in (existing.report, *existing.again_reports):
        if other not in (None, path):
            other.unlink(missing_ok=True)
    return report


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def _copy_urdf(data: bytes, target: Path, force: bool) -> None:
    if target.exists() and target.read_bytes() != data and not force:
        cure = "give this robot another name (`robot`), or replace the file (`force`)"
        raise BagError("another description is there already", thing=target, cure=cure)
    target.write_bytes(data)
