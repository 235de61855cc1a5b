"""Plans to scores with a world model whose imagination is known beforehand."""

import numpy as np
import pytest
from known_model import HISTORY, WHITE, KnownModel, plan
from refusals import refused_plan
from user_errors import fault, refusal

from astra_ros.camera.frame_size import to_model_size
from astra_ros.camera.moving_camera import MovingCamera
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.critics import DEFAULT_CRITICS
from astra_ros.critics.collision import CollisionSettings
from astra_ros.critics.curiosity import CuriositySettings
from astra_ros.critics.progress import ProgressSettings
from astra_ros.plans.action_spaces.joints import JointSpace
from astra_ros.plans.action_spaces.twist import TwistSpace
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.plans.velocity_plan import VelocityPlan
from astra_ros.ranking.imaginer import Imaginer, RankingSettings
from astra_ros.ranking.prepare import NothingToImagine, UnmatchedPlan
from astra_ros.registry import UnknownName
from astra_ros.settings import SettingError


def imaginer(**settings):
    return Imaginer(KnownModel(), RankingSettings(horizon=2, **settings))


def test_the_plan_that_ends_like_the_goal_wins():
    made = imaginer().score(HISTORY, [plan("no", 0.0), plan("yes", 1.0)], goal_frame=WHITE, seed=5)
    assert made.names == ("no", "yes") and made.best == made.shown == 1
    # Nothing changed costs 1, the goal reached costs 0.
    assert made.scores[0].critics["goal"].cost == pytest.approx(1.0)
    assert made.scores[1].critics["goal"].cost == pytest.approx(0.0)
    assert not made.missing and set(made.timings_s) >= {"encode", "imagine", "critics", "total"}


def test_the_object_is_looked_for_in_the_goal_image():
    """A model that tells where the object is tells it of the goal image too, unless a pose is given."""
    judge = imaginer()
    judge.model.card.outcomes["two"] = ("obstacle_contact", "object_position")
    contact = judge.model.imagine

    def pushed(history, conditioning, **kwargs):
        """The brighter the picture, the further the object, which a plan pushes to where a ends."""
        made, actions = contact(history, conditioning, **kwargs), conditioning.actions
        seen = np.zeros((*actions.shape[:2], 3))
        seen[..., 0] = history[-1].mean() / 255 + actions[:, :, 0]
        made.outcomes["object_position"] = seen
        return made

    judge.model.imagine = pushed
    plans = [plan("no", 0.0), plan("half", 0.5), plan("yes", 1.0)]
    made = judge.score(HISTORY, plans, goal_frame=WHITE, seed=5)
    assert [round(score.critics["goal_pose"].raw, 6) for score in made.scores] == [1.0, 0.5, 0.0]
    assert "the object ends 0.500 m from where the goal image shows it" in " ".join(made.scores[1].reasons)
    # The goal image was one frame of a scene that stands still, under the request's seed.
    assert judge.model.asked[0] == ((1, 1, 4), "two", 5, None)
    given = judge.score(HISTORY, plans, goal_frame=WHITE, goal_position=np.array([0.5, 0.0, 0.0]))
    assert [round(score.critics["goal_pose"].raw, 6) for score in given.scores] == [0.5, 0.0, 0.5]


def test_the_object_in_a_goal_image_is_looked_for_once_while_the_robot_stands():
    model = KnownModel()
    model.card.outcomes["two"] = ("obstacle_contact", "object_position")
    judge, real, told = Imaginer(model, RankingSettings(horizon=2)), model.imagine, []

    def imagine(history, conditioning, **kwargs):
        made = real(history, conditioning, **kwargs)
        made.outcomes["object_position"] = np.full((*conditioning.actions.shape[:2], 3), history[-1].mean())
        if conditioning.horizon == 1:
            told.append((int(history[-1].mean()), *conditioning.actions[0, 0].astype(float).round(6).tolist()))
        return made

    def score(goal, a, end=1.0, **more):
        """A plan that begins where joint a is."""
        positions = np.array([[a, 0.0], [end, 0.0]])
        made = judge.score(HISTORY, [JointPlan(("a", "b"), np.arange(2.0), positions, "p")], None, goal, **more)
        assert made.critic_input.goal_position.tolist() == [goal.mean()] * 3

    model.imagine = imagine
    black = np.zeros_like(WHITE)
    score(WHITE, 0.5), score(WHITE.copy(), 0.503, end=0.2), score(black, 0.5), score(WHITE, 0.498)
    assert told == [(255, 0.5, 0.0, 0.0, 0.0), (0, 0.5, 0.0, 0.0, 0.0)], "a sensor's noise is no other place"
    score(WHITE, 0.6)
    assert told[2:] == [(255, 0.6, 0.0, 0.0, 0.0)]
    score(WHITE, 0.6, seed=1)
    judge.configure(RankingSettings(horizon=2, denoising_steps=3), {})
    score(WHITE, 0.6, seed=1)
    assert len(told) == 5, "another seed and other steps are other results"


