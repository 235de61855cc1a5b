"""The lens that a ``sensor_msgs/CameraInfo`` describes, in pixels of the pictures beside it; without ROS.

CameraInfo gives sizes and matrices of the whole sensor. Where the driver combines pixels (binning) or sends a part of
the sensor (roi), the pictures are smaller: REP 104. Messages are read by their fields, from rclpy or from rosbags.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from astra_ros.texts import short

# Smaller focal lengths (pixels) stand for none: drivers without a calibration send 0, or 1 as in an identity matrix.
LEAST_FOCAL = 1.0
FISHEYE = ("equidistant", "fisheye", "kannala_brandt", "thin_prism_fisheye")
# Focal lengths that differ by less are one lens, measured twice.
SAME_FOCAL = 0.01
# A rectification that turns pictures by less (degrees) is not worth a remark.
LEAST_TURN = 0.5
# A lens sits before the middle of its sensor: its axis meets it between these parts of width and height.
MIDDLE = (1 / 3, 2 / 3)
# K of pictures of another size puts the axis in both directions equally far off, but for so much of it.
SAME_SCALE = 0.15


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
        sensor: size, binning and region as camera_info has them, where they are not the pictures' size; or ''.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    remarks: tuple[str, ...] = ()
    sensor: str = ""

    def __str__(self) -> str:
        whole = f"; sensor {self.sensor}" if self.sensor else ""
        return f"focal length {self.fx:.1f}, {self.fy:.1f}, centre {self.cx:.1f}, {self.cy:.1f} pixels{whole}"

    def resembles(self, other: Lens) -> bool:
        """Whether the focal lengths are the same but for the noise of a calibration."""
        return bool(abs(self.fx - other.fx) <= SAME_FOCAL * self.fx and abs(self.fy - other.fy) <= SAME_FOCAL * self.fy)


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
        LensError: its region does not lie on its sensor, or its matrix is of much larger pictures.
    """
    if not is_calibrated(info):
        raise NotCalibrated(
            "the camera is not calibrated: K and P hold no focal lengths; calibrate it with "
            "`ros2 run camera_calibration cameracalibrator` and have the driver load the result"
        )
    if wrong := size_error(info, size):
        raise OtherSize(wrong)
    matrix, remarks = _matrix(info, rectified)
    left, top, width, height = _region(info)
    unsaid = 0 in (info.width, info.height)
    outside = not unsaid and (left + width > max(info.width, width) or top + height > max(info.height, height))
    # Some drivers give the region's size as the sensor's. K or P of the pictures is then all that is needed.
    if outside and not (size == (info.height, info.width) and matrix.fits((info.width, info.height))):
        raise LensError(
            f"roi is {width} x {height} pixels from ({left}, {top}), which does not lie on the sensor of "
            f"{info.width} x {info.height}; width and height must be the sensor's: mend the driver's camera_info"
        )
    fits = not outside and size == picture_size(info) or unsaid
    said, (matrix, contradiction) = matrix, _of_pictures(matrix, info, size, fits)
    remarks += [contradiction] * bool(contradiction)
    if outside:
        remarks.append(
            f"roi begins at ({left}, {top}), but its size is that of the sensor, {info.width} x {info.height}, and of "
            f"the images: {matrix.name} is taken to be of these, without roi"
        )
    elif not fits and matrix == said:
        remarks.append(
            f"{_said_size(info)} pixels, but the images have all {size[1]} x {size[0]}: K and P are taken to be of "
            "these, without binning and roi"
        )
    if apart := _place(info) if rectified and matrix.name == "P" else _distortion(info) if not rectified else "":
        remarks.append(apart)
    sensor = _said_size(info) if size != (info.height, info.width) and not unsaid else ""
    return Lens(size[1], size[0], *matrix.focal, *matrix.axis, tuple(remarks), sensor)


@dataclass(frozen=True)
class _Matrix:
    """K or P: focal lengths and where the axis lies, x and y, pixels."""

    name: str
    focal: tuple[float, float]
    axis: tuple[float, float]

    def seen(self, shift: tuple[float, float], every: tuple[int, int]) -> _Matrix:
        """From a corner at ``shift``, where so many pixels (x, y) become one."""
        # As image_geometry does it, which does not shift by half a pixel where pixels are combined.
        axis = (self.axis[0] - shift[0]) / every[0], (self.axis[1] - shift[1]) / every[1]
        return replace(self, focal=(self.focal[0] / every[0], self.focal[1] / every[1]), axis=axis)

    def places(self, size: tuple[float, float]) -> tuple[float, float]:
        """Where the axis meets a picture of (width, height), in parts of it."""
        return self.axis[0] / size[0], self.axis[1] / size[1]

    def fits(self, size: tuple[float, float]) -> bool:
        """Whether it can be that of a whole picture of (width, height)."""
        return all(MIDDLE[0] < place < MIDDLE[1] for place in self.places(size))


