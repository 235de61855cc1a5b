"""The imagine node's core without ROS: a host whose clock is turned by hand, messages, and an imaginer by rule."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from astra_ros.bridge.errors import BridgeError
from astra_ros.camera.image_messages import (
    BadImage,
    UnsupportedImage,
    check_compressed,
    check_raw,
    compressed_to_rgb,
    raw_to_rgb,
)
from astra_ros.critics.scoring import CriticScore, PlanScore
from astra_ros.nodes.imagine.core import ImagineCore
from astra_ros.nodes.imagine.inputs import Topics
from astra_ros.nodes.imagine.message_readers import Clocks, MessageReaders, PlanMessage
from astra_ros.nodes.imagine.settings import ImagineSettings, NodeSettings, PlanTopicSettings
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.ranking.prepare import PlanPreparer
from astra_ros.robot.joint_messages import JointMessageError, joint_state

NS = 10**9
ARM = JointSpace("arm", ("a", "b"), (0.0, 0.0), (1.0, 1.0), (0.1, 0.1))
TOPICS = Topics(
    "/camera", "/camera_info", "/goal_image", "/goal_pose", "/joint_states", "/robot_description", "/scores"
)


def header(stamp_s=0.0, frame="cam"):
    stamp_ns = round(stamp_s * NS)
    return SimpleNamespace(stamp=SimpleNamespace(sec=stamp_ns // NS, nanosec=stamp_ns % NS), frame_id=frame)


def image_message(stamp_s=0.0, value=0, size=(4, 4), frame="cam", encoding="rgb8"):
    height, width = size
    data = np.full(height * width * 3, value, np.uint8).tobytes()
    return SimpleNamespace(
        header=header(stamp_s, frame), encoding=encoding, height=height, width=width, step=3 * width, is_bigendian=0,
        data=data,
    )  # fmt: skip


def joints_message(stamp_s=0.0, **positions):
    return SimpleNamespace(header=header(stamp_s), name=list(positions), position=list(positions.values()))


def pose_message(x=0.5, frame="world"):
    position = SimpleNamespace(x=x, y=0.0, z=0.0)
    return SimpleNamespace(header=header(frame=frame), pose=SimpleNamespace(position=position))


def read_image(msg, topic):
    check, read = (check_raw, raw_to_rgb) if hasattr(msg, "encoding") else (check_compressed, compressed_to_rgb)
    try:
        facts = check(msg)
        return read(msg), facts
    except (BadImage, UnsupportedImage) as error:
        raise BridgeError(f"{topic}: {error}") from error


def read_joints(msg, topic):
    try:
        return joint_state(msg).finite
    except JointMessageError as error:
        raise BridgeError(f"{topic}: {error}") from error


def read_position(msg, frame, topic, reach_m):
    if msg.header.frame_id != frame:
        raise BridgeError(f"{topic}: the pose is in the frame '{msg.header.frame_id}'")
    return np.array([msg.pose.position.x, msg.pose.position.y, msg.pose.position.z])


def values(status):
    return {key: str(value) for key, value in status.values.items()}


class RecordingLog:
    """The log as lists of lines."""

    def __init__(self):
        self.debugs, self.infos, self.warnings, self.errors = [], [], [], []
        self.debug, self.info = self.debugs.append, self.infos.append
        self.warning, self.error = self.warnings.append, self.errors.append


class FakeGraph:
    """Topics that this node cannot hear (name -> fault), and the nodes that publish joint states."""

    def __init__(self):
        self.faults, self.nodes = {}, []

    def look(self):
        return dict(self.faults)

    def wrong(self, name):
        return self.faults.get(name, "")

    def publishers(self, topic):
        return self.nodes


class RuleImaginer:
    """Scores a plan by where its first joint ends: the highest wins, negative ends are vetoed.

    It imagines that images stay as they are; a latent is the mean brightness, 0 to 1, and the expected error 0.1.

    Attributes:
        meanwhile: called during each request.
        scored: names of the plans of each request.
        coarse: names of the plans of which every eighth frame is imagined.
    """

    def __init__(self, settings=ImagineSettings(), history=2, dt_s=0.5, cameras=()):
        self.card = SimpleNamespace(
            name="rule", path="/models/rule", sha256="0" * 64, image_size=(4, 4), history=history, dt_s=dt_s,
            action_spaces={"arm": ARM}, outcomes={"arm": ("object_position",)}, cameras=dict.fromkeys(cameras, {}),
            continuous_joints={}, held_joints={}, prediction_limits={}, robot_fit_limits={},
        )  # fmt: skip
        self.model = SimpleNamespace(card=self.card, runs_on="nothing", encode=self.encode)
        self.plan_renders = SimpleNamespace(warning=None, describe=lambda text: None, prepare=lambda spaces: None)
        self.meanwhile, self.looks_twice = lambda: None, False
        self.scored, self.requests, self.critics, self.obstacles, self.coarse = [], [], (), (), ()
        self.configure(settings, {}, None)

    def configure(self, settings, critics, scoring):
        self.prepare = PlanPreparer(self.card.name, self.card.action_spaces, self.card.dt_s, settings, {})

    @staticmethod
    def encode(frames):
        return (frames.mean(axis=(1, 2, 3)) / 255)[:, None, None, None]

    def score(self, history, plans, now, goal_frame, seed, goal_position, preliminary):
        prepared = self.prepare(plans, now)
        self.meanwhile()
        ends = [float(plan.positions[-1, 0]) for plan in prepared.plans]
        order = sorted(range(len(ends)), key=lambda k: (ends[k] < 0, -ends[k]))
        scores = [
            PlanScore(
                plan.name, order.index(k), max(0.0, ends[k]), "vetoed" if ends[k] < 0 else "accepted",
                {"rule": CriticScore(ends[k], 1.0, 0.0)}, ("by rule",),
            )
            for k, plan in enumerate(prepared.plans)
        ]  # fmt: skip
        self.scored.append([plan.name for plan in prepared.plans])
        shape = prepared.motion.shape[0], prepared.motion.shape[1] - 1
        seen = self.encode(history[-1:])[0]
        made = SimpleNamespace(
            latents=np.broadcast_to(seen, (*shape, 1, 1, 1)), uncertainty=np.full(shape, 0.1),
            imagined_steps=np.full(shape[0], shape[1]),
            strides=np.array([8 if plan.name in self.coarse else 1 for plan in prepared.plans]),
        )  # fmt: skip
        self.requests.append((history, plans, now, goal_frame, seed, goal_position))
        if self.looks_twice:
            preliminary(SimpleNamespace(scores=scores))
        return SimpleNamespace(
            imagination=made, critic_input=SimpleNamespace(current_latent=seen, dt_s=self.card.dt_s),
            prepared=prepared, undrawn="", scores=scores, best=order[0] if ends[order[0]] >= 0 else None,
            shown=order[0], timings_s={"total": 0.01}, missing={}, names=tuple(plan.name for plan in prepared.plans),
        )  # fmt: skip


class CoreBench:
    """A core, its host, and the world around it.

    Args:
        own: the node's settings.
        sources: plan source name -> its settings.
        readers: of messages; those of this file by default. Plans of `plan` are known beside theirs.
        model: whether it is loaded already.
        topics: names for messages.

    Attributes:
        now_s, ros_ns: the two clocks.
        decisions: of the requests so far; records: the same as JSON.
        summaries: their outcomes in words.
        timer_s: when the timer is due on the clock, or None.
        wanted: requests that were started and not served yet.
    """

    def __init__(self, own=ImagineSettings(settle_s=0.1), sources=None, readers=None, model=True, topics=TOPICS):
        self.now_s, self.ros_ns = 100.0, 1000 * NS
        self.settings = NodeSettings(own=own, sources=sources or {"candidates": PlanTopicSettings("/plans", keep=2)})
        self._plans = {}
        self.topics = topics
        self._given = readers
        readers = readers or MessageReaders(read_image, read_joints, read_position, self._read_plan)
        self.readers = replace(readers, plan=self._read_plan)
        self.clocks = Clocks(lambda: self.now_s, lambda: self.ros_ns)
        self.log = RecordingLog()
        self.graph = FakeGraph()
        self.timer_s, self.wanted, self._serving = None, 0, False
        self.compared = []
        self.decisions, self.summaries, self.drawn, self.records = [], [], [], []
        self.core = ImagineCore(lambda: self.settings, self, self)
        self.inputs = self.core.inputs
        self.imaginer = RuleImaginer(own)
        if model:
            self.load()

    def load(self):
        self.core.attach(self.imaginer)
        self.core.health.model_loaded(self.imaginer.model.card, "a test", 0.1)

    # The host.

    def set_timer(self, delay_s):
        self.timer_s = None if delay_s is None else self.now_s + delay_s

    def start_request(self):
        self.wanted += 1

    def refresh(self):
        self.core.compare(self.imaginer)

    # The outputs.

    def publish(self, decision, imaginer):
        self.decisions.append(decision)

    def record(self, line):
        self.records.append(json.loads(line))

    def predicted(self, comparison):
        self.compared.append(comparison)

    def publish_preliminary(self, request, result, imaginer):
        self.decisions.append(result)

    def draw(self, imaginer, settings, robot_description):
        self.drawn.append(robot_description)
        return ""

    # The world.

    def pass_time(self, seconds):
        """Let time pass; the timer fires when it is due, and what was started is served."""
        end_s = self.now_s + seconds
        if self.timer_s is not None and self.timer_s <= end_s:
            self._to(self.timer_s)
            self.timer_s = None
            self.core.settled()
            self.serve_wanted()
        self._to(end_s)

    def _to(self, now_s):
        self.ros_ns += round((now_s - self.now_s) * NS)
        self.now_s = now_s

    def serve_wanted(self):
        """What the thread of the model does: one request at a time."""
        while self.wanted and not self._serving:
            self.wanted, self._serving = 0, True
            try:
                self.summaries.append(self.core.serve(self.imaginer))
            except Exception as error:  # noqa: BLE001 - whatever it is, the core notes it
                self.core.request_failed(error, automatic=True)
            finally:
                self._serving = False

    def ask(self):
        """A call of ~/imagine."""
        self.core.ask()
        self.summaries.append(self.core.serve(self.imaginer))
        return self.summaries[-1]

    def image(self, value=0, stamp_s=None, **more):
        """An image of now; a request that waits for it is served."""
        self.core.on_image(image_message(self.ros_ns / NS if stamp_s is None else stamp_s, value, **more))
        self.serve_wanted()

    def joints(self, **positions):
        self.core.on_joint_state(joints_message(self.ros_ns / NS, **positions))

    def camera(self, count=2, step_s=0.5):
        """As many images as the history needs, and the arm at rest."""
        for value in range(count):
            self.pass_time(step_s)
            self.joints(a=0.0, b=0.0)
            self.image(value)
        return self

    def plan(self, end=1.0, source="candidates", start=0.0, stamp_ns=0, joints=("a", "b")):
        """A plan whose first joint goes from `start` to `end`; returns its bytes."""
        data = f"plan {len(self._plans)}".encode()
        positions = np.zeros((2, len(joints)))
        positions[:, 0] = start, end
        self._plans[data] = JointPlan(joints, np.array([0.0, 1.0]), positions), stamp_ns
        self.core.on_plan(source, data)
        self.serve_wanted()
        return data

    def _read_plan(self, source, topic, data):
        if data not in self._plans and self._given is not None:
            return self._given.plan(source, topic, data)
        if data not in self._plans:
            raise BridgeError(f"{topic}: {len(data)} bytes that are not a plan")
        plan, stamp_ns = self._plans[data]
        return PlanMessage(plan, stamp_ns, data)

    def status(self, part):
        (found,) = [each for each in self.core.statuses() if each.part == part]
        return found

    @property
    def handed_on(self):
        """The bytes of the plans that were handed on."""
        return [each.handed_on.message.data for each in self.decisions if each.handed_on is not None]
