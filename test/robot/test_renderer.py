"""The drawn robot: where arithmetic says, as the simulator shows it, and its errors."""

from dataclasses import replace

import numpy as np
import pytest
from user_errors import fault, refusal

from astra_ros.camera.errors import CameraError
from astra_ros.camera.frame_size import to_model_size
from astra_ros.camera.pinhole import PinholeCamera
from astra_ros.robot.kinematics import KinematicsError, LinkPoses
from astra_ros.robot.renderer import CHAIN, COVERAGE, NEARNESS, RendererSettings, RobotRenderer
from astra_ros.robot.shapes import BrokenMeshes

pytest.importorskip("yourdfpy")

# Looks along the world's z from the origin; 1 m at a depth of 1 m is 32 pixels.
FRONT = PinholeCamera(64, 64, 32.0, 32.0, 31.5, 31.5, np.eye(4))

# A wall whose near side is 1 m away, and before it a slider with a small box, near side at 0.5 m.
SLIDER = """<robot name="slider">
  <link name="wall"><visual><origin xyz="0 0 1.25"/>
    <geometry><box size="0.5 0.25 0.5"/></geometry></visual></link>
  <link name="box"><visual><origin xyz="0 0 0.55"/>
    <geometry><box size="0.125 0.125 0.1"/></geometry></visual></link>
  <link name="finger"/>
  <joint name="along_x" type="prismatic"><parent link="wall"/><child link="box"/>
    <axis xyz="1 0 0"/><limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
  <joint name="finger_joint" type="revolute"><parent link="box"/><child link="finger"/>
    <axis xyz="0 0 1"/><limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
</robot>"""
AWAY = 0.9  # m, where the box is out of the picture


def rectangle(rows: slice, columns: slice, value: int) -> np.ndarray:
    picture = np.zeros((64, 64), np.uint8)
    picture[rows, columns] = value
    return picture


def test_a_box_by_hand():
    picture = RobotRenderer(SLIDER, ["along_x"], FRONT).draw([AWAY])
    assert picture.shape == (3, 64, 64) and picture.dtype == np.uint8
    # 0.5 m wide at 1 m: 16 pixels about 31.5, from edge 23.5 to edge 39.5: pixels 24 to 39.
    wall = slice(28, 36), slice(24, 40)
    np.testing.assert_array_equal(picture[COVERAGE], rectangle(*wall, 255))
    # Nearness at 1 m, of 0.5 m (1) and 3 m (0): (1 - 1/3) / (2 - 1/3) = 0.4.
    np.testing.assert_array_equal(picture[NEARNESS], rectangle(*wall, 102))
    # The base, with one moving joint before the last link drawn: (1 + 0) / (1 + 1).
    np.testing.assert_array_equal(picture[CHAIN], rectangle(*wall, 128))


def test_pixels_that_are_partly_covered():
    # Half a pixel and a quarter to the right: 3/4 of pixel 24 go, of pixel 40 it gets 3/4.
    drawing = RobotRenderer(SLIDER, ["along_x"], replace(FRONT, cx=32.25))
    row = drawing.draw([AWAY])[COVERAGE, 30].astype(int)
    assert row[23:26].tolist() == [0, 64, 255] and row[39:42].tolist() == [255, 191, 0]


def test_near_hides_far():
    drawing = RobotRenderer(SLIDER, ["along_x"], FRONT)
    picture = drawing.draw([0.0])
    # 0.125 m at 0.5 m: 8 pixels about 31.5: 28 to 35. It is the last link: 1. Nearness at 0.5 m: 1.
    box = slice(28, 36), slice(28, 36)
    expected = rectangle(slice(28, 36), slice(24, 40), 128)
    expected[box] = 255
    np.testing.assert_array_equal(picture[CHAIN], expected)
    assert (picture[NEARNESS][box] == 255).all()
    assert drawing.chain_code == {"wall": 0.5, "box": 1.0}
    # 0.125 m along x is 8 pixels at that depth. Its left side, 0.0625 m off the axis, shows too: at
    # its far end, 0.6 m away, it begins at 31.5 + 32 * 0.0625 / 0.6 = 34.8, in pixel 35.
    moved = drawing.draw([0.125])[CHAIN]
    np.testing.assert_array_equal(np.flatnonzero(moved[30] == 255), np.arange(35, 44))


def test_base_pose_moves_the_robot():
    base = np.eye(4)
    base[:3, 3] = 0.25, 0.0, 0.0  # 8 pixels at 1 m
    still = RobotRenderer(SLIDER, ["along_x"], FRONT).draw([AWAY])
    moved = RobotRenderer(SLIDER, ["along_x"], FRONT, base_pose=base).draw([AWAY])
    np.testing.assert_array_equal(moved[COVERAGE, :, 8:], still[COVERAGE, :, :-8])
    np.testing.assert_array_equal(moved[CHAIN, :, 8:], still[CHAIN, :, :-8])
    # Off the axis the hidden far corners tilt the plane that stands for the surface, a little.
    np.testing.assert_allclose(moved[NEARNESS, :, 8:].astype(int), still[NEARNESS, :, :-8], atol=6)


