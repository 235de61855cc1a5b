"""What all engines have in common that run exported graphs, on numpy arrays."""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from astra_ros.inference.card import ModelCard, ModelError
from astra_ros.inference.engine import RENDERS_AT_ONCE, Engine
from astra_ros.inference.exported_files import (
    BESIDE,
    MANIFEST,
    ExportManifest,
    export_command,
    export_folder,
    graph_file,
    read_manifest,
)
from astra_ros.world_model.rollout import Denoised, FrameContext

LOG = logging.getLogger(__name__)
EXPORT_NEEDS = ("torch", "onnx")
IMAGES = 16  # worked on at once: runtimes keep the memory of the largest batch

# numpy, or an array that stays where the runtime made it: it has a shape, can be reshaped, and numpy takes it
Value = Any
Memory = dict[str, Value]  # inputs of `denoise` that are the same for all frames


class RobotTokens:
    """The tokens of robot renders [B, N, H, 3, h, w], made when the frames of a chunk are denoised.

    Those of all frames would take much memory. Indexing and reshaping leave the last two axes, tokens [L, D], alone.
    """

    def __init__(self, renders: np.ndarray, make: Callable[[np.ndarray], Value], each: tuple[int, int]) -> None:
        self._renders, self._make, self._each = renders, make, each

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self._renders.shape[:-3], *self._each)

    def __getitem__(self, which: Any) -> RobotTokens:
        return RobotTokens(self._renders[which], self._make, self._each)

    def reshape(self, *shape: int) -> RobotTokens:
        assert shape[-2:] == self._each, shape
        return RobotTokens(self._renders.reshape(*shape[:-2], *self._renders.shape[-3:]), self._make, self._each)

    @cached_property
    def values(self) -> Value:
        """The tokens, of `shape`; several denoising steps share them."""
        return self._make(self._renders.reshape(-1, *self._renders.shape[-3:])).reshape(*self.shape)


