"""TensorRT's compiled engines of a model, in the user's cache: for one GPU, driver and runtime, checked before use."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from astra_ros.files import OutputError, atomic_write, user_cache
from astra_ros.inference.cache_folders import alone, forget_old
from astra_ros.inference.card import ModelCard
from astra_ros.inference.exported_files import card_digest, code_digest

LOG = logging.getLogger(__name__)
NOTE = "engines.json"  # file -> sha256
SAYS_EVERY_S = 15.0


def engine_folder(card: ModelCard, runtime: str, root: Path = Path("/")) -> Path:
    """Where the engines of a model lie: another folder for other weights, code, runtime, TensorRT, driver or GPU."""
    parts = [card_digest(card), code_digest(), runtime, *_tensorrt(), *_driver(root)]
    return user_cache() / "tensorrt" / hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _tensorrt() -> list[str]:
    """The packages of TensorRT that pip has installed, with their versions."""
    found = []
    for name in ("tensorrt", "tensorrt-cu12", "tensorrt-cu13"):
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return found


def _driver(root: Path) -> list[str]:
    """The NVIDIA driver's version and the models of the GPUs, as the driver tells."""
    driver = root / "proc/driver/nvidia"
    found = []
    for file in [driver / "version", *sorted(driver.glob("gpus/*/information"))]:
        with suppress(OSError):
            lines = file.read_text().splitlines()
            found += [line for line in lines if line.startswith(("NVRM version", "Model"))]
    return found


class EngineCache:
    """A folder of compiled engines. What it holds was written whole, or is deleted and compiled again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self) -> None:
        """Delete the folder where a file is missing, cut off or changed, and say so. Makes it where it is missing.

        Raises OutputError where it cannot be written.
        """
        try:
            with alone(self.folder.parent):
                if self.folder.is_dir() and (problem := self._problem()):
                    LOG.warning(f"{self.folder}: {problem}; its engines are deleted and compiled again")
                    shutil.rmtree(self.folder)
                self.folder.mkdir(exist_ok=True)
                if (self.folder / NOTE).is_file():
                    os.utime(self.folder / NOTE)  # the cache keeps what was read last
        except OSError as error:
            raise OutputError.of(self.folder, error) from error

    @contextmanager
    def compiling(self, what: str) -> Iterator[None]:
        """While the block runs, no other process compiles; a line now and then says that this one does. Notes the files
        that are there afterwards."""
        with alone(self.folder.parent), _said_meanwhile(f"TensorRT compiles {what}"):
            yield
            files = {file.name: _sha256(file) for file in sorted(self.folder.iterdir()) if file.name != NOTE}
            with atomic_write(self.folder / NOTE) as part:
                part.write_text(json.dumps(files, indent=1))
            forget_old(self.folder.parent, NOTE)

    def _problem(self) -> str:
        """Why its engines must not be used, or ''."""
        try:
            noted = dict(json.loads((self.folder / NOTE).read_text()))
        except FileNotFoundError:
            return "" if not any(self.folder.iterdir()) else f"{NOTE} is missing, as after a process that was killed"
        except (OSError, ValueError, TypeError) as error:
            return f"{NOTE} cannot be read ({error})"
        for name, digest in noted.items():
            file = self.folder / name
            if not file.is_file():
                return f"{name} is missing"
            if _sha256(file) != digest:
                return f"{name} is cut off or changed"
        return ""


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@contextmanager
def _said_meanwhile(text: str) -> Iterator[None]:
    LOG.info(f"{text}; the first time this takes minutes")
    began, done = time.monotonic(), threading.Event()

    def say() -> None:
        while not done.wait(SAYS_EVERY_S):
            LOG.info(f"{text}, {time.monotonic() - began:.0f} s so far")

    thread = threading.Thread(target=say, name="tensorrt progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    LOG.info(f"{text}: took {time.monotonic() - began:.1f} s")
