"""The lens in a ``sensor_msgs/CameraInfo``, in pixels of the images that come with it; without ROS.

CameraInfo gives sizes and matrices of the whole sensor. Where the driver combines pixels (binning) or sends a part of
the sensor (roi), the images are smaller (REP 104). Messages come from rclpy or from rosbags; ``info`` is any object
with their fields.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from astra_ros.camera.errors import LensError, NotCalibrated, OtherSize
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.texts import short

# Smaller focal lengths (pixels) mean no calibration: such drivers send 0, or 1 as in an identity matrix.
LEAST_FOCAL = 1.0
FISHEYE = ("equidistant", "fisheye", "kannala_brandt", "thin_prism_fisheye")
# Focal lengths that differ by less are one lens, measured twice.
SAME_FOCAL = 0.01
# A rectification that turns images by less (degrees) needs no remark.
LEAST_TURN = 0.5
# The optical axis meets a sensor near its middle: between these parts of its width and height.
MIDDLE = (1 / 3, 2 / 3)
# K of images of another size moves the axis by the same factor in both directions, up to this logarithm.
SAME_SCALE = 0.15
CALIBRATE = "calibrate the camera at the size at which it runs"


@dataclass(frozen=True)
class Lens:
    """A pinhole lens without distortion, for images of one size: `PinholeCamera` without a pose."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    remarks: tuple[str, ...] = ()  # what the user should know about it, one sentence each, without topic
    sensor: str = ""  # size, binning and region in camera_info, where they are not the images' size

    def __str__(self) -> str:
        whole = f"; sensor {self.sensor}" if self.sensor else ""
        return f"focal length {self.fx:.1f}, {self.fy:.1f}, centre {self.cx:.1f}, {self.cy:.1f} pixels{whole}"

    def camera(self, world_from_optical: np.ndarray) -> PinholeCamera:
        """The camera with this lens at a pose [4, 4]."""
        return PinholeCamera(self.width, self.height, self.fx, self.fy, self.cx, self.cy, world_from_optical)

    def resembles(self, other: Lens) -> bool:
        """Whether the focal lengths are the same up to the noise of a calibration."""
        return bool(abs(self.fx - other.fx) <= SAME_FOCAL * self.fx and abs(self.fy - other.fy) <= SAME_FOCAL * self.fy)


def is_rectified(image_topic: str) -> bool:
    """Whether the images of a topic are rectified, by the topic names of image_proc."""
    return any(part.startswith("image_rect") for part in image_topic.split("/"))


def contents(info) -> tuple:
    """All fields of a camera_info that concern the lens, to compare messages."""
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


def image_size_of(info) -> tuple[int, int]:
    """(height, width) pixels of the images that come with a camera_info, by region and binning; 0 where not given."""
    _, _, width, height = _region(info)
    across, down = _binning(info)
    return height // down, width // across


def size_error(info, size: tuple[int, int]) -> str:
    """Why a camera_info does not fit images of a size (height, width), or ''."""
    if 0 in (info.width, info.height) or size in (image_size_of(info), (info.height, info.width)):
        return ""
    return f"camera_info says {_said_size(info)} pixels, images have {size[1]} x {size[0]}"


def read_lens(info, size: tuple[int, int], rectified: bool) -> Lens:
    """The lens of images of a size (height, width). Where they are rectified, P and not K applies.

    Raises:
        NotCalibrated: neither K nor P holds focal lengths.
        OtherSize: it is for images of another size.
        LensError: its region does not lie on its sensor, or its matrix is for much larger images.
    """
    if not is_calibrated(info):
        cure = "calibrate it with `ros2 run camera_calibration cameracalibrator` and have the driver load the result"
        raise NotCalibrated("the camera is not calibrated: K and P hold no focal lengths", cure=cure)
    if wrong := size_error(info, size):
        raise OtherSize(wrong)
    matrix, remarks = _matrix(info, rectified)
    left, top, width, height = _region(info)
    unsaid = 0 in (info.width, info.height)
    outside = not unsaid and (left + width > max(info.width, width) or top + height > max(info.height, height))
    # Some drivers give the region's size as the sensor's. Then K or P of the images is enough.
    if outside and not (size == (info.height, info.width) and matrix.fits((info.width, info.height))):
        region = f"roi is {width} x {height} pixels from ({left}, {top})"
        cure = "mend the driver's camera_info: width and height must be the sensor's"
        raise LensError(f"{region}, which does not lie on the sensor of {info.width} x {info.height}", cure=cure)
    fits = not outside and size == image_size_of(info) or unsaid
    said, (matrix, contradiction) = matrix, _of_images(matrix, info, size, fits)
    remarks += [contradiction] * bool(contradiction)
    if outside:
        sizes = f"its size is that of the sensor, {info.width} x {info.height}, and of the images"
        remarks.append(f"roi begins at ({left}, {top}), but {sizes}: {matrix.name} is used without roi")
    elif not fits and matrix == said:
        sizes = f"{_said_size(info)} pixels, but the images have {size[1]} x {size[0]}"
        remarks.append(f"{sizes}: K and P are used without binning and roi")
    if apart := _place(info) if rectified and matrix.name == "P" else _distortion(info) if not rectified else "":
        remarks.append(apart)
    sensor = _said_size(info) if size != (info.height, info.width) and not unsaid else ""
    return Lens(size[1], size[0], *matrix.focal, *matrix.axis, tuple(remarks), sensor)


