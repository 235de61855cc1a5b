"""Limits the memory of a process that frees large images in several threads."""

from __future__ import annotations

import ctypes
import os

# glibc's number of the option, from malloc.h.
M_ARENA_MAX = -8
ARENAS = 2


def share_arenas(most: int = ARENAS) -> bool:
    """Have all threads that start from now on share a few arenas of glibc; True where glibc takes the limit.

    An arena keeps the memory that is freed in it. The executor hands each image to any free thread, so with one arena
    per thread each of them ends up with room for the copies of an image: 6 MB each at 1080p, three and more at once.
    The environment variable MALLOC_ARENA_MAX takes precedence; other C libraries do not need this.
    """
    if "MALLOC_ARENA_MAX" in os.environ:
        return False
    try:
        return bool(ctypes.CDLL(None).mallopt(M_ARENA_MAX, most))
    except (AttributeError, OSError):
        return False
