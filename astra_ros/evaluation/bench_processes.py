"""The processes that `astra bench` measures: one for each engine of each build."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from astra_ros.errors import UserError
from astra_ros.plans.joint_plan import JointPlan
from astra_ros.simulation.arm.candidates import propose
from astra_ros.simulation.arm.robots import robot_description, robot_spec
from astra_ros.simulation.arm.world import ArmWorld, ArmWorldSettings

ROOT = Path(__file__).resolve().parents[2]
_SCRIPT = Path(__file__).with_name("bench_worker.py")
_LAST_LINES = 15
# Threads that wait must sleep: those of an idle process would take the cores from the one that is measured.
_PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "GOMP_SPINCOUNT": "0"}


class BenchError(UserError):
    """Something cannot be measured. ``thing`` is the engine, build or option."""


class NotLoaded(BenchError):
    """A build does not load the model."""


@dataclass(frozen=True, eq=False)
class BenchScene:
    """What every request of a run consists of.

    Attributes:
        image, goal: uint8 [h, w, 3], what the camera sees, and should see.
        plans: number of plans of a request -> its plans.
    """

    robot: str
    image: np.ndarray
    goal: np.ndarray
    plans: dict[int, list[JointPlan]]

    @classmethod
    def of(cls, robot: str, counts: Sequence[int]) -> BenchScene:
        """Scene 0 of a simulated arm."""
        with ArmWorld(ArmWorldSettings(robot=robot)) as world:
            world.reset(0)
            plans = {count: [plan for _, plan in propose(world, count, 0)] for count in counts}
            return cls(robot, world.render(), world.goal_image(), plans)

    def save(self, path: Path) -> None:
        """Write what ``bench_worker.py`` reads, in types that every build knows."""
        first = next(iter(self.plans.values()))[0]
        facts = {
            "space": f"{self.robot}_joints",
            "joints": first.joint_names,
            "description": robot_description(robot_spec(self.robot), coarse=True),
        }
        positions = {
            f"plans_{count}": np.stack([plan.positions for plan in plans]) for count, plans in self.plans.items()
        }
        np.savez(
            path,
            allow_pickle=False,
            image=self.image,
            goal=self.goal,
            times_s=first.times_s,
            facts=json.dumps(facts),
            **positions,
        )


@dataclass(frozen=True)
class Setup:
    """What a process loads."""

    backend: str
    model: str
    device: str
    scene: Path
    root: Path = ROOT  # of the checkout with the build
    cache: Path | None = None  # instead of the user's cache folder


class BenchProcess:
    """A running process, after its first request.

    Attributes:
        name: of the engine, or of the older build.
        start_up_s: from the start of the process to the scores of its first request.

    Raises BenchError where it ends or fails, also later, with the reason as its problem; NotLoaded where it already
    does not load the model.
    """

    def __init__(self, name: str, setup: Setup, log_folder: Path, plans: int, horizon: int) -> None:
        self.name = name
        self._log = log_folder / f"{name.replace('/', '_')}.log"
        environment = {**os.environ, **_PASSIVE}
        if setup.cache:
            environment["XDG_CACHE_HOME"] = str(setup.cache)
        began_s = time.perf_counter()
        with open(self._log, "w") as log:
            # A session of its own: Ctrl-C at the terminal reaches this process only, which then ends the others.
            self._process = subprocess.Popen(
                [sys.executable, str(_SCRIPT), str(setup.root)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                text=True, env=environment, start_new_session=True,
            )  # fmt: skip
        try:
            about = {"backend": setup.backend, "model": setup.model, "device": setup.device, "scene": str(setup.scene)}
            try:
                self.ask("load", **about)
            except BenchError as error:
                raise NotLoaded(error.problem, thing=error.thing) from error
            self.ask("size", plans=plans, horizon=horizon)
            self.ask("request")
        except BaseException:
            self.close()
            raise
        self.start_up_s = time.perf_counter() - began_s

    def ask(self, word: str, **values: Any) -> Any:
        """Have a command of ``bench_worker.Requests`` done, and return its answer."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps({"do": word, **values}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:  # its end of the pipe is closed
            line = ""
        if not line:
            lines = self._log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
            code = self._process.wait()
            problem = f"its process ended with code {code}; its last lines:\n" + "\n".join(
                f"    {each}" for each in lines
            )
            raise BenchError(problem, thing=self.name)
        answer: Mapping[str, Any] = json.loads(line)
        if "failed" in answer:
            raise BenchError(answer["failed"], thing=self.name)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(BrokenPipeError):  # a command that it never read
                    pipe.close()
