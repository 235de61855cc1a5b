"""A house as one painted mesh: few triangles, one texture, drawn at once.

The software renderer spends time on every body and triangle, and holds one texture a body. So all faces of the house
become one mesh, and their pictures are packed into one texture.
"""

from __future__ import annotations

import numpy as np

from astra_ros.simulation.bullet import pybullet
from astra_ros.simulation.explore import textures
from astra_ros.simulation.explore.floorplan import Door, Room
from astra_ros.simulation.explore.geometry import Block
from astra_ros.simulation.explore.scene import House
from astra_ros.simulation.session import Session
from astra_ros.simulation.worlds import SceneError

ATLAS_COLUMNS = 1024
ROUND_SIDES = 12
UP = np.array([0.0, 0.0, 1.0])
THRESHOLD_RGB = (0.35, 0.3, 0.27)
CEILING_RGB = (0.9, 0.9, 0.88)


class PaintedMesh:
    """Faces with pictures, collected for ``show``."""

    def __init__(self) -> None:
        self._pictures: list[np.ndarray] = []
        self._corners: list[np.ndarray] = []
        self._places: list[tuple[int, np.ndarray]] = []

    def picture(self, picture: np.ndarray) -> int:
        """Keep a picture, float [rows, columns, 3] in 0..1; returns its number."""
        self._pictures.append(textures.as_bytes(picture))
        return len(self._pictures) - 1

    def face(self, corners, picture: int, places) -> None:
        """A convex face.

        Args:
            corners: [n, 3] m, counterclockwise as seen from its front; its back is not drawn.
            picture: number of its picture.
            places: [n, 2] of each corner in the picture: 0..1 right, 0..1 down.
        """
        self._corners.append(np.asarray(corners, dtype=np.float64))
        self._places.append((picture, np.asarray(places, dtype=np.float64)))

    def panel(self, origin, right, up, size, picture: int, window=((0, 0), (1, 1))) -> None:
        """A rectangle.

        Args:
            origin: [3] m, its bottom left corner as seen from its front.
            right, up: [3] unit vectors along its edges.
            size: width and height, m.
            picture: number of its picture.
            window: left top and right bottom corner of the part of the picture that it shows.
        """
        (left, top), (end, bottom) = window
        origin, across, high = np.asarray(origin), size[0] * right, size[1] * up
        self.face(
            [origin, origin + across, origin + across + high, origin + high],
            picture,
            [(left, bottom), (end, bottom), (end, top), (left, top)],
        )

    def show(self, session: Session) -> int:
        """Make the body in a simulation; returns its number."""
        texture, spots = _packed(self._pictures)
        rows, columns = texture.shape[:2]
        uvs, indices, count = [], [], 0
        for corners, (picture, places) in zip(self._corners, self._places):
            top, left = spots[picture]
            height, width = self._pictures[picture].shape[:2]
            # Half a pixel inside, so that neighbours in the texture do not bleed in.
            u = (left + 0.5 + places[:, 0] * (width - 1)) / columns
            v = (top + 0.5 + places[:, 1] * (height - 1)) / rows
            uvs.append(np.stack([u, 1.0 - v], axis=1))
            for i in range(1, len(corners) - 1):
                indices += [count, count + i, count + i + 1]
            count += len(corners)
        shape = session.createVisualShape(
            pybullet.GEOM_MESH,
            vertices=np.concatenate(self._corners).tolist(),
            indices=indices,
            uvs=np.concatenate(uvs).tolist(),
            normals=[[0.0, 0.0, 1.0]] * count,  # unused: light is in the pictures
            rgbaColor=[1.0, 1.0, 1.0, 1.0],
        )
        body = session.createMultiBody(baseMass=0.0, baseVisualShapeIndex=shape)
        session.changeVisualShape(body, -1, textureUniqueId=session.load_texture(texture))
        return body


def house_mesh(house: House) -> PaintedMesh:
    """The house's floors, ceilings, walls, doorways and furniture, painted."""
    mesh = PaintedMesh()
    rng = np.random.default_rng([house.style_seed, 15])
    _add_floor_and_ceiling(mesh, house, rng)
    for index, room in enumerate(house.plan.rooms):
        for axis in (0, 1):
            for is_high in (False, True):
                _add_wall(mesh, house, index, room, axis, is_high, rng)
    for door in house.plan.doors:
        _add_doorway(mesh, house, door)
    for block in house.furniture:
        (_add_drum if block.round else _add_box)(mesh, house, block, rng)
    return mesh


