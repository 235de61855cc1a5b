"""The camera's lens and place, and the robot's description: what kinematic conditioning needs."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from astra_ros.learning.bags.motion import camera_in
from astra_ros.learning.bags.reader import Recording
from astra_ros.learning.bags.rigid_motion import rotate
from astra_ros.learning.bags.storage import BagError
from astra_ros.learning.bags.topics import Choice
from astra_ros.planning.pinhole import PinholeCamera


def camera_on_robot(recording: Recording, choice: Choice, notes: list[str]) -> dict | None:
    """`Episode.camera` as its frames are cut and scaled, or None where its place is not known.

    That is given, or for a camera that moves itself there is nothing to give. Raises BagError where it
    is given and the camera_info does not fit the pictures, or the pose cannot be found.
    """
    if choice.settings.modality == 'camera':
        if choice.settings.camera_pose:
            notes.append('camera_pose is not used: with modality camera the camera itself is what moves')
        without = 'so a model will not be shown its pictures from where the camera goes'
        if choice.camera_info is None:
            notes.append(f'{choice.image.name}: no camera_info beside it, {without}; record it too')
            return None
        try:
            return _camera(recording, choice, np.array([0.0, 0, 0, 0, 0, 0, 1]), notes)
        except BagError:
            notes.append(f'{choice.camera_info.name}: not of pictures as {choice.image.name} has them, '
                         f'{without}; name the right topic with --camera-info-topic')
            return None
    pose = choice.settings.camera_pose
    if not pose:
        return None
    return _camera(recording, choice,
                   camera_in(recording, choice.settings, pose['from_tf']) if 'from_tf' in pose else
                   np.array([*pose['position'], *pose['quaternion']], float), notes)


def _camera(recording: Recording, choice: Choice, pose: np.ndarray, notes: list[str]) -> dict:
    """The camera at a pose x y z, x y z w of its optical frame. Raises BagError as above."""
    settings = choice.settings
    sizes = sorted({size for size in recording.pictures.values if size is not None})
    if len(sizes) > 1:
        listed = ', '.join(f'{width} x {height}' for height, width in sizes)
        raise BagError(f'{choice.image.name}: pictures of {listed} pixels, but the '
                       'place is that of one camera; cut the bag with `ros2 bag convert`, or leave '
                       'camera_pose out')
    height, width = sizes[0]
    info = recording.lenses.get((height, width))
    if info is None:
        listed = ', '.join(f'{w} x {h}' for h, w in recording.lenses) or 'no message'
        raise BagError(f'{choice.camera_info.name}: {listed}, but the pictures are {width} x '
                       f'{height} pixels; name the right topic with --camera-info-topic, or leave '
                       'camera_pose out')
    rectified = any(part.startswith('image_rect') for part in choice.image.name.split('/'))
    fx, cx, fy, cy = (info.p[[0, 2, 5, 6]] if rectified else info.k[[0, 2, 4, 5]])
    if not rectified and np.any(info.d):
        notes.append(f'{choice.image.name}: the lens bends straight lines, geometry does not '
                     'know it; record a rectified topic where that matters')
    matrix = np.eye(4)
    turn = np.repeat(pose[None, 3:] / np.linalg.norm(pose[3:]), 3, axis=0)
    matrix[:3, :3], matrix[:3, 3] = rotate(turn, np.eye(3)).T, pose[:3]
    try:
        camera = PinholeCamera(width, height, fx, fy, cx, cy, matrix)
    except ValueError as error:
        raise BagError(f'{choice.camera_info.name}: {error}; calibrate the camera, or leave '
                       'camera_pose out') from error
    return camera.fitted(settings.image_size).to_dict()


def read_urdf(path: Path, joints: tuple[str, ...], notes: list[str]) -> bytes:
    """A robot's description, as it is. Raises BagError where it is none."""
    try:
        data = path.read_bytes()
        root = ElementTree.fromstring(data)
    except OSError as error:
        raise BagError(f'{path}: {error.strerror}; urdf names a file, beside the --config file '
                       'where its path is not absolute') from error
    except ElementTree.ParseError as error:
        raise BagError(f'{path}: no URDF: {error}') from error
    if root.tag != 'robot' or b'www.ros.org/wiki/xacro' in data and any(
            'xacro' in element.tag for element in root.iter()):
        kind = 'xacro' if root.tag == 'robot' else f'<{root.tag}>'
        raise BagError(f'{path}: no URDF but {kind}; make one with: ros2 run xacro xacro FILE > '
                       'robot.urdf')
    known = {joint.get('name') for joint in root.findall('joint')}
    if missing := [name for name in joints if name not in known]:
        notes.append(f'{path.name}: has no joint {", ".join(missing)}, so the robot cannot be '
                     'drawn with it')
    return data


def check_base(path: Path, urdf: bytes, camera_pose: dict | None) -> None:
    """Raises BagError where tf gives the camera in another frame than the robot is drawn in."""
    wanted = (camera_pose or {}).get('from_tf')
    robot = ElementTree.fromstring(urdf)
    children = {joint.find('child').get('link') for joint in robot.findall('joint')
                if joint.find('child') is not None}
    roots = [link.get('name') for link in robot.findall('link') if link.get('name') not in children]
    if wanted and roots and wanted not in roots:
        raise BagError(f"camera_pose: from_tf is '{wanted}', but {path.name} begins at '{roots[0]}', "
                       f"and the robot is drawn from there; write from_tf: {roots[0]}")
