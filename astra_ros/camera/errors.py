"""Errors of camera images and lenses. None names a topic: who reads messages adds it as ``thing``."""

from __future__ import annotations

from astra_ros.errors import UserError


class ImageError(UserError, ValueError):
    """An image cannot be used.

    Attributes:
        found: the value that is wrong, such as a step or an encoding; None where no single value is.
        expected: the value that would be right, or None.
    """

    def __init__(
        self, problem: str, *, thing: str = "", cure: str = "", found: object = None, expected: object = None
    ) -> None:
        super().__init__(problem, thing=thing, cure=cure)
        self.found, self.expected = found, expected


class BadImage(ImageError):
    """One image is broken. Others on its topic may be whole."""


class UnsupportedImage(ImageError):
    """All images of this kind cannot be used: depth, labels, video, or an unknown encoding."""


class LensError(UserError, ValueError):
    """A camera_info whose lens cannot be used."""


class NotCalibrated(LensError):
    """A camera_info without focal lengths."""


class OtherSize(LensError):
    """A camera_info of images of another size."""
