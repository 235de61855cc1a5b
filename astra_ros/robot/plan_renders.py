"""Render the robot along candidate plans, for models with kinematic conditioning."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.plans.action_spaces import ActionSpace
from astra_ros.robot.kinematics import KinematicsError, LinkPoses
from astra_ros.robot.renderer import RobotRenderer
from astra_ros.robot.renders_on_demand import RendersOnDemand
from astra_ros.robot.shapes import BrokenMeshes, check_meshes, odd_sizes

NOTHING_CAME = "no robot description has come"
EARLIER_IS_USED = "the newest cannot be used, an earlier one is: "
# Descriptions kept until one of them is rendered.
MOST_TRIED = 4


@dataclass(frozen=True)
class _Drawn:
    """The renderer of one action space; None where no description can be used.

    Attributes:
        by: the description that it was built from.
        texts: the descriptions known when it was built, newest first.
        newest_fails: why the newest of them cannot be used, or "".
        may_mend: whether that may change with the same description: meshes were missing or broken.
    """

    renderer: RobotRenderer | None = None
    by: str = ""
    texts: tuple[str, ...] = ()
    newest_fails: str = ""
    may_mend: bool = False
    odd: tuple[str, ...] = ()


class PlanRenders:
    """Renders the robot of the last usable description, as the model's camera sees it.

    A description that cannot be used does not replace one that can. All methods are thread-safe. The slow ones
    (``prepare``, the first ``draw``) run once; a second thread that needs the result waits for it.

    Args:
        cameras: action space -> `PinholeCamera.to_dict` of the camera that the model was trained with, in the robot's
            base frame; a space without one is never rendered.
        held: action space -> joint -> position of the joints that plans do not move, rad or m.
        image_size: (h, w) of the robot renders, pixels.

    Attributes:
        problem: why the last ``draw`` returned None, or None.
        warning: None, or that the newest description cannot be used and an earlier one is, or that parts of the robot
            have an implausible size.
    """

    def __init__(
        self, cameras: Mapping[str, Mapping], held: Mapping[str, Mapping[str, float]], image_size: tuple[int, int]
    ) -> None:
        self._cameras = {name: PinholeCamera.from_dict(camera).fitted(image_size) for name, camera in cameras.items()}
        self._held = held
        # The newest description that may be usable, then earlier ones until a later one was rendered.
        self._usable: list[str] = []
        # The newest description where it is broken, the reason, and whether its meshes may still appear.
        self._refused: tuple[str, str, bool] | None = None
        self._drawn: dict[str, _Drawn] = {}
        self._lock = threading.Lock()  # of the fields above, held briefly
        self._building = threading.Lock()
        self.problem: str | None = NOTHING_CAME
        self.warning: str | None = None

    def describe(self, urdf: str | None) -> str | None:
        """Take a robot description (URDF text). The same one again costs nothing; None forgets all.

        It takes milliseconds: meshes are only located here, and read by ``prepare`` or ``draw``. Where meshes were
        missing or broken, giving the same description again locates them again.

        Returns:
            Why it cannot be used, in which case earlier ones stay; None where it can, as far as is known.
        """
        with self._lock:
            if urdf is None:
                self._usable, self._refused = [], None
                self._drawn.clear()
                self.warning = None
                return None
            if self._usable[:1] == [urdf] and not any(drawn.may_mend for drawn in self._drawn.values()):
                self._refused = None
                return None
            if self._refused is not None and self._refused[0] == urdf and not self._refused[2]:
                return self._refused[1]
        reason, may_mend = _broken(urdf)
        with self._lock:
            self._refused = None if reason is None else (urdf, reason, may_mend)
            if reason is None:
                self._usable = [urdf, *(text for text in self._usable if text != urdf)][:MOST_TRIED]
                self._drawn = {
                    name: replace(drawn, texts=()) if drawn.may_mend else drawn for name, drawn in self._drawn.items()
                }
            elif self._usable:
                self.warning = EARLIER_IS_USED + reason
        return reason

    def prepare(self, spaces: Iterable[ActionSpace]) -> str | None:
        """Build the renderers of these spaces ahead of ``draw``, which takes up to some seconds a robot.

        Returns:
            Why the newest description cannot be rendered for one of them, or None.
        """
        reasons = []
        for space in spaces:
            if space.columns_are_joints and space.name in self._cameras and (drawn := self._built(space)):
                self._warn(drawn)
                reasons.append(drawn.newest_fails)
        return next(filter(None, reasons), None)

    def draw(self, space: ActionSpace, motion: np.ndarray) -> RendersOnDemand | None:
        """uint8 [K, H + 1, 3, h, w] of plans [K, H + 1, J], each render made when it is read.

        Returns None, and ``problem`` says why, where the robot cannot be rendered.
        """
        if not space.columns_are_joints or space.name not in self._cameras:
            self.problem = f"the model was trained without robot renders of {space.name}"
            return None
        drawn = self._built(space)
        if drawn is None or drawn.renderer is None:
            self.problem = self._why(drawn)
            return None
        self.problem = None
        self._warn(drawn)
        camera = drawn.renderer.camera
        return RendersOnDemand(drawn.renderer.draw, motion, (camera.height, camera.width))

    def _why(self, drawn: _Drawn | None) -> str:
        if drawn is not None and drawn.newest_fails:
            return drawn.newest_fails
        with self._lock:
            return NOTHING_CAME if self._refused is None else self._refused[1]

    def _warn(self, drawn: _Drawn) -> None:
        with self._lock:
            fails = drawn.newest_fails if self._refused is None else self._refused[1]
        if fails and drawn.renderer is not None:
            self.warning = EARLIER_IS_USED + fails
        else:
            self.warning = "; ".join(drawn.odd) or None

    def _built(self, space: ActionSpace) -> _Drawn | None:
        """The renderer of the newest description that works; None without any description."""
        with self._building:
            with self._lock:
                texts = tuple(self._usable)
                known = self._drawn.get(space.name)
            if not texts:
                return None
            if known is not None and known.texts[:1] == texts[:1]:
                return known
            built, fails, may_mend = replace(known or _Drawn(), texts=texts), "", False
            for text in texts:
                if built.renderer is not None and built.by == text:
                    break
                try:
                    built = self._build(text, space, texts)
                    break
                except KinematicsError as error:
                    if not fails:
                        fails, may_mend = str(error), isinstance(error, BrokenMeshes)
            built = replace(built, newest_fails=fails, may_mend=may_mend)
            with self._lock:
                if self._usable:  # not forgotten meanwhile
                    self._drawn[space.name] = built
                if self._usable[:1] == [built.by]:
                    self._usable = self._usable[:1]
            return built

    def _build(self, text: str, space: ActionSpace, texts: tuple[str, ...]) -> _Drawn:
        """Raises KinematicsError where a description cannot be rendered for a space."""
        camera, held = self._cameras[space.name], self._held.get(space.name)
        renderer = RobotRenderer(text, space.motion_names, camera, held=held)
        return _Drawn(renderer, text, texts, odd=tuple(odd_sizes(renderer.parts)))


def _broken(urdf: str) -> tuple[str | None, bool]:
    """Why a description cannot be used, or None, and whether missing meshes are the reason. Meshes are not read."""
    try:
        check_meshes(LinkPoses(urdf, ()).robot)
    except KinematicsError as error:
        return str(error), isinstance(error, BrokenMeshes)
    return None, False
