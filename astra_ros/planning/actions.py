"""How joint plans become the action numbers that a world model was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from astra_ros.planning.plans import PlanError


@dataclass(frozen=True)
class ActionSpace:
    """One modality of a world model: which joints it knows, and how their motion is scaled.

    The action of interval k (from time (k-1)*dt to k*dt) is the normalised position at its end
    followed by the normalised change over it, so a model sees both where the arm is and how it
    moves. The numbers come from the training data and are stored in the model's card.

    Attributes:
        name: the modality, e.g. ``"panda_joints"``.
        joint_names: J unique names; the order of every other attribute and of ``encode``'s columns.
        position_mean: J values, rad.
        position_std: J values > 0, rad.
        step_std: J values > 0, rad per model step; steps are not centred, so rest encodes as 0.

    Raises:
        ValueError: on creation, for repeated or missing names, wrong lengths, values that are not
            finite, or a spread that is not positive.
    """

    name: str
    joint_names: tuple[str, ...]
    position_mean: tuple[float, ...]
    position_std: tuple[float, ...]
    step_std: tuple[float, ...]

    def __post_init__(self) -> None:
        if isinstance(self.joint_names, str):
            raise ValueError(f"action space '{self.name}': joint_names must be a list of names")
        names = tuple(str(name) for name in self.joint_names)
        if not self.name or not names or len(set(names)) != len(names):
            raise ValueError(
                f"action space '{self.name}': expected a name and at least one joint, each named "
                f"once; got joints {list(names)}"
            )
        object.__setattr__(self, "joint_names", names)
        for what in ("position_mean", "position_std", "step_std"):
            values = np.asarray(getattr(self, what), dtype=np.float64)
            if values.shape != (len(names),) or not np.isfinite(values).all():
                raise ValueError(
                    f"action space '{self.name}': {what} has shape {values.shape}; expected "
                    f"({len(names)},) finite numbers, one per joint"
                )
            if what != "position_mean" and (values <= 0.0).any():
                joint = names[int(np.argmin(values))]
                raise ValueError(
                    f"action space '{self.name}': {what} of joint '{joint}' is {values.min():g}; "
                    "a spread must be > 0"
                )
            object.__setattr__(self, what, tuple(float(value) for value in values))

    @property
    def dim(self) -> int:
        """Numbers per action: a position and a step for each joint, 2*J."""
        return 2 * len(self.joint_names)

    def encode(self, positions) -> np.ndarray:
        """Joint positions at the model's times as the model's actions.

        Args:
            positions: [..., H+1, J] rad in the order of ``joint_names``; the first row is where
                the arm is when the newest frame was taken.

        Returns:
            float32 [..., H, 2*J]: ``(q_k - mean) / std`` then ``(q_k - q_{k-1}) / step_std`` for
            k = 1..H.

        Raises:
            PlanError: wrong number of joints, fewer than two rows, or values that are not finite.
        """
        q = np.asarray(positions, dtype=np.float64)
        joints = len(self.joint_names)
        if q.ndim < 2 or q.shape[-1] != joints or q.shape[-2] < 2:
            raise PlanError(
                f"action space '{self.name}': positions have shape {q.shape}; expected "
                f"[..., H+1, {joints}] with H >= 1, joints in the order "
                f"{', '.join(self.joint_names)}"
            )
        if not np.isfinite(q).all():
            raise PlanError(
                f"action space '{self.name}': positions hold a value that is not finite; "
                "check the plan and the joint states that it starts from"
            )
        place = (q[..., 1:, :] - np.array(self.position_mean)) / np.array(self.position_std)
        step = np.diff(q, axis=-2) / np.array(self.step_std)
        return np.concatenate([place, step], axis=-1).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and strings, ready for JSON."""
        return {
            "name": self.name,
            "joint_names": list(self.joint_names),
            "position_mean": list(self.position_mean),
            "position_std": list(self.position_std),
            "step_std": list(self.step_std),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ActionSpace:
        """The inverse of :meth:`to_dict`.

        Raises:
            ValueError: a key is missing or unknown, or a value is invalid.
        """
        known = tuple(cls.__dataclass_fields__)
        missing = [key for key in known if key not in values]
        unknown = [key for key in values if key not in known]
        if missing or unknown:
            raise ValueError(
                f"action space '{values.get('name', '?')}': missing keys {missing}, "
                f"unknown keys {unknown}; expected exactly {list(known)}"
            )
        return cls(**values)
