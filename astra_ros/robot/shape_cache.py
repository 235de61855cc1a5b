"""Convex pieces of meshes on disk, so that each mesh is cut once per user and not once per process.

Entries lie in ``$XDG_CACHE_HOME/astra_ros/shapes`` (``~/.cache`` where that is not set), each named by a hash of
all that its pieces depend on. Nothing here raises: without a folder that can be written, or with an entry that
cannot be read, the mesh is cut again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

# Entries take so much at most; those that were not used for longest go first.
MOST_BYTES = 64 * 2**20
# Formats whose shape stands in the one file. glTF may name others.
WHOLE = (".stl", ".obj", ".dae", ".zae", ".ply", ".off")


def folder() -> Path:
    """Where the entries lie; the folder may not be there, and a user without a home has none."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # relative ones do not count, says the XDG base directory specification
        home = os.path.expanduser("~")
        base = os.path.join(home if os.path.isabs(home) else os.devnull, ".cache")
    return Path(base) / "astra_ros" / "shapes"


def key_of(path: Path, settings: Sequence) -> str | None:
    """Name of the entry for a mesh file, or None where it is not kept.

    Args:
        path: the mesh file.
        settings: all else that its pieces depend on; what has the same text is the same.

    Raises:
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    kind = path.suffix.lower()
    if kind not in WHOLE and (kind != ".glb" or b'"uri"' in data):
        return None
    digest = hashlib.sha256(repr((kind, *settings)).encode())
    digest.update(data)
    return digest.hexdigest()


def load(key: str) -> list[np.ndarray] | None:
    """Pieces float64 [V, 3] as they were stored, or None where there is no sound entry."""
    path = folder() / f"{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            pieces = [file[f"piece{index}"] for index in range(len(file.files))]
        with contextlib.suppress(OSError):
            os.utime(path)  # used just now
    except Exception:  # noqa: BLE001  a damaged file raises many kinds; whichever it is, the mesh is cut again
        return None
    sound = all(p.dtype == np.float64 and p.ndim == 2 and p.shape[1] == 3 and len(p) for p in pieces)
    finite = sound and all(np.isfinite(piece).all() for piece in pieces)
    return pieces if pieces and finite else None


def store(key: str, pieces: Sequence[np.ndarray]) -> None:
    """Keep pieces float64 [V, 3], whole or not at all."""
    where = folder()
    part = None
    try:
        where.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=key[:16], suffix=".part", dir=where)
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **{f"piece{index}": piece for index, piece in enumerate(pieces)})
        os.replace(part, where / f"{key}.npz")
        _trim(where)
    except OSError:
        if part is not None:
            with contextlib.suppress(OSError):
                os.unlink(part)


def _trim(where: Path) -> None:
    """Delete the entries that were not used for longest, down to ``MOST_BYTES``."""
    entries = []
    for path in where.iterdir():
        with contextlib.suppress(OSError):  # another process may have deleted it
            facts = path.stat()
            entries.append((facts.st_mtime_ns, facts.st_size, path))
    too_much = sum(size for _, size, _ in entries) - MOST_BYTES
    for _, size, path in sorted(entries):
        if too_much <= 0:
            return
        with contextlib.suppress(OSError):
            path.unlink()
            too_much -= size
