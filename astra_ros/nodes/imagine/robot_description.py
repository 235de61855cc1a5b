"""The robot's description, as `robot_description` brings it: checked, and its shapes made ahead, in the background."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from std_msgs.msg import String

from astra_ros.nodes.health import once
from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.robot.described_joints import DescriptionError, continuous_joints
from astra_ros.robot.kinematics import KinematicsError, parse_urdf
from astra_ros.robot.limits import Limits, position_limits
from astra_ros.robot.plan_renders import PlanRenders
from astra_ros.robot.shapes import mesh_notes
from astra_ros.texts import listed

PREPARING = "preparing the robot's shapes"
WITHOUT = "plans are imagined without the robot's render, less exactly"
# Descriptions from before the model is loaded that are kept: the newest that can be drawn is among them, or none is.
KEPT = 4
# Shapes are prepared within this, s, or the node begins without; the slowest seen took a tenth of it.
PREPARED_WITHIN_S = 120.0


class RobotDescription:
    """Takes descriptions from the executor's threads and works on them in one of its own.

    A description that cannot be used does not replace one that can.

    Args:
        topic: where they come from, for messages.
        refuse: told why one cannot be used.
        tell: told what is worth a line in the log.

    Attributes:
        text: the newest one that is a URDF at all, or None; its meshes may be missing.
        continuous: joints that it says turn without end.
        limits: joint -> where it says that it may be.
        missed: plans were imagined that would have been drawn with one.
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
        self.missed = False
        self._busy = self._stopped = False
        self._fails = ""
        self._joints: frozenset[str] = frozenset()
        self.text: str | None = None
        self.continuous: frozenset[str] = frozenset()
        self.limits: dict[str, Limits] = {}
        self._thread = threading.Thread(target=self._run, name="description", daemon=True)
        self._thread.start()

    def on_message(self, msg: String) -> None:
        """Take a description; the same one again costs nothing, unless it could not be used: the meshes that it
        lacked may be there now."""
        with self._changed:
            newest = (*self._received, *self._waiting)[-1:]
            if newest != (msg.data,) or self._fails and self.text == msg.data and not self._waiting:
                self._waiting.append(msg.data)
                self._changed.notify_all()

    def attach(self, plan_renders: PlanRenders, card) -> None:
        """Say by what the robot is drawn, and for which model; this is done ahead from now on.

        Args:
            card: the model's, see `ModelCard`.
        """
        with self._changed:
            self._plan_renders, self._drawn, self._prepared = plan_renders, frozenset(card.cameras), False
            self._spaces = tuple(space for space in card.action_spaces.values() if space.columns_are_joints)
            self._trained_turning = dict(card.continuous_joints)
            self._waiting = deque([*self._received, *self._waiting], maxlen=KEPT)
            self._received.clear()
            self._changed.notify_all()

    def wait(self, first_s: float, preparing: Callable[[], None] = lambda: None) -> None:
        """Wait until all that came is prepared, at most `PREPARED_WITHIN_S`; the log says where that was too short.

        Args:
            first_s: how long to wait for the first description.
            preparing: called if there is something to prepare.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._came or self._stopped, first_s)
            if self._came and not self._idle:
                preparing()
                ended = self._changed.wait_for(lambda: self._idle or self._stopped, PREPARED_WITHIN_S)
                if not ended:
                    self._tell(f"{self.topic}: still {PREPARING} after {PREPARED_WITHIN_S:g} s; requests wait for them")

    def close(self, timeout_s: float = 1.0) -> bool:
        """End the thread; False when it still works."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def state(self) -> tuple[bool, str]:
        """(Whether a description is being worked on; what is wrong as far as that is known, or ''), of one moment."""
        with self._changed:
            return self.preparing, self.problem or self.contradiction

    @property
    def problem(self) -> str:
        """Why the robot is not drawn along plans, or not as the newest description says; '' where it is."""
        with self._changed:
            plan_renders = self._plan_renders
            if plan_renders is None or not self._needed:
                return f"{self.topic}: {self._fails}" if self._fails else ""
            if not self._came:
                if not self.missed and not all(space.name in self._drawn for space in self._spaces):
                    return ""  # whether one is needed depends on the plans
                return (
                    f"no robot_description has come on {self.topic}: {WITHOUT}. Remap robot_description to the topic "
                    "of robot_state_publisher"
                )
            if not self._idle:
                return ""
            if plan_renders.warning:
                return f"{self.topic}: {plan_renders.warning.removeprefix('robot_description: ')}"
            return f"{self.topic}: {self._fails}; {WITHOUT}" if self._fails else ""

    @property
    def limited(self) -> frozenset[str]:
        """Its joints that do not turn without end."""
        return self._joints - self.continuous

    @property
    def _mine(self) -> list[ActionSpace]:
        """Of the model's robots, the one that is described."""
        return [space for space in self._spaces if self._joints.issuperset(space.motion_names)]

    @property
    def _needed(self) -> bool:
        """Whether the model sees this robot drawn, or, where the description is of none of its robots, any."""
        return not self._drawn.isdisjoint(space.name for space in self._mine or self._spaces)

    @property
    def contradiction(self) -> str:
        """Which joints turn without end for the model, and have an end for the description; or ''."""
        with self._changed:
            turning = [
                name
                for space in self._mine
                for name in self._trained_turning.get(space.name, ())
                if name in self.limited
            ]
        return (
            f"{self.topic}: {listed(turning)} has limits here, but the model was trained on a robot on which it turns "
            "without end; plans must start in its turn, and are imagined less exactly; publish the description of that "
            "robot"
            if turning
            else ""
        )

    @property
    def preparing(self) -> bool:
        """Whether a description is being worked on."""
        with self._changed:
            return self._came and not self._idle

    @property
    def _came(self) -> bool:
        return bool(self._received or self._waiting)

    @property
    def _idle(self) -> bool:
        return not self._busy and not self._waiting and (self._prepared or self._plan_renders is None)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._stopped or (self._came and not self._idle))
                if self._stopped:
                    return
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
            self._settle(reason)

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
        try:
            self.continuous, self.limits = continuous_joints(text), position_limits(text)
        except DescriptionError:  # as far as one parser goes, and another does not
            self.continuous, self.limits = frozenset(), {}
        for note in mesh_notes(robot):
            self._tell_once(f"{self.topic}: {note}")
        reason = plan_renders.describe(text) if plan_renders is not None else ""
        return (reason or "") if self._needed else ""  # of what is not drawn, no mesh is missed

    def _prepare(self, plan_renders: PlanRenders, spaces: Sequence[ActionSpace]) -> str:
        """Why what is described cannot be drawn, or ''."""
        began = time.monotonic()
        # Of a model's robots, the one that is described; where it is none of them, that is the complaint.
        mine = [space for space in spaces if self._joints.issuperset(space.motion_names)]
        reason = plan_renders.prepare(mine or spaces)
        if (took_s := time.monotonic() - began) > 1.0:
            self._tell(f"prepared the robot's shapes in {took_s:.1f} s")
        return reason or ""

    def _settle(self, reason: str) -> None:
        """Note why the newest description cannot be used, or ''; told when that changes."""
        if reason and reason != self._fails:
            self._refuse(f"{self.topic}: {reason}")
        self._fails = reason
