"""Errors of cameras, images and lenses. They do not name a topic: the caller adds it as ``thing``."""

from __future__ import annotations

from astra_ros.errors import UserError


class CameraError(UserError, ValueError):
    """The settings of a camera, or a frame for its history, are invalid."""


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
