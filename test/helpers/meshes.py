"""The shapes that a description with these meshes has."""

from astra_ros.robot.kinematics import parse_urdf
from astra_ros.robot.shapes import convex_parts


def parts_of(*names: str, scale: str = "", **options):
    visuals = "".join(
        f'<visual><geometry><mesh filename="{name}"{scale and f" scale={chr(34)}{scale}{chr(34)}"}/>'
        "</geometry></visual>"
        for name in names
    )
    return convex_parts(parse_urdf(f'<robot name="r"><link name="base">{visuals}</link></robot>'), **options)
