"""Obstacles of a planning scene: messages with the fields of moveit_msgs, and what the imaginer is told of them."""

from types import SimpleNamespace as Fields

import numpy as np
import pytest
from imagine_bench import CoreBench

from astra_ros.nodes.imagine.obstacle_inputs import ADD, APPEND, MOVE, REMOVE, ObstacleInputs
from astra_ros.nodes.reports import OK, WARN
from astra_ros.obstacles import ObstacleError

BOX, SPHERE, CYLINDER, CONE = 1, 2, 3, 4  # shape_msgs/SolidPrimitive
HALF = np.sqrt(0.5)
LEFT = (0.0, 0.0, HALF, HALF)  # 90 degrees about z: what was along x is along y
CORNERS = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
URDF = """<robot name="r"><link name="foot"/><link name="tip"/>
  <joint name="a" type="fixed"><parent link="foot"/><child link="tip"/></joint></robot>"""


def pose(x=0.0, y=0.0, z=0.0, turn=(0.0, 0.0, 0.0, 0.0)):
    return Fields(position=Fields(x=x, y=y, z=z), orientation=Fields(**dict(zip("xyzw", turn))))


def collision_object(name, shapes=(), operation=ADD, frame="world", at=pose(), meshes=(), planes=()):
    """`shapes` and `meshes` are (type and dimensions, or points; pose)."""
    primitives = [Fields(type=kind, dimensions=sizes) for (kind, sizes), _ in shapes]
    points = [Fields(vertices=[Fields(**dict(zip("xyz", point))) for point in corners]) for corners, _ in meshes]
    return Fields(
        header=Fields(frame_id=frame), id=name, operation=bytes([operation]), pose=at, planes=planes,
        primitives=primitives, primitive_poses=[each for _, each in shapes],
        meshes=points, mesh_poses=[each for _, each in meshes],
    )  # fmt: skip


def body(name, link="hand", operation=ADD):
    """A body that is attached to a link."""
    return Fields(link_name=link, object=collision_object(name, operation=operation))


def scene(*objects, is_diff=False, attached=(), octomap=None):
    """`octomap`: its data; None: there is none."""
    tree = Fields(id="" if octomap is None else "OcTree", data=octomap or [])
    world = Fields(collision_objects=list(objects), octomap=Fields(octomap=tree))
    return Fields(is_diff=is_diff, world=world, robot_state=Fields(attached_collision_objects=list(attached)))


def names(inputs, frames=("world",)):
    return [each.name for each in inputs.now(frames)[0]]


def test_shapes_and_poses_are_read():
    inputs = ObstacleInputs()
    # The object is turned by 90 degrees about z: its shape, 1 m along x, is 1 m along y of the base.
    turned = pose(1.0, 0.0, 0.5, LEFT)
    shapes = [
        ((BOX, [1.0, 2.0, 3.0]), pose(1.0)),
        ((SPHERE, [0.2]), pose(turn=(0.0, 0.0, 0.0, 1.0))),
        ((CYLINDER, [0.5, 0.1]), pose()),  # height, radius
    ]
    inputs.on_scene(scene(collision_object("thing", shapes, at=turned, meshes=[(CORNERS, pose())])))
    (box, ball, post, mesh), elsewhere = inputs.now(["world"])
    assert elsewhere == "" and {each.name for each in (box, ball, post, mesh)} == {"thing"}
    assert (box.shape, box.size) == ("box", (1.0, 2.0, 3.0)) and (ball.shape, ball.size) == ("sphere", (0.2,))
    assert (post.shape, post.size) == ("cylinder", (0.1, 0.5)) and mesh.points.shape == (4, 3)
    np.testing.assert_allclose(box.xyz, [1.0, 1.0, 0.5], atol=1e-12)
    np.testing.assert_allclose(box.quaternion, [0.0, 0.0, HALF, HALF], atol=1e-12)


def test_objects_come_change_and_go():
    inputs, ball = ObstacleInputs(), ((SPHERE, [0.2]), pose())
    inputs.on_scene(scene(collision_object("a", [ball]), collision_object("b", [ball])))
    inputs.on_scene(scene(collision_object("a", [ball], APPEND), collision_object("c", [ball]), is_diff=True))
    assert names(inputs) == ["b", "a", "a", "c"]
    before = inputs.now(["world"])[0]
    assert inputs.now(["world"])[0] == before  # the same objects, for which nothing is built anew
    inputs.on_scene(scene(collision_object("a", operation=REMOVE), is_diff=True))
    assert names(inputs) == ["b", "c"]
    inputs.on_scene(scene(collision_object("", operation=REMOVE), is_diff=True))
    assert names(inputs) == []
    inputs.on_scene(scene(collision_object("d", [ball])))
    inputs.on_scene(scene(collision_object("e", [ball])))
    assert names(inputs) == ["e"]  # a whole scene replaces all


