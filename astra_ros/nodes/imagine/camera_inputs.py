"""The camera of the imagine node: its newest frames, and its faults."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from astra_ros.camera.errors import LensError, NotCalibrated
from astra_ros.camera.frame_order import StampWatch
from astra_ros.camera.frame_size import to_model_size
from astra_ros.camera.history import FrameHistory
from astra_ros.camera.image_messages import ImageFacts, brightest
from astra_ros.camera.image_sources import CameraConflict, ImageSources
from astra_ros.camera.lens import is_calibrated, is_rectified, read_lens, size_error
from astra_ros.camera.repeated_images import RepeatWatch
from astra_ros.camera.significant_bits import CURE, FULL, SignificantBits
from astra_ros.errors import UserError
from astra_ros.nodes.imagine.message_readers import NANOSECONDS, Clocks, ReadImage, stamp_ns
from astra_ros.nodes.reports import Tell

MOST_REMARKS = 100  # their texts hold parts of messages, which may be anything


@dataclass(frozen=True)
class FrameHeader:
    """When and in which frame an image was taken."""

    stamp_ns: int
    frame_id: str


class ImageReader:
    """Image messages as images; remarks on how they are read are logged once."""

    def __init__(self, read: ReadImage, tell: Tell) -> None:
        self._read, self._tell = read, tell
        self._told: set[str] = set()

    def __call__(self, msg, topic: str) -> tuple[np.ndarray, ImageFacts]:
        """uint8 [H, W, 3] RGB, and the facts that the message states. Raises UserError."""
        image, facts = self._read(msg, topic)
        for remark in facts.remarks:
            self.say_once(f"{topic}: {remark}")
        return image, facts

    def say_once(self, text: str) -> None:
        """Log a text that was not logged yet."""
        if text not in self._told and len(self._told) < MOST_REMARKS:
            self._told.add(text)
            self._tell(text)


class CameraInputs:
    """The camera's frames at the rate and size of the model. Safe to use from several threads.

    `unheard` is why published images do not reach this node, or ''.
    """

    def __init__(self, topic: str, read: ReadImage, tell: Tell, clocks: Clocks) -> None:
        self.topic = topic
        self.unheard = ""
        self._tell = tell
        self.images = ImageReader(read, tell)
        self._clock, self._ros_time_ns = clocks.monotonic_s, clocks.ros_time_ns
        self._lock = threading.RLock()
        self._card: object | None = None
        self._loaded = False
        self._history: FrameHistory | None = None
        self._image_size = (0, 0)
        self._received_size: tuple[int, int] | None = None
        self._info: object | None = None
        self._stamps = StampWatch()
        self._sources = ImageSources()
        self._repeats = RepeatWatch()
        self._bits = SignificantBits()
        self._unstamped = False
        self.stamp_age_s: float | None = None  # of the newest image on arrival; large with another clock in the camera
        self._late = 0
        self._header: FrameHeader | None = None
        self._newest: np.ndarray | None = None
        self._image_s: float | None = None  # when the newest frame arrived
        self._heard_s: float | None = None  # when the last usable image arrived, also if it was late
        self._refused = -float("inf"), ""  # (when the last image arrived that cannot be used, why)

    def expect(self, card, loaded: bool = True) -> None:
        """Keep frames as the model of this card needs them; those that were kept for another one are dropped.

        Until the model is `loaded`, no request is ready. What arrives meanwhile is its history.
        """
        with self._lock:
            if card is not self._card:
                self._card, self._image_size = card, card.image_size
                self._history = FrameHistory(card.history, card.dt_s)
            self._loaded = loaded

    def on_image(self, msg) -> None:
        """Add an image to the history. Raises UserError where the message cannot be used."""
        arrived_ns = self._ros_time_ns()
        try:
            image, facts = self.images(msg, self.topic)
        except UserError as error:
            with self._lock:
                self._refused = self._clock(), str(error)
            raise
        with self._lock:
            self._heard_s = now_s = self._clock()
            self._look(msg, facts, now_s)
            stamped_ns = stamp_ns(msg)
            time_ns = self._stamps.time_of(stamped_ns, arrived_ns)
            self.stamp_age_s = (arrived_ns - stamped_ns) / NANOSECONDS if stamped_ns else None
            if self._stamps.unstamped != self._unstamped:  # the frames so far have times of another clock
                self._unstamped = self._stamps.unstamped
                self.forget()
            if time_ns is not None:
                self._add(image, FrameHeader(time_ns, msg.header.frame_id))

    def _look(self, msg, facts: ImageFacts, now_s: float) -> None:
        """Notice other cameras, images that repeat, and images that use few bits."""
        self._repeats.add(msg.data)
        if facts.bits == 16 and self._bits.is_due():
            self._bits.add(brightest(msg))
        if change := self._sources.add(msg.header.frame_id, facts.size, now_s):
            if self.conflict is None:
                self._tell(f"{self.topic}: {change}; the frame history starts anew")
            self.forget()

    def _add(self, image: np.ndarray, header: FrameHeader) -> None:
        time_s = header.stamp_ns / NANOSECONDS
        if self._history is not None and self._history.is_late(time_s):
            self._late += 1
            return
        self._image_s = self._heard_s
        self._newest = None
        self._received_size = image.shape[:2]
        self._header = header
        if self._history is not None:
            self._newest = to_model_size(image, self._image_size)
            event = self._history.push(time_s, self._newest)
            if event and self._loaded:  # a process that loads a model may be late to take images
                self._tell(f"{self.topic}: {event}")

    def on_info(self, msg) -> None:
        """Remember the camera_info, to notice when it is another camera's."""
        with self._lock:
            self._info = msg
            if not is_calibrated(msg):
                self.images.say_once("camera_info: not calibrated: K and P hold no focal lengths")

    def forget(self) -> None:
        with self._lock:
            if self._history is not None:
                self._history.clear()

    @property
    def age_s(self) -> float | None:
        """Seconds since the last image that was not refused, or None before the first."""
        with self._lock:
            return None if self._heard_s is None else self._clock() - self._heard_s

    @property
    def size_mismatch(self) -> str:
        """The fault where images and camera_info are of different sizes, else ''."""
        with self._lock:
            if self._info is None or self._received_size is None:
                return ""
            wrong = size_error(self._info, self._received_size)
            return f"{wrong}; remap camera_info to the topic of the same camera" if wrong else ""

    @property
    def lens(self) -> str:
        """The lens as camera_info states it, in words; '' before one arrived."""
        with self._lock:
            if self._info is None or self._received_size is None:
                return ""
            try:
                lens = read_lens(self._info, self._received_size, is_rectified(self.topic))
            except NotCalibrated:
                return "not calibrated"
            except LensError as error:
                return f"cannot be used: {error}"
            return "; ".join((str(lens), *lens.remarks))

    @property
    def conflict(self) -> CameraConflict | None:
        """The cameras that publish in turn now, or None."""
        with self._lock:
            return self._sources.conflict(self._clock())

    @property
    def two_cameras(self) -> str:
        """The fault where several cameras publish in turn, and its cure; else ''."""
        if (conflict := self.conflict) is None:
            return ""
        return f"{self.topic}: {conflict}; stop all but one, or remap image to the topic of one of them"

    @property
    def repeats(self) -> int:
        """How often the newest image has been repeated byte for byte."""
        with self._lock:
            return self._repeats.in_a_row

    @property
    def few_bits(self) -> tuple[str, int | None]:
        """(The fault where images use few of their 16 bits, with its cure, else ''; how many they use.)"""
        with self._lock:
            used, number = self._bits.used, self._bits.brightest
        if used is None:
            return "", None
        return (
            f"{self.topic}: the brightest value of the images checked is {number} of {FULL}, as of a camera of "
            f"{used} bits, so they are dark; {CURE}",
            used,
        )

    @property
    def frames_held(self) -> int:
        with self._lock:
            return 0 if self._history is None else len(self._history)

    @property
    def history_lacks(self) -> str:
        """Why the images received give no history, or ''."""
        with self._lock:
            if self._history is not None and (wrong := self.two_cameras):
                return wrong
            lacks = "" if self._history is None else self._history.not_ready() or ""
            standing_ns = self._stamps.standing_ns
            if not lacks or standing_ns is None:
                return lacks
            which = "the node's clock stands" if self._unstamped else "header.stamp of the last images stands"
            return (
                f"{which} still at {standing_ns / NANOSECONDS:.3f} s; set header.stamp of each image in the camera "
                "driver, or start the publisher of /clock where use_sim_time is true"
            )

    @property
    def left_out(self) -> dict[str, int]:
        """Harmless reason for leaving images out -> how many."""
        with self._lock:
            return {"images_out_of_order": self._late, "images_without_stamp": self._stamps.left_out}

    @property
    def no_stamps(self) -> str:
        """How images without a stamp are used, or ''."""
        if not self._unstamped:
            return ""
        return (
            f"{self.topic}: header.stamp of the images is 0, so they have no stamp; their times of arrival are "
            "used instead, also as stamps of the outputs. Set header.stamp in the camera driver"
        )

    def silent(self, timeout_s: float) -> str | None:
        """Why the model or a fresh image is missing, or None."""
        with self._lock:
            if not self._loaded:
                return "the model is not loaded"
            age_s = self.age_s
            if age_s is not None and age_s <= timeout_s:
                return None
            when_s, why = self._refused
            if self._clock() - when_s <= timeout_s:
                return f"images arrive, and none can be used: {why}"
            if self.unheard:
                return self.unheard
            if age_s is None:
                return f"no camera image yet on {self.topic}; check the topic's name and the camera driver"
            return (
                f"the camera on {self.topic} has been silent for {age_s:.1f} s, longer than "
                f"camera_timeout_s = {timeout_s:g}; check the camera driver"
            )

    def take(self) -> tuple[np.ndarray, FrameHeader, float]:
        """(history uint8 [T, h, w, 3], header of its newest frame, when that arrived). Raises HistoryNotReady."""
        with self._lock:
            assert self._history is not None
            frames = self._history.frames()
            assert self._header is not None and self._image_s is not None
            return frames, self._header, self._image_s

    @property
    def newest(self) -> tuple[np.ndarray, int] | None:
        """(uint8 [h, w, 3], its stamp in ns) of the newest frame at the model's size, or None."""
        with self._lock:
            return None if self._newest is None or self._header is None else (self._newest, self._header.stamp_ns)

    def scaled(self, image: np.ndarray) -> np.ndarray:
        """An image at the model's size."""
        return to_model_size(image, self._image_size)
