"""Convex pieces of meshes on disk, so that each mesh is cut once per user and not once per process.

Entries lie in ``$XDG_CACHE_HOME/astra_ros/shapes`` (``~/.cache`` where that is not set), each named by a hash of all
that its pieces depend on. Without a writable folder or a readable entry the mesh is cut again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from astra_ros.files import user_cache

# Largest size of all entries; the least recently used are deleted first.
MOST_BYTES = 64 * 2**20
# Formats of a single file. glTF may name others.
WHOLE = (".stl", ".obj", ".dae", ".zae", ".ply", ".off")


def folder() -> Path:
    """The folder of the entries. It may be missing; a user without a home has none."""
    return user_cache() / "shapes"


def key_of(path: Path, settings: Sequence) -> str | None:
    """Name of the entry for a mesh file, or None where its pieces are not kept. Raises OSError.

    Args:
        settings: everything except the file that its pieces depend on, compared as text.
    """
    data = path.read_bytes()
    kind = path.suffix.lower()
    if kind not in WHOLE and (kind != ".glb" or b'"uri"' in data):
        return None
    digest = hashlib.sha256(repr((kind, *settings)).encode())
    digest.update(data)
    return digest.hexdigest()


def load(key: str) -> list[np.ndarray] | None:
    """The stored pieces float64 [V, 3], or None without a sound entry."""
    path = folder() / f"{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            pieces = [file[f"piece{index}"] for index in range(len(file.files))]
        with contextlib.suppress(OSError):
            os.utime(path)  # used just now
    except Exception:  # noqa: BLE001  a damaged file raises many kinds; the mesh is cut again
        return None
    sound = all(p.dtype == np.float64 and p.ndim == 2 and p.shape[1] == 3 and len(p) for p in pieces)
    finite = sound and all(np.isfinite(piece).all() for piece in pieces)
    return pieces if pieces and finite else None


def store(key: str, pieces: Sequence[np.ndarray]) -> None:
    """Store pieces float64 [V, 3] atomically."""
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
    """Delete the least recently used entries, down to ``MOST_BYTES``."""
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