def test_an_object_that_moves_keeps_its_shapes():
    inputs = ObstacleInputs()
    shapes = [((BOX, [1.0, 2.0, 3.0]), pose(1.0)), ((SPHERE, [0.2]), pose(0.0, 2.0))]
    inputs.on_scene(scene(collision_object("cup", shapes, at=pose(5.0), meshes=[(CORNERS, pose(z=1.0))])))
    inputs.on_scene(scene(collision_object("post", [((SPHERE, [0.1]), pose())]), is_diff=True))
    before = inputs.now(["world"])[0]
    inputs.on_scene(scene(collision_object("cup", operation=MOVE, at=pose(10.0, 0.0, 0.5, LEFT)), is_diff=True))
    box, ball, mesh, post = inputs.now(["world"])[0]
    assert post is before[3], "what does not move is the same object, for which nothing is built anew"
    assert (box.shape, box.size, ball.size) == ("box", (1.0, 2.0, 3.0), (0.2,)) and mesh.points.shape == (4, 3)
    np.testing.assert_allclose([box.xyz, ball.xyz, mesh.xyz], [[10, 1, 0.5], [8, 0, 0.5], [10, 0, 1.5]], atol=1e-12)
    np.testing.assert_allclose(box.quaternion, LEFT, atol=1e-12)
    # Back again, and into another frame; a pose that is not turned comes with a quaternion of zeros.
    inputs.on_scene(scene(collision_object("cup", operation=MOVE, at=pose(5.0), frame="foot"), is_diff=True))
    assert names(inputs) == ["post"] and "'cup' in 'world'" not in inputs.now(["world"])[1]
    np.testing.assert_allclose([each.xyz for each in inputs.now(["foot"])[0]], [each.xyz for each in before[:3]])


def test_an_object_with_one_shape_moves_by_the_pose_that_it_was_published_with():
    """Where an object has no pose, MoveIt takes that of its only shape: it is replaced, not added to."""
    inputs, ball = ObstacleInputs(), ((SPHERE, [0.2]), pose(1.0, 2.0))
    inputs.on_scene(scene(collision_object("alone", [ball]), collision_object("own", [ball], at=pose(z=1.0))))
    moves = [collision_object(name, operation=MOVE, at=pose(10.0)) for name in ("alone", "own")]
    inputs.on_scene(scene(*moves, is_diff=True))
    assert [each.xyz for each in inputs.now(["world"])[0]] == [(10.0, 0.0, 0.0), (11.0, 2.0, 0.0)]


def test_shapes_move_in_their_object_where_their_poses_are_given():
    inputs = ObstacleInputs()
    ball, post = ((SPHERE, [0.2]), pose(1.0)), ((CYLINDER, [0.5, 0.1]), pose(2.0))
    inputs.on_scene(scene(collision_object("thing", [ball], at=pose(z=3.0))))
    inputs.on_scene(scene(collision_object("thing", [post], APPEND, at=pose(4.0, turn=LEFT)), is_diff=True))
    np.testing.assert_allclose([each.xyz for each in inputs.now(["world"])[0]], [[1, 0, 3], [4, 2, 0]], atol=1e-12)
    inputs.on_scene(scene(collision_object("thing", operation=MOVE, at=pose(y=1.0, z=3.0)), is_diff=True))
    np.testing.assert_allclose([each.xyz for each in inputs.now(["world"])[0]], [[1, 1, 3], [4, 3, 0]], atol=1e-12)
    move = collision_object("thing", operation=MOVE, at=pose(y=1.0))
    move.primitive_poses = [pose(7.0), pose(8.0)]
    inputs.on_scene(scene(move, is_diff=True))
    assert [each.xyz for each in inputs.now(["world"])[0]] == [(7.0, 1.0, 0.0), (8.0, 1.0, 0.0)]
    assert [each.shape for each in inputs.now(["world"])[0]] == ["sphere", "cylinder"]


