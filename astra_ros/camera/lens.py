"""The lens that a ``sensor_msgs/CameraInfo`` describes, in pixels of the pictures beside it; without ROS.

CameraInfo gives sizes and matrices of the whole sensor. Where the driver combines pixels (binning) or sends a part of
the sensor (roi), the pictures are smaller: REP 104. Messages are read by their fields, from rclpy or from rosbags.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Smaller focal lengths (pixels) stand for none: drivers without a calibration send 0, or 1 as in an identity matrix.
LEAST_FOCAL = 1.0
FISHEYE = ("equidistant", "fisheye", "kannala_brandt", "thin_prism_fisheye")
# Focal lengths that differ by less are one lens, measured twice.
SAME_FOCAL = 0.01


class LensError(ValueError):
    """A camera_info whose lens cannot be used. The text says why, and what to do, without its topic."""


class NotCalibrated(LensError):
    """A camera_info without focal lengths."""


class OtherSize(LensError):
    """A camera_info of pictures of another size."""


@dataclass(frozen=True)
class Lens:
    """A pinhole lens without distortion, of the pictures as they come.

    Attributes:
        width, height: pixels of a picture.
        fx, fy: focal lengths, pixels.
        cx, cy: where the optical axis meets the picture, pixels.
        remarks: what the user should know of it, a sentence each, without topic.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"focal length {self.fx:.1f}, {self.fy:.1f}, centre {self.cx:.1f}, {self.cy:.1f} pixels"

    def resembles(self, other: Lens) -> bool:
        """Whether the focal lengths are the same but for the noise of a calibration."""
        return bool(
            abs(self.fx - other.fx) <= SAME_FOCAL * self.fx and abs(self.fy - other.fy) <= SAME_FOCAL * self.fy
        )


def is_rectified(image_topic: str) -> bool:
    """Whether a topic's pictures are rectified, by the names that image_proc gives them."""
    return any(part.startswith("image_rect") for part in image_topic.split("/"))


def contents(info) -> tuple:
    """All that a camera_info says of the lens, to tell messages apart."""
    roi = info.roi
    return (
        info.width,
        info.height,
        info.distortion_model,
        *(tuple(np.asarray(matrix, dtype=np.float64).tolist()) for matrix in (info.d, info.k, info.p)),
        *(info.binning_x, info.binning_y, roi.x_offset, roi.y_offset, roi.width, roi.height),
    )


def is_calibrated(info) -> bool:
    """Whether K or P holds focal lengths."""
    return _focals(info.k, 0, 4) is not None or _focals(info.p, 0, 5) is not None


def picture_size(info) -> tuple[int, int]:
    """(height, width) in pixels that the pictures beside a camera_info have, by its region and binning; 0 if unsaid."""
    _, _, width, height = _region(info)
    across, down = _binning(info)
    return height // down, width // across


def size_error(info, size: tuple[int, int]) -> str:
    """What is wrong where a camera_info is of pictures of another size, else ''.

    Args:
        size: (height, width) of a picture.
    """
    if 0 in (info.width, info.height) or size in (picture_size(info), (info.height, info.width)):
        return ""
    return f"camera_info says {_said_size(info)} pixels, images have {size[1]} x {size[0]}"


def read_lens(info, size: tuple[int, int], rectified: bool) -> Lens:
    """The lens of pictures of a size.

    Args:
        info: with the fields of ``sensor_msgs/CameraInfo``.
        size: (height, width) of the pictures.
        rectified: whether the pictures are, so that P and not K is theirs.

    Raises:
        NotCalibrated: neither K nor P holds focal lengths.
        OtherSize: it is of pictures of another size.
        LensError: its region does not lie on its sensor.
    """
    if not is_calibrated(info):
        raise NotCalibrated(
            "the camera is not calibrated: K and P hold no focal lengths; calibrate it with "
            "`ros2 run camera_calibration cameracalibrator` and have the driver load the result"
        )
    if wrong := size_error(info, size):
        raise OtherSize(wrong)
    left, top, width, height = _region(info)
    if left + width > max(info.width, width) or top + height > max(info.height, height):
        raise LensError(
            f"roi is {width} x {height} pixels from ({left}, {top}), which does not lie on the sensor of "
            f"{info.width} x {info.height}; width and height must be the sensor's: mend the driver's camera_info"
        )
    (fx, cx, fy, cy), remarks = _matrix(info, rectified)
    across, down = _binning(info)
    if size == picture_size(info) or 0 in (info.width, info.height):
        # As image_geometry does it, which does not shift by half a pixel where pixels are combined.
        fx, fy, cx, cy = fx / across, fy / down, (cx - left) / across, (cy - top) / down
    else:
        remarks.append(
            f"{_said_size(info)} pixels, but the images have all {size[1]} x {size[0]}: K and P are taken to be of "
            "these, without binning and roi"
        )
    if not rectified and (bent := _distortion(info)):
        remarks.append(bent)
    return Lens(size[1], size[0], fx, fy, cx, cy, tuple(remarks))


def _matrix(info, rectified: bool) -> tuple[tuple[float, float, float, float], list[str]]:
    """((fx, cx, fy, cy) of the whole sensor, remarks)."""
    of_k, of_p = _focals(info.k, 0, 4), _focals(info.p, 0, 5)
    k = None if of_k is None else (of_k[0], float(info.k[2]), of_k[1], float(info.k[5]))
    p = None if of_p is None else (of_p[0], float(info.p[2]), of_p[1], float(info.p[6]))
    if rectified:
        return (p, []) if p else (k, ["P is empty, so K is taken, though the images are rectified"])
    return (k, []) if k else (p, ["K is empty, so P is taken, though the images are not rectified"])


def _focals(matrix, x: int, y: int) -> tuple[float, float] | None:
    """Focal lengths in pixels, where a matrix has them."""
    values = np.asarray(matrix, dtype=np.float64)
    if len(values) <= y or not np.isfinite(values).all() or min(values[x], values[y]) <= LEAST_FOCAL:
        return None
    return float(values[x]), float(values[y])


def _binning(info) -> tuple[int, int]:
    return max(1, int(info.binning_x)), max(1, int(info.binning_y))


def _region(info) -> tuple[int, int, int, int]:
    """(left, top, width, height) on the sensor, in its pixels; a width of 0 is all the rest."""
    roi = info.roi
    left, top = int(roi.x_offset), int(roi.y_offset)
    return left, top, int(roi.width) or max(0, info.width - left), int(roi.height) or max(0, info.height - top)


def _said_size(info) -> str:
    """'640 x 480', and what binning and region make of it."""
    said, (height, width) = f"{info.width} x {info.height}", picture_size(info)
    if (height, width) == (info.height, info.width):
        return said
    across, down = _binning(info)
    return f"{said} with binning {across} x {down} and roi, so {width} x {height}"


def _distortion(info) -> str:
    model = info.distortion_model.strip().lower()
    if model in FISHEYE:    # which bends also where all its numbers are 0
        return (
            f"the lens is a fisheye ({model}), whose distortion is not removed, so geometry is wrong towards the "
            "edges; record a rectified topic"
        )
    if not np.any(np.asarray(info.d, dtype=np.float64)):
        return ""
    return (
        f"the lens bends straight lines ({model or 'distortion_model is empty'}), which is not removed; record a "
        "rectified topic where that matters"
    )
