"""Data sets on disk: a table and a video for each episode, some with a second video, readable with stock tools.

    data/train/
      README.md                      the contents, written anew after each recording
      car_twist_000017.parquet       a row for each frame
      car_twist_000017.mp4           the frames
      car_twist_000020.style.mp4     of some simulated episodes: the same frames in another light, with other
                                     colours and textures

Columns of the table (pandas, Polars, DuckDB and pyarrow read it):

| column | type | meaning |
|---|---|---|
| frame | int32 | number of the frame in the video, from 0 |
| time_s | float64 | seconds since the first frame |
| motion.NAME | float32 | the commanded motion, a column each; NAME is a joint, or `linear.x` ... |
| label.NAME, label.NAME.x ... | bool or float32 | the truth; NaN where it is unknown |

A branch (`branches.py`) has labels for all of its frames, but pictures of the first `frames_seen` alone: the others
repeat the last of these. `siblings` says how many branches its scene has. Everything else (world, robot, modality,
seed, seconds between frames, ...) is JSON under the key `astra_ros` of the Parquet footer, with the video's sha256. So
each episode can be copied, deleted or added alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from astra_ros.datasets.episode import DatasetError, Episode, columns_of, labels_of
from astra_ros.datasets.video_file import LOSSLESS, decode_video, encode_video
from astra_ros.files import atomic_writes

# Seeds from here on are held out for evaluation: training refuses them.
HELD_OUT_FROM = 900_000

FORMAT = 1
FOOTER = b"astra_ros"
STYLE = ".style.mp4"
_RECORD_AGAIN = "delete all files of this episode and record it again"
_NAME = re.compile(r"(?P<space>\w+)_(?P<number>\d{6,})\.parquet")
# The fields of an episode that the footer keeps, beside its format, shape and video.
_FIELDS = ("motion_names", "modality", "world", "robot", "dt_s", "behaviour", "seed", "scene", "camera", "source")


@dataclass(frozen=True)
class PackedEpisode:
    """An episode as the bytes of its files. Workers make it."""

    table: bytes
    video: bytes
    restyled: bytes | None = None


def episode_path(folder: Path, space: str, number: int) -> Path:
    """The table of an episode; its video is beside it.

    Simulated episodes are numbered by seed, branches from a thousand times their seed on (`record.BRANCHES`).
    """
    return Path(folder) / f"{space}_{number:06d}.parquet"


def pack_episode(episode: Episode, crf: int = LOSSLESS) -> PackedEpisode:
    """Encode an episode; `crf` as in `video_file`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    video = encode_video(episode.frames, episode.dt_s, crf)
    restyled = None if episode.restyled is None else encode_video(episode.restyled, episode.dt_s, crf)
    count = len(episode)
    columns = {"frame": np.arange(count, dtype=np.int32), "time_s": np.arange(count) * episode.dt_s}
    for index, name in enumerate(episode.motion_names):
        columns[f"motion.{name}"] = episode.motion[:, index].astype(np.float32)
    for name, values in episode.labels.items():
        columns |= {f"label.{key}": column for key, column in columns_of(name, values).items()}
    footer = {
        "format": FORMAT,
        **{key: getattr(episode, key) for key in _FIELDS},
        "frames": list(episode.frames.shape),
        "crf": crf,
        "video_sha256": hashlib.sha256(video).hexdigest(),
    }
    if episode.continuous_joints:
        footer["continuous_joints"] = episode.continuous_joints
    if episode.frames_seen is not None:
        footer |= {"frames_seen": episode.frames_seen, "siblings": episode.siblings}
    if restyled is not None:
        footer["restyled_sha256"] = hashlib.sha256(restyled).hexdigest()
    table = pa.table({name: pa.array(column) for name, column in columns.items()})
    table = table.replace_schema_metadata({FOOTER: json.dumps(footer)})
    buffer = io.BytesIO()
    pq.write_table(
        table, buffer, compression="zstd", use_dictionary=False, write_statistics=False, write_page_checksum=True
    )
    return PackedEpisode(buffer.getvalue(), video, restyled)


