"""One recorded episode: what was seen, what was done, and what was true, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from astra_ros.errors import UserError

# Training cuts clips of one observed frame and 16 predicted ones (its default horizon), so it refuses shorter episodes.
LEAST_FRAMES = 17

# Names of a vector label's columns on disk: `object_position.x` and so on; other sizes are numbered.
COMPONENTS = {3: ("x", "y", "z"), 7: ("x", "y", "z", "qx", "qy", "qz", "qw")}


class DatasetError(UserError, RuntimeError):
    """A dataset or an episode cannot be used."""


@dataclass(frozen=True)
class Episode:
    """N frames, `dt_s` apart, of one robot in one world."""

    frames: np.ndarray  # uint8 [N, h, w, 3] RGB
    motion: np.ndarray  # float32 [N, D], what was commanded, in the units of `modality`
    # What was true: bool [N], float32 [N] or [N, k] each, NaN where unknown; the simulator's: `simulation/worlds.py`.
    labels: dict[str, np.ndarray]
    motion_names: tuple[str, ...]  # D names of `motion`'s columns
    modality: str  # kind of action, a module of `plans/action_spaces`
    world: str  # where it was recorded
    robot: str  # with the modality it names the action space
    dt_s: float
    behaviour: str = ""  # what the robot did, in words
    seed: int | None = None  # of the simulated scene, None for a real one
    scene: dict = field(default_factory=dict)  # what stayed as it was, such as where the goal is
    # A `PinholeCamera` as a dict, where it is known and does not move on its robot: in the world, which is an arm's
    # base frame, or in the frame of a robot that moves.
    camera: dict | None = None
    source: dict = field(default_factory=dict)  # where a real episode comes from: file and topics
    restyled: np.ndarray | None = None  # the same frames in another light, with other colours and textures
    # Those of `motion_names` that turn without end: their angles do not jump, and the first is in [-pi, pi).
    continuous_joints: tuple[str, ...] = ()
    frames_seen: int | None = None  # of a branch (`branches.py`): the frames behind so many repeat the last of them
    siblings: dict[str, int] = field(default_factory=dict)  # of a branch: how its scene's branches were made, as there

    def __post_init__(self) -> None:
        count = len(self.frames)
        if self.frames.dtype != np.uint8 or self.frames.ndim != 4 or self.frames.shape[-1] != 3:
            raise self._wrong(f"frames are {self.frames.dtype} {self.frames.shape}; expected uint8 [N, h, w, 3]")
        if self.restyled is not None and (self.restyled.shape, self.restyled.dtype) != (self.frames.shape, np.uint8):
            raise self._wrong(
                f"restyled frames are {self.restyled.dtype} {self.restyled.shape}; expected uint8 {self.frames.shape}"
            )
        if self.motion.shape != (count, len(self.motion_names)):
            raise self._wrong(
                f"motion has shape {self.motion.shape}; expected [{count}, {len(self.motion_names)}]: "
                "a row for each frame, a column for each motion name"
            )
        if not np.isfinite(self.motion).all():
            row = int(np.argwhere(~np.isfinite(self.motion))[0][0])
            raise self._wrong(f"the motion of frame {row} is not finite")
        if self.frames_seen is not None and not 1 <= self.frames_seen <= count:
            raise self._wrong(f"frames_seen is {self.frames_seen}; expected 1 to {count}")
        for name, values in self.labels.items():
            if len(values) != count or values.ndim > 2:
                raise self._wrong(f"label '{name}' has shape {values.shape}; expected [{count}] or [{count}, k]")

    def _wrong(self, problem: str) -> DatasetError:
        return DatasetError(problem, thing=self.title)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def space(self) -> str:
        """Name of the action space: what the robot is, and what its numbers mean."""
        return f"{self.robot}_{self.modality}"

    @property
    def title(self) -> str:
        """To name the episode in a message."""
        return f"episode {self.space} {'' if self.seed is None else self.seed}".strip()


def columns_of(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """A label as flat columns: `name`, or `name.x`, `name.y` ... for a vector."""
    if values.ndim == 1:
        return {name: values}
    parts = COMPONENTS.get(values.shape[1], tuple(map(str, range(values.shape[1]))))
    return {f"{name}.{part}": values[:, index] for index, part in enumerate(parts)}


def labels_of(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Inverse of `columns_of`, of all labels at once; columns in their order."""
    grouped: dict[str, list[np.ndarray]] = {}
    for name, values in columns.items():
        grouped.setdefault(name.partition(".")[0], []).append(values)
    scalars = {name for name in grouped if name in columns}
    return {name: values[0] if name in scalars else np.stack(values, axis=1) for name, values in grouped.items()}
