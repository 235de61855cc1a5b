"""PyBullet without the line that it prints on standard error at import, into progress bars and logs."""

from __future__ import annotations

import os


def _imported():
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        import pybullet

        return pybullet
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        import pybullet
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)
    return pybullet


pybullet = _imported()