class ExportedEngine(Engine):
    """Runs the graphs of `exported_files.py`.

    A subclass says how a file is loaded and a graph is run. Where nothing was exported yet, it is exported now if
    torch and onnx are installed. A graph is loaded when it is first run: each takes time and memory, and a robot needs
    a few of them.
    """

    name: str  # of the backend
    runs_on: str
    renders_at_once = RENDERS_AT_ONCE

    def __init__(self, card: ModelCard, device: str) -> None:
        self._card, self._config = card, card.network
        self._folder, manifest = _exported(card)
        LOG.info(f"{self.name}: reads {self._folder} ({manifest})")
        self._graphs = manifest.files.keys()
        self._loaded: set[str] = set()
        for graph in self._graphs:
            if self._loads_at_once(graph):
                self._ready(graph)

    def _loads_at_once(self, graph: str) -> bool:
        """Whether a graph is loaded already with the engine; one at least, so that a broken runtime is known then."""
        return graph == "encode"

    def _ready(self, graph: str) -> None:
        if graph in self._loaded:
            return
        file = graph_file(self._folder, graph)
        if not file.is_file():  # meanwhile, the cache has forgotten the model
            self._folder, _ = _exported(self._card)
            file = graph_file(self._folder, graph)
        self._load(graph, file)
        self._loaded.add(graph)

    @abstractmethod
    def _load(self, graph: str, file: Path) -> None:
        """Make a graph ready to run. Raises ModelError where that fails."""

    @abstractmethod
    def _infer(self, graph: str, inputs: dict[str, Value]) -> dict[str, Value]:
        """Run a graph. What it returns stays as it is when the graph runs again.

        What `remember` and `robot_tokens` make, and the `features`, may be arrays of the runtime's own.
        """

    def _run(self, graph: str, inputs: dict[str, Value]) -> dict[str, Value]:
        self._ready(graph)
        try:
            return self._infer(
                graph,
                {
                    name: np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value
                    for name, value in inputs.items()
                },
            )
        except ModelError:
            raise
        except Exception as error:  # the runtimes have no common class
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            cure = f"if it comes again, take another backend, or export anew with: {export_command(self._card)}"
            raise ModelError(f"failed while it ran '{graph}' ({reason})", thing=self._thing, cure=cure) from error

    @staticmethod
    def _threads() -> int:
        """As torch takes them: OMP_NUM_THREADS, or as many as there are cores, hyperthreads counted once."""
        asked = os.environ.get("OMP_NUM_THREADS", "")
        if asked.isdecimal() and int(asked):
            return int(asked)
        siblings = set()
        for number in os.sched_getaffinity(0):
            file = Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list")
            siblings.add(file.read_text() if file.is_file() else str(number))
        return len(siblings)

    @property
    def _thing(self) -> str:
        return f"backend '{self.name}'"

    def array(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(values, np.float32)

    numpy = array

    def encode(self, images: np.ndarray) -> np.ndarray:
        return self._run("encode", {"images": images})["latents"]

    def decode(self, latents: np.ndarray) -> np.ndarray:
        return self._in_parts("decode", "images", {"latents": latents}, {})

    def condition(self, actions: np.ndarray, space: str) -> np.ndarray:
        made = self._run(f"condition_{space}", {"actions": actions.reshape(-1, *actions.shape[-2:])})["condition"]
        return made.reshape(*actions.shape[:-1], -1)

    def robot_tokens(self, renders: np.ndarray) -> RobotTokens | None:
        if "robot_tokens" not in self._graphs:
            return None
        each = self._config.tokens_per_frame, self._config.hidden_dim
        return RobotTokens(renders, partial(self._tokens, known=True), each)

    @cached_property
    def _unknown(self) -> np.ndarray:
        """[1, L, D], the tokens of a robot whose render is not known."""
        return np.asarray(self._tokens(np.zeros((1, 3, *self._card.image_size), np.uint8), known=False))

    def _tokens(self, renders: np.ndarray, known: bool) -> Value:
        """Of renders [N, 3, h, w] -> [N, L, D]."""
        parts = [
            renders[first : first + self.renders_at_once] for first in range(0, len(renders), self.renders_at_once)
        ]
        made = [
            self._run("robot_tokens", {"renders": part, "known": np.full(len(part), known)})["tokens"] for part in parts
        ]
        return made[0] if len(made) == 1 else np.concatenate([np.asarray(each) for each in made])

    def reproject(self, image: np.ndarray, poses: np.ndarray, space: str) -> np.ndarray | None:
        if f"reproject_{space}" not in self._graphs:
            return None
        return self._in_parts(f"reproject_{space}", "reprojected", {"poses": poses}, {"image": image})

    def remember(self, history: np.ndarray) -> Memory:
        return self._run("remember", {"history": history}) | {"observed": history[:, -1]}

    def denoise(self, noisy: np.ndarray, time: np.ndarray, frame: FrameContext, memory: Memory) -> Denoised:
        chunks, latent = frame.condition.shape[:3], noisy.shape[3:]
        before = (chunks[0], 1 if self._config.time_attention else chunks[1], *latent)
        sizes = {
            "noisy": (noisy, (*chunks, *latent)),
            "time": (time, chunks),
            "newest": (frame.newest, before),
            "before": (frame.before, before),
            "clean": (frame.clean, before),
            "history_noise": (frame.history_noise, chunks[:2]),
            "age": (frame.age, chunks),
            "condition": (frame.condition, frame.condition.shape),
        }
        if self._config.drawing:
            tokens = self._unknown if frame.robot_tokens is None else frame.robot_tokens.values
            sizes["robot_tokens"] = (tokens, (*chunks, self._config.tokens_per_frame, self._config.hidden_dim))
        graph = "denoise"
        if frame.reprojected is not None:
            graph = "denoise_moving"
            sizes["reprojected"] = (frame.reprojected, (*chunks, latent[0] + 1, *latent[1:]))
        inputs = {
            name: value if value.shape == size else np.broadcast_to(value, size)
            for name, (value, size) in sizes.items()
        }
        made = self._run(graph, inputs | memory)
        return Denoised(made["prediction"], made["log_error"], made["features"])

    def outcomes(self, features: Value) -> dict[str, np.ndarray]:
        if "outcomes" not in self._graphs:
            return {}
        lead = features.shape[:-2]
        made = self._run("outcomes", {"features": features.reshape(-1, *features.shape[-2:])})
        return {name: values.reshape(*lead, *values.shape[1:]) for name, values in made.items()}

    def composite(
        self, latents: np.ndarray, observed: np.ndarray, poses: np.ndarray | None, robot: np.ndarray | None, space: str
    ) -> np.ndarray:
        pixels = latents.shape[0], 6, *self._card.image_size
        robot = np.broadcast_to(np.uint8(0), pixels) if robot is None else robot.reshape(pixels)
        each = {"latents": latents, "robot": robot}
        if poses is not None:
            return self._in_parts(
                f"composite_{space}", "images", each | {"poses": self.array(poses)}, {"observed": observed}
            )
        known = np.full(1, not self._card.action_spaces[space].moves_camera, np.float32)
        return self._in_parts("composite", "images", each, {"observed": observed, "known": known})

    def _in_parts(
        self, graph: str, output: str, each: dict[str, np.ndarray], shared: dict[str, np.ndarray]
    ) -> np.ndarray:
        """An output of a graph whose rows are those of the inputs `each`, a batch after the other."""
        count = len(next(iter(each.values())))
        made = []
        for first in range(0, max(count, 1), IMAGES):
            part = {name: values[first : first + IMAGES] for name, values in each.items()}
            made.append(self._run(graph, part | shared)[output])
        return np.concatenate(made)


def _exported(card: ModelCard) -> tuple[Path, ExportManifest]:
    """The folder of a model's exported files, and their manifest, which fits them; exports the model first where they
    are not there, or damaged in the cache."""
    folder = export_folder(card)
    missing = [package for package in EXPORT_NEEDS if find_spec(package) is None]
    if folder.name == BESIDE:  # put there by hand: what is wrong there is for its owner to mend
        return folder, read_manifest(folder, card)
    if (folder / MANIFEST).is_file():
        try:
            manifest = read_manifest(folder, card)
            with suppress(OSError):  # a cache may be read only
                os.utime(folder / MANIFEST)  # the cache keeps what was read last
            return folder, manifest
        except ModelError as error:
            if missing:
                raise
            LOG.warning(f"{error.thing}: {error.problem}; the model is exported again")
    elif missing:
        problem = f"not exported for this engine yet, and {', '.join(missing)} is not installed here"
        cure = (
            f"run `{export_command(card)} --out {BESIDE}` where torch and onnx are installed, and copy the folder "
            f"'{BESIDE}' into that of the model"
        )
        raise ModelError(problem, thing=f"model '{card.name}'", cure=cure)
    from astra_ros.inference.torch_export import export_network

    LOG.info(f"{card.name} is exported to ONNX once; this takes some seconds")
    folder = export_network(card, folder)
    return folder, read_manifest(folder, card)
