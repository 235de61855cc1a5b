"""Settings dataclasses as parameters, and the one YAML file that must not contradict them."""

import dataclasses
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from user_errors import fault, refusal

rclpy = pytest.importorskip("rclpy")

from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402

from astra_ros.control.vehicle_settings import VehicleSettings  # noqa: E402
from astra_ros.critics import DEFAULT_CRITICS, load_critic  # noqa: E402
from astra_ros.critics.collision import CollisionSettings  # noqa: E402
from astra_ros.critics.registry import ON_REQUEST  # noqa: E402
from astra_ros.critics.scoring import ScoringSettings  # noqa: E402
from astra_ros.nodes.client.node_specs import PARAMS_FILE  # noqa: E402
from astra_ros.nodes.explorer.settings import ExplorerSettings  # noqa: E402
from astra_ros.nodes.gate.settings import GateSettings  # noqa: E402
from astra_ros.nodes.imagine.parameters import AT_START, ImagineParameters  # noqa: E402
from astra_ros.nodes.imagine.settings import ImagineSettings, PlanTopicSettings  # noqa: E402
from astra_ros.nodes.parameter_info import parameters_of  # noqa: E402
from astra_ros.nodes.parameters import SettingsParameters  # noqa: E402
from astra_ros.nodes.planners.arm_planner import ArmPlannerSettings  # noqa: E402
from astra_ros.nodes.planners.drive_planner import DrivePlannerSettings  # noqa: E402
from astra_ros.nodes.planners.plan_source import PlanSourceSettings  # noqa: E402
from astra_ros.nodes.simulator.node import SimulatorSettings  # noqa: E402
from astra_ros.resources import resource_path  # noqa: E402
from astra_ros.settings import SettingError, setting  # noqa: E402
from astra_ros.simulation.arm.world import CameraSettings  # noqa: E402

SCRIPT = Path(__file__).parents[2] / "docs" / "make_parameters.py"
_PAGE = runpy.run_path(str(SCRIPT))
NODES, node_parameters = _PAGE["NODES"], _PAGE["node_parameters"]


@pytest.mark.parametrize(
    "kind, given, cure",
    [
        (ImagineSettings, {"settle_s": 1e30}, ("0 to 3600 s",)),
        (ImagineSettings, {"playback_rate": 1e-30}, (0, "0.01 to 100")),
        (ImagineSettings, {"camera_timeout_s": 0.0}, ("0.001 to 3600 s",)),
        (PlanTopicSettings, {"keep": 10**9}, ("1 to 256 messages",)),
        (PlanSourceSettings, {"count": 100_000}, ("1 to 256 plans",)),
        (PlanSourceSettings, {"period_s": 1e30}, (0, "0.01 to 3600 s")),
        (SimulatorSettings, {"real_time_factor": 1e-30}, (0, "1e-06 to 1000")),
        (SimulatorSettings, {"state_rate_hz": 0.0}, ("0.01 to 1000 Hz",)),
        (CameraSettings, {"width": 100_000}, ("1 to 4096 pixels",)),
    ],
)
def test_what_a_timer_or_the_memory_would_not_bear_is_refused(kind, given, cure):
    ((name, value),) = given.items()
    with refusal(SettingError, "", name, value if isinstance(value, int) else f"{value:g}", cure=cure) as error:
        kind(**given)
    assert error.value.name == name


@dataclass(frozen=True)
class Inner:
    width: int = setting(4, "pixels", 1, 9)
    height: int = setting(3, "pixels")
    place: tuple[float, float] = setting((1.0, 2.0), "m")


@dataclass(frozen=True)
class Outer:
    speed: float = setting(1.5, "m/s")
    name: str = setting("x", "a name")
    on: bool = True
    inner: Inner = setting(Inner(), "a namespace")
    absent: float | None = None

    def __post_init__(self):
        if self.speed < 0:
            raise ValueError(f"speed is {self.speed}; it must be >= 0")


