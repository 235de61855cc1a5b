"""One engine of one build, as a process that `astra bench` asks for one request at a time.

Run as a script with the root of a checkout: ``python bench_worker.py ROOT``. Commands come on stdin and answers go to
stdout, one JSON object a line. The build in ROOT may be older than this file. So the script imports what it needs of
``astra_ros`` by name, from where that build has it, and nothing else of the package.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import numpy as np

# What a request needs -> where builds have it, the newest first.
PLACES = {
    "load": (
        "astra_ros.inference:load_world_model",
        "astra_ros.inference:load_backend",
        "astra_ros.backends:load_backend",
    ),
    "imaginer": ("astra_ros.ranking.imaginer:Imaginer", "astra_ros.pipeline:Imaginer"),
    "settings": (
        "astra_ros.ranking.imaginer:RankingSettings",
        "astra_ros.ranking.imaginer:ImaginerSettings",
        "astra_ros.pipeline:ImaginerSettings",
    ),
    "plan": ("astra_ros.plans.joint_plan:JointPlan", "astra_ros.planning.plans:JointPlan"),
    "to_model_size": ("astra_ros.camera.frame_size:to_model_size", "astra_ros.pipeline:to_model_size"),
}


def find(what: str) -> Any:
    """What `PLACES` lists under a name. Raises ImportError where this build has it in none of the places."""
    for place in PLACES[what]:
        module, _, name = place.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except AttributeError:
            continue
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("astra_ros"):
                raise
    raise ImportError(f"this build has none of {', '.join(PLACES[what])}")


class Requests:
    """Answers the commands; each method is one, its arguments are the command's other values.

    Args:
        scene: file that ``BenchScene.save`` wrote.
    """

    def __init__(self, backend: str, model: str, device: str, scene: str) -> None:
        self._scene = np.load(scene)
        self._facts = json.loads(str(self._scene["facts"]))
        self._model = find("load")(backend, model, device)
        self._to_model_size = find("to_model_size")
        self._size = self._model.card.image_size
        self._count = 0
        self.rest()

    def rest(self) -> None:
        """From now on the process waits."""
        self._rests_s, self._rests_cpu_s = time.perf_counter(), time.process_time()

    def size(self, plans: int, horizon: int) -> dict[str, Any]:
        """Set the size of the following requests."""
        settings = find("settings")(horizon=horizon, partial_plans=True, action_space=self._facts["space"])
        self._imaginer = find("imaginer")(self._model, settings)
        renders = getattr(self._imaginer, "plan_renders", None) or self._imaginer.drawings
        renders.describe(self._facts["description"])
        names, times = self._facts["joints"], self._scene["times_s"]
        make = find("plan")
        self._plans = [
            make(names, times, positions, f"candidates/{index}")
            for index, positions in enumerate(self._scene[f"plans_{plans}"])
        ]
        return {}

    def about(self) -> dict[str, Any]:
        torch = sys.modules.get("torch")
        threads = torch.get_num_threads() if torch else len(os.sched_getaffinity(0))
        card = self._model.card
        return {
            "threads": threads,
            "sha256": card.sha256,
            "peak_memory_mb": peak_memory_mb(),
            "dt_s": card.dt_s,
            "runs_on": getattr(self._model, "runs_on", ""),  # older builds do not say
        }

    def request(self) -> dict[str, Any]:
        """One request, from an image to the scores.

        Every request has camera frames that were not seen before, as a robot's have. The goal stays.
        """
        idle_s, idle_cpu_s = time.perf_counter() - self._rests_s, time.process_time() - self._rests_cpu_s
        older = [self._frame() for _ in range(self._model.card.history - 1)]
        history = [self._to_model_size(frame, self._size) for frame in older]
        newest, goal = self._frame(), self._scene["goal"]
        began_cpu_s, began_s = time.process_time(), time.perf_counter()
        frames = np.stack([*history, self._to_model_size(newest, self._size)])
        result = self._imaginer.score(frames, self._plans, None, self._to_model_size(goal, self._size))
        seconds, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
        self._result, self._history = result, frames
        parts = {name: value for name, value in result.timings_s.items() if name != "total"}
        return {"seconds": seconds, "cpu_s": cpu_s, "idle_s": idle_s, "idle_cpu_s": idle_cpu_s, "parts_s": parts}

    def _frame(self) -> np.ndarray:
        """The scene's image, with a patch in a corner that no earlier frame had."""
        self._count += 1
        frame = self._scene["image"].copy()
        frame[:8, :8] = np.random.default_rng(self._count).integers(0, 256, (8, 8, 3))
        return frame

    def scores(self) -> dict[str, Any]:
        """The scores of the scene as it is."""
        frames = np.stack([self._to_model_size(self._scene["image"], self._size)] * self._model.card.history)
        goal = self._to_model_size(self._scene["goal"], self._size)
        result = self._imaginer.score(frames, self._plans, None, goal)
        return {"scores": [float(each.score) for each in result.scores]}

    def flops(self) -> dict[str, Any]:
        """Floating-point operations of imagining the last request's plans, counted by torch."""
        from torch.utils.flop_counter import FlopCounterMode

        plain, counts = self._model.imagine, []

        def counted(*args: Any, **named: Any) -> Any:
            with FlopCounterMode(display=False) as counter:
                made = plain(*args, **named)
            counts.append(counter.get_total_flops())
            return made

        self._model.imagine = counted
        try:
            self.request()
        finally:
            self._model.imagine = plain
        return {"flops": max(counts)}  # the other calls look for the object in the goal image

    def plain_loop(self, steps: int) -> dict[str, Any]:
        """Seconds that the plain loop takes for the plans of the last request.

        One frame of one plan is timed, times the number of frames and plans. The plain loop has the actions only.
        """
        conditioning = self._result.conditioning
        actions = type(conditioning)(conditioning.space, conditioning.actions)
        began_s = time.perf_counter()
        self._model.imagine(self._history, actions.subset([0]).cut(1), steps=steps)
        return {"seconds": (time.perf_counter() - began_s) * actions.horizon * actions.plans}

    def peak(self, device: str, seconds: float) -> dict[str, Any]:
        """FLOP/s of large matrix products."""
        from astra_ros.training.flops import matmul_peak_flops

        return {"flops_per_s": matmul_peak_flops(device, seconds)}


def peak_memory_mb(pid: int | str = "self") -> float:
    """The largest resident memory of a process so far; where the system does not tell, of this one.

    Not ``ru_maxrss``: on Linux a process begins with that of the process which started it.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class OnlyThisBuild:
    """Ends the search for modules of this package behind ``sys.path``.

    An editable installation of setuptools is asked after that. For a module that an older build lacks, it would give
    the one of the installed build.
    """

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] == "astra_ros":
            raise ModuleNotFoundError(f"this build has no module {name}", name=name)


def main() -> int:
    sys.path[0] = sys.argv[1]  # instead of this script's folder
    sys.meta_path.insert(sys.meta_path.index(PathFinder) + 1, OnlyThisBuild)
    # Libraries that print must not write between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    requests: Any = None
    for line in sys.stdin:
        values = json.loads(line)
        word = values.pop("do")
        try:
            if word == "load":
                requests = Requests(**values)
            answer = {} if word == "load" else getattr(requests, word)(**values)
        except Exception as error:
            print(json.dumps({"failed": str(error) or type(error).__name__}), file=answers, flush=True)
            raise
        requests.rest()
        print(json.dumps(answer), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
