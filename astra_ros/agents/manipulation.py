"""An arm that sees its motions before it moves: plan, imagine, choose, act."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from astra_ros.agents.loop import ActingRobot, ByImagination, Choice, Choose, LoopSettings, Moment, RecedingHorizon
from astra_ros.agents.plan_improvement import ByImprovement, ImprovementSettings
from astra_ros.control.motion_candidates import Goal, MotionSettings
from astra_ros.control.motion_planner import MotionPlanner
from astra_ros.control.plan_variations import PlanVariations
from astra_ros.control.planning_errors import PlanningError, PlanningNotInstalled
from astra_ros.control.pushes import PushSettings
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.imaginer import Imaginer


@dataclass(frozen=True, eq=False)
class SeenArm:
    """What is known of an arm now.

    Attributes:
        frames: uint8 [T, height, width, 3] RGB, the camera's last images, oldest first, a step of the model apart.
        joints: joint -> rad (m where it slides).
    """

    frames: np.ndarray = field(repr=False)
    joints: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class ArmGoal:
    """What a motion should achieve; the planner reads ``motion``, the critics the rest.

    Attributes:
        motion: joint positions, a pose of the tool, or a region for the tool.
        image: uint8 [height, width, 3] RGB of the finished task, at any size.
        object_position: [3] m, where the object should end; it counts where both are given.
    """

    motion: Goal
    image: np.ndarray | None = field(default=None, repr=False)
    object_position: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class ImaginedMotion:
    """Planned motions, and what the world model imagines of them."""

    plans: Sequence[JointPlan]
    choice: Choice
    imaginer: Imaginer = field(repr=False)

    @property
    def best(self) -> JointPlan | None:
        """The motion with the best score; None where all are vetoed or none can be imagined."""
        return None if self.choice.index is None else self.plans[self.choice.index]

    def video(self, name: str) -> np.ndarray:
        """The imagined images of a plan by name: uint8 [H, h, w, 3] RGB, at the model's size.

        Raises KeyError for a plan that was not imagined.
        """
        result = self.choice.result
        if result is None or name not in result.names:
            raise KeyError(name)
        return self.imaginer.pictures(result, np.s_[result.names.index(name)])


@dataclass(frozen=True)
class PushTask:
    """An object that should be somewhere else on its table.

    Attributes:
        joints: returns where the arm is: joint -> rad.
        object_position: returns where the object is, as a perception would: [3] m, in the frame of the robot's base.
        goal_position: [3] m.
        near_m: the object is at the goal from this distance on, in the plane of the table.
        home: joint -> rad, where the arm goes after each push, and where none is chosen, first straight up; empty: it
            stays where it is. Nobody imagines that way, so name only a place that it can reach over whatever may
            stand around.
    """

    robot_urdf: str
    pushing: PushSettings
    joints: Callable[[], Mapping[str, float]]
    object_position: Callable[[], np.ndarray]
    goal_position: np.ndarray
    near_m: float = 0.05
    home: Mapping[str, float] = field(default_factory=dict)

    @property
    def distance_m(self) -> float:
        """From the object to the goal now, in the plane of the table."""
        return float(np.linalg.norm(self.object_position()[:2] - self.goal_position[:2]))


class RobotWorldModel:
    """A world model for an arm: motions are planned from its URDF, imagined, and scored.

    The seed's class of that name goes from one state to the next. Here whole motions are imagined from the camera's
    images, several side by side, and nothing moves before one of them was chosen.

    Args:
        imaginer: the loaded model with its critics. Its settings say how far is imagined.
        planner: plans the motions; by default one with default settings.
        improvement: whether, and for how long, better motions are looked for around the best ones.

    Attributes:
        problem: why the last motions could not be planned, or ''.
    """

    def __init__(
        self,
        imaginer: Imaginer,
        planner: MotionPlanner | None = None,
        improvement: ImprovementSettings = ImprovementSettings(),
    ) -> None:
        self.imaginer, self.improvement = imaginer, improvement
        self.planner = MotionPlanner(MotionSettings()) if planner is None else planner
        self.problem = ""
        self._described = ""

    def imagine_motion(self, initial_state: SeenArm, goal_state: ArmGoal, robot_urdf: str) -> ImaginedMotion:
        """Plan motions from a state to a goal, and imagine each.

        Raises:
            KinematicsError, PlanningError: the robot, the state or the goal cannot be used, or no way was found.
        """
        plans = self.planner.plan(initial_state.joints, goal_state.motion, robot_urdf)
        self._describe(robot_urdf)
        imagination = ByImagination(
            self.imaginer,
            lambda: initial_state.joints,
            goal_frame=goal_state.image,
            goal_position=goal_state.object_position,
        )
        choice = self.chooser(imagination, robot_urdf)(Moment(0, 0.0, initial_state.frames), plans)
        return ImaginedMotion([*plans, *choice.made], choice, self.imaginer)

    def push(
        self, robot: ActingRobot, task: PushTask, settings: LoopSettings, seed: int = 0, choose: Choose | None = None
    ) -> RecedingHorizon:
        """The loop that pushes an object to its goal: each time several pushes are planned and imagined.

        After each push the arm goes up and home, if it has one: from there it sees the scene, and can come from any
        side. It also goes there where no push is chosen, or none can be planned (see ``problem``), and rests where it
        cannot, as while it touches something. The next pushes go elsewhere then, since the same ones would fail again.

        Args:
            choose: chooses among pushes in place of imagination, such as for a comparison.
        """
        self._describe(task.robot_urdf)
        motion, refused = self.planner.settings, False

        def propose(moment: Moment) -> Sequence[JointPlan]:
            nonlocal refused
            self.planner.settings = replace(motion, seed=motion.seed + seed + moment.index)
            places = task.object_position(), task.goal_position
            self.problem = ""
            try:
                pushing = replace(task.pushing, elsewhere=refused)
                return self.planner.push(task.joints(), places, task.robot_urdf, pushing)
            except PlanningNotInstalled:
                raise
            except PlanningError as error:
                self.problem, refused = str(error), True
                return []
            finally:
                self.planner.settings = motion  # or the next loop would begin with this seed

        def rest() -> JointPlan:
            joints = task.joints()
            return JointPlan(tuple(joints), np.zeros(1), np.array([list(joints.values())]), "rest")

        def way_home() -> JointPlan | None:
            if not task.home:
                return None
            try:
                return self.planner.retreat(task.joints(), task.home, task.robot_urdf, task.pushing)
            except PlanningError as error:
                self.problem = self.problem or str(error)
                return None

        if choose is None:
            imagination = ByImagination(self.imaginer, task.joints, goal_position=task.goal_position, seed=seed)
            choose = self.chooser(imagination, task.robot_urdf)
        chosen_by = choose

        def choose_and_note(moment: Moment, plans: Sequence[JointPlan]) -> Choice:
            nonlocal refused
            choice = chosen_by(moment, plans)
            refused = choice.index is None
            return choice

        card = self.imaginer.model.card
        done = lambda: task.distance_m <= task.near_m  # noqa: E731
        return RecedingHorizon(
            robot,
            propose,
            choose_and_note,
            rest,
            done,
            card.history,
            card.dt_s,
            settings,
            fallback=lambda: way_home() or rest(),
            between=way_home,
        )

    def chooser(self, imagination: ByImagination, urdf: str) -> Choose:
        """Chooses by imagination alone, or with improvement where that has time; plans are of the arm of ``urdf``."""
        if not self.improvement.seconds:
            return imagination

        def vary(plan: JointPlan, change: np.ndarray, name: str) -> JointPlan | None:
            joints = imagination.motion_now()
            assert joints is not None
            return PlanVariations.of(plan.joint_names, joints, urdf, self.planner.settings)(plan, change, name)

        return ByImprovement(imagination, vary, self.improvement, imagination.seed)

    def close(self) -> None:
        """End the planner's process."""
        self.planner.close()

    def _describe(self, urdf: str) -> None:
        """Have the robot rendered along its plans, where the model was trained so."""
        if urdf != self._described:
            self.imaginer.plan_renders.describe(urdf)
            self._described = urdf
