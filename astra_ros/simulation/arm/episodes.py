"""The arm at its table as a `World`: play, labels and referee."""

from __future__ import annotations

import numpy as np

from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.simulation.arm.candidates import propose, random_play
from astra_ros.simulation.arm.referee import ArmReferee
from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings
from astra_ros.simulation.camera import CameraSettings, as_drawn, optical_pose
from astra_ros.simulation.worlds import Embodiment

RANDOM_SHARE = 0.35


class PlayingArm(ArmWorld):
    """`ArmWorld` with the rest of the interface `worlds.World`, for recording and ranking."""

    @property
    def embodiment(self) -> Embodiment:
        return Embodiment("arm", self.spec.name, "joints", self.joint_names)

    def play(self, rng: np.random.Generator, seconds: float) -> str:
        """A push, good or bad, or random motion; pushes take four seconds."""
        if rng.random() < RANDOM_SHARE:
            kind, plan = "random_play", random_play(self, seconds, int(rng.integers(2**31)))
        else:
            proposals = propose(self, 2, int(rng.integers(2**31)))
            kind, plan = proposals[int(rng.integers(len(proposals)))]
        self.command(plan)
        return kind

    def propose(self, count: int, seed: int) -> list[tuple[str, JointPlan]]:
        return propose(self, count, seed)

    def between(self) -> JointPlan | None:
        """None: every proposal begins where the arm is."""
        return None

    def referee(self) -> ArmReferee:
        return ArmReferee(self)

    def motion(self) -> np.ndarray:
        """[J] rad, commanded now."""
        return self.state().commanded_positions

    def labels(self) -> dict[str, np.ndarray]:
        state = self.state()
        camera = self.settings.camera
        return {
            "obstacle_contact": np.array(state.obstacle_contact),
            "object_contact": np.array(state.object_contact),
            "object_position": state.object_position,
            "tool_position": state.tool_position,
            "joint_positions": state.joint_positions,
            "camera_pose": optical_pose(camera.position, np.subtract(camera.look_at, camera.position)),
        }

    def camera(self) -> dict:
        """The fixed camera, for rendering the robot into its image."""
        seen = self.settings.camera
        camera = PinholeCamera.from_look_at(seen.position, seen.look_at, seen.fov_deg, seen.width, seen.height)
        return as_drawn(camera).to_dict()

    def scene(self) -> dict:
        state = self.state()
        return {"goal_position": state.goal_position.tolist(), "obstacle_position": state.obstacle_position.tolist()}


def make(robot: str, size: int) -> PlayingArm:
    """A world of one arm, its camera ``size`` pixels wide and high."""
    return PlayingArm(ArmWorldSettings(robot=robot, camera=CameraSettings(size, size)))