def save_packed(path: Path, packed: PackedEpisode) -> None:
    """Write all files whole or not at all. The table, which names the episode, is written last."""
    files = [(path.with_suffix(".mp4"), packed.video), (path, packed.table)]
    if packed.restyled is not None:
        files.insert(0, (path.with_suffix(STYLE), packed.restyled))
    with atomic_writes(*(target for target, _ in files)) as parts:
        for part, (_, data) in zip(parts, files):
            part.write_bytes(data)


def _damaged(path: Path, error: Exception) -> DatasetError:
    return DatasetError(f"damaged ({str(error).splitlines()[0]})", thing=path, cure=_RECORD_AGAIN)


def save_episode(path: Path, episode: Episode, crf: int = LOSSLESS) -> None:
    save_packed(path, pack_episode(episode, crf))


def read_footer(path: Path) -> dict:
    """The footer of an episode. Raises DatasetError where the table is damaged, not ours, or of a newer format."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, error) from error
    if FOOTER not in metadata:
        problem = f"a Parquet file, but not an episode: it has no footer '{FOOTER.decode()}'"
        raise DatasetError(problem, thing=path, cure="move it out of the dataset")
    try:
        footer = json.loads(metadata[FOOTER])
        lacking = [key for key in (*_FIELDS, "frames", "video_sha256") if key not in footer]
    except (ValueError, TypeError) as error:
        raise DatasetError(f"its footer is not a JSON object ({error})", thing=path, cure=_RECORD_AGAIN) from error
    if footer.get("format") != FORMAT:
        problem = f"format {footer.get('format')}, this version reads {FORMAT}"
        raise DatasetError(problem, thing=path, cure="record or import it again")
    if lacking:
        raise DatasetError(f"its footer lacks {lacking}", thing=path, cure="record this episode again")
    return footer


def space_of(footer: dict) -> str:
    """Name of an episode's action space."""
    return f"{footer['robot']}_{footer['modality']}"


def read_footers(paths: Iterable[Path]) -> dict[Path, dict]:
    return {path: read_footer(path) for path in paths}


def continuous_joints_of(footers: Iterable[dict]) -> dict[str, tuple[str, ...]]:
    """Action space -> its joints that turn without end in any of the episodes, in their order."""
    found: dict[str, dict[str, bool]] = {}
    for footer in footers:
        known = found.setdefault(space_of(footer), dict.fromkeys(footer["motion_names"], False))
        known.update(dict.fromkeys(footer.get("continuous_joints", ()), True))
    turning = {space: tuple(name for name, turns in known.items() if turns) for space, known in found.items()}
    return {space: joints for space, joints in turning.items() if joints}


def _readable(paths: Iterable[Path], but: Iterable[Path]) -> Iterator[dict]:
    """The footers of episodes, in order of name, without damaged ones and those in `but`."""
    for path in sorted({*paths} - {*but}):
        with contextlib.suppress(DatasetError):
            yield read_footer(path)


def check_alike(
    folder: Path, size: tuple[int, int], dt_s: float, but: Iterable[Path] = (), branches: bool = False
) -> None:
    """Raises DatasetError where a folder's episodes have another size (h, w) or rate than new ones.

    Also where they are branches and the new ones are not, or the other way round. Damaged episodes are skipped, and
    those in `but` are about to be replaced.
    """
    cure = "write to another folder: a folder holds one kind"
    for footer in _readable(folder.glob("*.parquet"), but):
        there = tuple(footer["frames"][1:3])
        if there != tuple(size) or footer["dt_s"] != dt_s:
            raise DatasetError(
                f"its episodes have {there[1]} x {there[0]} pixels and {footer['dt_s']:g} s a frame, "
                f"the new ones {size[1]} x {size[0]} and {dt_s:g} s",
                thing=folder,
                cure=cure,
            )
        if (footer.get("frames_seen") is not None) != branches:
            problem = "it has whole episodes, the new ones are branches" if branches else "it has branches"
            raise DatasetError(problem, thing=folder, cure=cure)


