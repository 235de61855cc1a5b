"""The README promises only what is there: its files, its figures, its commands."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()

spec = importlib.util.spec_from_file_location("make_tables", ROOT / "docs" / "make_tables.py")
make_tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_tables)


@pytest.mark.parametrize("page", ["README.md", "docs/install.md", "docs/dependencies.md", "docs/own-data.md", "docs/training.md", "docs/model.md"])
def test_links_lead_somewhere(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_nothing_is_left_to_fill():
    assert "FILL" not in README


def test_result_tables_come_from_the_result_files():
    assert make_tables.rewritten(README, ROOT / "docs" / "results") == README


@pytest.mark.parametrize("name", make_tables.TABLES)
def test_figures_are_those_of_the_shipped_model(name):
    figures = json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text())
    card = json.loads((ROOT / "models" / "astra-tiny" / "card.json").read_text())
    assert figures["sha256"] == card["sha256"][:12]
    assert not figures["commit"].endswith("+"), "measured with code that is in no commit"


def test_every_table_has_its_place():
    assert [mark[1] for mark in make_tables.MARKS.findall(README)] == list(make_tables.TABLES)


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+)(?: [a-z ]+)?:", (ROOT / "Makefile").read_text(), re.M))
    used = re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)
    assert used and set(used) <= targets


def test_tables_show_the_numbers_of_the_files(tmp_path):
    origin = {"command": "astra x", "commit": "abc", "machine": "m", "date": "2026-01-01"}
    frames = {row: {"1": 20.04, "16": 10.0} for row in make_tables.FRAMES}
    close = {"mean_error_m": 0.034, "near": 0.8}
    following = {row: close for row in ("real frames", *frames)}
    choice = {row: 0.25 for row in make_tables.CHOICES}
    overall = {key: 0.5 for _, key, _, _ in make_tables.GOALS}
    event = {"auroc": 0.9, "mean_probability": 0.04, "mean_frequency": 0.08}
    figures = {
        "evaluation.json": {
            "overall": {**overall, "worlds": ["arm"], "lpips": None},
            "spaces": {
                "panda_joints": {
                    "psnr_db": frames, "ssim": frames, "following": following,
                    "object_error_m": {"1": 0.01, "16": 0.057},
                    "events": {"obstacle_contact": event, "off_road": {**event, "auroc": None}},
                }
            },
        },
        "ranking.json": {
            "plans": 8,
            "robots": {
                "panda": {
                    "scenes": 100, "vetoed_of_colliding": 0.9, "vetoed_of_harmless": 0.1,
                    "spearman": 0.61, "spearman_95": [0.5, 0.7], "outcome": choice,
                    "outcome_95": {row: [0.1, 0.4] for row in choice}, "collisions": choice,
                }
            },
        },
        "latency.json": {
            "plans": 8, "horizon": 16, "threads": 2, "device": "cpu", "loaded_core": False,
            **{
                name: {"p50_ms": 401.2, "p95_ms": 500.0, "p99_ms": 600.0}
                for name in make_tables.LATENCIES
            },
            "plain_loop_ms": 90000.0, "imagined_frames_per_s": 320.0, "share_of_peak": 0.3,
        },
    }  # fmt: skip
    for name, result in figures.items():
        (tmp_path / name).write_text(json.dumps({**origin, **result}))
    text = make_tables.rewritten(README, tmp_path)
    assert "the object is imagined 5.7 cm off after 16 frames; obstacle contact: AUROC 0.90" in text
    assert "| LPIPS (alex) | - | <= 0.06 |" in text and "| SSIM | 0.50 | >= 0.94 |" in text
    assert "| 20.0 (20.04) | 10.0 (10.00) | 3.4 cm | 80% |" in text
    assert "0.61 (0.50 to 0.70), 100 scenes" in text
    assert "| 401 ms | 500 ms | 600 ms |" in text and "90000 ms" in text
    assert text.count("`astra x`, commit abc") == len(figures)
    assert make_tables.rewritten(text, tmp_path) == text  # a second time changes nothing
    rows = len(make_tables.FRAMES) + 1 + len(make_tables.CHOICES)
    assert text.count("| panda |") + text.count("| panda_joints |") == rows
