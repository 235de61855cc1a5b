"""The statuses of the imagine node, one for each of its parts. Without ROS."""

from __future__ import annotations

from collections.abc import Callable

from astra_ros.nodes.imagine.goal_inputs import POSE
from astra_ros.nodes.imagine.health import GOAL_INPUTS, ImagineHealth
from astra_ros.nodes.imagine.prediction_watch import PredictionWatch
from astra_ros.nodes.imagine.request_server import RequestServer
from astra_ros.nodes.imagine.robot_description import PREPARING
from astra_ros.nodes.imagine.robot_fit_watch import RobotFitWatch
from astra_ros.nodes.imagine.robot_state import RobotState
from astra_ros.nodes.imagine.settings import ImagineSettings
from astra_ros.nodes.reports import ERROR, OK, WARN, MissingInput, Status, newest
from astra_ros.ranking.robot_fit import EVERY_S
from astra_ros.texts import listed

# A request that takes longer is a warning while it lasts.
SLOW_S = 10.0
# Camera and joint states may start this much later than the node before the log tells that they are missing.
INPUTS_START_S = 5.0


class ImagineStatuses:
    """Reports the state of the node's parts."""

    def __init__(
        self,
        settings: Callable[[], ImagineSettings],
        health: ImagineHealth,
        robot: RobotState,
        server: RequestServer,
        prediction: PredictionWatch,
        robot_fit: RobotFitWatch,
    ) -> None:
        self._prediction, self._robot_fit = prediction, robot_fit
        self._settings, self._health, self._robot, self._server = settings, health, robot, server
        self._inputs, self._graph = robot.inputs, robot.graph
        self._camera_missing, self._joints_missing = (MissingInput(health.warn, health.tell) for _ in range(2))

    def report(self) -> list[Status]:
        topics = self._topics()  # first: it tells why the other parts receive nothing
        return [
            self._model(),
            self._camera(),
            self._goal(),
            self._plans(),
            self._joints(),
            *self._odometry(),
            *self._obstacles(),
            self._requests(),
            self._predicted(),
            self._fitting(),
            topics,
            self._markers(),
            self._description(),
        ]

    def _model(self) -> Status:
        settings, model = self._settings(), self._health.model
        values: dict[str, object] = {name: getattr(settings, name) for name in ("model", "backend", "device")}
        values["error"] = model.error
        if card := model.card:
            values |= {
                "name": card.name,
                "sha256": card.sha256,
                "path": card.path,
                "image_size": "{1} x {0}".format(*card.image_size),
                "dt_s": card.dt_s,
                "history": card.history,
                "action_spaces": ", ".join(card.action_spaces),
                "runs_on": model.runs_on,
                "load_s": f"{model.load_s:.2f}",
            }
        if model.error:
            return Status("model", ERROR, model.error, values)
        return Status("model", OK if card else WARN, "loaded" if card else model.doing, values)

    def _camera(self) -> Status:
        camera, see, timeout_s = self._inputs.camera, self._health.conditions.see, self._settings().camera_timeout_s
        age_s, stamp_age_s, refused = camera.age_s, camera.stamp_age_s, self._health.refused["images"]
        if age_s is not None:
            refused.settle(self._health.clock() - age_s)
        values = {
            "age_s": "" if age_s is None else f"{age_s:.3f}",
            "stamp_age_s": "" if stamp_age_s is None else f"{stamp_age_s:.3f}",
            "frames_held": camera.frames_held,
            "images_refused": refused.count,
            "last_refusal": refused.last,
            "camera_info": camera.lens,
            **camera.left_out,
        }
        no_stamps = see("stamps of the images", camera.no_stamps)
        two_cameras = see("cameras on one topic", camera.two_cameras)
        frozen = see("images that repeat", self._inputs.frozen)
        few_bits = see("bits of the images", *camera.few_bits)
        self._log_missing_camera(age_s, timeout_s)
        if reason := refused.recent:
            return Status("camera", ERROR, reason, values)
        if age_s is None:
            unheard = self._graph.wrong("image")
            return Status("camera", WARN, unheard or f"no image yet on {camera.topic}", values)
        if age_s > timeout_s:
            text = f"{camera.topic} is silent for {age_s:.1f} s, longer than camera_timeout_s = {timeout_s:g}"
            return Status("camera", ERROR, text, values)
        lacks = camera.history_lacks
        lacks = lacks and f"images arrive, but cannot be used yet: {lacks}"
        reason = two_cameras or camera.size_mismatch or lacks or frozen or no_stamps or few_bits
        return Status("camera", WARN if reason else OK, reason or "images arrive", values)

    def _log_missing_camera(self, age_s: float | None, timeout_s: float) -> None:
        """Log once that no images arrive, and once that they do again."""
        if self._health.model.error:  # whose log line should be the last one
            return
        if self._health.refused["images"].recent:  # they arrive and cannot be used, which has its own log line
            missing = False
        elif age_s is None:
            missing = self._late
        else:
            missing = age_s > timeout_s
        topic, wrong = self._inputs.camera.topic, self._graph.wrong("image")  # which has its own log line
        text = "" if wrong else f"no images come on {topic}; check the topic's name and the camera driver"
        self._camera_missing.see(missing, text, "" if age_s is None else f"images come on {topic}")

    @property
    def _late(self) -> bool:
        return self._health.clock() - self._health.began_s > INPUTS_START_S

    def _goal(self) -> Status:
        goals, max_age_s, model = self._inputs.goals, self._settings().goal_max_age_s, self._health.model
        images, poses = (self._health.refused[kind] for kind in GOAL_INPUTS)
        if (came_s := goals.came_s) is not None:  # a newer goal settles refused ones
            images.settle(came_s)
            poses.settle(came_s)
        values = goals.describe(max_age_s) | {
            "goal_images_refused": images.count,
            "goal_poses_refused": poses.count,
            "last_refusal": max(images, poses, key=lambda each: each.last_s).last,
        }
        if reason := newest(images, poses):
            return Status("goal", WARN, reason, values)
        if outdated := goals.outdated(max_age_s):
            text = f"no goal counts: the {outdated} is older than goal_max_age_s = {max_age_s:g} s; publish it again"
            return Status("goal", WARN, text, values)
        if values["goal_kind"] == "none":
            return Status("goal", OK, "no goal", values)
        text = f"the goal {values['goal_kind']} of {values['goal_topic']} counts"
        if values["goal_kind"] == POSE and model.card and model.never_scores_poses(self._health.last.space):
            text += (
                f", but no plan is scored by it: the model '{model.card.name}' was trained without positions of "
                "an object ('object_position'); give a goal image"
            )
            return Status("goal", WARN, text, values)
        return Status("goal", OK, text, values)

    def _plans(self) -> Status:
        health, plans = self._health, self._inputs.plans
        refusals = arrived, served = health.refused["plans"], health.refused_plans
        joints, lost, fates = health.refused["joint_states"], health.refused["lost_plans"], plans.fates
        values: dict[str, object] = {f"{name}.held": count for name, count in plans.held.items()}
        for name, fate in fates.items():
            counts = {**vars(fate), "never_judged": fate.never_judged}
            values |= {f"{name}.{what}": count for what, count in counts.items()}
        values |= {
            "plans_refused": arrived.count + served.count,
            "joint_states_refused": joints.count,
            "joint_states": bool(self._inputs.joints.now(self._settings().camera_timeout_s)),
            "limits": self._limits(),
            "last_refusal": max((*refusals, joints), key=lambda each: each.last_s).last,
        }
        too_old = "all plans are older than their source's max_age_s" if plans.any and not plans.fresh() else ""
        refused = newest(*refusals, lost)
        far = health.conditions.see("limits in plans", *self._robot.plans_beyond_limits())
        if refused and refused == lost.recent:
            never, of = (sum(getattr(each, what) for each in fates.values()) for what in ("never_judged", "received"))
            refused = "" if too_old else f"{refused} ({never} of {of} so far)"
        # Faults of the plans come first: joint states have a status of their own.
        about_joints = self._contradiction() or joints.recent
        if reason := self._server.robot_unknown() or refused or too_old or about_joints or far:
            return Status("plans", WARN, reason, values)
        return Status("plans", OK, "plans arrive" if any(plans.held.values()) else "no plans yet", values)

    def _limits(self) -> str:
        """The hard limits that plans are checked against, in words."""
        limits = self._settings().limits
        if not limits.enabled:
            return "not checked: limits.enabled is false"
        given = [f"limits.{name}" for name, value in vars(limits).items() if name != "enabled" and value]
        joints = len(self._robot.description.joint_limits)
        known = [f"{joints} joint{'s' * (joints != 1)} of robot_description"] * bool(joints) + given
        return ", ".join(known) or "none known"

    def _contradiction(self) -> str:
        """The joints on which two publishers contradict each other, in words; or ''."""
        text, conflicts = self._robot.contradictions()
        return text if any(contradicts for _, contradicts in conflicts) else ""

    def _joints(self) -> Status:
        health, timeout_s = self._health, self._settings().camera_timeout_s
        refused, heard = health.refused["joint_states"], self._inputs.joints.now(timeout_s)
        beyond = self._robot.joints_beyond_limits(timeout_s)
        values = {
            "joints": listed(list(heard)),
            "joints_of_two_publishers": listed(list(self._inputs.joints.conflicts)),
            "joint_states_refused": refused.count,
            "beyond_limits": beyond[0],
            "last_refusal": refused.last,
        }
        far = health.conditions.see("joint limits", *beyond)
        if reason := health.conditions.see("joint states", *self._robot.contradictions()) or refused.recent or far:
            self._joints_missing.see(False, "", "")
            return Status("joint_states", WARN, reason, values)
        missing = self._missing_joints(bool(heard))
        text = missing or ("joint states arrive" if heard else "no joint states")
        return Status("joint_states", WARN if missing else OK, text, values)

    def _odometry(self) -> list[Status]:
        """One status where a plan source needs odometry, else none."""
        if "odom" not in self._inputs.starts:
            return []
        base, refused = self._inputs.base, self._health.refused["odometry"]
        age_s, timeout_s = base.age_s, self._settings().camera_timeout_s
        if age_s is not None:
            refused.settle(self._health.clock() - age_s)
        motion = base.now(timeout_s)
        values = {
            "age_s": "" if age_s is None else f"{age_s:.3f}",
            "frame": "" if motion is None else motion.frame,
            "odometry_refused": refused.count,
            "last_refusal": refused.last,
        }
        missing = "" if motion else self._graph.wrong("odom") or base.unknown((), timeout_s) or ""
        if reason := refused.recent or missing:
            return [Status("odometry", WARN, reason, values)]
        return [Status("odometry", OK, "odometry arrives", values)]

    def _obstacles(self) -> list[Status]:
        """One status once a planning scene has come, else none."""
        scene, refused = self._inputs.obstacles, self._health.refused["obstacles"]
        if not scene.came:
            return []
        left_out = scene.left_out
        values = {"left_out": left_out, "obstacles_refused": refused.count, "last_refusal": refused.last}
        text = left_out and (
            f"critics are not told all of the planning scene: {left_out}; give what matters as boxes, spheres, "
            "cylinders or meshes"
        )
        text = self._health.conditions.see("planning scene", text)
        return [Status("obstacles", WARN if text else OK, text or "the planning scene is read", values)]

    def _missing_joints(self, heard: bool) -> str:
        """The fault where plans wait for joint states that do not arrive, or ''; logged once after a while."""
        needed = bool(self._settings().start_tolerance and self._health.model.arms)
        needed &= "joint_states" in self._inputs.starts
        missing = needed and not heard
        text = self._robot.missing()
        wrong = self._graph.wrong("joint_states")  # which has its own log line
        comes = f"joint states come on {self._robot.topic}" if heard else ""
        self._joints_missing.see(missing and self._late, "" if wrong else text, comes)
        return (wrong or text) if missing else ""

    def _requests(self) -> Status:
        health, last, busy_s = self._health, self._health.last, self._health.busy_s
        values = {
            "busy_s": f"{busy_s:.1f}",
            "requests_done": last.count,
            "requests_refused": health.refused_requests.count,
            "last_result": last.summary,
            "last_plans": last.plans,
            "last_latency_ms": f"{1000 * last.latency_s:.1f}" if last.count else "",
            "last_error": health.refused_requests.last,
            "obstacles_refused": health.refused["obstacles"].count,
        }
        values |= {f"last_{name}_ms": f"{1000 * s:.1f}" for name, s in last.timings_s.items()}
        values |= {f"{critic}.missing": reason for critic, reason in last.missing.items()}
        unwritten = health.refused["decisions"]
        values |= {"robot_not_drawn": last.undrawn, "decisions_not_written": unwritten.count}
        slow = f"a request takes {busy_s:.0f} s so far" if busy_s > SLOW_S else ""
        wanted = self._inputs.goals.came_s is not None or any(health.refused[kind].open for kind in GOAL_INPUTS)
        refused = health.refused_requests.recent or health.refused["obstacles"].recent or unwritten.recent
        if reason := slow or refused or "; ".join(last.lacks(wanted)):
            return Status("requests", WARN, reason, values)
        return Status("requests", WARN if last.none_chosen else OK, last.summary or "no request yet", values)

    def _predicted(self) -> Status:
        status = self._prediction.status(self._settings().compare_frames)
        self._health.conditions.see("what is seen", status.message if status.level != OK else "", "prediction")
        return status

    def _fitting(self) -> Status:
        own, camera = self._settings(), self._inputs.camera
        # An image may wait for the next one before it is judged; during a request, none is judged.
        most_age_s = float("inf") if self._health.busy_s else 2 * (own.camera_timeout_s + EVERY_S)
        silent = camera.silent(own.camera_timeout_s) or ""
        status = self._robot_fit.status(own.check_robot_fit, camera.topic, silent, most_age_s)
        fault = status.message if status.level != OK else ""
        if status.values["misfit"] or not own.check_robot_fit:  # what is not judged is not all right again
            self._health.conditions.see("where the robot is seen", fault, "robot fit")
        return status

    def _topics(self) -> Status:
        wrong = self._graph.look()
        for name, text in wrong.items():
            self._health.conditions.see(f"topic {name}", text)
        self._inputs.camera.unheard = self._graph.wrong("image")
        text = "; ".join(text for text in wrong.values() if text)
        fine = "no topic has publishers that this node cannot hear"
        return Status("topics", WARN if text else OK, text or fine, wrong)

    def _markers(self) -> Status:
        refused = self._health.refused["markers"]
        values = {"markers_without_tool": refused.count, "last_refusal": refused.last}
        text = self._health.conditions.see("plan markers", refused.recent)
        return Status(
            "markers", WARN if text else OK, text or "plan markers are drawn while a node subscribes to them", values
        )

    def _description(self) -> Status:
        refused, description = self._health.refused["robot_description"], self._robot.description
        values = {"descriptions_refused": refused.count, "last_refusal": refused.last}
        preparing, problem = description.state
        if preparing:  # its faults are not known yet
            return Status("robot_description", OK, f"{PREPARING}; requests wait for them", values)
        # Until the model is loaded, a description may still arrive.
        if self._health.model.card and self._health.conditions.see("robot_description", problem):
            return Status("robot_description", WARN, problem, values)
        text = "no robot_description is needed" if description.text is None else "a robot_description is there"
        return Status("robot_description", OK, text, values)