def test_a_plan_with_other_joints_is_refused_and_the_rest_scored():
    made = imaginer().score(HISTORY, [plan("odd", 1.0, joints=("a", "c")), plan("good", 1.0)])
    assert made.names == ("good",)
    refused = made.prepared.refused["odd"]
    assert isinstance(refused, UnmatchedPlan) and refused.known == ("two", "one")
    assert all(names in str(refused) for names in ("a, c", "two: a, b", "one: x"))


def test_no_plan_left_gives_every_reason():
    with pytest.raises(NothingToImagine) as error:
        imaginer().score(HISTORY, [])
    assert error.value.refused == {}
    with pytest.raises(NothingToImagine) as error:
        imaginer().score(HISTORY, [plan(name, 1.0, joints=("z",)) for name in "pqr"])
    assert set(error.value.refused) == set("pqr")
    # The reason that all have is given once.
    reason = error.value.refused["p"]
    assert str(error.value).count(reason.problem) == str(error.value).count(reason.cure) == 1
    assert "3 plans (plan 'p', plan 'q' and 1 more)" in str(error.value)


def test_plan_names_must_not_repeat():
    with fault(ValueError, ["p", "p"]):
        imaginer().score(HISTORY, [plan("p", 1.0), plan("p", 0.0)])


def test_seed_and_steps_reach_the_model():
    made = imaginer(denoising_steps=4)
    made.score(HISTORY, [plan("p", 1.0)], seed=9)
    imaginer_default = imaginer()
    imaginer_default.score(HISTORY, [plan("p", 1.0)])
    assert made.model.asked == [((1, 2, 4), "two", 9, 4)]
    assert imaginer_default.model.asked == [((1, 2, 4), "two", 0, None)]


def test_critics_can_be_set_and_what_is_missing_is_said():
    judge = imaginer()
    judge.configure(RankingSettings(horizon=2), {"collision": CollisionSettings(enabled=False)})
    made = judge.score(HISTORY, [plan("p", 1.0)])
    assert "collision" not in made.scores[0].critics
    assert list(made.missing) == ["goal", "goal_pose"] and "no goal image" in made.missing["goal"]
    with fault(ValueError, ["charm"], "'collision'"):
        judge.configure(RankingSettings(), {"charm": None})
    with pytest.raises(UnknownName) as unknown:
        judge.configure(RankingSettings(critics=("goal", "charm")), {})
    assert unknown.value.name == "charm" and unknown.value.known[:8] == list(DEFAULT_CRITICS)


@pytest.mark.parametrize("wanted", [ProgressSettings(enabled=True), CuriositySettings(enabled=True)])
def test_a_base_that_is_told_otherwise_what_is_wanted_misses_no_goal(wanted):
    judge = imaginer()
    judge.model.card.action_spaces = {"car": TwistSpace("car", ("linear.x", "angular.z"), (1.0, 1.0), (1.0, 1.0))}
    name = type(wanted).__name__.removesuffix("Settings").lower()
    judge.configure(RankingSettings(horizon=2), {name: wanted})
    made = judge.score(HISTORY, [VelocityPlan(("linear.x", "angular.z"), 0.5, [[1.0, 0.0]] * 2, "go")])
    assert name in made.scores[0].critics and not made.missing


