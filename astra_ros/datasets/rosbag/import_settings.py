"""The settings of an import, with defaults and checks, and how they are read from a YAML file."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from astra_ros.datasets.episode import LEAST_FRAMES
from astra_ros.datasets.record import IMAGE_SIZE
from astra_ros.datasets.rosbag.errors import BagConfigError
from astra_ros.plans.action_spaces import ACTION_SPACES, ActionSpace
from astra_ros.plans.durations import STEP_S
from astra_ros.texts import one_line, short

CLOCKS = ("auto", "header", "receive")
AXES = ("linear.x", "linear.y", "linear.z", "angular.x", "angular.y", "angular.z")

_NAME = re.compile(r"[A-Za-z]\w*")
_SECONDS = ("dt_s", "episode_s", "command_timeout_s", "max_gap_s", "max_repeat_s")
_TOPICS = {"image": "image_topic", "camera_info": "camera_info_topic", "motion": "motion_topic"}


def bag_spaces() -> dict[str, type[ActionSpace]]:
    """Modality -> its action space, of those whose motion bags can hold. Free cameras come last: an odometry is a
    base's motion unless another modality is asked for."""
    kept = [(modality, space) for modality, space in ACTION_SPACES.items() if space.bag_types]
    return dict(sorted(kept, key=lambda item: (item[1].is_camera, item[0])))


@dataclass(frozen=True)
class BagSettings:
    """The settings of an import. What is empty is found in the bag, where only one candidate fits."""

    robot: str = "robot"  # letters, digits and underscores; with the modality it names the action space
    world: str = "real"  # where it was recorded, in one word
    modality: str = ""  # joints, twist or camera
    dt_s: float = STEP_S  # seconds between two frames of an episode, the model's step
    image_size: tuple[int, int] = (IMAGE_SIZE, IMAGE_SIZE)  # (height, width) of an episode's frames, pixels, even
    image_topic: str = ""
    camera_info_topic: str = ""
    motion_topic: str = ""
    joints: tuple[str, ...] = ()  # in this order; else all that are found, sorted
    # Of a twist, in this order; else linear.x, angular.z, and linear.y where it is ever not 0.
    axes: tuple[str, ...] = ()
    camera_frame: str = ""  # optical frame of the camera (x right, y down, z forward); else the images'
    # The frame that a camera's motion is measured in, else odom, or the root of the tree; of several odometries on one
    # topic, the header's frame of the one that is used.
    fixed_frame: str = ""
    command_timeout_s: float = 0.5  # seconds after which a base stops when no command comes
    clock: str = "auto"  # header stamps, or the times at which the recorder received messages
    episode_s: float = 30.0  # seconds of an episode at most; longer ones are cut evenly
    max_gap_s: float | None = None  # a longer silence of camera or motion cuts the recording; 1.5 dt_s where None
    # A camera hangs if it repeats an image for longer while the robot moves; 1.5 dt_s where None.
    max_repeat_s: float | None = None
    urdf: Path | None = None  # the robot's description, copied beside the episodes
    # Of a fixed camera: {'position': x y z (m), 'quaternion': x y z w}, its optical frame in the robot's base frame; or
    # {'from_tf': base frame}.
    camera_pose: dict | None = None
    crf: int = 0  # quality of the video, as in `astra record`

    def __post_init__(self) -> None:
        for name in ("robot", "world"):
            if not _NAME.fullmatch(getattr(self, name)):
                cure = "give a letter, then letters, digits and underscores: it becomes part of file names"
                raise BagConfigError(f"'{getattr(self, name)}'", thing=name, cure=cure)
        for name, known in (("modality", ("", *bag_spaces())), ("clock", CLOCKS)):
            if getattr(self, name) not in known:
                cure = f"give one of {', '.join(filter(None, known))}"
                raise BagConfigError(f"'{getattr(self, name)}'", thing=name, cure=cure)
        for name in _SECONDS:
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise BagConfigError(f"{value}", thing=name, cure="give seconds above 0")
        if len(self.image_size) != 2 or any(n < 16 or n % 2 for n in self.image_size):
            cure = "give [height, width], each even and at least 16 pixels"
            raise BagConfigError(f"{list(self.image_size)}", thing="image_size", cure=cure)
        if unknown := [name for name in self.axes if name not in AXES]:
            raise BagConfigError(f"no {', '.join(unknown)}", thing="axes", cure=f"choose from {', '.join(AXES)}")
        for name in ("joints", "axes"):
            names = getattr(self, name)
            if repeated := sorted({item for item in names if names.count(item) > 1}):
                raise BagConfigError(f"{', '.join(repeated)} repeated", thing=name, cure="name each once")
        if self.most_frames < LEAST_FRAMES:
            problem = f"{self.episode_s:g} s are {self.most_frames} frames {self.dt_s:g} s apart"
            cure = f"give {LEAST_FRAMES * self.dt_s:g} s or more: training needs {LEAST_FRAMES} frames"
            raise BagConfigError(problem, thing="episode_s", cure=cure)
        if self.camera_pose is not None:
            _check_camera_pose(self.camera_pose)

    @property
    def most_frames(self) -> int:
        return int(self.episode_s / self.dt_s + 1e-6)

    @property
    def gap_s(self) -> float:
        """Longest silence, in seconds, that does not cut."""
        return 1.5 * self.dt_s if self.max_gap_s is None else self.max_gap_s

    @property
    def repeat_s(self) -> float:
        """For how long, in seconds, an image may repeat while the robot moves.

        Not `gap_s`, which is set longer for a joint that comes rarely.
        """
        return 1.5 * self.dt_s if self.max_repeat_s is None else self.max_repeat_s

    @property
    def space(self) -> str:
        return f"{self.robot}_{self.modality}"

    def to_dict(self) -> dict:
        """Everything that decides what the episodes contain, ready for JSON."""
        values = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        values.pop("urdf")  # it is copied beside the episodes
        if self.max_repeat_s is None:
            values.pop("max_repeat_s")  # as of imports before there was this key
        return values


