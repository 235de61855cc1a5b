"""`astra record --ray`: a real Ray cluster, of one machine, that each test starts and ends."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from astra_ros.datasets.workers import WorkersDied, ray_workers


def refuse(word):
    raise ValueError(f"{word} is refused")


def die(word):
    os._exit(9)


@pytest.fixture(autouse=True)
def found_by_workers(monkeypatch):
    """Ray's workers import the functions above by name."""
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    )
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def record(out, *words) -> list[tuple[str, bytes]]:
    command = [
        sys.executable,
        "-m",
        "astra_ros.cli",
        "record",
        "--out",
        str(out),
        "--robots",
        "rover",
        "--episodes",
        "3",
        "--seconds",
        "2",
        *words,
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stderr
    return [(path.name, path.read_bytes()) for path in sorted(out.iterdir()) if path.suffix != ".md"]


def test_a_cluster_records_the_same_files(tmp_path):
    made = record(tmp_path / "ray", "--ray", "local")
    assert len(made) == 7  # two files each, and the first in another style
    assert made == record(tmp_path / "processes", "--workers", "1")


def test_what_a_job_raises_is_raised_and_a_deadly_job_is_given_up():
    with pytest.raises(ValueError) as error:
        list(ray_workers("local")(refuse, [("this",)]))
    assert error.value.cause.args == ("this is refused",)
    with pytest.raises(WorkersDied):
        list(ray_workers("local")(die, [("x",)]))


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:1"])
def test_where_no_cluster_is_that_is_said(address):
    began = time.monotonic()
    with pytest.raises(WorkersDied) as error:
        list(ray_workers(address)(refuse, [("x",)]))
    assert error.value.thing == address and "ray start --head" in error.value.cure
    assert time.monotonic() - began < 60  # Ray's own patience is five minutes
