"""What candidate plans are imagined by: actions, the robot rendered along them, where they take the camera."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np


class Renders(Protocol):
    """An array whose numbers may not be made yet: `np.asarray` makes those of an index. A numpy array is one, too."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, which: Any, /) -> Any: ...

    def __array__(self, dtype: Any = ..., /) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Conditioning:
    """K plans of H steps of one action space. Raises ValueError for shapes that do not fit each other."""

    space: str
    actions: np.ndarray = field(repr=False)  # float32 [K, H, A], from `ActionSpace.encode`
    # uint8 [K, H + 1, 3, h, w], rendered along each plan (`robot/plan_renders.py`), first as it is now.
    robot_renders: Renders | None = field(default=None, repr=False)
    # float32 [K, H, 4, 4]: the pose (m) of a moving camera's optical frame in that of the newest image
    # (`MovingCamera.camera_poses`); None where the camera stands still or its way is not known.
    camera_poses: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        actions = np.asarray(self.actions, np.float32)
        if actions.ndim != 3 or 0 in actions.shape:
            raise ValueError(f"actions have shape {actions.shape}; expected [K, H, A], none of them 0")
        plans, horizon = actions.shape[:2]
        object.__setattr__(self, "actions", actions)
        if self.robot_renders is not None and self.robot_renders.shape[:3] != (plans, horizon + 1, 3):
            raise ValueError(
                f"robot_renders have shape {self.robot_renders.shape}; expected ({plans}, {horizon + 1}, 3, h, w): "
                "the robot now and at every step of every plan"
            )
        if self.camera_poses is not None:
            poses = np.asarray(self.camera_poses, np.float32)
            if poses.shape != (plans, horizon, 4, 4):
                raise ValueError(
                    f"camera_poses have shape {poses.shape}; expected {(plans, horizon, 4, 4)}: a pose for every "
                    "plan and step"
                )
            object.__setattr__(self, "camera_poses", poses)

    @property
    def plans(self) -> int:
        """K."""
        return self.actions.shape[0]

    @property
    def horizon(self) -> int:
        """H."""
        return self.actions.shape[1]

    def subset(self, plans) -> Conditioning:
        """The same of some plans: their indices, a slice or a mask."""
        return replace(
            self,
            actions=self.actions[plans],
            robot_renders=None if self.robot_renders is None else self.robot_renders[plans],
            camera_poses=None if self.camera_poses is None else self.camera_poses[plans],
        )

    def cut(self, horizon: int) -> Conditioning:
        """The same of the first `horizon` steps of every plan."""
        return replace(
            self,
            actions=self.actions[:, :horizon],
            robot_renders=None if self.robot_renders is None else self.robot_renders[:, : horizon + 1],
            camera_poses=None if self.camera_poses is None else self.camera_poses[:, :horizon],
        )

    def renders_then_and_now(self, which=...) -> np.ndarray | None:
        """The renders of some plans and steps, as one indexes [K, H], each beside that of now: [..., 2, 3, h, w]."""
        if self.robot_renders is None:
            return None
        then, plan = self.robot_renders[:, 1:], np.indices((self.plans, self.horizon))[0]
        return np.stack([np.asarray(then[which]), np.asarray(self.robot_renders[plan[which], 0])], axis=-4)
