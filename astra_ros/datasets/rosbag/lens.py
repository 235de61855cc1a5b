"""The camera's lens and place, which kinematic conditioning needs."""

from __future__ import annotations

import numpy as np

from astra_ros.camera.errors import LensError, NotCalibrated, OtherSize
from astra_ros.camera.lens import Lens, is_rectified, read_lens
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.datasets.rosbag.motion import camera_in
from astra_ros.datasets.rosbag.reader import Recording
from astra_ros.datasets.rosbag.storage import BagError
from astra_ros.datasets.rosbag.topics import Choice
from astra_ros.plans.action_spaces import action_space_class
from astra_ros.rotations import rotation_matrix


def camera_on_robot(recording: Recording, choice: Choice, notes: list[str]) -> dict | None:
    """`Episode.camera` as its frames are cut and scaled, or None where its place is not known.

    That is given, or for a camera that moves itself there is nothing to give. Raises BagError where it
    is given and the camera_info cannot be used for the pictures, or the pose cannot be found.
    """
    if action_space_class(choice.settings.modality).is_camera:
        return _free_camera(recording, choice, notes)
    pose = choice.settings.camera_pose
    if not pose:
        _about_unused(recording, choice, notes)
        return None
    if several := _several_sizes(recording, choice):
        raise BagError(f"{several}, or leave camera_pose out")
    try:
        lens = _lens(recording, choice, notes)
    except OtherSize as error:
        raise BagError(
            f"{choice.camera_info.name}: {error}; name the right topic with "
            "--camera-info-topic, or leave camera_pose out"
        ) from error
    except LensError as error:
        raise BagError(f"{choice.camera_info.name}: {error}, or leave camera_pose out") from error
    return _placed(
        lens,
        choice,
        camera_in(recording, choice.settings, pose["from_tf"], notes)
        if "from_tf" in pose
        else np.array([*pose["position"], *pose["quaternion"]], float),
    )


def lens_in_words(recording: Recording, choice: Choice) -> str:
    """What the camera_info says of the first pictures' lens, for the report; '' where there is none."""
    if choice.camera_info is None:
        return ""
    try:
        lens = _lens(recording, choice, [])
    except NotCalibrated:
        return f"{choice.camera_info.name}: not calibrated"
    except LensError as error:
        return f"{choice.camera_info.name}: cannot be used: {error}"
    return f"{choice.camera_info.name}: {lens}"


def _about_unused(recording: Recording, choice: Choice, notes: list[str]) -> None:
    """What is wrong with a camera_info that nothing needs yet. One that is not calibrated says so by itself."""
    if choice.camera_info is None:
        return
    name = choice.camera_info.name
    try:
        _lens(recording, choice, [])
    except NotCalibrated:
        return
    except OtherSize as error:
        notes.append(
            f"{name}: not of pictures as {choice.image.name} has them ({error}); before you set camera_pose, "
            "name the right topic with --camera-info-topic"
        )
    except LensError as error:
        notes.append(f"{name}: {error}; until then camera_pose cannot be used")


def _free_camera(recording: Recording, choice: Choice, notes: list[str]) -> dict | None:
    if choice.settings.camera_pose:
        notes.append("camera_pose is not used: with modality camera the camera itself is what moves")
    without = "so a model will not be shown its pictures from where the camera goes"
    if choice.camera_info is None:
        notes.append(f"{choice.image.name}: no camera_info beside it, {without}; {_where_else(choice)}")
        return None
    if several := _several_sizes(recording, choice):
        notes.append(f"{several}; until then, camera_info is not used, {without}")
        return None
    name = choice.camera_info.name
    try:
        lens = _lens(recording, choice, notes)
    except OtherSize as error:
        notes.append(
            f"{name}: not of pictures as {choice.image.name} has them ({error}), {without}; "
            "name the right topic with --camera-info-topic"
        )
    except LensError as error:
        notes.append(f"{name}: {error}; until then it is not used, {without}")
    else:
        return _placed(lens, choice, np.array([0.0, 0, 0, 0, 0, 0, 1]))
    return None


def _where_else(choice: Choice) -> str:
    """What to do where no camera_info lies beside the pictures."""
    if not choice.other_infos:
        return "record it too"
    return (
        f"{' and '.join(choice.other_infos)} has the same frame; where it is of this camera: --camera-info-topic "
        f"{choice.other_infos[0]}"
    )


def _several_sizes(recording: Recording, choice: Choice) -> str:
    """What is wrong where pictures are of several sizes, else ''."""
    sizes = sorted({size for size in recording.pictures.values if size is not None})
    listed = ", ".join(f"{width} x {height}" for height, width in sizes)
    return (
        f"{choice.image.name}: pictures of {listed} pixels, but a lens and its place are those of "
        "one camera; cut the bag with `ros2 bag convert`"
        if len(sizes) > 1
        else ""
    )


def _lens(recording: Recording, choice: Choice, notes: list[str]) -> Lens:
    """That of the first camera_info which can be used for the first picture. Raises LensError."""
    size = next(size for size in recording.pictures.values if size is not None)
    name, rectified = choice.camera_info.name, is_rectified(choice.image.name)
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
        at_s = (other[0] - recording.pictures.received_ns[0]) / 1e9
        notes.append(
            f"{name}: the lens changes: {first} at first, {other[1]} from {at_s:.2f} s on; the "
            "first is used for all pictures. Where the camera zooms or was calibrated anew, cut the bag there"
        )
    return first


def _placed(lens: Lens, choice: Choice, pose: np.ndarray) -> dict:
    """The camera at a pose x y z, x y z w of its optical frame."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation_matrix(pose[3:]), pose[:3]
    camera = PinholeCamera(lens.width, lens.height, lens.fx, lens.fy, lens.cx, lens.cy, matrix)
    return camera.fitted(choice.settings.image_size).to_dict()
