"""The imagine node's statuses on /diagnostics."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from astra_ros.nodes.health import ERROR, OK, WARN, Conditions, Notices, newest, once, status
from astra_ros.nodes.imagine.goal_inputs import POSE
from astra_ros.nodes.imagine.inputs import ImagineInputs
from astra_ros.nodes.imagine.missed import Missed
from astra_ros.nodes.imagine.robot_description import PREPARING, RobotDescription
from astra_ros.nodes.imagine.settings import ImagineSettings
from astra_ros.nodes.imagine.state import LastRequest, ModelState
from astra_ros.nodes.imagine.topic_types import TopicTypes
from astra_ros.texts import listed

# A request that takes longer is worth a warning while it lasts.
SLOW_S = 10.0
# Camera and joint states may start so much later than this node before that is worth a line in the log.
CAMERA_STARTS_S = 5.0
GOAL_INPUTS = ("goal_images", "goal_poses")
INPUTS = ("images", "plans", "joint_states", *GOAL_INPUTS)
# What lasts, such as a description without its meshes, is logged once and not with every request.
LASTING = ("robot_description", "markers")
NOTHING_BEYOND = ("", frozenset())


class ImagineHealth:
    """Collects refusals and results from all threads and reports them as statuses, one a part of the node.

    Args:
        node: the node, for its name and log.
        inputs: asked for ages and counts.
        settings: returns the node's settings of this moment.
    """

    def __init__(self, node: Node, settings: Callable[[], ImagineSettings]) -> None:
        self._node = node
        self._settings = settings
        log = node.get_logger()
        # One call each: rclpy keeps its own records per line of code.
        self.refused = {kind: Notices(lambda text: log.error(text)) for kind in INPUTS}
        self.refused |= {kind: Notices(lambda text: log.debug(text)) for kind in LASTING}
        # A planner that sends many plans a second loses some all the time: said once, and counted.
        self.refused["lost_plans"] = Notices(once(lambda text: log.info(text)))
        self.refused_requests = Notices(lambda text: log.warning(text))
        self.refused_plans = Notices(lambda text: log.error(text))
        self.note = Notices(lambda text: log.info(text))
        self.conditions = Conditions(lambda text: log.warning(text), lambda text: log.info(text))
        self.say_once = once(lambda text: log.info(text))
        self.topics = TopicTypes(node)
        self.inputs: ImagineInputs | None = None
        self.description: RobotDescription | None = None
        self.robot_unknown: Callable[[], str | None] = lambda: None
        self.contradictions: Callable[[], tuple[str, frozenset]] = lambda: ("", frozenset())
        self.beyond_limits: Callable[[], tuple] = lambda: (NOTHING_BEYOND, NOTHING_BEYOND)
        self.joint_topic = "joint_states"
        self.model = ModelState()
        self._lock = threading.Lock()
        self._last = LastRequest()
        self._busy_since_s: float | None = None
        self._began_s = time.monotonic()
        says = (lambda text: log.warning(text), lambda text: log.info(text))
        self._camera_missed, self._joints_missed = Missed(*says), Missed(*says)

    def refuse(self, kind: str, reason: str) -> None:
        """Note an input that cannot be used."""
        self.refused[kind].add(reason)

    def goal_cleared(self) -> None:
        """Note that no goal is wanted any more, so neither one that was refused."""
        for kind in GOAL_INPUTS:
            self.refused[kind].settle(time.monotonic())

    def left_out(self, joints: Sequence[str], model: str) -> None:
        """Note joints that plans have and the model does not know; each set of them is said once."""
        if joints:
            self.say_once(
                f"plans also have {listed(joints)}, which the model '{model}' does not know; they stand still along "
                "the plan, so they are not looked at, and handed on as they came"
            )

    def begin(self) -> None:
        """Note that a request is being worked on."""
        self._busy_since_s = time.monotonic()

    def end(self) -> None:
        """Note that none is, however the last one ended."""
        self._busy_since_s = None

    def done(self, last: LastRequest) -> None:
        """Note a request that was served; why one before it was not is settled then."""
        if self._busy_since_s is not None:
            self.refused_requests.settle(self._busy_since_s)
        with self._lock:
            last.count = self._last.count + 1
            self._last = last

    def report(self) -> list[DiagnosticStatus]:
        """The statuses of this moment."""
        topics = self._topics()  # first: it says why others have nothing
        joints_beyond, plans_beyond = self.beyond_limits()
        parts = [self._model(), self._camera(), self._goal(), self._plans(plans_beyond), self._joints(joints_beyond)]
        parts += [self._requests(), topics, self._markers()]
        return parts if self.description is None else [*parts, self._description(self.description)]

    def _description(self, description: RobotDescription) -> DiagnosticStatus:
        refused = self.refused["robot_description"]
        values = {"descriptions_refused": refused.count, "last_refusal": refused.last}
        preparing, problem = description.state
        if preparing:  # nothing is known of it yet, neither good nor bad
            return self._status("robot_description", OK, f"{PREPARING}; requests wait for them", values)
        # Until the model is there, a description may still come.
        if self.model.card and self.conditions.see("robot_description", problem):
            return self._status("robot_description", WARN, problem, values)
        text = "no robot_description is needed" if description.text is None else "a robot_description is there"
        return self._status("robot_description", OK, text, values)

    def _markers(self) -> DiagnosticStatus:
        notices = self.refused["markers"]
        values = {"markers_without_tool": notices.count, "last_refusal": notices.last}
        if text := self.conditions.see("plan markers", notices.recent):
            return self._status("markers", WARN, text, values)
        return self._status("markers", OK, "plan markers are drawn with each request", values)

    def _topics(self) -> DiagnosticStatus:
        wrong = self.topics.look()
        for name, text in wrong.items():
            self.conditions.see(f"topic {name}", text)
        self.inputs.camera_unheard(self.topics.wrong("image"))
        if text := "; ".join(text for text in wrong.values() if text):
            return self._status("topics", WARN, text, wrong)
        return self._status("topics", OK, "others publish what is expected here, or nothing", wrong)

    def _status(self, part: str, level: bytes, message: str, values: dict) -> DiagnosticStatus:
        card = self.model.card
        hardware = card.name if card else self._settings().model
        name = self._node.get_fully_qualified_name().lstrip("/")
        return status(f"{name}: {part}", level, message, values, hardware)

    def _model(self) -> DiagnosticStatus:
        settings, card = self._settings(), self.model.card
        values = {
            "model": settings.model,
            "backend": settings.backend,
            "device": settings.device,
            "error": self.model.error,
        }
        if card:
            values |= {
                "name": card.name,
                "sha256": card.sha256,
                "path": card.path,
                "image_size": "{1} x {0}".format(*card.image_size),
                "dt_s": card.dt_s,
                "history": card.history,
                "action_spaces": ", ".join(card.action_spaces),
                "load_s": f"{self.model.load_s:.2f}",
            }
        if self.model.error:
            return self._status("model", ERROR, self.model.error, values)
        if card is None:
            return self._status("model", WARN, self.model.doing, values)
        return self._status("model", OK, "loaded", values)

    def _camera(self) -> DiagnosticStatus:
        age_s = self.inputs.camera_age_s
        refused = self.refused["images"]
        if age_s is not None:
            refused.settle(time.monotonic() - age_s)
        values = {
            "age_s": "" if age_s is None else f"{age_s:.3f}",
            "stamp_age_s": "" if self.inputs.stamp_age_s is None else f"{self.inputs.stamp_age_s:.3f}",
            "frames_held": self.inputs.frames_held,
            "images_refused": refused.count,
            "last_refusal": refused.last,
            "camera_info": self.inputs.lens,
            **self.inputs.left_out,
        }
        no_stamps = self.conditions.see("stamps of the images", self.inputs.no_stamps)
        two_cameras = self.conditions.see("cameras on one topic", self.inputs.two_cameras)
        frozen = self.conditions.see("images that repeat", self.inputs.frozen)
        few_bits = self.conditions.see("bits of the images", *self.inputs.few_bits)
        timeout_s = self._settings().camera_timeout_s
        self._miss_camera(age_s, timeout_s)
        if reason := refused.recent:
            return self._status("camera", ERROR, reason, values)
        if age_s is None:
            unheard = self.topics.wrong("image")
            return self._status("camera", WARN, unheard or f"no image yet on {self.inputs.camera}", values)
        if age_s > timeout_s:
            text = f"{self.inputs.camera} is silent for {age_s:.1f} s, longer than camera_timeout_s = {timeout_s:g}"
            return self._status("camera", ERROR, text, values)
        if two_cameras:
            return self._status("camera", WARN, two_cameras, values)
        if mismatch := self.inputs.size_mismatch:
            return self._status("camera", WARN, mismatch, values)
        if lacks := self.inputs.history_lacks:
            return self._status("camera", WARN, f"images arrive, but cannot be used yet: {lacks}", values)
        # What is wrong with the camera itself comes first.
        if reason := frozen or no_stamps or few_bits:
            return self._status("camera", WARN, reason, values)
        return self._status("camera", OK, "images arrive", values)

    def _miss_camera(self, age_s: float | None, timeout_s: float) -> None:
        """Log once that no images come, and once that they do again."""
        if self.refused["images"].recent:  # they come, and cannot be used: that is logged by itself
            missed = False
        elif age_s is None:
            missed = time.monotonic() - self._began_s > CAMERA_STARTS_S
        else:
            missed = age_s > timeout_s
        topic, wrong = self.inputs.camera, self.topics.wrong("image")  # which is logged by itself
        text = "" if wrong else f"no images come on {topic}; check the topic's name and the camera driver"
        self._camera_missed.see(missed, text, "" if age_s is None else f"images come on {topic}")

    def _goal(self) -> DiagnosticStatus:
        """What counts as the goal, and why another one does not."""
        max_age_s = self._settings().goal_max_age_s
        images, poses = (self.refused[kind] for kind in GOAL_INPUTS)
        if (came_s := self.inputs.goal_came_s) is not None:  # another one is wanted now
            images.settle(came_s), poses.settle(came_s)
        values = self.inputs.goal(max_age_s) | {
            "goal_images_refused": images.count,
            "goal_poses_refused": poses.count,
            "last_refusal": max(images, poses, key=lambda each: each.last_s).last,
        }
        if reason := newest(images, poses):
            return self._status("goal", WARN, reason, values)
        if outdated := self.inputs.outdated_goal(max_age_s):
            text = f"no goal counts: the {outdated} is older than goal_max_age_s = {max_age_s:g} s; publish it again"
            return self._status("goal", WARN, text, values)
        if values["goal_kind"] == "none":
            return self._status("goal", OK, "no goal", values)
        text = f"the goal {values['goal_kind']} of {values['goal_topic']} counts"
        with self._lock:
            space = self._last.space
        if values["goal_kind"] == POSE and self.model.never_scores_poses(space):
            text += (
                f", but no plan is scored by it: the model '{self.model.card.name}' was trained without positions of "
                "an object ('object_position'); give a goal image"
            )
            return self._status("goal", WARN, text, values)
        return self._status("goal", OK, text, values)

    def _plans(self, beyond: tuple[str, frozenset]) -> DiagnosticStatus:
        refusals = arrived, _ = self.refused["plans"], self.refused_plans
        joints, lost, fates = self.refused["joint_states"], self.refused["lost_plans"], self.inputs.fates
        values = {f"{name}.held": count for name, count in self.inputs.plans_held.items()}
        for name, fate in fates.items():
            counts = {**vars(fate), "never_judged": fate.never_judged}
            values |= {f"{name}.{what}": count for what, count in counts.items()}
        values |= {
            "plans_refused": arrived.count + self.refused_plans.count,
            "joint_states_refused": joints.count,
            "joint_states": bool(self.inputs.joints_now(self._settings().camera_timeout_s)),
            "last_refusal": max((*refusals, joints), key=lambda each: each.last_s).last,
        }
        too_old = "all plans are older than their source's max_age_s" if self.inputs.all_too_old else ""
        refused, far = newest(*refusals, lost), self.conditions.see("limits in plans", *beyond)
        if refused and refused == lost.recent:
            never, of = (sum(getattr(each, what) for each in fates.values()) for what in ("never_judged", "received"))
            refused = "" if too_old else f"{refused} ({never} of {of} so far)"
        # What is wrong with plans comes first: joint states have a status of their own.
        about_joints = self._contradiction() or joints.recent
        if reason := self.robot_unknown() or refused or too_old or about_joints or far:
            return self._status("plans", WARN, reason, values)
        if not any(self.inputs.plans_held.values()):
            return self._status("plans", OK, "no plans yet", values)
        return self._status("plans", OK, "plans arrive", values)

    def _contradiction(self) -> str:
        """What two publishers contradict each other about, so that no plan is compared with it; or ''."""
        text, conflicts = self.contradictions()
        return text if any(contradicts for _, contradicts in conflicts) else ""

    def _joints(self, beyond: tuple[str, frozenset]) -> DiagnosticStatus:
        refused, timeout_s = self.refused["joint_states"], self._settings().camera_timeout_s
        heard = self.inputs.joints_now(timeout_s)
        values = {
            "joints": listed(list(heard)),
            "joints_of_two_publishers": listed(list(self.inputs.joint_conflicts)),
            "joint_states_refused": refused.count,
            "beyond_limits": beyond[0],
            "last_refusal": refused.last,
        }
        far = self.conditions.see("joint limits", *beyond)
        if reason := self.conditions.see("joint states", *self.contradictions()) or refused.recent or far:
            self._joints_missed.see(False, "", "")
            return self._status("joint_states", WARN, reason, values)
        missing = self._miss_joints(bool(heard), timeout_s)
        text = missing or ("joint states arrive" if heard else "no joint states")
        return self._status("joint_states", WARN if missing else OK, text, values)

    def _miss_joints(self, heard: bool, timeout_s: float) -> str:
        """What to say where plans wait for joint states that do not come, or ''; in the log, once after a while."""
        needed = bool(self._settings().start_tolerance and self.model.arms)
        missing = needed and not heard
        text = (
            f"no joint states came on {self.joint_topic} within camera_timeout_s = {timeout_s:g} s, so it is not known "
            "whether plans start where the robot is; remap joint_states, or set start_tolerance to 0 to take plans "
            "that start anywhere"
        )
        wrong = self.topics.wrong("joint_states")  # which is logged by itself
        late = time.monotonic() - self._began_s > CAMERA_STARTS_S
        comes = f"joint states come on {self.joint_topic}" if heard else ""
        self._joints_missed.see(missing and late, "" if wrong else text, comes)
        return (wrong or text) if missing else ""

    def _requests(self) -> DiagnosticStatus:
        with self._lock:
            last = self._last
        since_s = self._busy_since_s
        busy_s = 0.0 if since_s is None else time.monotonic() - since_s
        values = {
            "busy_s": f"{busy_s:.1f}",
            "requests_done": last.count,
            "requests_refused": self.refused_requests.count,
            "last_result": last.summary,
            "last_plans": last.plans,
            "last_latency_ms": f"{1000 * last.latency_s:.1f}" if last.count else "",
            "last_error": self.refused_requests.last,
        }
        values |= {f"last_{name}_ms": f"{1000 * s:.1f}" for name, s in last.timings_s.items()}
        values |= {f"{critic}.missing": reason for critic, reason in last.missing.items()}
        values["robot_not_drawn"] = last.undrawn
        if busy_s > SLOW_S:
            return self._status("requests", WARN, f"a request takes {busy_s:.0f} s so far", values)
        if reason := self.refused_requests.recent:
            return self._status("requests", WARN, reason, values)
        wanted = self.inputs.goal_wanted or any(self.refused[kind].open for kind in GOAL_INPUTS)
        if parts := last.lacks(wanted):
            return self._status("requests", WARN, "; ".join(parts), values)
        level = WARN if last.all_vetoed else OK
        return self._status("requests", level, last.summary or "no request yet", values)
