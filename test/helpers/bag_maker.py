"""Writes small rosbag2s for tests: messages in any order, at seconds from T0, sorted on closing."""

from __future__ import annotations

import cv2
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

T0 = 1_700_000_000  # s
DELAY_S = 0.005  # from stamp to recorder
STORE = get_typestore(Stores.LATEST)
STORE.register(
    get_types_from_msg(
        "std_msgs/Header header\nstring[] joint_names\n"
        "trajectory_msgs/JointTrajectoryPoint reference\n"
        "trajectory_msgs/JointTrajectoryPoint feedback\n",
        "control_msgs/msg/JointTrajectoryControllerState",
    )
)
CONTROLLER = "control_msgs/msg/JointTrajectoryControllerState"


def make(type_: str, **fields):
    return STORE.types[type_](**fields)


def ns(seconds: float) -> int:
    return T0 * 10**9 + round(seconds * 1e9)


def time_of(stamp_ns: int):
    return make("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)


def header(stamp: float | None, frame: str = ""):
    """`stamp` in seconds from T0; None: an empty one."""
    stamp_ns = 0 if stamp is None else ns(stamp)
    return make("std_msgs/msg/Header", stamp=time_of(stamp_ns), frame_id=frame)


def vector(x=0.0, y=0.0, z=0.0):
    return make("geometry_msgs/msg/Vector3", x=float(x), y=float(y), z=float(z))


def twist_of(vx=0.0, vy=0.0, wz=0.0):
    return make("geometry_msgs/msg/Twist", linear=vector(vx, vy), angular=vector(0, 0, wz))


def quaternion(q):
    x, y, z, w = map(float, q)
    return make("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w)


class BagMaker:
    """A bag that is written when the context ends. Each method adds a message."""

    def __init__(self, path, storage: str = "mcap", compression: str | None = None, store=STORE):
        """`compression`: 'file', 'message' or 'storage' with zstd, as `ros2 bag record` offers them; `store`: the
        definitions of the messages."""
        self.store = store
        self.path, self.storage, self.compression = path, StoragePlugin[storage.upper()], compression
        self._messages: list[tuple[int, str, str, object]] = []
        self._images: dict[str, int] = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            return
        writer = Writer(self.path, version=9, storage_plugin=self.storage)
        if self.compression:
            writer.set_compression(CompressionMode[self.compression.upper()], CompressionFormat.ZSTD)
        with writer:
            connections = {}
            for received_ns, topic, type_, message in sorted(self._messages, key=lambda m: m[0]):
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, type_, typestore=self.store)
                raw = message if isinstance(message, bytes) else self.store.serialize_cdr(message, type_)
                writer.write(connections[topic], received_ns, raw)

    def add(self, t: float, topic: str, type_: str, message, received: float | None = None) -> None:
        """`received` in seconds from T0; else a little after `t`."""
        received = t + DELAY_S if received is None else received
        self._messages.append((ns(received), topic, type_, message))

    def image(
        self,
        t,
        topic="/camera/image_raw",
        size=(64, 64),
        stamp=...,
        encoding="rgb8",
        frame="camera_optical",
        received=None,
        data=None,
        **fields,
    ):
        """All grey; the n-th image of a topic has the grey value n."""
        height, width = size
        channels = {"mono8": 1, "16UC1": 2}.get(encoding, 3)
        if data is None:
            data = np.full(height * width * channels, self._next(topic), np.uint8)
        values = (
            dict(height=height, width=width, encoding=encoding, is_bigendian=0, step=width * channels, data=data)
            | fields
        )
        self.add(
            t,
            topic,
            "sensor_msgs/msg/Image",
            make("sensor_msgs/msg/Image", header=header(t if stamp is ... else stamp, frame), **values),
            received,
        )

    def compressed(self, t, topic="/camera/image_raw/compressed", size=(64, 64), kind="png", data=None, format=None):
        if data is None:
            image = np.full((*size, 3), self._next(topic), np.uint8)
            data = cv2.imencode(f".{kind}", image)[1].ravel()
        self.add(
            t,
            topic,
            "sensor_msgs/msg/CompressedImage",
            make(
                "sensor_msgs/msg/CompressedImage",
                header=header(t, "camera_optical"),
                format=format or f"rgb8; {kind} compressed bgr8",
                data=np.asarray(data, np.uint8),
            ),
        )

    def joints(self, t, topic="/joint_states", stamp=..., received=None, **positions):
        none = np.empty(0)
        self.add(
            t,
            topic,
            "sensor_msgs/msg/JointState",
            make(
                "sensor_msgs/msg/JointState",
                header=header(t if stamp is ... else stamp),
                name=list(positions),
                position=np.array(list(positions.values()), float),
                velocity=none,
                effort=none,
            ),
            received,
        )

    def twist(self, t, vx=0.0, vy=0.0, wz=0.0, topic="/cmd_vel", received=None):
        self.add(t, topic, "geometry_msgs/msg/Twist", twist_of(vx, vy, wz), received)

    def twist_stamped(self, t, vx=0.0, wz=0.0, topic="/cmd_vel", frame=""):
        self.add(
            t,
            topic,
            "geometry_msgs/msg/TwistStamped",
            make("geometry_msgs/msg/TwistStamped", header=header(t, frame), twist=twist_of(vx, 0, wz)),
        )

    def odometry(
        self,
        t,
        vx=0.0,
        wz=0.0,
        p=(0, 0, 0),
        q=(0, 0, 0, 1),
        topic="/odom",
        vy=0.0,
        parent="odom",
        child="base_link",
        received=None,
        variances=(0.0, 0.0),
    ):
        """`variances`: each of the pose's, and of the twist's."""
        point = make("geometry_msgs/msg/Point", **dict(zip("xyz", map(float, p))))
        pose = make("geometry_msgs/msg/Pose", position=point, orientation=quaternion(q))
        self.add(
            t,
            topic,
            "nav_msgs/msg/Odometry",
            make(
                "nav_msgs/msg/Odometry",
                header=header(t, parent),
                child_frame_id=child,
                pose=make(
                    "geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=np.eye(6).ravel() * variances[0]
                ),
                twist=make(
                    "geometry_msgs/msg/TwistWithCovariance",
                    twist=twist_of(vx, vy, wz),
                    covariance=np.eye(6).ravel() * variances[1],
                ),
            ),
            received,
        )

    def frames(self, t, *edges, topic="/tf"):
        """`edges`: (parent, child, position, quaternion x y z w) each."""
        items = [
            make(
                "geometry_msgs/msg/TransformStamped",
                header=header(t, parent),
                child_frame_id=child,
                transform=make("geometry_msgs/msg/Transform", translation=vector(*p), rotation=quaternion(q)),
            )
            for parent, child, p, q in edges
        ]
        type_ = "tf2_msgs/msg/TFMessage"
        self.add(t, topic, type_, make(type_, transforms=items))

    def controller_state(self, t, topic="/arm_controller/controller_state", **positions):
        none = np.empty(0)

        def point(values):
            return make(
                "trajectory_msgs/msg/JointTrajectoryPoint",
                positions=np.array(values, float),
                velocities=none,
                accelerations=none,
                effort=none,
                time_from_start=make("builtin_interfaces/msg/Duration", sec=0, nanosec=0),
            )

        values = list(positions.values())
        self.add(
            t,
            topic,
            CONTROLLER,
            make(
                CONTROLLER,
                header=header(t),
                joint_names=list(positions),
                reference=point(values),
                feedback=point(np.zeros(len(values))),
            ),
        )

    def camera_info(
        self,
        t,
        size=(64, 64),
        focal=60.0,
        topic="/camera/camera_info",
        roi=(0, 0, 0, 0),
        frame="camera_optical",
        **fields,
    ):
        """`roi`: left, top, width, height; `fields` replace those of the message."""
        height, width = size
        k = np.array([focal, 0, width / 2 - 0.5, 0, focal, height / 2 - 0.5, 0, 0, 1])
        region = make(
            "sensor_msgs/msg/RegionOfInterest",
            **dict(zip(("x_offset", "y_offset", "width", "height"), roi)),
            do_rectify=False,
        )
        values = (
            dict(
                height=height,
                width=width,
                distortion_model="plumb_bob",
                d=np.zeros(5),
                k=k,
                r=np.eye(3).ravel(),
                p=np.insert(k.reshape(3, 3), 3, 0, axis=1).ravel(),
                binning_x=0,
                binning_y=0,
                roi=region,
            )
            | fields
        )
        self.add(
            t,
            topic,
            "sensor_msgs/msg/CameraInfo",
            make("sensor_msgs/msg/CameraInfo", header=header(t, frame), **values),
        )

    def _next(self, topic: str) -> int:
        self._images[topic] = self._images.get(topic, -1) + 1
        return self._images[topic] % 256


def arm_bag(path, seconds=6.0, storage="mcap", rate=10.0, compression=None, **image):
    """A whole bag of an arm: j1 = 0.2 t, images at `rate` Hz, joints at 50 Hz."""
    with BagMaker(path, storage, compression) as bag:
        for t in np.arange(0, seconds, 1 / rate):
            bag.image(t, **image)
        for t in np.arange(0, seconds, 0.02):
            bag.joints(t, j1=0.2 * t)
    return path