def test_held_joints_and_mimic():
    drawn = RobotRenderer(SLIDER, ["finger_joint"], FRONT, held={"along_x": AWAY}).draw([0.3])
    np.testing.assert_array_equal(drawn, RobotRenderer(SLIDER, ["along_x"], FRONT).draw([AWAY]))
    follow = '<mimic joint="along_x" multiplier="2" offset="0.5"/>'
    mimic = SLIDER.replace('<axis xyz="0 0 1"/>', '<axis xyz="0 0 1"/>' + follow)
    # 2 * 0.25 + 0.5 = 1 rad about z.
    given, held = LinkPoses(mimic, ["along_x"]), LinkPoses(mimic, [], {"along_x": 0.25})
    for poses in (given([0.25]), held([])):
        np.testing.assert_allclose(poses[2, :2, 0], [np.cos(1.0), np.sin(1.0)])
        np.testing.assert_allclose(poses[2, :3, 3], [0.25, 0.0, 0.0])


def test_behind_the_camera_is_nothing():
    behind = np.diag([-1.0, 1.0, -1.0, 1.0])
    drawing = RobotRenderer(SLIDER, ["along_x"], replace(FRONT, world_from_optical=behind))
    assert not drawing.draw([0.0]).any()


def test_a_part_that_passes_the_camera_is_cut():
    beam = """<robot name="beam"><link name="base"><visual><origin xyz="0 0.5 0"/>
      <geometry><box size="0.5 0.5 4"/></geometry></visual></link></robot>"""
    picture = RobotRenderer(beam, [], FRONT).draw([])
    # A beam below, from 2 m behind to 2 m before: its end from row 31.5 + 32 * 0.25 / 2 = 35.5 on,
    # columns 27.5 to 35.5; nearer, it spreads over the whole lower edge.
    assert not picture[COVERAGE, :36].any()
    assert (picture[COVERAGE, 36] > 0).nonzero()[0].tolist() == list(range(27, 37))
    assert (picture[COVERAGE, 63, :] == 255).sum() >= 62


def test_spheres_and_cylinders():
    shapes = """<robot name="round"><link name="base">
      <visual><origin xyz="-0.5 0 2"/><geometry><sphere radius="0.4"/></geometry></visual>
      <visual><origin xyz="0.5 0 2"/><geometry>
        <cylinder radius="0.4" length="0.1"/></geometry></visual>
    </link></robot>"""
    coverage = RobotRenderer(shapes, [], FRONT).draw([])[COVERAGE].sum(axis=0) / 255
    # A disc of 0.4 m at 1.95 m: pi * (32 * 0.4 / 1.95)^2 = 135 pixels; off the axis the sphere is
    # a little larger than pi * (32 * 0.4 / 2)^2 = 129. Polygons lose a few per cent.
    assert 129 < coverage[32:].sum() < 140 and 122 < coverage[:32].sum() < 145


def test_many_at_once_are_what_each_is_alone():
    drawing = RobotRenderer(SLIDER, ["along_x"], FRONT)
    positions = np.linspace(-0.6, 0.6, 40).reshape(4, 10, 1)
    pictures = drawing.draw(positions)
    assert pictures.shape == (4, 10, 3, 64, 64)
    for index in np.ndindex(4, 10):
        np.testing.assert_array_equal(pictures[index], drawing.draw(positions[index]))
    assert drawing.draw(np.zeros((0, 1))).shape == (0, 3, 64, 64)


def test_equal_positions_are_rendered_once(monkeypatch):
    """Plans begin alike, and one stands still."""
    drawing, rendered = RobotRenderer(SLIDER, ["along_x"], FRONT), []
    real = drawing._draw
    monkeypatch.setattr(drawing, "_draw", lambda poses: (rendered.append(len(poses)), real(poses))[1])
    positions = np.array([[0.0, 0.1, 0.2], [0.0, 0.0, 0.0], [0.0, -0.1, 0.2]])[..., None]
    pictures = drawing.draw(positions)
    assert sum(rendered) == 4  # 0, 0.1, 0.2, -0.1
    for index in np.ndindex(3, 3):
        np.testing.assert_array_equal(pictures[index], drawing.draw(positions[index]))


def test_more_parts_than_a_byte_counts():
    link = SLIDER[SLIDER.index("<visual>") : SLIDER.index("</link>")]
    many = SLIDER.replace(link, link * 300)
    np.testing.assert_array_equal(
        RobotRenderer(many, ["along_x"], FRONT).draw([0.1]), RobotRenderer(SLIDER, ["along_x"], FRONT).draw([0.1])
    )


