"""What every action space has: named columns, a scaling to model numbers, and the facts about its kind of robot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from astra_ros.errors import UserError
from astra_ros.plans.plan import Plan
from astra_ros.plans.start import RobotNow, StartRules
from astra_ros.registry import Registry

# modality -> its class. A file of action_spaces/ is named as its modality, and registers it when it is imported.
ACTION_SPACES: Registry[type[ActionSpace]] = Registry(
    "modality",
    "astra_ros.action_spaces",
    {
        path.stem: f"astra_ros.plans.action_spaces.{path.stem}"
        for path in sorted(Path(__file__).with_name("action_spaces").glob("[!_]*.py"))
    },
)


class InvalidActionSpace(UserError, ValueError):
    """An action space, such as that of a model card, is invalid. ``thing`` names it.

    Attributes:
        field: the attribute that is wrong, or ''.
    """

    def __init__(self, name: str, problem: str, field: str = "") -> None:
        super().__init__(problem, thing=f"action space '{name}'")
        self.field = field


@dataclass(frozen=True)
class ActionSpace(ABC):
    """How one robot's motion becomes the action numbers that a world model was trained on.

    A *motion* is [..., H + 1, D]: row 0 belongs to the newest frame that was seen, row k to the k-th frame that is
    imagined. The modality says what a row is: a state or a velocity. The scales come from the training data and are
    stored in the model's card.

    A subclass with a ``modality`` is registered under it. Its class attributes are the facts about its kind of robot.

    Attributes:
        name: of this robot's actions, e.g. ``"panda_joints"``; unique in a model.
        motion_names: D unique names, the columns of a motion and of every other attribute.
        modality: name of the kind.
        units: of the columns, in words.
        plan: class of the plans whose motion this is.
        column_noun: what a plan's columns are, in the plural, for messages.
        columns_are_joints: the columns are joints of a robot description, so the robot can be rendered along a plan.
        moves_camera: the camera moves with the robot; then `poses` says where to.
        is_camera: the columns are velocities of the camera itself, in its optical frame.
        forward_column: the column that drives a base forward, m/s; '' where none does.
        acceleration_unit: unit of `accelerations` where all columns have the same one, else ''.
        bag_types: message types that its motion is read from in a bag. Topics of the first group are preferred.
        bag_motion: the class that reads it, "module:class", see ``datasets/rosbag/motion.py``. It is named here and
            imported there.

    Raises:
        InvalidActionSpace: on creation, for repeated or missing names, wrong lengths, values that are not finite, or a
            spread that is not positive.
    """

    name: str
    motion_names: tuple[str, ...]

    modality: ClassVar[str] = ""
    units: ClassVar[str] = ""
    plan: ClassVar[type]
    column_noun: ClassVar[str] = "columns"
    columns_are_joints: ClassVar[bool] = False
    moves_camera: ClassVar[bool] = False
    is_camera: ClassVar[bool] = False
    forward_column: ClassVar[str] = ""
    acceleration_unit: ClassVar[str] = ""
    bag_types: ClassVar[tuple[tuple[str, ...], ...]] = ()
    bag_motion: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs) -> None:
        super().__init_subclass__(**kwargs)
        if cls.modality:
            ACTION_SPACES.register(cls.modality, cls)

    def __post_init__(self) -> None:
        if isinstance(self.motion_names, str):
            raise InvalidActionSpace(self.name, "motion_names must be a list of names")
        names = tuple(str(name) for name in self.motion_names)
        if not self.name or not names or len(set(names)) != len(names):
            raise InvalidActionSpace(
                self.name, f"expected a name and at least one column, each named once; got {list(names)}"
            )
        object.__setattr__(self, "motion_names", names)
        for field in fields(self)[2:]:
            values = np.asarray(getattr(self, field.name), dtype=np.float64)
            if values.shape != (len(names),) or not np.isfinite(values).all():
                raise InvalidActionSpace(
                    self.name,
                    f"{field.name} has shape {values.shape}; expected ({len(names)},) finite numbers, one per column",
                    field.name,
                )
            if field.name.endswith("_std") and (values <= 0.0).any():
                column = names[int(np.argmin(values))]
                raise InvalidActionSpace(
                    self.name, f"{field.name} of '{column}' is {values.min():g}; a spread must be > 0", field.name
                )
            object.__setattr__(self, field.name, tuple(float(value) for value in values))

    @property
    @abstractmethod
    def dim(self) -> int:
        """A: numbers per action."""

    @abstractmethod
    def _numbers(self, motion: np.ndarray) -> np.ndarray:
        """float64 [..., H + 1, D], checked, -> [..., H, A]."""

    @abstractmethod
    def accelerations(self, motion: np.ndarray, dt_s: float) -> np.ndarray:
        """float64 [..., H + 1, D] -> [..., N, D], unit per s^2; N may be 0 where H is 1."""

    @abstractmethod
    def begun_from(self, other: np.ndarray, motion: np.ndarray) -> np.ndarray:
        """Another motion [..., H + 1, D], begun where ``motion`` begins: what a robot there would do."""

    @staticmethod
    @abstractmethod
    def rest(motion_names: Sequence[str], now: Mapping[str, float], seconds: float, name: str) -> Plan:
        """The plan to do nothing for some seconds, from a motion now: column -> value."""

    @staticmethod
    @abstractmethod
    def distances(rows: np.ndarray, times_s: np.ndarray) -> np.ndarray:
        """How far a robot has gone since the first row, by the column that went furthest: [N, D], [N] -> [N]."""

    @staticmethod
    @abstractmethod
    def extents(rows: np.ndarray) -> np.ndarray:
        """How much each column of recorded rows [N, D] moves: [D], near 0 of a robot at rest."""

    def moving(self, plan: Any, columns: Sequence[str]) -> list[str]:
        """Those of a plan's columns, which this space does not have, that move: all, unless the modality can tell.

        A plan whose further columns do not move is taken without them.
        """
        return list(columns)

    def check_start(self, plan: Any, robot: RobotNow | None, rules: StartRules) -> None:
        """Checks that a plan begins where the robot is. Plans of modalities without a state may begin anywhere.

        Args:
            plan: as it came; it may have further columns, in any order.
            robot: None where plans are not compared.

        Raises:
            RobotUnknown: where the robot is is not known.
            StartError: the plan begins elsewhere.
        """
        return

    def begin(self, plan: Any, robot: RobotNow | None, rules: StartRules) -> tuple[Any, np.ndarray | None]:
        """A plan in this space's columns and order, checked, and what the robot does now: [D], or None.

        Raises:
            PlanError: the plan cannot begin as the robot is now.
        """
        self.check_start(plan, robot, rules)
        return plan.reordered(self.motion_names), None if robot is None else robot.ordered(self.motion_names)

    def poses(self, motion: np.ndarray, dt_s: float) -> np.ndarray:
        """Where the frame that moves the camera is at each row but the first: poses in that frame at row 0.

        Args:
            motion: [..., H + 1, D], each row held for the ``dt_s`` that ends at it.

        Returns:
            float64 [..., H, 4, 4], m.
        """
        raise NotImplementedError(f"the action space '{self.name}' moves no camera")

    @classmethod
    @abstractmethod
    def fit(cls, name: str, motion_names: Sequence[str], motions: Sequence[np.ndarray]):
        """The space with scales measured on recorded motions, [N, D] each."""

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
    """The class of a modality.

    Raises:
        UnknownName: no file and no package has it.
    """
    return ACTION_SPACES[modality]


def action_space_from_dict(values: dict[str, Any]) -> ActionSpace:
    """The inverse of `ActionSpace.to_dict`.

    Raises:
        UnknownName: no file and no package has the modality.
        InvalidActionSpace: a key is missing or unknown, or a value is invalid.
    """
    cls = action_space_class(values.get("modality", "?"))
    known = [field.name for field in fields(cls)]
    given = [key for key in values if key != "modality"]
    if set(known) != set(given):
        missing, unknown = sorted(set(known) - set(given)), sorted(set(given) - set(known))
        raise InvalidActionSpace(
            values.get("name", "?"), f"missing keys {missing}, unknown keys {unknown}; expected exactly {known}"
        )
    return cls(**{key: values[key] for key in known})


def spread(values: np.ndarray, floor: float) -> tuple[float, ...]:
    """Standard deviation of each column, at least ``floor``, so that the noise of a column at rest is not amplified."""
    return tuple(np.maximum(values.std(axis=0), floor).round(6).tolist())