@pytest.fixture
def make_node():
    """Makes nodes in a context of their own, with -p arguments."""
    made = []

    def make(**overrides):
        context = rclpy.Context()
        rclpy.init(context=context)
        given = [Parameter(name.replace("__", "."), value=value) for name, value in overrides.items()]
        node = Node("n", context=context, parameter_overrides=given, start_parameter_services=False)
        made.append((node, context))
        return node

    yield make
    for node, context in made:
        node.destroy_node()
        context.try_shutdown()


SETTINGS = (
    ImagineSettings, ScoringSettings, PlanTopicSettings, PlanSourceSettings, SimulatorSettings, CameraSettings,
    VehicleSettings, DrivePlannerSettings,
    *(load_critic(name).settings_class for name in DEFAULT_CRITICS),
)  # fmt: skip
LIMITED = [(kind, item) for kind in SETTINGS for item in dataclasses.fields(kind) if "range" in item.metadata]
# What ROS cannot say in a range: 0 is allowed for its own meaning, and just above it nothing is.
HOLES = {
    "denoising_steps", "refined_plans", "playback_rate", "goal_reach_m", "goal_max_age_s", "period_s",
    "real_time_factor", "min_radius",
}  # fmt: skip


@pytest.mark.parametrize("kind, item", LIMITED, ids=lambda each: getattr(each, "name", None))
def test_a_descriptor_has_the_limits_that_are_checked(kind, item, make_node):
    whole = isinstance(item.default, int)
    node = make_node()
    SettingsParameters(node).declare("p", kind())
    descriptor = node.describe_parameter(f"p.{item.name}")
    (limits,) = descriptor.integer_range if whole else descriptor.floating_point_range
    low, high = limits.from_value, limits.to_value
    assert (low, high) == item.metadata["range"]
    step = 1 if whole else max(1e-9, 1e-6 * abs(high))

    def taken(value):
        try:
            dataclasses.replace(kind(), **{item.name: value})
        except ValueError as error:
            assert item.name in str(error)
            return "near_m < far_m" in str(error)  # a rule between two fields
        return True

    assert taken(type(item.default)(low)) and taken(type(item.default)(high))
    assert not taken(low - step) and not taken(high + step)
    assert (item.name in HOLES) == ("off" in item.metadata)


@pytest.mark.parametrize("kind", SETTINGS)
def test_every_number_has_a_range(kind):
    numbers = [item for item in dataclasses.fields(kind) if type(item.default) in (int, float)]
    assert [item.name for item in numbers if "range" not in item.metadata] == []


def test_every_number_of_the_imagine_node_has_a_range(make_node):
    node = make_node()
    ImagineParameters(node)
    bare = [
        name
        for name, parameter in node._parameters.items()
        if isinstance(parameter.value, (int, float))
        and not isinstance(parameter.value, bool)
        and not node.describe_parameter(name).integer_range
        and not node.describe_parameter(name).floating_point_range
    ]
    assert bare == []


def make_node_with(parameters, make_node):
    node = make_node()
    parameters(node)
    return node


def test_names_may_be_given_and_taken_back_where_none_are_by_default(make_node):
    node = make_node(ignore_joints=["finger1", "finger2"])
    parameters = ImagineParameters(node)
    assert parameters().own.ignore_joints == ("finger1", "finger2")
    assert set_one(node, "ignore_joints", ["wrist"]).successful and parameters().own.ignore_joints == ("wrist",)
    refused = set_one(node, "ignore_joints", [1, 2])
    assert not refused.successful and "'ignore_joints' is 1; expected str" in refused.reason
    assert not set_one(make_node_with(ImagineParameters, make_node), "ignore_joints", "finger1").successful
    assert ImagineParameters(make_node())().own.ignore_joints == ()
    assert ImagineParameters(make_node(ignore_joints=None))().own.ignore_joints == (), "[] in a params file"