@pytest.mark.parametrize(
    "urdf, joints, options, facts",
    [
        (SLIDER, ["wrist"], {}, ("wrist", "along_x, finger_joint")),
        (SLIDER, ["along_x"], {"held": {"wrist": 0.0}}, ("wrist", "along_x")),
        (SLIDER.replace("visual", "collision"), ["along_x"], {}, ("visual",)),
        (SLIDER.replace("prismatic", "planar"), ["along_x"], {}, ("'planar'", "prismatic")),
        (SLIDER.replace('<parent link="box"/>', '<parent link="finger"/>'), [], {}, ("tree",)),
    ],
)
def test_unusable_descriptions(urdf, joints, options, facts):
    with pytest.raises(KinematicsError) as error:
        RobotRenderer(urdf, joints, FRONT, **options)
    assert error.value.cure and all(fact in str(error.value) for fact in facts)


def test_wrong_calls():
    drawing = RobotRenderer(SLIDER, ["along_x"], FRONT)
    with pytest.raises(KinematicsError) as error:
        drawing.draw([0.0, 0.0])
    assert all(fact in error.value.problem for fact in ("(2,)", "[..., 1]", "along_x"))
    with pytest.raises(KinematicsError) as error:
        drawing.draw([np.nan])
    assert error.value.thing == "joint positions" and "NaN" in error.value.problem
    with refusal(CameraError, "", "base_pose", "(3, 3)", "4 x 4"):
        RobotRenderer(SLIDER, ["along_x"], FRONT, base_pose=np.eye(3))
    for wrong, *facts in (
        ({"near_m": 3.0}, "far_m 3.0"),
        ({"samples": 16}, "1, 2, 4 or 8"),
        ({"clip_m": 0.0}, 0),
        ({"max_vertices": 3}, 8),
    ):
        ((name, value),) = wrong.items()
        with fault(ValueError, name, value, *facts):
            RendererSettings(**wrong)
    with fault(ValueError, "geometry", "'mesh'", "'visual'", "'collision'"):
        RobotRenderer(SLIDER, ["along_x"], FRONT, settings=RendererSettings(geometry="mesh"))


# Two triangles: the square from (0, 0) to (1, 1), 1 m wide at a depth of 2 m.
SQUARE = "v 0 0 2\nv 1 0 2\nv 1 1 2\nv 0 1 2\nf 1 2 3\nf 1 3 4\n"
MESH = """<robot name="mesh"><link name="plate"><visual><geometry>
  <mesh filename="NAME" scale="0.5 0.5 1"/></geometry></visual></link></robot>"""


def test_mesh_files(tmp_path, monkeypatch):
    path = tmp_path / "share" / "my robot" / "meshes" / "plate.obj"
    path.parent.mkdir(parents=True)
    path.write_text(SQUARE)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{tmp_path}")
    names = (
        str(path),
        f"file://{path}",
        f"file://{path}".replace(" ", "%20"),
        f"file:{path}",
        f"file://localhost{path}",
        f"FILE://LocalHost{path}".replace(" ", "%20"),
        "package://my robot/meshes/plate.obj",
    )
    # Scaled to 0.5 m at 2 m: 8 pixels from the middle, 31.5, on: 32 to 39.
    for name in names:
        picture = RobotRenderer(MESH.replace("NAME", name), [], FRONT).draw([])
        np.testing.assert_array_equal(picture[COVERAGE], rectangle(slice(32, 40), slice(32, 40), 255), err_msg=name)


@pytest.mark.parametrize(
    "name, found, cure",
    [
        ("file:///nowhere/plate.stl", "no such file", "copy the file"),
        ("package://my_robot/plate.stl", "share/my_robot of AMENT_PREFIX_PATH", "package my_robot"),
        ("meshes/plate.stl", "relative name; expected file:///", "where"),
        ("file:meshes/plate.stl", "relative name; expected file:///", "where"),
        ("file://", "relative name; expected file:///", "where"),
        ("file:/nowhere/plate.stl", "no such file", "copy the file"),
        ("file://robot-pc/plate.stl", "'robot-pc' behind file://", "file:///"),
        ("https://localhost/plate.stl", "https://", "package://"),
        ("BROKEN", "triangles", "replace the file"),
        ("UNKNOWN", "'xyzzy'", "replace the file"),
    ],
)
def test_missing_and_broken_meshes(tmp_path, name, found, cure):
    for word, file in (("BROKEN", "broken.obj"), ("UNKNOWN", "plate.xyzzy")):
        (tmp_path / file).write_text("v 0 0 0\n")
        name = name.replace(word, str(tmp_path / file))
    with refusal(BrokenMeshes, "robot description", f"'{name}'", "'plate'", found, cure=[cure]) as error:
        RobotRenderer(MESH.replace("NAME", name), [], FRONT)
    assert error.value.meshes == (name,) and error.value.link == "plate" and found in error.value.found