@pytest.mark.parametrize("bad", ["pose", "count"])
@pytest.mark.parametrize("then", ["move", "add", "remove", "attach", "scene"])
def test_an_object_that_cannot_be_moved_stays_where_it_was_and_is_named_until_its_place_is_known(bad, then):
    inputs, ball = ObstacleInputs(), ((SPHERE, [0.2]), pose(1.0))
    floor = collision_object("floor", [ball], planes=[Fields()])
    with pytest.raises(ObstacleError):
        inputs.on_scene(scene(collision_object("cup", [ball]), floor))
    planes = inputs.left_out
    before = inputs.now(["world"])
    move = collision_object("cup", operation=MOVE, at=pose(float("nan") if bad == "pose" else 2.0))
    move.primitive_poses = [pose(), pose()] if bad == "count" else []
    with pytest.raises(ObstacleError) as error:
        inputs.on_scene(scene(move, is_diff=True))
    assert "'cup'" in error.value.thing and error.value.cure
    assert inputs.now(["world"]) == before and "'cup' (it" in inputs.left_out
    inputs.on_scene(scene(collision_object("cup", [ball], APPEND), is_diff=True))
    assert "'cup' (" in inputs.left_out, "shapes beside its own do not say where it is"
    if then in ("move", "add", "remove"):
        operation = {"move": MOVE, "add": ADD, "remove": REMOVE}[then]
        shapes = [ball] if then == "add" else []
        inputs.on_scene(scene(collision_object("cup", shapes, operation, at=pose(3.0)), is_diff=True))
        assert inputs.left_out == planes
    else:
        inputs.on_scene(scene(is_diff=then == "attach", attached=[body("cup")] if then == "attach" else ()))
        assert "'cup' (" not in inputs.left_out


def test_a_place_that_is_not_known_is_a_lasting_warning():
    bench = CoreBench()
    bench.core.on_planning_scene(scene(collision_object("cup", [((SPHERE, [0.2]), pose(1.0))])))
    move = collision_object("cup", operation=MOVE, at=pose(float("nan")))
    bench.core.on_planning_scene(scene(move, is_diff=True))
    bench.pass_time(1000.0)
    assert bench.status("obstacles").level == WARN and "'cup'" in bench.status("obstacles").values["left_out"]


def test_an_unknown_operation_is_refused_by_name_and_changes_nothing():
    inputs, ball = ObstacleInputs(), ((SPHERE, [0.2]), pose(1.0))
    inputs.on_scene(scene(collision_object("cup", [ball])))
    before = inputs.now(["world"])
    odd = collision_object("cup", [((SPHERE, [0.5]), pose())], 7)
    for changes in (scene(odd, is_diff=True), scene(is_diff=True, attached=[body("cup", operation=7)])):
        with pytest.raises(ObstacleError) as error:
            inputs.on_scene(changes)
        assert "'cup'" in error.value.thing and "7" in error.value.problem and "MOVE" in error.value.cure
        assert inputs.now(["world"]) == before and "'cup' (" in inputs.left_out
        inputs.on_scene(scene(collision_object("cup", [ball]), is_diff=True))
        assert inputs.left_out == ""
        before = inputs.now(["world"])


def test_a_move_of_an_unknown_object_is_refused_and_named_until_its_shapes_come():
    inputs, ball = ObstacleInputs(), ((SPHERE, [0.2]), pose())
    inputs.on_scene(scene(attached=[body("plate")]))
    for name in ("cup", "plate"):
        with pytest.raises(ObstacleError) as error:
            inputs.on_scene(scene(collision_object(name, operation=MOVE, at=pose(1.0)), is_diff=True))
        assert f"'{name}'" in error.value.thing and "not known" in error.value.problem and "ADD" in error.value.cure
    assert names(inputs) == [] and "'cup' (" in inputs.left_out and "'plate', attached to 'hand'" in inputs.left_out
    inputs.on_scene(scene(*(collision_object(name, [ball]) for name in ("cup", "plate")), is_diff=True))
    assert names(inputs) == ["cup", "plate"] and inputs.left_out == ""


def test_why_shapes_are_unknown_is_still_told_when_their_object_moves():
    inputs = ObstacleInputs()
    for operation, shapes in ((ADD, [((CONE, [1.0]), pose())]), (MOVE, [])):
        with pytest.raises(ObstacleError) as error:
            inputs.on_scene(scene(collision_object("cone", shapes, operation), is_diff=True))
        assert "a primitive of type 4" in error.value.problem
    assert "a primitive of type 4" in inputs.left_out


