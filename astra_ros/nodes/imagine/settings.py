"""The settings of the imagine node, with their defaults. Without ROS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from astra_ros.control.vehicle_settings import VehicleSettings
from astra_ros.critics import DEFAULT_CRITICS, CriticSettings
from astra_ros.critics.scoring import ScoringSettings
from astra_ros.inference import BACKEND_TEXT, DEFAULT_MODEL
from astra_ros.nodes.imagine.decision_file import DecisionFileSettings
from astra_ros.nodes.imagine.plan_stamps import REFUSE, RESTAMP, RULES, PlanStamps
from astra_ros.ranking.choice import ChoiceSettings
from astra_ros.ranking.imaginer import RankingSettings
from astra_ros.settings import check_ranges, setting

TRANSPORTS = ("raw", "compressed")
LONGEST_S = 3600.0
FOREVER_S = 1e9
MOST_PLANS = 256  # of one source
MOST_SEED = 2**32 - 1
NAMESPACES = (
    "choice",
    "decisions",
    "limits",
    "scoring",
    "vehicle",
)  # of parameters, beside those of critics and plan sources
JOINT_TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"


@dataclass(frozen=True)
class ImagineSettings(RankingSettings):
    """The node's own settings."""

    model: str = setting(DEFAULT_MODEL, "a name under models/, or a directory with model.safetensors and card.json")
    backend: str = setting("torch", BACKEND_TEXT)
    device: str = setting("cpu", "where the model runs: 'cpu', 'cuda' or 'cuda:0'")
    seed: int = setting(0, "seed of the noise that all plans of a request share", 0, MOST_SEED)
    auto_imagine: bool = setting(True, "imagine whenever new plans arrive, not only when ~/imagine is called")
    # Upper limits catch typing errors, which a timer or the memory would not bear.
    settle_s: float = setting(
        0.1,
        "with auto_imagine, seconds without a new plan after which the request starts; it starts at once when as many "
        "new plans as are kept have arrived",
        0.0,
        LONGEST_S,
        "s",
    )
    image_transport: str = setting("raw", "'raw' subscribes to image, 'compressed' to image/compressed")
    camera_timeout_s: float = setting(
        2.0,
        "seconds without an image after which the camera is stale and requests are refused; joint states that are "
        "older do not count either",
        0.001,
        LONGEST_S,
        "s",
    )
    show_plan: str = setting(
        "",
        "name of the plan whose imagined video is published, such as 'candidates/3'; '' or a name that no plan has "
        "takes the best one",
    )
    playback_rate: float = setting(
        1.0,
        "speed at which the imagined video is published; 0 publishes all frames at once",
        0.01,
        100.0,
        off="all frames at once",
    )
    world_frame: str = setting("world", "frame_id of the plan markers, and the frame in which goal poses must be given")
    goal_reach_m: float = setting(
        10.0,
        "m from the origin of world_frame; a goal pose that is further away is refused, most likely it is in other "
        "units or another frame; 0: goals may be anywhere",
        0.01,
        1e6,
        "m",
        "goals may be anywhere",
    )
    goal_max_age_s: float = setting(
        0.0,
        "seconds after which a goal does not count any more; 0: it counts until a newer one of either kind arrives or "
        "~/clear_goal is called",
        0.1,
        FOREVER_S,
        "s",
        "until it is replaced",
    )
    future_stamp: str = setting(
        REFUSE,
        "what happens to plans whose header.stamp lies in the future, for which a controller would wait: 'refuse', "
        "'restamp' (handed on with the stamp 0, to begin at once) or 'pass' (as they came)",
    )
    past_stamp: str = setting(
        RESTAMP,
        "the same for plans whose header.stamp has passed, whose beginning a controller would leave out; "
        "'refuse' in effect demands the stamp 0, since imagining takes longer than 0.1 s",
    )
    stamp_tolerance_s: float = setting(
        0.1, "seconds from now within which a header.stamp counts as now", 0.0, LONGEST_S, "s"
    )
    compare_frames: bool = setting(
        True,
        "while a plan that was handed on is executed, compare the images that come with the imagined ones: "
        "~/prediction_error, a warning where the model does not fit, and the trust of the critic uncertainty",
    )
    check_robot_fit: bool = setting(
        True,
        "twice a second, compare the outline of the robot, drawn from robot_description and joint_states, with the "
        "image: a warning where the robot is not where the camera sees it",
    )
    tool_link: str = setting(
        "", "link of robot_description whose way along a plan is drawn; '' draws where the model imagines the tool"
    )
    plan_sources: tuple[str, ...] = setting(
        ("candidates",),
        "names of the plan sources; each has the parameters <name>.topic, <name>.type, <name>.keep, <name>.max_age_s "
        "and <name>.backup; of equal scores, the plan of the first source wins",
    )
    choice: ChoiceSettings = ChoiceSettings()
    decisions: DecisionFileSettings = DecisionFileSettings()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (("image_transport", TRANSPORTS), ("future_stamp", RULES), ("past_stamp", RULES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is '{getattr(self, name)}'; known are {', '.join(known)}")
        if len(set(self.plan_sources)) != len(self.plan_sources) or not all(self.plan_sources):
            raise ValueError(f"plan_sources is {self.plan_sources}; give each source its own name")
        if taken := set(self.plan_sources) & {*DEFAULT_CRITICS, *self.critics, *NAMESPACES}:
            raise ValueError(f"plan_sources: {', '.join(taken)} already names other parameters")

    @property
    def stamps(self) -> PlanStamps:
        return PlanStamps(self.future_stamp, self.past_stamp, self.stamp_tolerance_s)


@dataclass(frozen=True)
class PlanTopicSettings:
    """One plan source."""

    topic: str = setting("plans", "where its plans are received; relative names can be remapped")
    type: str = setting(JOINT_TRAJECTORY, "message type of the plans")
    keep: int = setting(8, "number of its last messages that are the candidates", 1, MOST_PLANS, "messages")
    max_age_s: float = setting(
        60.0,
        "seconds after which a plan is not a candidate any more, since the robot has moved on",
        0.001,
        FOREVER_S,
        "s",
    )

    backup: bool = setting(
        False,
        "whether its plans are used only where plans of the other sources are vetoed, and none of them can be used",
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.topic:
            raise ValueError("topic is empty; name the topic of the plans")


@dataclass(frozen=True)
class NodeSettings:
    """All settings of the node at one moment; topics of plan sources have their names in the graph."""

    own: ImagineSettings = ImagineSettings()
    scoring: ScoringSettings = ScoringSettings()
    vehicle: VehicleSettings = VehicleSettings()
    critics: Mapping[str, CriticSettings] = field(default_factory=dict)
    sources: Mapping[str, PlanTopicSettings] = field(default_factory=lambda: {"candidates": PlanTopicSettings()})

    def __post_init__(self) -> None:
        if self.sources and all(source.backup for source in self.sources.values()):
            raise ValueError(f"{', '.join(self.sources)}: every plan source is a backup; one must not be")
