"""Folders of models in the user's cache: written by one process at a time, the oldest deleted."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOG = logging.getLogger(__name__)
KEPT = 10  # folders of a cache


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """While the block runs, no other process is in such a block of the same folder; whether one had to be waited for.

    File systems without locks let everybody in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = os.open(folder, os.O_RDONLY)
    waited = False
    try:
        with suppress(OSError):
            try:
                fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                LOG.info(f"another process writes to {folder}; waiting for it")
                waited = True
                fcntl.flock(place, fcntl.LOCK_EX)
        yield waited
    finally:
        os.close(place)


def forget_old(cache: Path, note: str) -> None:
    """Delete the folders of a cache, known by their file `note`, that were not read for longest."""
    with suppress(OSError):  # another process deletes too
        notes = sorted(cache.glob(f"*/{note}"), key=lambda file: file.stat().st_mtime)
        for each in notes[:-KEPT]:
            shutil.rmtree(each.parent, ignore_errors=True)