def test_shapes_are_not_appended_in_another_frame():
    inputs, ball = ObstacleInputs(), ((SPHERE, [0.2]), pose())
    inputs.on_scene(scene(collision_object("a", [ball]), collision_object("a", [ball], APPEND, frame="")))
    assert names(inputs) == ["a", "a"]
    with pytest.raises(ObstacleError) as error:
        inputs.on_scene(scene(collision_object("a", [ball], APPEND, frame="tool"), is_diff=True))
    assert "'a'" in error.value.thing and "'tool'" in error.value.problem and "'world'" in error.value.problem
    assert names(inputs) == [] and "'a' (" in inputs.left_out


def test_a_shape_without_a_pose_stands_where_its_object_is():
    inputs, ball = ObstacleInputs(), ((SPHERE, [0.2]), pose(1.0))
    thing = collision_object("a", [ball, ball], at=pose(5.0), meshes=[(CORNERS, pose())])
    thing.primitive_poses, thing.mesh_poses = thing.primitive_poses[:1], []
    inputs.on_scene(scene(thing))
    assert [each.xyz[0] for each in inputs.now(["world"])[0]] == [6.0, 5.0, 5.0]


def test_objects_of_other_frames_are_named():
    inputs, ball = ObstacleInputs(), ((SPHERE, [0.2]), pose())
    inputs.on_scene(scene(collision_object("a", [ball], frame="tool"), collision_object("b", [ball], frame="")))
    found, elsewhere = inputs.now(["world", None])
    assert [each.name for each in found] == ["b"] and "'a' in 'tool'" in elsewhere
    assert names(inputs, ["tool"]) == ["a", "b"]


@pytest.mark.parametrize(
    "bad",
    [
        collision_object("bad", [((CONE, [1.0, 1.0]), pose())]),
        collision_object("bad", [((BOX, [1.0, 1.0]), pose())]),
        collision_object("bad", [((SPHERE, [float("nan")]), pose())]),
        collision_object("bad", [((SPHERE, [1.0]), pose(float("inf")))]),
        collision_object("bad", meshes=[([(0, 0, 0)], pose())]),
        collision_object("bad", operation=MOVE),
        collision_object("bad", operation=7),
        collision_object("bad", at=pose(float("nan"))),
        collision_object("bad", at=pose(turn=(0.0, 0.0, float("inf"), 1.0))),
        collision_object("bad", planes=[Fields()], at=pose(turn=(float("nan"), 0.0, 0.0, 1.0))),
    ],
)
def test_an_object_that_cannot_be_read_is_refused_and_the_others_are_taken(bad):
    inputs, ball = ObstacleInputs(), ((SPHERE, [0.2]), pose())
    with pytest.raises(ObstacleError) as error:
        inputs.on_scene(scene(bad, collision_object("good", [ball])))
    assert "bad" in error.value.thing and error.value.cure
    assert names(inputs) == ["good"]


def test_planes_are_refused_by_name_and_the_other_parts_count():
    inputs, ball = ObstacleInputs(), ((SPHERE, [0.2]), pose())
    with pytest.raises(ObstacleError) as error:
        inputs.on_scene(scene(collision_object("floor", [ball], planes=[Fields()])))
    assert "floor" in error.value.thing and names(inputs) == ["floor"]


def test_an_octomap_is_named_while_it_is_there():
    inputs = ObstacleInputs()
    assert not inputs.came and inputs.left_out == ""
    inputs.on_scene(scene(octomap=[1, 2]))
    inputs.on_scene(scene(is_diff=True))
    assert inputs.came and inputs.left_out == "the octomap", "changes without an octomap leave it"
    inputs.on_scene(scene(is_diff=True, octomap=[]))
    assert inputs.left_out == ""
    inputs.on_scene(scene(octomap=[1]))
    inputs.on_scene(scene())
    assert inputs.left_out == "", "a whole scene replaces all"


def test_a_body_that_is_attached_is_named_and_is_no_obstacle_any_more():
    inputs, ball = ObstacleInputs(), ((SPHERE, [0.2]), pose())
    inputs.on_scene(scene(collision_object("cup", [ball]), collision_object("post", [ball])))
    inputs.on_scene(scene(is_diff=True, attached=[body("cup")]))
    assert names(inputs) == ["post"] and inputs.left_out == "'cup', attached to 'hand'"
    inputs.on_scene(scene(collision_object("cup", [ball]), is_diff=True))  # put down
    assert names(inputs) == ["post", "cup"] and inputs.left_out == ""
    for name in ("cup", ""):
        inputs.on_scene(scene(is_diff=True, attached=[body("cup"), body("plate")]))
        inputs.on_scene(scene(is_diff=True, attached=[body(name, operation=REMOVE)]))
        assert inputs.left_out == ("'plate', attached to 'hand'" if name else "")
    inputs.on_scene(scene(attached=[body("plate")]))
    inputs.on_scene(scene())
    assert inputs.left_out == ""


