"""Errors of a training that a user can mend."""

from __future__ import annotations

from astra_ros.errors import UserError


class TrainingError(UserError, RuntimeError):
    """A training cannot start or go on; `thing` is a file or folder, or the name of a setting."""