def settings_from_yaml(path: Path) -> BagSettings:
    """Raises BagConfigError where the file is missing, not a mapping, or has a value that cannot be used."""
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        cure = "name a YAML file such as config/robot.example.yaml"
        raise BagConfigError(error.strerror or str(error), thing=path, cure=cure) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BagConfigError(f"not YAML: {short(one_line(error), 200)}", thing=path, cure="correct it") from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise BagConfigError(f"a {type(values).__name__}", thing=path, cure="write 'key: value' lines")
    topics = values.pop("topics", None) or {}
    known = sorted({field.name for field in fields(BagSettings)} - set(_TOPICS.values()))
    if unknown := [key for key in values if key not in known]:
        cure = f"known are topics, {', '.join(known)}"
        raise BagConfigError(f"unknown {', '.join(map(str, unknown))}", thing=path, cure=cure)
    if not isinstance(topics, dict) or any(key not in _TOPICS for key in topics):
        raise BagConfigError(f"topics has {topics}", thing=path, cure=f"use the keys {', '.join(_TOPICS)}")
    values = {key: value for key, value in values.items() if value is not None}
    values |= {_TOPICS[key]: str(name) for key, name in topics.items() if name}
    try:
        return changed(BagSettings(), {key: _typed(key, value, path) for key, value in values.items()})
    except BagConfigError as error:
        raise BagConfigError(f"{error.thing}: {error.problem}", thing=path, cure=error.cure) from error


def changed(settings: BagSettings, values: dict) -> BagSettings:
    """`settings` with those of `values` that are not None."""
    return replace(settings, **{key: value for key, value in values.items() if value is not None})


def _typed(key: str, value: Any, path: Path) -> Any:
    """A value of the YAML file as the type of its setting."""
    try:
        if key in ("joints", "axes", "image_size"):
            if not isinstance(value, list):
                raise BagConfigError(f"{value!r}", thing=key, cure="give a list")
            return tuple(int(item) if key == "image_size" else str(item) for item in value)
        if key in _SECONDS:
            return float(value)
        if key == "crf":
            return int(value)
        if key == "urdf":  # beside the YAML file, whatever the working directory is
            return path.parent / Path(str(value)).expanduser()
        return value if key == "camera_pose" else str(value)
    except BagConfigError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise BagConfigError(f"{value!r}", thing=key, cure="give numbers") from error


def _check_camera_pose(pose: dict) -> None:
    shape = {"position": 3, "quaternion": 4}
    if isinstance(pose, dict) and set(pose) == {"from_tf"} and isinstance(pose["from_tf"], str):
        return
    try:
        good = set(pose) == set(shape) and all(
            len([float(number) for number in pose[key]]) == size for key, size in shape.items()
        )
        good = good and abs(sum(float(n) ** 2 for n in pose["quaternion"]) - 1) < 1e-2
    except (TypeError, ValueError):
        good = False
    if not good:
        raise BagConfigError(
            f"{pose}",
            thing="camera_pose",
            cure="give position: [x, y, z] in m and quaternion: [x, y, z, w] of length 1, the camera's optical frame "
            "in the robot's base frame, as `ros2 run tf2_ros tf2_echo BASE CAMERA_OPTICAL_FRAME` prints it; or "
            "from_tf: BASE",
        )