def test_objects_that_cannot_be_read_are_named_until_they_are_replaced_or_gone():
    inputs, ball = ObstacleInputs(), ((SPHERE, [0.2]), pose())
    bad = (collision_object("cone", [((CONE, [1.0]), pose())]), collision_object("floor", [ball], planes=[Fields()]))
    for gone in ([collision_object(name, [ball]) for name in ("cone", "floor")], [collision_object("", (), REMOVE)]):
        with pytest.raises(ObstacleError):
            inputs.on_scene(scene(*bad))
        assert "'cone' (" in inputs.left_out and "'floor' (it has planes" in inputs.left_out
        inputs.on_scene(scene(*gone, is_diff=True))
        assert inputs.left_out == ""


def test_what_is_left_out_is_a_lasting_warning_and_logged_once():
    bench = CoreBench()
    assert not [each for each in bench.core.statuses() if each.part == "obstacles"]
    for _ in range(20):
        bench.core.on_planning_scene(scene(octomap=[1], attached=[body("cup")]))
        bench.pass_time(10.0)
        status = bench.status("obstacles")
        assert status.level == WARN and "the octomap, 'cup', attached to 'hand'" in status.message
    assert sum("octomap" in line for line in bench.log.warnings) == 1
    bench.core.on_planning_scene(scene())
    assert bench.status("obstacles").level == OK


def test_the_imaginer_knows_robot_and_obstacles():
    bench = CoreBench()
    bench.core.on_robot_description(Fields(data=URDF))
    bench.core.description.work_off()
    ball = ((SPHERE, [0.2]), pose())
    near = (collision_object("a", [ball], frame="foot"), collision_object("b", [ball]))
    bench.core.on_planning_scene(scene(*near, collision_object("c", [ball], frame="tip")))
    bench.camera()
    bench.plan()
    bench.plan()
    assert bench.imaginer.robot_description == URDF
    assert [each.name for each in bench.imaginer.obstacles] == ["a", "b"]
    assert "'c' in 'tip'" in bench.status("requests").message
    bench.core.on_planning_scene(scene(collision_object("a", [((CONE, [1.0]), pose())])))
    assert bench.status("requests").values["obstacles_refused"] == 2


def test_the_node_lives_on_where_an_unknown_object_moves_and_follows_a_known_one():
    bench = CoreBench()
    bench.core.on_robot_description(Fields(data=URDF))
    bench.core.description.work_off()
    bench.core.on_planning_scene(scene(collision_object("cup", [((SPHERE, [0.2]), pose(1.0))])))
    moves = [collision_object(name, operation=MOVE, at=pose(2.0)) for name in ("ghost", "cup")]
    bench.core.on_planning_scene(scene(*moves, is_diff=True))
    status = bench.status("obstacles")
    assert status.level == WARN and "'ghost'" in status.message and status.values["obstacles_refused"] == 1
    bench.camera()
    bench.plan()
    bench.plan()
    assert [(each.name, each.xyz) for each in bench.imaginer.obstacles] == [("cup", (2.0, 0.0, 0.0))]


def test_the_message_of_moveit_has_these_fields():
    messages = pytest.importorskip("moveit_msgs.msg", reason="moveit_msgs comes with MoveIt 2, not from PyPI")
    made = messages.PlanningScene()
    made.world.collision_objects.append(messages.CollisionObject(id="a", operation=messages.CollisionObject.REMOVE))
    cup = messages.CollisionObject(id="cup", operation=messages.CollisionObject.ADD)
    made.robot_state.attached_collision_objects.append(messages.AttachedCollisionObject(link_name="hand", object=cup))
    made.world.octomap.octomap.data = [1]
    inputs = ObstacleInputs()
    inputs.on_scene(made)
    assert "octomap" in inputs.left_out and "'cup'" in inputs.left_out
    unknown = messages.CollisionObject(id="ghost", operation=messages.CollisionObject.MOVE)
    made.world.collision_objects = [unknown]
    with pytest.raises(ObstacleError) as error:
        inputs.on_scene(made)
    assert "'ghost'" in error.value.thing
