"""The settings of the gate node. Without ROS."""

from __future__ import annotations

from dataclasses import dataclass

from astra_ros.nodes.imagine.settings import JOINT_TRAJECTORY, LONGEST_S
from astra_ros.settings import CheckedSettings, SettingError, setting


@dataclass(frozen=True)
class GateSettings(CheckedSettings):
    """Which plans pass, and where they go."""

    type: str = setting(JOINT_TRAJECTORY, "message type of the plans, that of the imagine node's plan source")
    pass_risky: bool = setting(False, "pass plans with the verdict 'risky' too, and not only 'accepted' ones")
    timeout_s: float = setting(
        5.0, "seconds within which the imagine node must decide; then the plan is rejected", 0.01, LONGEST_S, "s"
    )
    controller: str = setting(
        "",
        "action of the controller that executes what passes, such as 'arm_controller/follow_joint_trajectory': the "
        "gate offers the same action and forwards its goals; '' gates the messages on the topic plan instead",
    )
    controller_timeout_s: float = setting(
        2.0, "seconds within which the controller must answer a goal, or be there again", 0.01, LONGEST_S, "s"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.controller and self.type != JOINT_TRAJECTORY:
            raise SettingError("type", self.type, f"goals of a controller are {JOINT_TRAJECTORY}; leave type out")
