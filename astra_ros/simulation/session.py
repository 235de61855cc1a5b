"""A connection to PyBullet, and saved moments of it."""

from __future__ import annotations

import functools
import os
import struct
import tempfile
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from astra_ros.simulation.bullet import pybullet

if TYPE_CHECKING:
    from typing_extensions import Self  # typing has it from Python 3.11 on


class Session:
    """One connection to PyBullet, with PyBullet's functions. PyBullet may reuse its number once it is closed."""

    def __init__(self) -> None:
        self.client = pybullet.connect(pybullet.DIRECT)
        self.is_open = True

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return functools.partial(getattr(pybullet, name), physicsClientId=self.client)

    def load_file(self, load: Callable[[str], int], content: bytes, suffix: str) -> int:
        """What a loader of PyBullet makes of a file; it reads nothing but files, so a temporary one is written."""
        handle, path = tempfile.mkstemp(suffix=suffix, prefix="astra_ros_")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            return load(path)
        finally:
            os.unlink(path)

    def load_texture(self, rgb: np.ndarray) -> int:
        """PyBullet's number of a texture, uint8 [rows, columns, 3]."""
        rows, columns = rgb.shape[:2]
        # An uncompressed Targa file: rows from the top, bytes blue green red.
        header = struct.pack("<3B5x4H2B", 0, 0, 2, 0, 0, columns, rows, 24, 0x20)
        return self.load_file(self.loadTexture, header + np.ascontiguousarray(rgb[..., ::-1]).tobytes(), ".tga")

    def forget(self, state_id: int) -> None:
        """Free a saved state, unless its simulation is already closed."""
        if self.is_open:
            self.removeState(state_id)

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.disconnect()


class Snapshot:
    """A moment of one world; give it back to that world's ``restore``.

    Attributes:
        session: of its simulation.
        fields: the world's own state beside Bullet's.
    """

    def __init__(self, session: Session, fields: dict) -> None:
        self.session, self.fields = session, fields


class BulletSnapshot(Snapshot):
    """A moment whose state in Bullet is saved too, as number ``state_id``; it is freed with this object."""

    def __init__(self, session: Session, fields: dict) -> None:
        super().__init__(session, fields)
        self.state_id = session.saveState()
        weakref.finalize(self, session.forget, self.state_id)


class SessionOwner:
    """A world with a connection of its own in ``_session``; usable in a ``with`` statement."""

    _session: Session
    # Everything that changes within an episode, beside Bullet's own state. It is replaced, never changed in place.
    _MOMENT: tuple[str, ...]

    def _moment(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._MOMENT}

    def _restore_moment(self, snapshot: Snapshot) -> None:
        if snapshot.session is not self._session:
            raise ValueError(f"the snapshot is of another {type(self).__name__}; restore it there")
        for name, value in snapshot.fields.items():
            setattr(self, name, value)

    def close(self) -> None:
        """Free the simulation. A closed world cannot be used again."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()
