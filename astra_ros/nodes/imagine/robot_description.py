"""The robot's description: checked as it arrives, and its shapes prepared before a request needs them. Without ROS."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from astra_ros.nodes.reports import once
from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.plans.limits import JointLimits
from astra_ros.robot.described_joints import DescriptionError, continuous_joints
from astra_ros.robot.kinematics import KinematicsError, parse_urdf
from astra_ros.robot.limits import Limits, joint_limits, position_limits
from astra_ros.robot.plan_renders import PlanRenders
from astra_ros.robot.shapes import mesh_notes
from astra_ros.texts import listed

PREPARING = "preparing the robot's shapes"
WITHOUT = "plans are imagined without the robot's render, less exactly"
# Descriptions that are kept while the model loads; the newest of them that can be drawn will be.
KEPT = 4
# The node waits this long for shapes, s, and then begins without them; the slowest measured took a tenth of it.
PREPARED_WITHIN_S = 120.0


class RobotDescription:
    """Takes descriptions from any thread; one thread works on them, in ``work`` or ``work_off``.

    A description that cannot be used does not replace one that can. `text` is the newest one that is a URDF at all, or
    None; its meshes may be missing.
    """

    def __init__(self, topic: str, refuse: Callable[[str], None], tell: Callable[[str], None]) -> None:
        self.topic = topic
        self._refuse, self._tell, self._tell_once = refuse, tell, once(tell)
        self._changed = threading.Condition()
        self._received: deque[str] = deque(maxlen=KEPT)
        self._waiting: deque[str] = deque(maxlen=KEPT)
        self._plan_renders: PlanRenders | None = None
        self._spaces: tuple[ActionSpace, ...] = ()
        self._drawn: frozenset[str] = frozenset()
        self._trained_turning: dict[str, Sequence[str]] = {}  # action space -> joints
        self._prepared = False
        self._missed = False
        self._busy = self._stopped = False
        self._fails = ""
        self._joints: frozenset[str] = frozenset()
        self.text: str | None = None
        self.base_link: str | None = None  # the root of that description
        self.continuous: frozenset[str] = frozenset()
        self.limits: dict[str, Limits] = {}
        self.joint_limits: dict[str, JointLimits] = {}  # positions, velocities and accelerations

    def on_text(self, text: str) -> None:
        """Take a description. The same one again costs nothing, unless it could not be used: its missing meshes may
        be installed now."""
        with self._changed:
            newest = (*self._received, *self._waiting)[-1:]
            if newest != (text,) or self._fails and self.text == text and not self._waiting:
                self._waiting.append(text)
                self._changed.notify_all()

    def note_undrawn(self) -> None:
        """Note that plans were imagined without the robot's render that the model expects."""
        with self._changed:
            self._missed = True

    def attach(self, plan_renders: PlanRenders, card) -> None:
        """Prepare shapes for a model from now on."""
        with self._changed:
            self._plan_renders, self._drawn, self._prepared = plan_renders, frozenset(card.cameras), False
            self._spaces = tuple(space for space in card.action_spaces.values() if space.columns_are_joints)
            self._trained_turning = dict(card.continuous_joints)
            self._waiting = deque([*self._received, *self._waiting], maxlen=KEPT)
            self._received.clear()
            self._changed.notify_all()

    def wait(self, first_s: float, preparing: Callable[[], None] = lambda: None) -> None:
        """Wait ``first_s`` for the first description, then until all are prepared, at most `PREPARED_WITHIN_S`; the log
        tells when that is too short. ``preparing`` is called if there is one to prepare."""
        with self._changed:
            self._changed.wait_for(lambda: self._came or self._stopped, first_s)
            if self.preparing:
                preparing()
                ended = self._changed.wait_for(lambda: self._idle or self._stopped, PREPARED_WITHIN_S)
                if not ended:
                    self._tell(f"{self.topic}: still {PREPARING} after {PREPARED_WITHIN_S:g} s; requests wait for them")

    def work(self) -> None:
        """Work on descriptions until ``stop``, for a thread of its own."""
        while self._next(wait=True):
            pass

    def work_off(self) -> None:
        while self._next(wait=False):
            pass

    def stop(self) -> None:
        """End ``work`` and ``wait``."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    @property
    def state(self) -> tuple[bool, str]:
        """(Whether a description is being worked on; its fault as far as known, or ''), of one moment."""
        with self._changed:
            return self.preparing, self.problem or self.contradiction

    @property
    def problem(self) -> str:
        """Why plans are imagined without the robot's render, or with that of an older description; else ''."""
        with self._changed:
            plan_renders = self._plan_renders
            if plan_renders is None or not self._needed:
                return f"{self.topic}: {self._fails}" if self._fails else ""
            if not self._came:
                if not self._missed and not all(space.name in self._drawn for space in self._spaces):
                    return ""  # whether a description is needed depends on the plans
                return (
                    f"no robot_description has arrived on {self.topic}: {WITHOUT}. Remap robot_description to the "
                    "topic of robot_state_publisher"
                )
            if not self._idle:
                return ""
            if plan_renders.warning:
                return f"{self.topic}: {plan_renders.warning}"
            return f"{self.topic}: {self._fails}; {WITHOUT}" if self._fails else ""

    @property
    def limited(self) -> frozenset[str]:
        """Joints that have an end."""
        return self._joints - self.continuous

    @property
    def _mine(self) -> list[ActionSpace]:
        """The action spaces of the model that belong to the described robot."""
        return [space for space in self._spaces if self._joints.issuperset(space.motion_names)]

    @property
    def _needed(self) -> bool:
        """Whether the model expects the render of this robot; of any robot, where it knows none that is described."""
        return not self._drawn.isdisjoint(space.name for space in self._mine or self._spaces)

    @property
    def contradiction(self) -> str:
        """The joints that turn without end for the model and have an end in the description, in words; or ''."""
        with self._changed:
            trained, limited = self._trained_turning, self.limited
            turning = [name for space in self._mine for name in trained.get(space.name, ()) if name in limited]
        return (
            f"{self.topic}: {listed(turning)} has limits here, but the model was trained on a robot where it turns "
            "without end; plans must start in its turn, and are imagined less exactly. Publish the description of that "
            "robot"
            if turning
            else ""
        )

    @property
    def preparing(self) -> bool:
        with self._changed:
            return self._came and not self._idle

    @property
    def _came(self) -> bool:
        return bool(self._received or self._waiting)

    @property
    def _idle(self) -> bool:
        return not self._busy and not self._waiting and (self._prepared or self._plan_renders is None)

    def _next(self, wait: bool) -> bool:
        """Work on the next description; False without one, or at the end."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._stopped or self.preparing)
            if self._stopped or not self.preparing:
                return False
            self._busy = True
            text = self._waiting.popleft() if self._waiting else None
            plan_renders, spaces = self._plan_renders, self._spaces
            if text is not None and [*self._received][-1:] != [text]:
                self._received.append(text)
            self._prepared = not self._waiting
        reason = ""
        try:
            if text is not None:
                reason = self._take(text, plan_renders)
            if plan_renders is not None and not self._waiting:
                undrawn = self._prepare(plan_renders, spaces)
                reason = reason or undrawn or (self._fails if text is None else "")
        except Exception as error:  # noqa: BLE001 - whatever a text holds, the next one is taken
            reason = f"{type(error).__name__}: {error}"
        if reason and reason != self._fails:
            self._refuse(f"{self.topic}: {reason}")
        self._fails = reason
        with self._changed:
            self._busy = False
            self._changed.notify_all()
        return True

    def _take(self, text: str, plan_renders: PlanRenders | None) -> str:
        """Why a description cannot be used, or ''."""
        try:
            robot = parse_urdf(text)
        except KinematicsError as error:
            if plan_renders is not None:
                plan_renders.describe(text)
            return str(error)
        self.text = text
        self._joints = frozenset(joint.name for joint in robot.joints)
        children = {joint.child for joint in robot.joints}
        self.base_link = next((link.name for link in robot.links if link.name not in children), None)
        try:
            self.continuous, self.limits = continuous_joints(text), position_limits(text)
            self.joint_limits = joint_limits(text)
        except DescriptionError:  # one parser takes it, the other does not
            self.continuous, self.limits, self.joint_limits = frozenset(), {}, {}
        for note in mesh_notes(robot):
            self._tell_once(f"{self.topic}: {note}")
        reason = plan_renders.describe(text) if plan_renders is not None else ""
        return (reason or "") if self._needed else ""  # a robot that is not drawn needs no meshes

    def _prepare(self, plan_renders: PlanRenders, spaces: Sequence[ActionSpace]) -> str:
        """Why the described robot cannot be drawn, or ''."""
        began = time.monotonic()
        # Where the model does not know the described robot, all spaces are tried, and the first fault is reported.
        mine = [space for space in spaces if self._joints.issuperset(space.motion_names)]
        reason = plan_renders.prepare(mine or spaces)
        if (took_s := time.monotonic() - began) > 1.0:
            self._tell(f"prepared the robot's shapes in {took_s:.1f} s")
        return reason or ""