@dataclass(frozen=True)
class _Matrix:
    """K or P: focal lengths and the place of the axis, (x, y) pixels."""

    name: str
    focal: tuple[float, float]
    axis: tuple[float, float]

    def seen(self, shift: tuple[float, float], every: tuple[int, int]) -> _Matrix:
        """The matrix of a part that begins at ``shift``, with ``every`` (x, y) pixels combined into one."""
        # As in image_geometry, which does not shift by half a pixel where pixels are combined.
        axis = (self.axis[0] - shift[0]) / every[0], (self.axis[1] - shift[1]) / every[1]
        return replace(self, focal=(self.focal[0] / every[0], self.focal[1] / every[1]), axis=axis)

    def places(self, size: tuple[float, float]) -> tuple[float, float]:
        """Where the axis meets an image of (width, height), in parts of it."""
        return self.axis[0] / size[0], self.axis[1] / size[1]

    def fits(self, size: tuple[float, float]) -> bool:
        """Whether it can belong to a whole image of (width, height)."""
        return all(MIDDLE[0] < place < MIDDLE[1] for place in self.places(size))


def _of_images(matrix: _Matrix, info, size: tuple[int, int], fits: bool) -> tuple[_Matrix, str]:
    """The matrix of the images, from the one in a message, and a remark on what contradicts it, or ''.

    Where it ``fits``, size, binning and region in the message give the size of the images; otherwise its size does.
    """
    left, top, wide, high = _region(info)
    every, one, none = _binning(info), (1, 1), (0, 0)
    images = size[1], size[0]
    if fits:
        sensor = _sensor(info, size)
        as_said = matrix.seen((left, top), every)
        if sensor is None or matrix.fits(sensor):
            return as_said, ""
        # Drivers that load a calibration of smaller images, and still give the size of the sensor.
        whole = sensor[0] / every[0], sensor[1] / every[1]
        others = [(images, none, one), (whole, (left / every[0], top / every[1]), one), ((wide, high), none, every)]
    else:
        sensor, as_said = images, matrix
        if matrix.fits(sensor):
            return as_said, ""
        others = [((images[0] * every[0], images[1] * every[1]), none, every)]
    for of_size, shift, divided in others:
        if 0 not in of_size and matrix.fits(of_size):
            return matrix.seen(shift, divided), (
                f"{matrix.name} should be of {sensor[0]} x {sensor[1]} pixels, but its axis ({matrix.axis[0]:.1f}, "
                f"{matrix.axis[1]:.1f}) is in the middle of {of_size[0]:.0f} x {of_size[1]:.0f}, so it is read for "
                "that size; have the driver's camera_info give size, K and P of the whole sensor"
            )
    return as_said, _far_off(matrix, as_said, sensor, images)


def _sensor(info, size: tuple[int, int]) -> tuple[int, int] | None:
    """(width, height) of the whole sensor; None where it is not given."""
    if info.width and info.height:
        return info.width, info.height
    if any((info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height)):
        return None
    across, down = _binning(info)
    return size[1] * across, size[0] * down


