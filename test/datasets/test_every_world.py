"""`astra record`, `train`, `export` and `eval` as one types them, for robots of every world and for every preset."""

import json
from dataclasses import replace

import numpy as np
import pytest

from astra_ros import cli
from astra_ros.evaluation import action_following as following
from astra_ros.inference import Conditioning, load_world_model
from astra_ros.world_model import config

FEW = (
    "--autoencoder-steps",
    "2",
    "--dynamics-steps",
    "4",
    "--compositor-steps",
    "2",
    "--autoencoder-batch",
    "4",
    "--dynamics-batch",
    "2",
    "--compositor-batch",
    "4",
)


def astra(*words) -> None:
    assert cli.main([str(word) for word in words]) == 0


@pytest.mark.parametrize(
    "world, robot, space",
    [("arm", "panda", "panda_joints"), ("drive", "car", "car_twist"), ("explore", "drone", "drone_camera")],
)
def test_from_a_world_to_figures(world, robot, space, tmp_path, monkeypatch):
    monkeypatch.setattr(following, "PROBE_STEPS", 5)  # what the probe reads is not looked at
    data, held_out = tmp_path / "data", tmp_path / "held_out"
    astra("record", "--out", data, "--worlds", world, "--robots", robot, "--episodes", 2, "--workers", 1)
    astra(
        "record",
        "--out",
        held_out,
        "--worlds",
        world,
        "--robots",
        robot,
        "--episodes",
        2,
        "--workers",
        1,
        "--first-seed",
        900000,
    )
    astra("train", "--data", data, "--out", tmp_path / "run", *FEW)
    astra("export", "--run", tmp_path / "run", "--out", tmp_path / "model")
    astra(
        "eval",
        tmp_path / "model",
        "--data",
        held_out,
        "--probe-data",
        data,
        "--clips-per-episode",
        1,
        "--horizon",
        17,
        "--out",
        tmp_path / "figures.json",
        "--report",
        tmp_path / "report",
    )
    result = json.loads((tmp_path / "figures.json").read_text())
    figures = result["spaces"][space]
    assert result["model"] == "model" and figures["world"] == world and figures["clips"] == 2
    assert {"ceiling", "model", "decoded", "shuffled", "copy"} <= set(figures["psnr_db"])
    assert ("geometry" in figures["psnr_db"]) == (world != "arm") and figures["drawn"] == (world == "arm")
    assert figures["following_frames"] == 16 and np.isfinite(figures["following"]["model"]["mean_error_m"])
    assert (tmp_path / "report/report.html").is_file()


def test_the_paper_preset_trains_from_the_command_line(data, tmp_path, monkeypatch):
    """Its process, loss, window and experts, two layers deep and 64 wide."""
    small = replace(
        config.PRESETS["paper"],
        num_layers=2,
        context_layers=1,
        hidden_dim=64,
        num_heads=4,
        adapter_rank=8,
        encoder_widths=(8, 8, 8),
        decoder_widths=(8, 8, 8),
        denoising_steps=2,
    )
    monkeypatch.setitem(config.PRESETS, "paper", small)
    astra("train", "--preset", "paper", "--data", data, "--out", tmp_path / "run", *FEW)
    model = load_world_model("torch", tmp_path / "run/model")
    assert model.card.network.process == "ddpm" and model.card.history == 16
    history = np.zeros((16, *model.card.image_size, 3), np.uint8)
    made = model.imagine(history, Conditioning("kuka_joints", np.zeros((2, 3, 14), np.float32)))
    assert np.isfinite(made.latents).all()
