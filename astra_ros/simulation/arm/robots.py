"""The simulated arms: URDF, joints, ready pose and limits.

A new arm is one more entry of ``ROBOTS``.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

from astra_ros.registry import UnknownName
from astra_ros.resources import resource_path


@dataclass(frozen=True)
class ToolSpec:
    """A tool of our own that is fixed to the last link of an arm.

    Attributes:
        urdf: file under ``urdf/``; its root link is mounted.
        mount_link: the arm's link that carries it.
        mount_xyz: m, the root link's origin in the frame of ``mount_link``.
        mount_rpy: rad.
    """

    urdf: str
    mount_link: str
    mount_xyz: tuple[float, float, float]
    mount_rpy: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class RobotSpec:
    """One arm. J is the number of driven joints.

    Attributes:
        name: key in ``ROBOTS``, value of the parameter ``robot``.
        urdf: file inside ``pybullet_data``.
        joint_names: J driven joints, base to tip.
        ready: [J] rad, where plans start and end: the hand raised between base and workspace.
        tool_link: link whose origin is the pushing point; its z axis points out of the tool,
            its y axis along the wide side of the pushing face.
        max_force: [J] Nm, the largest torque of a joint motor.
        max_speed: [J] rad/s, faster commands are slowed to this.
        reach_m: (nearest, farthest) horizontal distance from the base at which plans may work.
        held_joints: other joints, held at a fixed position (m or rad).
        tool: added tool, or None where the arm brings its own.
        push_height_m: height of the tool point over the table while pushing.
        coarse_links: links drawn with their collision mesh, which is quicker to render.
    """

    name: str
    urdf: str
    joint_names: tuple[str, ...]
    ready: tuple[float, ...]
    tool_link: str
    max_force: tuple[float, ...]
    max_speed: tuple[float, ...]
    reach_m: tuple[float, float]
    push_height_m: float
    held_joints: dict[str, float] = field(default_factory=dict)
    tool: ToolSpec | None = None
    coarse_links: tuple[str, ...] = ()


ROBOTS: dict[str, RobotSpec] = {
    spec.name: spec
    for spec in (
        RobotSpec(
            name="panda",
            urdf="franka_panda/panda.urdf",
            joint_names=tuple(f"panda_joint{i}" for i in range(1, 8)),
            ready=(0.0, -0.634, 0.0, -2.428, 0.0, 1.794, 0.785),
            tool_link="pusher_tip",
            max_force=(87.0, 87.0, 87.0, 87.0, 40.0, 40.0, 40.0),
            max_speed=(2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61),
            reach_m=(0.30, 0.74),
            push_height_m=0.015,
            # The fingers grip the paddle, so that the wide hand stays above the objects on the table.
            held_joints={"panda_finger_joint1": 0.014, "panda_finger_joint2": 0.014},
            tool=ToolSpec("pusher.urdf", "panda_hand", (0.0, 0.0, 0.085)),
            # The detailed meshes of these links take five times as long to render as all other links.
            coarse_links=tuple(f"panda_link{i}" for i in range(1, 7)),
        ),
        RobotSpec(
            name="kuka",
            urdf="kuka_iiwa/model.urdf",
            joint_names=tuple(f"lbr_iiwa_joint_{i}" for i in range(1, 8)),
            ready=(0.0, 0.186, 0.0, -1.928, 0.0, 1.028, 0.0),
            tool_link="pusher_tip",
            max_force=(200.0, 200.0, 150.0, 150.0, 100.0, 60.0, 60.0),
            max_speed=(2.2,) * 7,
            reach_m=(0.43, 0.75),
            push_height_m=0.015,
            tool=ToolSpec("pusher.urdf", "lbr_iiwa_link_7", (0.0, 0.0, 0.045)),
        ),
    )
}


def robot_spec(name: str) -> RobotSpec:
    if name not in ROBOTS:
        raise UnknownName("robot", name, sorted(ROBOTS))
    return ROBOTS[name]


def robot_description(spec: RobotSpec, shapes: bool = True, coarse: bool = False) -> str:
    """The arm's URDF as text, with its tool, and mesh files as ``file://`` URLs.

    Without ``shapes`` the kinematics is left. ``coarse`` draws ``spec.coarse_links`` with their collision meshes.

    Raises:
        FileNotFoundError: a URDF is missing.
    """
    import pybullet_data  # only this function needs it

    path = Path(pybullet_data.getDataPath()) / spec.urdf
    if not path.is_file():
        raise FileNotFoundError(f"robot '{spec.name}': no URDF at {path}; reinstall pybullet")
    robot = ElementTree.parse(path).getroot()
    if spec.tool is not None:
        robot.extend(_mounted(spec.tool))
    for mesh in robot.iter("mesh"):
        name = mesh.get("filename", "").removeprefix("package://")
        mesh.set("filename", f"file://{(path.parent / name).resolve()}")
    if coarse:
        for link in robot.iter("link"):
            if link.get("name") in spec.coarse_links:
                seen, coarse_mesh = link.find("visual/geometry/mesh"), link.find("collision/geometry/mesh")
                assert seen is not None and coarse_mesh is not None, f"{spec.urdf}: {link.get('name')} has no meshes"
                seen.set("filename", coarse_mesh.get("filename", ""))
    if not shapes:
        for link in robot.iter("link"):
            for shape in link.findall("visual") + link.findall("collision"):
                link.remove(shape)
    return ElementTree.tostring(robot, encoding="unicode")


def _mounted(tool: ToolSpec) -> list[ElementTree.Element]:
    """The tool's links and joints, plus the joint that mounts it."""
    elements = list(ElementTree.parse(resource_path(f"urdf/{tool.urdf}")).getroot())
    children = {child.get("link") for e in elements if (child := e.find("child")) is not None}
    root = next(e.get("name", "") for e in elements if e.tag == "link" and e.get("name") not in children)
    joint = ElementTree.Element("joint", name=f"{root}_mount", type="fixed")
    ElementTree.SubElement(joint, "parent", link=tool.mount_link)
    ElementTree.SubElement(joint, "child", link=root)
    ElementTree.SubElement(
        joint, "origin", xyz=" ".join(map(str, tool.mount_xyz)), rpy=" ".join(map(str, tool.mount_rpy))
    )
    return [*elements, joint]
