"""What every action space has: named columns, a scaling to model numbers, and the facts about its kind of robot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from astra_ros.errors import UserError
from astra_ros.plans.errors import PlanError
from astra_ros.plans.limits import LimitSettings
from astra_ros.plans.numbers import unique_names
from astra_ros.plans.plan import Plan
from astra_ros.plans.start import RobotNow, StartRules
from astra_ros.registry import Registry

# modality -> its class. A file of action_spaces/ is named as its modality, and registers it when it is imported.
_FILES = sorted(Path(__file__).with_name("action_spaces").glob("[!_]*.py"))
_OWN = {path.stem: f"astra_ros.plans.action_spaces.{path.stem}" for path in _FILES}
ACTION_SPACES: Registry[type[ActionSpace]] = Registry("modality", "astra_ros.action_spaces", _OWN)


class InvalidActionSpace(UserError, ValueError):
    """An action space, such as that of a model card, is invalid. ``field`` is the attribute that is wrong, or ''."""

    def __init__(self, name: str, problem: str, field: str = "") -> None:
        super().__init__(problem, thing=f"action space '{name}'")
        self.field = field


@dataclass(frozen=True)
class ActionSpace(ABC):
    """How one robot's motion becomes the action numbers that a world model was trained on.

    A *motion* is [..., H + 1, D]: row 0 belongs to the newest frame that was seen, row k to the k-th frame that is
    imagined. A row is a state, unless a subclass such as `VelocitySpace` says otherwise. The scales come from the
    training data and are stored in the model's card.

    A subclass with a ``modality`` is registered under it. Its class attributes are the facts about its kind of robot.
    The camera moves with the robot (`moves_camera`) where a subclass has `poses`.

    Raises:
        InvalidActionSpace: on creation, for wrong names, lengths or values.
    """

    name: str  # of this robot's actions, e.g. "panda_joints"; unique in a model
    motion_names: tuple[str, ...]  # D unique names, the columns of a motion and of every other field

    modality: ClassVar[str] = ""
    units: ClassVar[str] = ""  # of the columns, in words
    plan: ClassVar[type]  # class of the plans whose motion this is
    column_noun: ClassVar[str] = "columns"  # what a plan's columns are, in the plural, for messages
    columns_are_joints: ClassVar[bool] = False  # of a robot description, so the robot can be rendered along a plan
    moves_camera: ClassVar[bool] = False
    is_camera: ClassVar[bool] = False  # the columns are velocities of the camera itself, in its optical frame
    forward_column: ClassVar[str] = ""  # the column that drives a base forward, m/s, if one does
    acceleration_unit: ClassVar[str] = ""  # of `accelerations`, where all columns have the same one
    # Message types that its motion is read from in a bag, topics of the first group preferred; and the class that
    # reads it, "module:class", imported by datasets/rosbag/motion.py.
    bag_types: ClassVar[tuple[tuple[str, ...], ...]] = ()
    bag_motion: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        cls.moves_camera = cls.poses is not ActionSpace.poses
        if cls.modality:
            ACTION_SPACES.register(cls.modality, cls)

    def __post_init__(self) -> None:
        if not self.name:
            raise InvalidActionSpace(self.name, "it has no name")
        try:
            names = unique_names("", "motion_names", self.motion_names)
        except PlanError as error:
            raise InvalidActionSpace(self.name, error.problem) from None
        object.__setattr__(self, "motion_names", names)
        for field in fields(self)[2:]:
            values = np.asarray(getattr(self, field.name), dtype=np.float64)
            if values.shape != (len(names),) or not np.isfinite(values).all():
                problem = f"has shape {values.shape}; expected ({len(names)},) finite numbers, one per column"
                raise InvalidActionSpace(self.name, f"{field.name} {problem}", field.name)
            if field.name.endswith("_std") and (values <= 0.0).any():
                problem = f"of '{names[int(np.argmin(values))]}' is {values.min():g}; a spread must be > 0"
                raise InvalidActionSpace(self.name, f"{field.name} {problem}", field.name)
            object.__setattr__(self, field.name, tuple(values.tolist()))

    @abstractmethod
    def _numbers(self, motion: np.ndarray) -> np.ndarray:
        """float64 [..., H + 1, D], checked, -> [..., H, A]."""

    @staticmethod
    @abstractmethod
    def rest(motion_names: Sequence[str], now: Mapping[str, float], seconds: float, name: str) -> Plan:
        """The plan to do nothing for some seconds, from a motion now: column -> value."""

    @classmethod
    @abstractmethod
    def fit(cls, name: str, motion_names: Sequence[str], motions: Sequence[np.ndarray]):
        """The space with scales measured on recorded motions, [N, D] each."""

    @property
    def dim(self) -> int:
        """A: numbers per action."""
        return self.encode(np.zeros((2, len(self.motion_names)))).shape[-1]

    def accelerations(self, motion: np.ndarray, dt_s: float) -> np.ndarray:
        """float64 [..., H + 1, D] -> [..., N, D], unit per s^2; N may be 0 where H is 1."""
        return np.diff(motion, n=2, axis=-2) / dt_s**2

    def begun_from(self, other: np.ndarray, motion: np.ndarray) -> np.ndarray:
        """Another motion [..., H + 1, D], begun where ``motion`` begins: what a robot there would do."""
        return other - other[..., :1, :] + motion[..., :1, :]

    @staticmethod
    def distances(rows: np.ndarray, times_s: np.ndarray) -> np.ndarray:
        """How far a robot has gone since the first row, by the column that went furthest: [N, D], [N] -> [N]."""
        return np.abs(rows - rows[0]).max(axis=1)

    @staticmethod
    def extents(rows: np.ndarray) -> np.ndarray:
        """How much each column of recorded rows [N, D] moves: [D], near 0 of a robot at rest."""
        return np.ptp(rows, axis=0)

    def moving(self, plan: Any, columns: Sequence[str]) -> list[str]:
        """The plan's further columns that move. Further columns that stand still are ignored."""
        return list(columns)

    def check_start(self, plan: Any, robot: RobotNow | None, rules: StartRules) -> None:
        """Checks that a plan, as it came, begins where the robot is. Without a state it may begin anywhere.

        Raises:
            RobotUnknown: the robot's position is not known.
            StartError: the plan begins elsewhere.
        """
        return

    def check_limits(self, plan: Any, robot: RobotNow | None, rules: StartRules, limits: LimitSettings) -> None:
        """Checks the numbers of a plan, as it came, against the hard limits that are known.

        Raises:
            BrokenLimit: it breaks one.
        """
        return

    def begin(self, plan: Any, robot: RobotNow | None, rules: StartRules) -> tuple[Any, np.ndarray | None]:
        """A plan in this space's columns and order, checked as by `check_start`, and what the robot does now: [D]."""
        self.check_start(plan, robot, rules)
        return plan.reordered(self.motion_names), None if robot is None else robot.ordered(self.motion_names)

    def poses(self, motion: np.ndarray, dt_s: float) -> np.ndarray:
        """Where the frame that moves the camera is at each row but the first, in that frame at row 0.

        A motion [..., H + 1, D], each row held for the ``dt_s`` that ends at it, -> float64 [..., H, 4, 4], m.
        """
        raise NotImplementedError(f"the action space '{self.name}' moves no camera")

    def encode(self, motion) -> np.ndarray:
        """A motion as the model's actions: finite [..., H + 1, D] with H >= 1 -> float32 [..., H, A]."""
        rows = np.asarray(motion, dtype=np.float64)
        assert rows.ndim >= 2 and rows.shape[-1] == len(self.motion_names) and rows.shape[-2] >= 2, rows.shape
        assert np.isfinite(rows).all(), "plans and recordings are checked where they enter"
        return self._numbers(rows).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and strings, ready for JSON."""
        values = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {"modality": self.modality, **values}


def action_space_class(modality: str) -> type[ActionSpace]:
    """The class of a modality. Raises UnknownName where no file and no package has it."""
    return ACTION_SPACES[modality]


def action_space_from_dict(values: dict[str, Any]) -> ActionSpace:
    """The inverse of `ActionSpace.to_dict`. Raises UnknownName for the modality, InvalidActionSpace for the rest."""
    cls = action_space_class(values.get("modality", "?"))
    given, known = {key: value for key, value in values.items() if key != "modality"}, [f.name for f in fields(cls)]
    if set(known) != set(given):
        missing, unknown = sorted(set(known) - set(given)), sorted(set(given) - set(known))
        problem = f"missing keys {missing}, unknown keys {unknown}; expected exactly {known}"
        raise InvalidActionSpace(values.get("name", "?"), problem)
    return cls(**given)


def spread(values: np.ndarray, floor: float) -> tuple[float, ...]:
    """Standard deviation of each column, at least ``floor``, so that the noise of a column at rest is not amplified."""
    return tuple(np.maximum(values.std(axis=0), floor).round(6).tolist())