def test_vetoed_plans_are_shown_but_never_best():
    judge = imaginer()
    contact = judge.model.imagine

    def crash(*args, **kwargs):
        made = contact(*args, **kwargs)
        made.outcomes["obstacle_contact"][:] = 1.0
        return made

    judge.model.imagine = crash
    made = judge.score(HISTORY, [plan("p", 1.0)])
    assert made.best is None and made.shown == 0 and made.scores[0].verdict == "vetoed"


def test_wrong_frames_are_refused():
    with fault(ValueError, "uint8 (1, 4, 4, 3)", "'known'", "uint8 (2, 4, 4, 3)"):
        imaginer().score(HISTORY[:1], [plan("p", 1.0)])
    with fault(ValueError, "goal_frame", "(2, 4, 3)", "(4, 4, 3)"):
        imaginer().score(HISTORY, [plan("p", 1.0)], goal_frame=WHITE[:2])


@pytest.mark.parametrize("settings", [{"horizon": 0}, {"denoising_steps": -1}])
def test_settings_that_cannot_work(settings):
    ((name, value),) = settings.items()
    with refusal(SettingError, "", name, value, cure=[1]) as error:
        RankingSettings(**settings)
    assert error.value.name == name


def test_pictures_of_any_plans_and_steps():
    judge = imaginer()
    history = HISTORY.copy()
    history[-1] = 7
    made = judge.score(history, [plan("no", 0.0), plan("yes", 1.0)])
    frames = judge.pictures(made)
    assert frames.shape == (2, 2, 4, 4, 3) and frames.dtype == np.uint8
    assert frames[..., 0, 0, 0].tolist() == [[0, 0], [127, 255]]
    np.testing.assert_array_equal(judge.pictures(made, 1), frames[1])
    np.testing.assert_array_equal(judge.pictures(made, np.s_[:, [1]]), frames[:, [1]])
    # The model gets what was seen last, and no way of a camera that stands still.
    assert (judge.model.seen == 7).all() and judge.model.shown_by.camera_poses is None


def test_to_model_size_averages_and_cuts_the_middle():
    frame = np.zeros((4, 8, 3), np.uint8)
    frame[:, 2:4] = 100  # the left half of the middle square
    small = to_model_size(frame, (2, 2))
    np.testing.assert_array_equal(small[..., 0], [[100, 0], [100, 0]])
    assert to_model_size(frame, (4, 8)) is frame
    assert to_model_size(frame[:2, :2], (4, 4)).shape == (4, 4, 3)


ARM = """<robot name="stick"><link name="base"/><link name="rod"><visual><origin xyz="0 0 0.2"/>
<geometry><box size="0.1 0.1 0.4"/></geometry></visual></link>
<joint name="a" type="revolute"><parent link="base"/><child link="rod"/><axis xyz="1 0 0"/>
<limit lower="-3" upper="3" effort="1" velocity="1"/></joint></robot>"""


def drawing_imaginer():
    """A model that was trained with drawings of the robot that moves joint x."""
    model = KnownModel()
    model.card.image_size = (32, 32)
    model.card.action_spaces = {"stick": JointSpace("stick", ("a",), (0.0,), (1.0,), (1.0,))}
    camera = PinholeCamera.from_look_at((2.0, 0.0, 0.2), (0.0, 0.0, 0.2), 40.0, 32, 32)
    model.card.cameras = {"stick": camera.to_dict()}
    return Imaginer(model, RankingSettings(horizon=2))


def test_the_robot_is_drawn_where_each_plan_takes_it():
    made = drawing_imaginer()
    made.plan_renders.describe(ARM)
    plans = [plan("rest", 0.0, ("a",)), plan("fall", np.pi / 2, ("a",))]
    result = made.score(np.zeros((2, 32, 32, 3), np.uint8), plans)
    assert result.undrawn == "" and made.model.conditioning.robot_renders.shape == (2, 3, 3, 32, 32)
    renders = np.asarray(made.model.conditioning.robot_renders)
    covered = renders[:, 1:, 0].astype(float)
    # At rest the rod stands upright in both frames: taller than wide. Fallen, it lies.
    tall, wide = (covered.max(axis) > 128 for axis in (3, 2))
    assert tall[0].sum(-1).tolist() == tall[0].sum(-1).tolist()[:1] * 2
    assert (tall[0].sum(-1) > 2 * wide[0].sum(-1)).all()
    assert wide[1, 1].sum() > 2 * tall[1, 1].sum()
    # Pictures of some plans and steps come with the robot as it is in just these, and as it is now.
    made.pictures(result, np.s_[1, [1]])
    ((then, now),) = made.model.shown_by.renders_then_and_now(made.model.which)
    np.testing.assert_array_equal(then, renders[1, 2])
    np.testing.assert_array_equal(now, renders[0, 0])


