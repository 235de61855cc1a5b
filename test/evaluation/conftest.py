"""A model of a few steps, probes that are hardly trained, and a detector of videos."""

import pytest

from astra_ros.commands.arguments import OneLineParser


@pytest.fixture
def short(monkeypatch):
    """Probes that are hardly trained, where what they read is not looked at."""
    from astra_ros.evaluation import action_following, thing_detector

    monkeypatch.setattr(action_following, "PROBE_STEPS", 30)
    monkeypatch.setattr(thing_detector, "DETECTOR_STEPS", 10)


@pytest.fixture(scope="session")
def model(data, tmp_path_factory):
    from astra_ros.commands import style, train

    def run(command, *words):
        parser = OneLineParser()
        command.add_arguments(parser)
        command.run(parser.parse_args([*map(str, words), "--data", str(data), "--device", "cpu"]))

    out = tmp_path_factory.mktemp("run")
    few = [
        word
        for stage in ("autoencoder", "dynamics", "compositor")
        for word in (f"--{stage}-steps", 2, f"--{stage}-batch", 2)
    ]
    run(train, "--out", out, *few)
    run(style, out / "model", "--out", out / "style", "--style-steps", 2, "--style-batch", 2)
    return out / "model"


@pytest.fixture
def fvd(tmp_path):
    from detector import Detector, scripted

    return scripted(Detector(), tmp_path / "detector.pt")
