"""Meshes of a description: as large and where RViz shows them, absurd sizes named."""

import numpy as np
import pytest
from meshes import parts_of

from astra_ros.robot.kinematics import KinematicsError, parse_urdf
from astra_ros.robot.meshes import read_mesh
from astra_ros.robot.shapes import BrokenMeshes, convex_parts, mesh_notes, odd_sizes

trimesh = pytest.importorskip("trimesh")
pytest.importorskip("yourdfpy")
collada = pytest.importorskip("collada")

SIZE = np.array([0.1, 0.04, 0.02])  # m
FACES = "0 1 3 0 3 2 4 6 7 4 7 5 0 4 5 0 5 1 2 3 7 2 7 6 0 2 6 0 6 4 1 5 7 1 7 3"  # of the corners of `corners`


def corners(size=SIZE) -> np.ndarray:
    """[8, 3] of a box from the origin on, z fastest."""
    return np.array([(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]) * size


def geometry(name: str, size, kind: str = "triangles") -> str:
    numbers = " ".join(f"{value:.17g}" for value in corners(size).ravel())
    primitive = (
        f'<triangles count="12"><input semantic="VERTEX" source="#{name}v" offset="0"/><p>{FACES}</p></triangles>'
    )
    if kind == "polylist":
        primitive = (
            f'<polylist count="12"><input semantic="VERTEX" source="#{name}v" offset="0"/>'
            f"<vcount>{'3 ' * 12}</vcount><p>{FACES}</p></polylist>"
        )
    return f"""<geometry id="{name}"><mesh><source id="{name}p">
      <float_array id="{name}a" count="24">{numbers}</float_array>
      <technique_common><accessor source="#{name}a" count="8" stride="3"><param name="X" type="float"/>
      <param name="Y" type="float"/><param name="Z" type="float"/></accessor></technique_common></source>
      <vertices id="{name}v"><input semantic="POSITION" source="#{name}p"/></vertices>{primitive}</mesh></geometry>"""


def dae(path, asset: str, nodes: str = "", geometries: str = "", library: str = "") -> str:
    nodes = nodes or '<node id="n"><instance_geometry url="#g"/></node>'
    library = f"<library_nodes>{library}</library_nodes>" if library else ""
    path.write_text(f"""<?xml version="1.0" encoding="utf-8"?>
      <COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">{asset}
      <library_geometries>{geometries or geometry("g", SIZE)}</library_geometries>{library}
      <library_visual_scenes><visual_scene id="s">{nodes}</visual_scene></library_visual_scenes>
      <scene><instance_visual_scene url="#s"/></scene></COLLADA>""")
    return f"file://{path}"


def asset(unit: str = "", up: str = "") -> str:
    return f"<asset><contributor/>{unit}{up and f'<up_axis>{up}</up_axis>'}</asset>"


def bounds(*names: str, scale: str = "") -> np.ndarray:
    """[2, 3] m: lower and upper corner of what is drawn."""
    vertices = np.concatenate([part.vertices for part in parts_of(*names, scale=scale)])
    return np.stack([vertices.min(axis=0), vertices.max(axis=0)])


@pytest.mark.parametrize("up", ["X_UP", "Y_UP", "Z_UP", ""])
@pytest.mark.parametrize("unit", ["1", "0.001", "0.0254", "0.01", " 1e-3 ", "0,001", "1000"])
def test_the_unit_of_a_collada_file_counts_and_its_up_axis_does_not(tmp_path, unit, up):
    metres = float(unit.replace(",", "."))
    name = dae(
        tmp_path / "box.dae", asset(f'<unit name="u" meter="{unit}"/>', up), geometries=geometry("g", SIZE / metres)
    )
    np.testing.assert_allclose(bounds(name), [[0, 0, 0], SIZE], atol=1e-9)
    np.testing.assert_allclose(bounds(name, scale="2 1 -0.5"), [[0, 0, -0.01], [0.2, 0.04, 0]], atol=1e-9)


@pytest.mark.parametrize("says", ["", "<asset/>", asset(), asset("<unit/>"), asset('<unit name="meter"/>')])
def test_a_collada_file_without_a_unit_is_in_metres(tmp_path, says):
    np.testing.assert_allclose(bounds(dae(tmp_path / "box.dae", says)), [[0, 0, 0], SIZE], atol=1e-9)


@pytest.mark.parametrize("unit", ["0", "-1", "nan", "inf", "metre", ""])
def test_a_unit_that_is_no_length_is_named(tmp_path, unit):
    name = dae(tmp_path / "box.dae", asset(f'<unit meter="{unit}"/>'))
    with pytest.raises(BrokenMeshes) as caught:
        parts_of(name)
    assert f'meter="{unit}"' in caught.value.found
    assert caught.value.meshes == (name,) and caught.value.link == "base"


def test_every_node_of_a_collada_scene_is_where_its_transforms_place_it(tmp_path):
    nodes = """<node id="a"><matrix>1 0 0 1000  0 1 0 0  0 0 1 0  0 0 0 1</matrix>
        <node id="b"><translate>0 200 0</translate><rotate>0 0 1 90</rotate><scale>2 1 1</scale>
          <instance_geometry url="#g"/></node></node>
      <node id="c"><translate>0 0 500</translate><instance_node url="#shared"/></node>
      <node id="d"><instance_node url="#shared"/></node>"""
    library = '<node id="shared"><translate>-1000 0 0</translate><instance_geometry url="#h"/></node>'
    both = geometry("g", SIZE * 1000) + geometry("h", [10, 20, 30], "polylist")
    name = dae(tmp_path / "parts.dae", asset('<unit meter="0.001"/>', "Y_UP"), nodes, both, library)
    # By hand, in m. a/b: x from 0 to 0.2 turns to y, y from 0 to 0.04 turns to -x; then 0.2 in y and 1 in x.
    b = [[0.96, 0.2, 0.0], [1.0, 0.4, 0.02]]
    c, d = [[-1.0, 0, 0.5], [-0.99, 0.02, 0.53]], [[-1.0, 0, 0], [-0.99, 0.02, 0.03]]
    low, high = np.min([b[0], c[0], d[0]], axis=0), np.max([b[1], c[1], d[1]], axis=0)
    np.testing.assert_allclose(bounds(name), [low, high], atol=1e-9)
    vertices, faces = read_mesh(tmp_path / "parts.dae")
    triangles = vertices[faces]
    assert len(triangles) == 36
    for box in (b, c, d):
        inside = ((triangles >= np.array(box[0]) - 1e-6) & (triangles <= np.array(box[1]) + 1e-6)).all(axis=(1, 2))
        assert inside.sum() == 12
        np.testing.assert_allclose(triangles[inside].min(axis=(0, 1)), box[0], atol=1e-6)
        np.testing.assert_allclose(triangles[inside].max(axis=(0, 1)), box[1], atol=1e-6)


@pytest.mark.parametrize("kind", ["stl", "ascii.stl", "obj", "ply", "glb"])
def test_other_formats_are_metres_as_they_stand(tmp_path, kind):
    mesh = trimesh.Trimesh(corners(), np.array(FACES.split(), int).reshape(-1, 3), process=False)
    path = tmp_path / f"box.{kind}"
    mesh.export(path, file_type="stl_ascii" if kind == "ascii.stl" else kind)
    np.testing.assert_allclose(bounds(str(path)), [[0, 0, 0], SIZE], atol=1e-7)
    np.testing.assert_allclose(bounds(str(path), scale="10 10 10"), [[0, 0, 0], 10 * SIZE], atol=1e-6)


CHAIN = "".join(
    f'<joint name="j{i}" type="fixed"><parent link="l{i}"/><child link="l{i + 1}"/></joint>' for i in range(3)
)


@pytest.mark.parametrize("kind", ["glb", "gltf"])
def test_the_nodes_of_a_gltf_scene_count(tmp_path, kind):
    scene, box = trimesh.Scene(), trimesh.Trimesh(corners(), np.array(FACES.split(), int).reshape(-1, 3), process=False)
    scene.add_geometry(box, node_name="here", geom_name="box")
    there = trimesh.transformations.translation_matrix([0, 0, 1]) @ np.diag([2.0, 2, 2, 1])
    scene.add_geometry(box, node_name="there", geom_name="box", transform=there)
    if kind == "glb":
        scene.export(tmp_path / "scene.glb")
    else:
        for name, data in trimesh.exchange.gltf.export_gltf(scene).items():
            (tmp_path / {"model.gltf": "scene.gltf"}.get(name, name)).write_bytes(data)
    high = 2 * SIZE + [0, 0, 1]
    np.testing.assert_allclose(bounds(str(tmp_path / f"scene.{kind}")), [[0, 0, 0], high], atol=1e-6)


@pytest.mark.parametrize("kind", ["glb", "gltf", "GLB", "stl", "obj"])
def test_which_way_is_up_in_a_gltf_file_is_as_in_rviz_of_jazzy_and_kilted_and_said(tmp_path, kind):
    name = f"package://arm/{'mast'}.{kind}"
    links = "".join(
        f'<link name="l{i}"><visual><geometry>{shape}</geometry></visual></link>'
        for i, shape in enumerate(
            (
                f'<mesh filename="{name}"/>',
                '<box size="1 1 1"/>',
                f'<mesh filename="{name}"/>',
                '<mesh filename="a.stl"/>',
            )
        )
    )
    notes = mesh_notes(parse_urdf(f'<robot name="r">{links}{CHAIN}</robot>'))
    if kind.lower() not in ("glb", "gltf"):
        assert notes == []
        return
    (note,) = notes
    assert name in note and "more" not in note and "Jazzy" in note and "Lyrical" in note and "STL" in note
    trimesh.creation.box((0.1, 1.0, 0.1)).export(tmp_path / "mast.glb")  # 1 m along y in the file
    np.testing.assert_allclose(np.ptp(bounds(str(tmp_path / "mast.glb")), axis=0), [0.1, 1.0, 0.1], atol=1e-6)


def test_all_meshes_that_are_missing_or_broken_are_named_together(tmp_path, monkeypatch):
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    (tmp_path / "share" / "there").mkdir(parents=True)
    (tmp_path / "broken.stl").write_bytes(b"solid nothing")
    (tmp_path / "nan.obj").write_text("v 0 0 0\nv 1 0 0\nv nan 1 0\nf 1 2 3\n")
    good = dae(tmp_path / "good.dae", "")
    names = {
        "package://my_arm/a.stl": f"share/my_arm of AMENT_PREFIX_PATH={tmp_path}",
        "package://there/b.stl": "no file 'b.stl' in",
        "file:///nowhere/c.stl": "no such file",
        "meshes/d.stl": "relative",
        "model://arm/e.stl": "model://",
        str(tmp_path / "broken.stl"): "no triangles",
        str(tmp_path / "nan.obj"): "NaN",
    }
    for name, found in names.items():
        with pytest.raises(BrokenMeshes) as caught:
            parts_of(good, name)
        assert found in caught.value.found and caught.value.cure and name in str(caught.value)
    with pytest.raises(BrokenMeshes) as caught:
        parts_of(*names, "package://my_arm/a.stl")
    assert caught.value.meshes == tuple(names) and "6 more" in str(caught.value)
    monkeypatch.delenv("AMENT_PREFIX_PATH")
    with pytest.raises(BrokenMeshes) as caught:
        parts_of("package://my_arm/a.stl")
    assert "AMENT_PREFIX_PATH" in str(caught.value)
    with pytest.raises(KinematicsError) as error:
        parts_of(good, geometry="collision")
    assert "collision" in error.value.problem and error.value.cure


def test_absurd_sizes_are_named(tmp_path):
    def odd(xml: str) -> list[str]:
        return odd_sizes(convex_parts(parse_urdf(f'<robot name="r"><link name="base">{xml}</link></robot>')))

    def visual(shape: str, at: str = "0 0 0") -> str:
        return f'<visual><origin xyz="{at}"/><geometry>{shape}</geometry></visual>'

    name = dae(tmp_path / "box.dae", asset('<unit meter="1"/>'), geometries=geometry("g", SIZE * 1000))
    millimetres = f'<mesh filename="{name}"/>'
    (one,) = odd(visual(millimetres) + visual('<box size="1 1 1"/>'))
    assert "link 'base'" in one and name in one and "100 m" in one
    assert odd(visual(millimetres.replace("/>", ' scale=".001 .001 .001"/>'))) == []
    (small,) = odd(visual(millimetres.replace("/>", ' scale="1e-7 1e-7 1e-7"/>')))
    assert "1e-05 m large" in small
    (away,) = odd(visual('<sphere radius="0.1"/>', "0 500 0"))
    assert "sphere" in away and "500 m from" in away
    # A sheet without thickness, a long crane and a small screw are none.
    assert odd(visual('<box size="2 2 0"/>') + visual('<box size="19 1 1"/>') + visual('<sphere radius="1e-4"/>')) == []


@pytest.mark.parametrize(
    "shape, at",
    [('<box size="1 nan 1"/>', "0 0 0"), ('<sphere radius="inf"/>', "0 0 0"), ('<box size="1 1 1"/>', "0 nan 0")],
)
def test_numbers_that_are_not_finite_are_refused(shape, at):
    robot = parse_urdf(
        f'<robot name="r"><link name="base"><visual><origin xyz="{at}"/><geometry>{shape}</geometry></visual></link>'
        "</robot>"
    )
    with pytest.raises(KinematicsError) as error:
        convex_parts(robot)
    assert "'base'" in error.value.problem and "not finite" in error.value.problem
