"""Message types that plans may come in: one adapter a type, found by its ROS name.

To add a type, subclass `PlanAdapter` in a file of its own, and name the class in `PLAN_ADAPTERS` or, from another
package, in the entry point group ``astra_ros.plan_adapters``: ``"my_msgs/msg/Route" = "my_package.routes:Adapter"``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from builtin_interfaces.msg import Time

from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.plans.base_now import BaseNow
from astra_ros.plans.path_plan import PathPlan
from astra_ros.plans.plan import Plan
from astra_ros.registry import LoadError, Registry

JOINT_TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
PATH = "nav_msgs/msg/Path"


class PlanAdapter(ABC):
    """How plans of one message type are read, compared with the robot, drawn and handed on.

    Attributes:
        message: class of the message type.
        start_topic: relative name of the topic that says where the robot is as a plan begins; '' where a plan may
            begin in any state.
        start_message: class of that topic's messages, where it is not ``joint_states``.
        best_topic: name of the topic on which the winner is handed on; no other type may have the same one.
        advice: what to publish instead, for planners whose topic has another type.
    """

    message: ClassVar[Any]
    start_topic: ClassVar[str] = ""
    start_message: ClassVar[Any] = None
    best_topic: ClassVar[str]
    advice: ClassVar[str] = ""

    @abstractmethod
    def to_plan(self, msg, name: str) -> Plan | PathPlan:
        """A message as the plan of that name. Raises PlanError where it cannot be used."""

    @property
    def has_stamp(self) -> bool:
        """Whether messages begin with a header, whose stamp says when the plan begins; 0: when it is handed on."""
        return [*self.message.get_fields_and_field_types().values()][:1] == ["std_msgs/Header"]

    def stamp(self, msg) -> Time:
        """When the plan begins; 0: when it is handed on."""
        return msg.header.stamp if self.has_stamp else Time()

    def without_stamp(self, data: bytes) -> bytes:
        """A serialized message with the stamp 0 and otherwise the same bytes.

        In CDR, the format of all ROS 2 middleware, four bytes name the kind; sec and nanosec of the header follow.
        """
        return data[:4] + bytes(8) + data[12:] if self.has_stamp else data

    def to_motion(self, msg, topic: str) -> BaseNow:
        """Where a base is, by a `start_message`. Raises BridgeError."""
        raise NotImplementedError(f"{type(self).__name__} does not say where a base is")

    def tool_paths(self, space: ActionSpace, motion: np.ndarray, urdf: str, link: str) -> np.ndarray | None:
        """Where a link of the robot goes along plans, for markers; None where the message type does not say.

        Args:
            motion: [K, H + 1, D], as ``space`` has it.
            urdf: the robot's description, which has the link.

        Returns:
            float64 [K, H + 1, 3] m, in the robot's root frame.

        Raises:
            KinematicsError: the description cannot tell.
        """
        return None


PLAN_ADAPTERS: Registry[type[PlanAdapter]] = Registry(
    "plan type",
    "astra_ros.plan_adapters",
    {
        JOINT_TRAJECTORY: "astra_ros.bridge.trajectories:JointTrajectoryAdapter",
        PATH: "astra_ros.bridge.paths:PathAdapter",
    },
)


def plan_adapter(type_name: str) -> PlanAdapter:
    """A new adapter of a message type.

    Raises:
        UnknownName: the type has none.
        LoadError: it cannot be imported, such as where its message package is not installed.
    """
    try:
        return PLAN_ADAPTERS[type_name]()
    except ModuleNotFoundError as error:
        package = type_name.partition("/")[0]
        problem = f"it needs the package {error.name}, which is not installed"
        raise LoadError(problem, thing=f"plan type '{type_name}'", cure=f"install {package}") from error