def _add_floor_and_ceiling(mesh: PaintedMesh, house: House, rng) -> None:
    size, scale = house.settings.size_m, textures.FLOOR_PIXELS_M
    pixels = round(size * scale)
    floor = textures.plain((pixels, pixels), THRESHOLD_RGB)
    ceiling = textures.plain((pixels // 4, pixels // 4), CEILING_RGB)
    for room, look in zip(house.plan.rooms, house.looks):
        low, high = room.floor(house.settings.wall_m)
        part = textures.floor(look, low, high, rng)
        rows, columns = part.shape[:2]
        top, left = round((size - high[1]) * scale), round(low[0] * scale)
        floor[top : top + rows, left : left + columns] = part
        above = ceiling[top // 4 : (top + rows) // 4, left // 4 : (left + columns) // 4]
        above[:] = textures.ceiling(look, (above.shape[0], above.shape[1]), rng)
    _add_shadows(floor, house)
    # Both pictures are as seen from above; a quarter each fits better into the texture.
    east, north = np.eye(3)[:2]
    half, middle = size / 2.0, pixels // 2
    for x, columns in ((0.0, slice(0, middle)), (half, slice(middle, None))):
        for y, rows in ((half, slice(0, middle)), (0.0, slice(middle, None))):
            mesh.panel((x, y, 0.0), east, north, (half, half), mesh.picture(floor[rows, columns]))
    number = mesh.picture(ceiling[:, ::-1])
    mesh.panel((size, 0.0, house.settings.height_m), -east, north, (size, size), number)


def _add_shadows(floor: np.ndarray, house: House) -> None:
    """Soft shadows on the floor round furniture, and under tables."""
    size, scale = house.settings.size_m, textures.FLOOR_PIXELS_M
    for i, block in enumerate(house.furniture, start=len(house.plan.walls)):
        if block.low > 0.8:
            continue
        reach = float(np.hypot(*block.half[:2])) + 0.3
        x0, x1 = ((np.array([-reach, reach]) + block.centre[0]) * scale).round().astype(int)
        y0, y1 = ((np.array([-reach, reach]) + size - block.centre[1]) * scale).round().astype(int)
        x0, y0 = max(x0, 0), max(y0, 0)
        part = floor[y0:y1, x0:x1]
        rows, columns = part.shape[:2]
        points = np.empty((rows, columns, 2))
        points[..., 0] = (x0 + 0.5 + np.arange(columns)) / scale
        points[..., 1] = (size - (y0 + 0.5 + np.arange(rows)) / scale)[:, None]
        away = house.solids.only(i).distances(points.reshape(-1, 2)).reshape(rows, columns, 1)
        depth = 0.45 if block.low < 0.05 else 0.3
        part *= 1.0 - depth * np.exp(-np.maximum(away, 0.0) / 0.08)


def _add_wall(mesh, house: House, index: int, room: Room, axis: int, is_high: bool, rng) -> None:
    """One side of a room, seen from inside, with its openings left out."""
    settings = house.settings
    low, high = room.floor(settings.wall_m)
    edge = (room.high if is_high else room.low)[axis]
    ahead = np.eye(3)[axis] * (1.0 if is_high else -1.0)  # looking at it
    right = _right_of(ahead)
    along = 1 - axis
    left_end = (low if right[along] > 0 else high)[along]
    length = float((high - low)[along])
    base = np.zeros(3)
    base[axis], base[along] = (high if is_high else low)[axis], left_end
    openings = sorted(
        tuple(sorted((abs(door.start - left_end), abs(door.end - left_end))))
        for door in house.plan.doors
        if index in door.rooms and door.axis == axis and door.at == edge
    )
    top, door_top = settings.height_m, settings.door_height_m
    picture = textures.wall(house.looks[index], length, top, openings, door_top, edge in (0.0, settings.size_m), rng)
    number = mesh.picture(picture * textures.shade(-ahead, house.light))

    def part(start: float, end: float, bottom: float) -> None:
        window = ((start / length, 0.0), (end / length, 1.0 - bottom / top))
        corner, size = base + start * right + bottom * UP, (end - start, top - bottom)
        mesh.panel(corner, right, UP, size, number, window)

    start = 0.0
    for begin, end in openings:
        part(start, begin, 0.0)
        part(begin, end, door_top)
        start = end
    part(start, length, 0.0)


def _add_doorway(mesh: PaintedMesh, house: House, door: Door) -> None:
    """The sides and the top of an opening, as thick as the wall."""
    settings = house.settings
    trim = 0.35 * np.array(house.looks[door.rooms[0]].trim_rgb) + 0.15
    across = np.array([*door.across, 0.0])
    half = settings.wall_m / 2.0
    middle = np.array([*door.middle, 0.0])
    along = np.eye(3)[1 - door.axis] * (door.end - door.start) / 2.0
    height = settings.door_height_m
    for ahead in (along, -along):  # looking at a jamb from the opening
        ahead_unit = ahead / np.linalg.norm(ahead)
        right = _right_of(ahead_unit)
        number = mesh.picture(textures.plain((4, 4), trim * textures.shade(-ahead_unit, house.light)))
        mesh.panel(middle + ahead - half * right, right, UP, (2.0 * half, height), number)
    number = mesh.picture(textures.plain((4, 4), trim * textures.shade(-UP, house.light)))
    right = np.cross(UP, across)  # looking up, with ``across`` up in the view
    width = 2.0 * float(np.abs(along).max())
    corner = middle + height * UP - half * across - width / 2.0 * right
    mesh.panel(corner, right, across, (width, 2.0 * half), number)


def _add_box(mesh: PaintedMesh, house: House, block: Block, rng) -> None:
    """Four sides and the top, and the bottom of a box above the floor."""
    c, s = np.cos(block.yaw), np.sin(block.yaw)
    axes = np.array([[c, s, 0.0], [-s, c, 0.0]])
    centre = np.array(block.centre)
    height = 2.0 * block.half[2]
    for axis in (0, 1):
        for sign in (1.0, -1.0):
            normal = sign * axes[axis]
            right = _right_of(-normal)
            width = 2.0 * block.half[1 - axis]
            look = textures.side(block.pattern, block.rgb, width, height, rng)
            number = mesh.picture(look * textures.shade(normal, house.light))
            corner = centre + block.half[axis] * normal - block.half[1 - axis] * right
            mesh.panel(corner - block.half[2] * UP, right, UP, (width, height), number)
    size = (2.0 * block.half[0], 2.0 * block.half[1])
    top = textures.side("plain", block.rgb, *size, rng) * textures.shade(UP, house.light)
    corner = centre + block.half[2] * UP - block.half[0] * axes[0] - block.half[1] * axes[1]
    mesh.panel(corner, axes[0], axes[1], size, mesh.picture(top))
    if block.low > 0.05:
        under = textures.plain((4, 4), np.array(block.rgb) * textures.shade(-UP, house.light))
        corner = centre - block.half[2] * UP + block.half[0] * axes[0] - block.half[1] * axes[1]
        mesh.panel(corner, -axes[0], axes[1], size, mesh.picture(under))


def _add_drum(mesh: PaintedMesh, house: House, block: Block, rng) -> None:
    """An upright prism with ``ROUND_SIDES`` sides and a top."""
    radius, bottom, top = block.half[0], block.low, block.high
    angles = np.linspace(0.0, 2.0 * np.pi, ROUND_SIDES + 1)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius + block.centre[:2]
    look = textures.side(block.pattern, block.rgb, 2.0 * np.pi * radius, top - bottom, rng)
    at = (np.arange(look.shape[1]) + 0.5) / look.shape[1] * 2.0 * np.pi
    normals = np.stack([np.cos(at), np.sin(at), 0.0 * at], axis=1)
    number = mesh.picture(look * textures.shade(normals, house.light)[:, None])
    for i in range(ROUND_SIDES):
        a, b = ring[i], ring[i + 1]
        u, w = i / ROUND_SIDES, (i + 1) / ROUND_SIDES
        mesh.face([(*a, bottom), (*b, bottom), (*b, top), (*a, top)], number, [(u, 1.0), (w, 1.0), (w, 0.0), (u, 0.0)])
    cap = textures.plain((4, 4), np.array(block.rgb) * textures.shade(UP, house.light))
    if top < house.settings.height_m:
        middle = np.full((ROUND_SIDES, 2), 0.5)
        mesh.face([(*p, top) for p in ring[:-1]], mesh.picture(cap), middle)
    if bottom > 0.05:
        under = mesh.picture(0.6 * cap)
        mesh.face([(*p, bottom) for p in ring[-2::-1]], under, np.full((ROUND_SIDES, 2), 0.5))


def _right_of(ahead: np.ndarray) -> np.ndarray:
    """[3] the right-hand direction of a level viewing direction [3], both unit vectors."""
    return np.array([ahead[1], -ahead[0], 0.0])


def _packed(pictures: list[np.ndarray]) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """One texture, uint8 [rows, ATLAS_COLUMNS, 3] RGB, and each picture's top and left in it.

    Pictures are packed in shelves, the tallest first.
    """
    spots: list[tuple[int, int]] = [(0, 0)] * len(pictures)
    top = left = shelf = 0
    for i in sorted(range(len(pictures)), key=lambda i: -len(pictures[i])):
        height, width = pictures[i].shape[:2]
        if width > ATLAS_COLUMNS:
            raise SceneError(
                f"a picture of the house is {width} pixels wide and the texture {ATLAS_COLUMNS}",
                cure="make size_m of the explore scene smaller",
            )
        if left + width > ATLAS_COLUMNS:
            top, left, shelf = top + shelf, 0, 0
        spots[i] = (top, left)
        left, shelf = left + width, max(shelf, height)
    texture = np.zeros((top + shelf, ATLAS_COLUMNS, 3), dtype=np.uint8)
    for picture, (row, column) in zip(pictures, spots):
        height, width = picture.shape[:2]
        texture[row : row + height, column : column + width] = picture
    return texture, spots