def set_one(node, name, value):
    return node.set_parameters([Parameter(name, value=value)])[0]


def test_a_value_for_an_unknown_parameter_is_said(make_node, capfd):
    ImagineParameters(make_node(horizn=3, horizon=4))
    said = capfd.readouterr().err
    assert "parameter 'horizn' is given, but this node has none of that name" in said
    assert "'horizon'" not in said


def test_the_parameters_of_settings_are_listed_with_type_limits_and_description():
    speed, name, on, width, height, place = parameters_of(Outer(), "p")
    assert (speed.name, speed.default, speed.type, speed.limits) == ("p.speed", 1.5, "double", None)
    assert speed.description == "m/s" and (name.type, on.type) == ("string", "bool")
    assert (width.name, width.type, width.limits) == ("p.inner.width", "integer", (1, 9))
    assert place.type == "double array" and height.description == "pixels"


@pytest.mark.parametrize("node", NODES)
def test_every_parameter_of_a_node_is_listed_with_a_description(node):
    listed = node_parameters(node)
    assert len({each.name for each in listed}) == len(listed) and all(each.description for each in listed)
    numbers = [each for each in listed if type(each.default) in (int, float)]
    assert numbers and all(each.limits for each in numbers)


def test_the_list_of_the_imagine_node_is_what_it_declares(make_node):
    node = make_node(critics=[*DEFAULT_CRITICS, *ON_REQUEST])
    ImagineParameters(node)
    listed = {each.name: each for each in node_parameters("imagine")}
    assert set(listed) == set(node._parameters) - {"use_sim_time", "start_type_description_service"}
    for name, each in listed.items():
        assert node.describe_parameter(name).description == each.description


def test_declared_names_values_and_descriptions(make_node):
    node = make_node(speed=2.5, inner__width=9)
    settings = SettingsParameters(node).declare("", Outer())
    assert settings == Outer(speed=2.5, inner=Inner(width=9))
    assert node.get_parameter("inner.place").value == [1.0, 2.0]
    assert node.describe_parameter("inner.width").description == "pixels"
    assert not node.has_parameter("absent")


def test_a_change_is_taken_and_told(make_node):
    node = make_node()
    parameters = SettingsParameters(node)
    parameters.declare("p", Outer())
    calls = []
    parameters.on_change = lambda: calls.append(parameters["p"].speed)
    assert set_one(node, "p.speed", 3).successful  # a whole number does for a float
    assert set_one(node, "p.inner.height", 7).successful
    assert parameters["p"] == Outer(speed=3.0, inner=Inner(height=7)) and calls == [3.0, 3.0]


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("speed", -1.0, "speed is -1.0; it must be >= 0"),
        ("speed", "fast", "expected float"),
        ("speed", True, "expected float"),
        ("on", 1, "expected bool"),
        ("name", 3, "expected str"),
        ("inner.width", 2.5, "expected int"),
        ("inner.place", [1.0], "expected 2 values"),
    ],
)
def test_a_bad_change_is_refused_with_the_reason(make_node, name, value, words):
    node = make_node()
    parameters = SettingsParameters(node)
    parameters.declare("", Outer())
    result = set_one(node, name, value)
    assert not result.successful and words in result.reason
    assert parameters[""] == Outer()


def test_read_only_fields_and_ranges(make_node):
    node = make_node()
    parameters = SettingsParameters(node)
    parameters.declare("", Outer(), read_only=("name",))
    parameters.declare("collision", CollisionSettings())
    assert "read-only" in set_one(node, "name", "y").reason
    assert "range" in set_one(node, "collision.weight", -1.0).reason
    # ROS holds a range of floats against floats only.
    assert set_one(node, "collision.weight", 200).reason.startswith("collision.weight is 200; give 0 to")
    limits = node.describe_parameter("collision.veto_above").floating_point_range[0]
    assert (limits.from_value, limits.to_value) == (0.0, 1.0)