def _far_off(matrix: _Matrix, seen: _Matrix, sensor: tuple[int, int], images: tuple[int, int]) -> str:
    """The remark on an axis far from the middle. Raises LensError where it lies outside the images."""
    scale_x, scale_y = (2 * place for place in matrix.places(sensor))
    place = f"({seen.axis[0]:.1f}, {seen.axis[1]:.1f}) of {images[0]} x {images[1]} pixels"
    text = f"the axis of {matrix.name} meets the images at {place}, far from their middle"
    if min(scale_x, scale_y) <= 0 or abs(math.log(scale_x / scale_y)) > SAME_SCALE:
        return f"{text}; calibrate the camera again, unless they are cut out of larger ones"
    scale = math.sqrt(scale_x * scale_y)
    text += f", as of a calibration of {scale * sensor[0]:.0f} x {scale * sensor[1]:.0f}"
    if max(seen.axis[0] - images[0], seen.axis[1] - images[1]) >= 0:
        raise LensError(text, cure=CALIBRATE)
    return f"{text}; {CALIBRATE}"


def _matrix(info, rectified: bool) -> tuple[_Matrix, list[str]]:
    """(the matrix in the message that applies to the images, remarks)"""
    of_k, of_p = _focals(info.k, 0, 4), _focals(info.p, 0, 5)
    k = None if of_k is None else _Matrix("K", of_k, (float(info.k[2]), float(info.k[5])))
    p = None if of_p is None else _Matrix("P", of_p, (float(info.p[2]), float(info.p[6])))
    first, second, empty, state = (p, k, "P", "rectified") if rectified else (k, p, "K", "not rectified")
    if first is not None:
        return first, []
    assert second is not None, "is_calibrated was asked before"
    return second, [f"{empty} is empty, so {second.name} is used, though the images are {state}"]


def _focals(matrix, x: int, y: int) -> tuple[float, float] | None:
    """Focal lengths in pixels, or None where a matrix has none."""
    values = np.asarray(matrix, dtype=np.float64)
    if len(values) <= y or not np.isfinite(values).all() or min(values[x], values[y]) <= LEAST_FOCAL:
        return None
    return float(values[x]), float(values[y])


def _binning(info) -> tuple[int, int]:
    return max(1, int(info.binning_x)), max(1, int(info.binning_y))


def _region(info) -> tuple[int, int, int, int]:
    """(left, top, width, height) on the sensor, in its pixels; a width of 0 in the message means all the rest."""
    roi = info.roi
    left, top = int(roi.x_offset), int(roi.y_offset)
    return left, top, int(roi.width) or max(0, info.width - left), int(roi.height) or max(0, info.height - top)


def _said_size(info) -> str:
    """'640 x 480', and the size that results from binning and region."""
    said, (height, width) = f"{info.width} x {info.height}", image_size_of(info)
    if (height, width) == (info.height, info.width):
        return said
    across, down = _binning(info)
    left, top, wide, tall = _region(info)
    how = [f"binning {across} x {down}"] * ((across, down) != (1, 1))
    how += [f"roi {wide} x {tall} from ({left}, {top})"] * ((wide, tall) != (info.width, info.height))
    return f"{said} with {' and '.join(how)}, so {width} x {height}"


def _place(info) -> str:
    """The remark on rectified images of one camera of a pair, which are turned by R and shifted by P; or ''."""
    rotation = np.asarray(info.r, dtype=np.float64)
    cosine = np.clip((rotation[[0, 4, 8]].sum() - 1) / 2, -1.0, 1.0) if rotation.any() else 1.0
    turn = float(np.degrees(np.arccos(cosine)))
    shift = float(info.p[3]) / float(info.p[0])
    parts = [f"turned by {turn:.1f} degrees (R)"] * (turn > LEAST_TURN)
    parts += [f"seen from {-shift:.3f} m beside (P)"] * (shift != 0.0)
    if not parts:
        return ""
    how = f"{' and '.join(parts)} relative to the frame of the pair's first camera"
    cure = "have the driver give the rectified camera a frame of its own"
    return f"the rectified images are {how}, but are read as if they were seen from frame_id; {cure}"


def _distortion(info) -> str:
    model = short(info.distortion_model.strip().lower())
    if model in FISHEYE:  # which distorts even where all its numbers are 0
        what = f"the lens is a fisheye ({model}), whose distortion is not removed"
        return f"{what}, so geometry is wrong towards the edges; record a rectified topic"
    if not np.any(np.asarray(info.d, dtype=np.float64)):
        return ""
    what = f"the lens bends straight lines ({model or 'distortion_model is empty'}), which is not removed"
    return f"{what}; record a rectified topic where that matters"
