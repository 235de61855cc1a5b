"""Errors of cameras, images and lenses. None names a topic: who reads messages adds it as ``thing``."""

from __future__ import annotations

from astra_ros.errors import UserError


class CameraError(UserError, ValueError):
    """A camera, or a history of its frames, cannot be as it is given."""


class ImageError(UserError, ValueError):
    """An image cannot be used."""


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