def test_a_bad_start_value_is_an_error_that_names_it(make_node):
    def refused(name, *facts, **given):
        with fault(ValueError, name, *facts) as error:
            ImagineParameters(make_node(**given))
        assert str(error.value).startswith(name)

    refused("horizon", 300, "1 to 256 steps", horizon=300)
    refused("right.keep", 0, "1 to 256 messages", plan_sources=["right"], right__keep=0)
    refused("collision.weight", 200, "0 to 100", collision__weight=200.0)
    with fault(ValueError, "speed", -2.0):
        SettingsParameters(make_node(speed=-2.0)).declare("", Outer())
    with fault(ValueError, "'speed'", "'fast'", "float"):
        SettingsParameters(make_node(speed="fast")).declare("", Outer())


def test_every_parameter_of_the_imagine_node_is_described(make_node):
    node = make_node()
    ImagineParameters(node)
    names = [n for n in node._parameters if n not in ("use_sim_time", "start_type_description_service")]
    assert [name for name in names if not node.describe_parameter(name).description] == []
    assert {f"{critic}.weight" for critic in DEFAULT_CRITICS} < set(names)
    assert all(node.describe_parameter(name).read_only for name in AT_START if name in names)


def test_plan_sources_are_namespaces_with_other_names_than_critics(make_node):
    node = make_node(plan_sources=["left", "right"], right__keep=3)
    parameters = ImagineParameters(node)
    right = PlanTopicSettings("/plans", keep=3)
    assert parameters().sources == {"left": PlanTopicSettings("/plans"), "right": right}
    assert parameters.relative_topics == {"left": "plans", "right": "plans"} and set(parameters.adapters) == {
        "left",
        "right",
    }
    with fault(ValueError, "plan_sources", "goal"):
        ImagineParameters(make_node(plan_sources=["goal"]))


def test_an_unknown_plan_type_names_the_known_one(make_node):
    with fault(ValueError, "candidates.type", "'nav_msgs/msg/Odometry'", "trajectory_msgs/msg/JointTrajectory"):
        ImagineParameters(make_node(candidates__type="nav_msgs/msg/Odometry"))


def test_yaml_repeats_the_defaults_and_names_nothing_unknown():
    given = yaml.safe_load(resource_path(PARAMS_FILE).read_text())
    critics = {name: load_critic(name).settings_class() for name in DEFAULT_CRITICS}
    defaults = {
        "/**/imagine": flat(ImagineSettings())
        | flat(ScoringSettings(), "scoring.")
        | flat(VehicleSettings(), "vehicle.")
        | flat(PlanTopicSettings(), "candidates.")
        | {k: v for name, value in critics.items() for k, v in flat(value, f"{name}.").items()},
        "/**/simulator": flat(SimulatorSettings()),
        "/**/plan_source": flat(PlanSourceSettings()),
        "/**/arm_planner": flat(ArmPlannerSettings()),
        "/**/drive_planner": flat(DrivePlannerSettings()),
        "/**/explorer": flat(ExplorerSettings()),
        "/**/gate": flat(GateSettings()),
    }
    assert set(given) == set(defaults)
    for node, content in given.items():
        values = flat_dict(content["ros__parameters"])
        wrong = {k: v for k, v in values.items() if defaults[node].get(k, "unknown") != v}
        assert not wrong, f"{node}: {wrong}"


def flat(settings, prefix=""):
    found = {}
    for item in dataclasses.fields(settings):
        value = getattr(settings, item.name)
        if dataclasses.is_dataclass(value):
            found |= flat(value, f"{prefix}{item.name}.")
        else:
            found[prefix + item.name] = list(value) if isinstance(value, tuple) else value
    return found


def flat_dict(values, prefix=""):
    found = {}
    for name, value in values.items():
        found |= flat_dict(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def test_the_page_of_parameters_is_that_of_the_settings():
    assert subprocess.run([sys.executable, str(SCRIPT), "--check"], timeout=60).returncode == 0
