"""The camera's lens and its pose on the robot, which kinematic conditioning needs."""

from __future__ import annotations

import numpy as np

from astra_ros.camera.errors import LensError, NotCalibrated, OtherSize
from astra_ros.camera.lens import Lens, is_rectified, read_lens
from astra_ros.datasets.rosbag.errors import BagError
from astra_ros.datasets.rosbag.frame_motion import camera_in
from astra_ros.datasets.rosbag.recording import Recording
from astra_ros.datasets.rosbag.topics import TopicSelection
from astra_ros.plans.action_spaces import action_space_class
from astra_ros.rotations import rotation_matrix

CUT = "cut the bag with `ros2 bag convert`"


def camera_on_robot(recording: Recording, selection: TopicSelection, notes: list[str]) -> dict | None:
    """`Episode.camera` as its frames are cut and scaled, or None where its pose is not known.

    The settings give the pose; a camera that moves itself needs none. Raises BagError where a pose is given and the
    camera_info cannot be used for the images, or the pose cannot be found.
    """
    if action_space_class(selection.settings.modality).is_camera:
        return _free_camera(recording, selection, notes)
    pose = selection.settings.camera_pose
    if not pose:
        _about_unused(recording, selection, notes)
        return None
    name = selection.camera_info.name if selection.camera_info else ""
    if several := _several_sizes(recording):
        raise BagError(several, thing=selection.image.name, cure=f"{CUT}, or leave camera_pose out")
    try:
        lens = _lens(recording, selection, notes)
    except OtherSize as error:
        cure = "name the right topic as camera_info_topic, or leave camera_pose out"
        raise BagError(str(error), thing=name, cure=cure) from error
    except LensError as error:
        raise BagError(str(error), thing=name, cure="or leave camera_pose out") from error
    if "from_tf" in pose:
        return _placed(lens, selection, camera_in(recording, selection.settings, pose["from_tf"], notes))
    return _placed(lens, selection, np.array([*pose["position"], *pose["quaternion"]], float))


def lens_in_words(recording: Recording, selection: TopicSelection) -> str:
    """The lens of the first images by camera_info, in words, for the report; '' without camera_info."""
    if selection.camera_info is None:
        return ""
    try:
        lens = _lens(recording, selection, [])
    except NotCalibrated:
        return f"{selection.camera_info.name}: not calibrated"
    except LensError as error:
        return f"{selection.camera_info.name}: cannot be used: {error}"
    return f"{selection.camera_info.name}: {lens}"


def _about_unused(recording: Recording, selection: TopicSelection, notes: list[str]) -> None:
    """Notes the faults of a camera_info that nothing needs yet, except a missing calibration."""
    if selection.camera_info is None:
        return
    name = selection.camera_info.name
    try:
        _lens(recording, selection, [])
    except NotCalibrated:
        return
    except OtherSize as error:
        notes.append(
            f"{name}: does not fit the images of {selection.image.name} ({error}); name the right topic as "
            "camera_info_topic before you set camera_pose"
        )
    except LensError as error:
        notes.append(f"{name}: {error}; until then camera_pose cannot be used")


def _free_camera(recording: Recording, selection: TopicSelection, notes: list[str]) -> dict | None:
    if selection.settings.camera_pose:
        notes.append("camera_pose is not used, since with modality camera the camera itself moves")
    without = "so a model cannot see its images from new camera poses"
    if selection.camera_info is None:
        notes.append(f"{selection.image.name}: no camera_info beside it, {without}; {_where_else(selection)}")
        return None
    if several := _several_sizes(recording):
        notes.append(f"{selection.image.name}: {several}; {CUT}; until then, camera_info is not used, {without}")
        return None
    name = selection.camera_info.name
    try:
        lens = _lens(recording, selection, notes)
    except OtherSize as error:
        notes.append(
            f"{name}: does not fit the images of {selection.image.name} ({error}), {without}; "
            "name the right topic as camera_info_topic"
        )
    except LensError as error:
        notes.append(f"{name}: {error}; until then it is not used, {without}")
    else:
        return _placed(lens, selection, np.array([0.0, 0, 0, 0, 0, 0, 1]))
    return None


def _where_else(selection: TopicSelection) -> str:
    """The cure where the images have no camera_info."""
    if not selection.other_infos:
        return "record it too"
    return f"{' and '.join(selection.other_infos)} has the same frame; if it is of this camera, give camera_info_topic"


def _several_sizes(recording: Recording) -> str:
    """The fault where images have several sizes, else ''."""
    sizes = sorted({size for size in recording.images.values if size is not None})
    listed = ", ".join(f"{width} x {height}" for height, width in sizes)
    return f"images of {listed} pixels, but a lens and its pose are those of one camera" if len(sizes) > 1 else ""


def _lens(recording: Recording, selection: TopicSelection, notes: list[str]) -> Lens:
    """The lens of the first camera_info that fits the first image. Raises LensError."""
    size = next(size for size in recording.images.values if size is not None)
    assert selection.camera_info is not None
    name, rectified = selection.camera_info.name, is_rectified(selection.image.name)
    usable: list[tuple[int, Lens]] = []
    errors: list[LensError] = []
    for received_ns, info in recording.lenses.values():
        try:
            usable.append((received_ns, read_lens(info, size, rectified)))
        except LensError as error:
            errors.append(error)
    if not usable:
        # A size may be right later; what is wrong with the messages of the right size says more.
        raise next(
            (error for error in errors if not isinstance(error, OtherSize)),
            errors[0] if errors else LensError("no message of it can be read; record it again"),
        )
    first = usable[0][1]
    notes += [f"{name}: {remark}" for remark in first.remarks]
    other = next(((ns, lens) for ns, lens in usable if not lens.resembles(first)), None)
    if other is not None:
        at_s = (other[0] - recording.images.received_ns[0]) / 1e9
        notes.append(
            f"{name}: the lens changes: {first} at first, {other[1]} from {at_s:.2f} s on; the "
            "first is used for all images. Where the camera zooms or was calibrated anew, cut the bag there"
        )
    return first


def _placed(lens: Lens, selection: TopicSelection, pose: np.ndarray) -> dict:
    """The camera at a pose x y z, x y z w of its optical frame."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation_matrix(pose[3:]), pose[:3]
    return lens.camera(matrix).fitted(selection.settings.image_size).to_dict()
