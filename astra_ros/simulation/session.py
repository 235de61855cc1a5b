"""A connection to PyBullet, and saved moments of it."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from astra_ros.simulation.bullet import pybullet

if TYPE_CHECKING:
    from typing_extensions import Self  # typing has it from Python 3.11 on


class Session:
    """One connection to PyBullet. PyBullet may reuse its number once it is closed."""

    def __init__(self) -> None:
        self.client = pybullet.connect(pybullet.DIRECT)
        self.is_open = True

    def forget(self, state_id: int) -> None:
        """Free a saved state, unless its simulation is already closed."""
        if self.is_open:
            pybullet.removeState(state_id, physicsClientId=self.client)

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            pybullet.disconnect(physicsClientId=self.client)


class SessionOwner:
    """A world with a connection of its own in ``_session``; usable in a ``with`` statement."""

    _session: Session

    def close(self) -> None:
        """Free the simulation. A closed world cannot be used again."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()


class Snapshot:
    """A saved moment of one world; give it back to that world's ``restore``.

    Attributes:
        session: of its simulation.
        fields: the world's own state beside Bullet's.
        state_id: Bullet's number of the saved state, freed with this object.
    """

    def __init__(self, session: Session, fields: dict) -> None:
        self.session = session
        self.fields = fields
        self.state_id = pybullet.saveState(physicsClientId=session.client)
        weakref.finalize(self, session.forget, self.state_id)
