"""Joint positions at the times of the camera's frames."""

from __future__ import annotations

import numpy as np

from astra_ros.datasets.rosbag.description import description_of
from astra_ros.datasets.rosbag.errors import MotionError, UnknownJoint
from astra_ros.datasets.rosbag.import_settings import BagSettings
from astra_ros.datasets.rosbag.message_types import CONTROLLER_STATE
from astra_ros.datasets.rosbag.recording import Recording
from astra_ros.datasets.rosbag.resample import Clock, Track, linear, problems
from astra_ros.datasets.rosbag.sources import check_joints
from astra_ros.datasets.rosbag.topics import TopicSelection
from astra_ros.plans.turns import first_turn, looks_wrapped
from astra_ros.robot.described_joints import DescriptionError, joint_types


class JointMotion:
    """Positions, linear between samples. Different publishers may publish different joints.

    Angles of the `continuous` joints do not jump, and the first row of what `rows` returns is in [-pi, pi).
    """

    def __init__(self, recording: Recording, selection: TopicSelection, clock: Clock):
        settings, self._topic = selection.settings, selection.motion.name
        known = sorted({name for names in recording.joints for name in names})
        if missing := [name for name in settings.joints if name not in known]:
            raise UnknownJoint(self._topic, missing, known)
        self.names = settings.joints or tuple(known)
        if not self.names:
            problem = "no message with joint names and positions" + recording.reasons(self._topic)
            raise MotionError(self._topic, problem, "record a topic that has them")
        self.how = _how(recording, selection)
        self.samples = sum(len(series) for series in recording.joints.values())
        self.notes: list[str] = []
        self.warnings, self.unfit, self._contradicted = check_joints(recording, clock, self.names, self._topic)
        self._gap_s = settings.gap_s
        described = _Described(settings, recording)
        tracks = {name: self._track(name, recording, clock, described) for name in self.names}
        self.continuous = tuple(name for name, (_, turning) in tracks.items() if turning)
        self._turning = [name in self.continuous for name in self.names]
        self._tracks = [track for track, _ in tracks.values()]
        # Joint -> (messages a second, typical silence in s), of joints whose silences cost frames.
        self.slow = {name: rate for name, track in zip(self.names, self._tracks) if (rate := _rate(track, self._gap_s))}

    def _track(self, joint: str, recording: Recording, clock: Clock, described: _Described) -> tuple[Track, bool]:
        parts = [
            (clock.times_s(series), clock.received_s(series), np.stack(series.values)[:, names.index(joint)])
            for names, series in recording.joints.items()
            if joint in names
        ]
        times, received, values = (np.concatenate(each) for each in zip(*parts))
        order = np.argsort(received, kind="stable")
        good = order[np.isfinite(values[order])]
        if not len(good):
            cure = f"import only the joints {' '.join(n for n in self.names if n != joint)}"
            raise MotionError(self._topic, f"joint '{joint}' never has a finite position", cure)
        if lost := len(order) - len(good):
            self.notes.append(f"{self._topic}: {lost} positions of joint '{joint}' are not finite and were left out")
        samples = times[good], received[good], values[good, None]
        track = Track(*samples)
        turning, note = described.turns(joint, sum(looks_wrapped(rows[:, 0]) for _, rows in track.runs))
        if note and joint not in self._contradicted:  # there the jumps are those between two publishers
            self.notes.append(f"{self._topic}: {note}")
        return (Track(*samples, turning=True) if turning else track), turning

    def problems(self, times: np.ndarray, received_s: float) -> np.ndarray:
        found: np.ndarray = np.full(len(times), "", dtype=object)
        for name, track in zip(self.names, self._tracks):
            own = problems(track.run(received_s)[0], times, self._gap_s)
            found = np.where((found == "") & (own != ""), own + f" (joint '{name}')", found)
        return found

    def rows(self, begin: np.ndarray, end: np.ndarray, received_s: float) -> np.ndarray:
        rows = np.concatenate([linear(*track.run(received_s), end) for track in self._tracks], axis=1)
        rows[:, self._turning] = first_turn(rows[:, self._turning])
        return rows

    def labels(self, times: np.ndarray, received_s: float) -> dict[str, np.ndarray]:
        return {}

    @property
    def cure(self) -> str:
        """How to keep frames that lack the motion, or ''."""
        quick = [name for name in self.names if name not in self.slow]
        if not self.slow:
            return ""
        slow = ", ".join(f"'{name}' {rate:.2g} times" for name, (rate, _) in self.slow.items())
        needed = max(silence for _, silence in self.slow.values()) * 1.1
        leave = f"import only the joints {' '.join(quick)}, or "
        return (
            f"{self._topic}: messages a second: {slow}; frames in a silence of more than {self._gap_s:.3g} s are "
            f"dropped: {leave * bool(quick)}set max_gap_s: {needed:.2g}"
        )


class _Described:
    """Joint types of the robot's description: that of the settings, else that of the bag."""

    def __init__(self, settings: BagSettings, recording: Recording):
        self.source, text = description_of(settings, recording)
        try:
            self.types = joint_types(text) if text else {}
        except DescriptionError:
            self.types = {}

    def turns(self, joint: str, seams: int) -> tuple[bool, str]:
        """Whether a joint turns without end, and a note. `seams`: how often its angle jumps as if it did."""
        kind = self.types.get(joint)
        if kind == "continuous":
            return True, (
                f"joint '{joint}' turns without end ({self.source}): its angle goes on across the seam "
                f"(crossings: {seams}), and each episode begins in [-pi, pi)"
            )
        if not seams:
            return False, ""
        if kind is None:
            return True, (
                f"joint '{joint}' is taken as one that turns without end, because it jumps by about 2 pi {seams} times "
                "and no description gives its type: its angle goes on across the seam, and each episode begins in "
                "[-pi, pi); if it has limits, name the robot's description as urdf"
            )
        return False, (
            f"joint '{joint}' jumps by about 2 pi, a whole turn, {seams} times, but {self.source} calls it "
            f'{kind}, so it is stored as it is; if it turns without end, write type="continuous" there'
        )


def _how(recording: Recording, selection: TopicSelection) -> str:
    kind = "commanded positions"
    if selection.motion.type != CONTROLLER_STATE:
        kind = "positions"
    elif recording.joints is recording.measured:
        kind = "measured positions (no field says what was commanded)"
    return f"{kind}, interpolated at the frames"


def _rate(track: Track, gap_s: float) -> tuple[float, float] | None:
    """`JointMotion.slow` of one joint, or None where it is silent for less than a third of the time."""
    steps = np.concatenate([np.diff(times) for times, _ in track.runs] or [np.empty(0)])
    silent = steps[steps > gap_s]
    if not len(silent) or silent.sum() < steps.sum() / 3:
        return None
    return len(steps) / float(steps.sum()), float(np.quantile(silent, 0.95))