def _of_pictures(matrix: _Matrix, info, size: tuple[int, int], fits: bool) -> tuple[_Matrix, str]:
    """A message's matrix as that of its pictures, and what contradicts that.

    Args:
        fits: whether the message's size, binning and region give the size of the pictures; else its size alone does.
    """
    left, top, wide, high = _region(info)
    every, one, none = _binning(info), (1, 1), (0, 0)
    pictures = size[1], size[0]
    if fits:
        sensor = _sensor(info, size)
        as_said = matrix.seen((left, top), every)
        if sensor is None or matrix.fits(sensor):
            return as_said, ""
        # Drivers that load what a calibration of smaller pictures gave, and say what their sensor does all the same.
        whole = sensor[0] / every[0], sensor[1] / every[1]
        others = [(pictures, none, one), (whole, (left / every[0], top / every[1]), one), ((wide, high), none, every)]
    else:
        sensor, as_said = pictures, matrix
        if matrix.fits(sensor):
            return as_said, ""
        others = [((pictures[0] * every[0], pictures[1] * every[1]), none, every)]
    for of_size, shift, divided in others:
        if 0 not in of_size and matrix.fits(of_size):
            return matrix.seen(shift, divided), (
                f"{matrix.name} should be of {sensor[0]} x {sensor[1]} pixels, but its axis ({matrix.axis[0]:.1f}, "
                f"{matrix.axis[1]:.1f}) is in the middle of {of_size[0]:.0f} x {of_size[1]:.0f}, so it is taken as of "
                "these; have the driver's camera_info say size, K and P of the whole sensor"
            )
    return as_said, _far_off(matrix, as_said, sensor, pictures)


def _sensor(info, size: tuple[int, int]) -> tuple[int, int] | None:
    """(width, height) of the whole sensor; None where it is not said."""
    if info.width and info.height:
        return info.width, info.height
    if any((info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height)):
        return None
    across, down = _binning(info)
    return size[1] * across, size[0] * down


def _far_off(matrix: _Matrix, seen: _Matrix, sensor: tuple[int, int], pictures: tuple[int, int]) -> str:
    """What is wrong where the axis lies far from the middle. Raises LensError where it is plainly of another size."""
    scale_x, scale_y = (2 * place for place in matrix.places(sensor))
    text = (
        f"the axis of {matrix.name} meets the pictures at ({seen.axis[0]:.1f}, {seen.axis[1]:.1f}) of "
        f"{pictures[0]} x {pictures[1]} pixels, far from their middle"
    )
    if min(scale_x, scale_y) <= 0 or abs(math.log(scale_x / scale_y)) > SAME_SCALE:
        return f"{text}; calibrate the camera anew, unless they are cut out of larger ones"
    scale = math.sqrt(scale_x * scale_y)
    text += f", as of a calibration of {scale * sensor[0]:.0f} x {scale * sensor[1]:.0f}"
    if max(seen.axis[0] - pictures[0], seen.axis[1] - pictures[1]) >= 0:
        raise LensError(f"{text}; calibrate the camera at the size at which it runs")
    return f"{text}; calibrate the camera at the size at which it runs"


def _matrix(info, rectified: bool) -> tuple[_Matrix, list[str]]:
    """(The matrix of the pictures, as it is in the message; remarks)."""
    of_k, of_p = _focals(info.k, 0, 4), _focals(info.p, 0, 5)
    k = None if of_k is None else _Matrix("K", of_k, (float(info.k[2]), float(info.k[5])))
    p = None if of_p is None else _Matrix("P", of_p, (float(info.p[2]), float(info.p[6])))
    first, second = (p, k) if rectified else (k, p)
    if first is not None:
        return first, []
    assert second is not None, "is_calibrated was asked before"
    empty, state = ("P", "rectified") if rectified else ("K", "not rectified")
    return second, [f"{empty} is empty, so {second.name} is taken, though the images are {state}"]


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
    left, top, wide, tall = _region(info)
    how = [f"binning {across} x {down}"] * ((across, down) != (1, 1))
    how += [f"roi {wide} x {tall} from ({left}, {top})"] * ((wide, tall) != (info.width, info.height))
    return f"{said} with {' and '.join(how)}, so {width} x {height}"


def _place(info) -> str:
    """What rectified pictures of one camera of a pair have of their own: they are turned by R, and moved by P."""
    rotation = np.asarray(info.r, dtype=np.float64)
    cosine = np.clip((rotation[[0, 4, 8]].sum() - 1) / 2, -1.0, 1.0) if rotation.any() else 1.0
    turn = float(np.degrees(np.arccos(cosine)))
    shift = float(info.p[3]) / float(info.p[0])
    parts = [f"turned by {turn:.1f} degrees (R)"] * (turn > LEAST_TURN)
    parts += [f"seen from {-shift:.3f} m beside (P)"] * (shift != 0.0)
    if not parts:
        return ""
    return (
        f"the rectified pictures are {' and '.join(parts)} against the frame of a pair's first camera; their place is "
        "taken to be that of frame_id: have the driver give the rectified camera a frame of its own"
    )


def _distortion(info) -> str:
    model = short(info.distortion_model.strip().lower())
    if model in FISHEYE:  # which bends also where all its numbers are 0
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