def check_names(folder: Path, robot: str, modality: str, names: tuple[str, ...], but: Iterable[Path] = ()) -> None:
    """Raises DatasetError where a robot's episodes in a folder move other joints, or in another order.

    Damaged episodes are skipped, and those in `but` are about to be replaced.
    """
    for footer in _readable(folder.glob(f"{robot}_{modality}_*.parquet"), but):
        there = tuple(footer["motion_names"])
        if (footer["robot"], footer["modality"]) == (robot, modality) and there != tuple(names):
            only = f"import only the joints {' '.join(there)}, or " if {*there} <= {*names} else ""
            problem = f"its episodes of {robot} have {', '.join(there)}, the new ones {', '.join(names)}"
            raise DatasetError(problem, thing=folder, cure=f"{only}give this robot another name")


def load_episode(path: Path, frames: bool = True, restyled: bool = False, branch: bool = False) -> Episode:
    """An episode from its files, or without `frames` (0 pixels large) from its table alone.

    `restyled`: read the frames in another style too. Raises DatasetError where a file is missing, damaged, or of
    another episode, and for a branch, whose frames are not what its labels are of, unless `branch` allows it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    footer = read_footer(path)
    if footer.get("frames_seen") is not None and not branch:
        cure = "name a folder of whole episodes; `astra train --branches` learns from branches"
        raise DatasetError("a branch, without pictures of what comes", thing=path, cure=cure)
    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, error) from error
    empty = np.zeros((len(table), 0, 0, 3), np.uint8)
    images = _load_frames(path, ".mp4", footer["video_sha256"]) if frames else empty
    other = None
    if restyled and "restyled_sha256" in footer:
        other = _load_frames(path, STYLE, footer["restyled_sha256"])
    columns = {name: table[name].to_numpy() for name in table.column_names}
    labels = {name.removeprefix("label."): each for name, each in columns.items() if name.startswith("label.")}
    values = {key: footer[key] for key in _FIELDS}
    names = tuple(values.pop("motion_names"))
    motion = np.stack([columns[f"motion.{name}"] for name in names], axis=1).astype(np.float32)
    turning = tuple(footer.get("continuous_joints", ()))
    values |= {"frames_seen": footer.get("frames_seen"), "siblings": footer.get("siblings", {})}
    return Episode(images, motion, labels_of(labels), names, restyled=other, continuous_joints=turning, **values)


def _load_frames(path: Path, suffix: str, sha256: str) -> np.ndarray:
    """A video that belongs to a table, checked against its sha256."""
    video = path.with_suffix(suffix)
    try:
        data = video.read_bytes()
    except OSError as error:
        cure = "delete the table and record the episode again"
        raise DatasetError(f"{error.strerror}, and the table {path.name} needs it", thing=video, cure=cure) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        problem = f"damaged, or of another episode than {path.name}: its sha256 differs"
        raise DatasetError(problem, thing=video, cure=_RECORD_AGAIN)
    return decode_video(data, str(video))


def list_episodes(folder: str | Path, space: str | None = None) -> list[Path]:
    """Tables of the episodes, in order of name. Raises DatasetError for a folder without any."""
    folder = Path(folder)
    found = sorted(
        path
        for path in folder.glob("*.parquet")
        if (match := _NAME.fullmatch(path.name)) and space in (None, match["space"])
    )
    if not found:
        old = any(folder.glob("episode_*.npz"))
        problem = f"no episodes{f' of {space}' if space else ''}" + ", but NPZ files of an older version" * old
        cure = "record them again" if old else "record or import some"
        raise DatasetError(problem, thing=folder, cure=cure)
    return found


def has_its_videos(path: Path) -> bool:
    """Whether the videos of a table exist. `load_episode` checks whether they are whole."""
    if not path.with_suffix(".mp4").exists():
        return False
    try:
        return path.with_suffix(STYLE).exists() or "restyled_sha256" not in read_footer(path)
    except DatasetError:  # damaged: `load_episode` says so
        return True


def videos_without_table(folder: str | Path) -> list[Path]:
    """Videos whose table is missing. They are not episodes without it."""
    return sorted(
        path
        for path in Path(folder).glob("*.mp4")
        if _NAME.fullmatch(f"{path.stem}.parquet") and not path.with_suffix(".parquet").exists()
    )