@pytest.mark.parametrize(
    "urdf, reason",
    [
        (None, "no robot description has come"),
        ("<robot name='other'><link name='base'/></robot>", "robot description: "),
        ("no XML", "robot description: "),
    ],
)
def test_without_a_description_it_imagines_all_the_same_and_says_so(urdf, reason):
    made = drawing_imaginer()
    made.plan_renders.describe(urdf)
    result = made.score(np.zeros((2, 32, 32, 3), np.uint8), [plan("rest", 0.0, ("a",))])
    assert made.model.conditioning.robot_renders is None and len(result.scores) == 1
    made.pictures(result)
    assert made.model.shown_by.robot_renders is None
    assert result.undrawn.startswith(reason)
    assert result.scores[0].reasons[-1] == "imagined without the robot's render"


def test_a_model_without_drawings_needs_no_description():
    assert imaginer().score(HISTORY, [plan("p", 1.0)]).undrawn == ""


def test_a_bases_plans_are_means_of_velocities_and_begin_with_its_own():
    model = KnownModel()
    model.card.action_spaces["car_twist"] = TwistSpace("car_twist", ("linear.x", "angular.z"), (1.0, 1.0), (1.0, 1.0))
    made = Imaginer(model, RankingSettings(horizon=2))
    # 2 m/s for 0.75 s: half of the second step of 0.5 s is rest.
    go = VelocityPlan(("angular.z", "linear.x"), 0.25, [[0.0, 2.0]] * 3, "go")
    prepared = made.prepare([go], {"linear.x": 0.5, "angular.z": 0.1})
    assert prepared.space.name == "car_twist"
    assert prepared.plans[0].motion_names == ("linear.x", "angular.z")
    np.testing.assert_allclose(prepared.motion[0], [[0.5, 0.1], [2.0, 0.0], [1.0, 0.0]])
    # Where the motion of the base is not known, it goes on as the plan begins.
    np.testing.assert_allclose(made.prepare([go]).motion[0, 0], [2.0, 0.0])
    result = made.score(HISTORY, [go])
    assert result.names == ("go",) and model.asked[-1][0] == (1, 2, 4)
    refused = refused_plan(made.prepare, [VelocityPlan(("linear.x", "linear.y"), 0.25, [[0.0, 0.0]])])
    assert refused.known == ("car_twist",) and "linear.x, linear.y" in refused.problem


def test_a_moving_camera_goes_where_each_plan_takes_it():
    model = KnownModel()
    model.card.action_spaces = {"car": TwistSpace("car", ("linear.x", "angular.z"), (1.0, 1.0), (1.0, 1.0))}
    eye = PinholeCamera(4, 4, 4.0, 4.0, 1.5, 1.5, np.eye(4))
    model.card.moving_cameras = {"car": MovingCamera(eye, np.ones((1, 1)))}
    made = Imaginer(model, RankingSettings(horizon=2))
    names = ("linear.x", "angular.z")
    plans = [
        VelocityPlan(names, 0.5, np.array([[0.0, 0.0], [0.0, 0.0]]), "stand"),
        VelocityPlan(names, 0.5, np.array([[2.0, 0.0], [2.0, 0.0]]), "go"),
    ]
    result = made.score(HISTORY, plans)
    poses = model.conditioning.camera_poses
    assert poses.shape == (2, 2, 4, 4)
    np.testing.assert_allclose(poses[0], [np.eye(4)] * 2)
    np.testing.assert_allclose(poses[1, :, 0, 3], [1.0, 2.0])
    # Pictures of some plans and steps go with the ways of just these.
    made.pictures(result, np.s_[:, [1]])
    np.testing.assert_allclose(model.shown_by.camera_poses[model.which][:, 0, 0, 3], [0.0, 2.0])
    model.card.moving_cameras = {}
    made.score(HISTORY, plans)
    assert model.conditioning.camera_poses is None