def test_a_mesh_that_is_not_convex_is_cut(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    boxes = [trimesh.creation.box([1, 0.2, 0.2]), trimesh.creation.box([0.2, 1, 0.2])]
    boxes[1].apply_translation([-0.4, 0.4, 0])
    angle = trimesh.util.concatenate(boxes)
    angle.apply_translation([0, 0, 3])
    angle.export(tmp_path / "angle.stl")
    urdf = MESH.replace("NAME", str(tmp_path / "angle.stl")).replace("0.5 0.5 1", "1 1 1")

    def covered(pieces: int) -> float:
        settings = RendererSettings(max_pieces=pieces)
        return RobotRenderer(urdf, [], FRONT, settings=settings).draw([])[COVERAGE].sum() / 255

    # At 2.9 m: two arms of 1 m x 0.2 m that share a corner cover 0.36 m2, their hull 0.68 m2.
    pixels = (32 / 2.9) ** 2
    assert covered(1) == pytest.approx(0.68 * pixels, rel=0.05)
    assert covered(4) == pytest.approx(0.36 * pixels, rel=0.08)


# --- against the simulator ---


@pytest.fixture(scope="module", params=["panda", "kuka"])
def arm(request):
    pytest.importorskip("pybullet")
    from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings
    from astra_ros.simulation.camera import CameraSettings

    # Far enough away that the whole arm is in the picture.
    camera = CameraSettings(width=128, height=96, position=(1.6, -1.1, 0.9), fov_deg=50.0)
    with ArmWorld(ArmWorldSettings(robot=request.param, camera=camera)) as world:
        yield world


def masks(world, positions) -> np.ndarray:
    """bool [N, h, w]: where PyBullet's segmentation shows the arm, with all else out of the way."""
    import pybullet

    bodies, client, seen = world._bodies, world._session.client, []
    for name in set(bodies) - {"arm"}:
        world._place(bodies[name], (0.0, 50.0, 0.0))
    for q in positions:
        world._set_arm(q)
        *_, ids = pybullet.getCameraImage(
            world.settings.camera.width,
            world.settings.camera.height,
            viewMatrix=world._camera._view,
            projectionMatrix=world._camera._projection,
            renderer=pybullet.ER_TINY_RENDERER,
            physicsClientId=client,
        )
        seen.append(np.reshape(ids, (world.settings.camera.height, -1)) == bodies["arm"])
    return np.array(seen)


def simulated_camera(settings) -> PinholeCamera:
    """PyBullet's software renderer samples a pixel at its lower left corner, not in its middle."""
    camera = PinholeCamera.from_look_at(
        settings.position, settings.look_at, settings.fov_deg, settings.width, settings.height
    )
    return replace(camera, cx=settings.width / 2, cy=settings.height / 2 - 1)


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union of bool [N, h, w]: [N]."""
    return (one & other).sum(axis=(1, 2)) / (one | other).sum(axis=(1, 2))


def test_the_robot_is_where_the_simulator_shows_it(arm):
    from astra_ros.simulation.arm.robots import robot_description

    spec = arm.spec
    q = np.array(spec.ready) + np.random.default_rng(3).uniform(-0.6, 0.6, (8, 7))
    q = np.clip(q, arm.kinematics.lower, arm.kinematics.upper)
    truth = masks(arm, q)
    assert (truth.sum(axis=(1, 2)) > 300).all()
    camera = simulated_camera(arm.settings.camera)

    def drawn(camera):
        urdf = robot_description(spec, coarse=True)
        return RobotRenderer(urdf, spec.joint_names, camera, held=spec.held_joints).draw(q)

    pictures = drawn(camera)
    scores = overlap(truth, pictures[:, COVERAGE] >= 128)
    assert scores.min() > 0.94 and scores.mean() > 0.955, scores

    # As the model gets it: cut to a square and made smaller.
    small = drawn(camera.fitted((64, 64)))
    truth = np.repeat(truth[..., None] * np.uint8(255), 3, axis=3)
    expected = [to_model_size(mask, (64, 64)) for mask in truth]
    scores = overlap(np.array(expected)[..., 0] >= 128, small[:, COVERAGE] >= 128)
    assert scores.min() > 0.93 and scores.mean() > 0.95, scores

    # ... which is the large drawing made smaller.
    shrunk = [to_model_size(np.moveaxis(p, 0, 2), (64, 64)) for p in pictures]
    difference = np.abs(np.moveaxis(shrunk, 3, 1).astype(int) - small)
    # A row of 4 of a pixel's 16 samples may fall on the other side of an outline: 64 of 255.
    assert difference[:, COVERAGE].max() < 80 and difference.mean() < 0.5
