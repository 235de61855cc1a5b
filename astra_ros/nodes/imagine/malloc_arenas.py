"""Keeps the memory of a process small that throws away large pictures in several threads."""

from __future__ import annotations

import ctypes
import os

# glibc's number of the option, from malloc.h.
M_ARENA_MAX = -8
ARENAS = 2


def share_arenas(most: int = ARENAS) -> bool:
    """Let all threads that start from now on take memory from the same few arenas of glibc; True where that holds.

    An arena keeps what is freed in it. The executor hands each picture to whichever thread is free, so with an arena
    a thread each of them ends up with room for the copies of a picture: 6 MB each at 1080p, three and more at once.
    A user who sets MALLOC_ARENA_MAX is left alone; other C libraries do not need this.
    """
    if "MALLOC_ARENA_MAX" in os.environ:
        return False
    try:
        return bool(ctypes.CDLL(None).mallopt(M_ARENA_MAX, most))
    except (AttributeError, OSError):
        return False
