"""Obstacles that a planner knows, from `moveit_msgs/PlanningScene` messages, which are read by their fields. Without
ROS."""

from __future__ import annotations

import threading
from collections.abc import Collection

from astra_ros.nodes.imagine.collision_objects import CollisionBody, appended, collision_body, moved, object_error
from astra_ros.obstacles import KnownObstacle, ObstacleError
from astra_ros.texts import listed, short

# moveit_msgs/CollisionObject: operation
ADD, REMOVE, APPEND, MOVE = range(4)


class ObstacleInputs:
    """The collision objects of the newest planning scene. Safe to use from several threads.

    Octomaps, planes and bodies attached to the robot are not taken; `left_out` names them. A body that is attached is
    no obstacle any more, or the robot would touch what it carries. An object whose move cannot be read stays where it
    was, and is named until its place is known again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, CollisionBody] = {}  # by name
        self._unread: dict[str, str] = {}  # name of an object -> what of it is not taken
        self._attached: dict[str, str] = {}  # name of a body -> its link
        self._has_octomap = self._came = False

    def on_scene(self, msg) -> None:
        """Take a planning scene: all of it, or its changes (`is_diff`).

        Raises:
            ObstacleError: an object, or a part of it, cannot be used; the others are taken.
        """
        fault: ObstacleError | None = None
        octomap, bodies = msg.world.octomap.octomap, msg.robot_state.attached_collision_objects
        with self._lock:
            self._came = True
            if not msg.is_diff:
                for held in (self._held, self._unread, self._attached):
                    held.clear()
            for each in msg.world.collision_objects:
                try:
                    self._take(each)
                except ObstacleError as error:
                    fault = fault or error
                    self._note(str(each.id), _operation(each), error.problem)
            if octomap.id or not msg.is_diff:  # changes without an octomap leave it as it is
                self._has_octomap = len(octomap.data) > 0
            for body in bodies:
                try:
                    self._attach(body)
                except ObstacleError as error:
                    fault = fault or error
                    self._note(str(body.object.id), _operation(body.object), error.problem)
        if fault:
            raise fault

    @property
    def came(self) -> bool:
        """Whether a planning scene has come."""
        return self._came

    @property
    def left_out(self) -> str:
        """What the scene has and critics are not told, in words, or ''."""
        with self._lock:
            said = ["the octomap"] * self._has_octomap
            said += [f"'{short(name)}', attached to '{short(link)}'" for name, link in self._attached.items()]
            said += [f"'{short(name)}' ({problem})" for name, problem in self._unread.items()]
            moves = {name: body.moved_away for name, body in self._held.items() if body.moved_away}
            said += [f"the new place of '{short(name)}' ({problem})" for name, problem in moves.items()]
        return listed(said)

    def now(self, frames: Collection[str | None]) -> tuple[tuple[KnownObstacle, ...], str]:
        """(Obstacles whose frame is one of these; the objects in other frames, in words, or '')."""
        with self._lock:
            held = dict(self._held)
        known = {name for name, body in held.items() if body.frame in {"", *frames}}
        found = tuple(piece for name, body in held.items() if name in known for piece in body.placed)
        others = [f"'{short(name)}' in '{short(held[name].frame)}'" for name in held if name not in known]
        wanted = " or ".join(sorted(f"'{frame}'" for frame in frames if frame))
        return found, f"obstacles are known in {wanted} only, not {listed(others)}" if others else ""

    def _take(self, msg) -> None:
        name, operation = str(msg.id), _known_operation(msg)
        if operation == REMOVE:
            for gone in [name] if name else [*self._held, *self._unread]:
                self._held.pop(gone, None)
                self._unread.pop(gone, None)
            return
        if operation == MOVE:
            if name not in self._held:
                problem = self._unread.get(name, "it moves, and its shapes are not known")
                raise object_error(name, problem, "publish it with its shapes and the operation ADD first")
            self._held[name] = moved(self._held[name], msg)
            return
        self._attached.pop(name, None)
        before = self._held.pop(name, None)  # where the new one cannot be read, the old one does not count either
        if operation == ADD:
            self._unread.pop(name, None)
        self._held[name] = appended(before, msg) if before and operation == APPEND else collision_body(msg)
        if msg.planes:
            raise object_error(name, "it has planes, which are not taken", "give a large box")

    def _attach(self, msg) -> None:
        name, removed = str(msg.object.id), _known_operation(msg.object) == REMOVE
        if removed:
            for gone in [name] if name else list(self._attached):
                self._attached.pop(gone, None)
            return
        self._attached[name] = str(msg.link_name)
        self._held.pop(name, None)
        self._unread.pop(name, None)

    def _note(self, name: str, operation: int, problem: str) -> None:
        """Keep why a message about an object cannot be used. Where it cannot be moved, it stays where it was."""
        if operation == MOVE and name in self._held:
            self._held[name].moved_away = problem
        else:
            self._unread[name] = problem


def _known_operation(msg) -> int:
    if (operation := _operation(msg)) not in range(4):
        raise object_error(msg.id, f"its operation is {operation}", "give ADD, REMOVE, APPEND or MOVE")
    return operation


def _operation(msg) -> int:
    return msg.operation[0] if isinstance(msg.operation, bytes) else int(msg.operation)
