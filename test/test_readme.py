"""The README promises only what is there: its files, its figures, its commands."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from astra_ros.inference.torch_style_file import style_digest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
RESULTS = ROOT / "docs" / "results"
MODEL_CARDS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("models/*/README.md"))

spec = importlib.util.spec_from_file_location("make_tables", ROOT / "docs" / "make_tables.py")
make_tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_tables)


PAGES = sorted(str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))


@pytest.mark.parametrize("page", [*PAGES, *MODEL_CARDS])
def test_links_lead_somewhere(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_readme_fits_one_sitting():
    assert len(README.splitlines()) <= 150
    assert len(make_tables.SUMMARY) <= 8
    assert make_tables.table("summary", RESULTS) in README


@pytest.mark.parametrize("page", make_tables.PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_result_tables_come_from_the_result_files(page):
    text = page.read_text()
    assert make_tables.rewritten(text, RESULTS, page) == text
    # A table without its files would be an empty promise.
    assert all(make_tables.table(mark[1], RESULTS) for mark in make_tables.MARKS.findall(text))


@pytest.mark.parametrize("path", sorted(RESULTS.glob("**/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_figures_are_those_of_the_shipped_model(path):
    figures = json.loads(path.read_text())
    if path.parent.name != "ablations":  # those are of other models
        card = json.loads((ROOT / "models" / path.parent.name / "card.json").read_text())
        assert figures["sha256"] in (card["sha256"][:12], card["renamed_from"][:12])
        if any("style" in space for space in figures.get("spaces", {}).values()):
            assert figures["style_sha256"] == style_digest(ROOT / "models" / path.parent.name)
    assert not figures["commit"].endswith("+"), "measured with code that is in no commit"


def test_every_result_has_its_place():
    shown = {mark[1] for page in make_tables.PAGES for mark in make_tables.MARKS.findall(page.read_text())}
    measured = {str(path.relative_to(RESULTS).with_suffix("")) for path in RESULTS.glob("*/*.json")}
    assert {"ablations" if name.startswith("ablations/") else name for name in measured} <= shown
    assert {"goals", "summary", *(f"{Path(card).parent.name}/goals" for card in MODEL_CARDS)} <= shown


def test_every_ablation_has_a_title():
    rows = re.findall(r"^one ([a-z-]+)", (ROOT / "docs/ablations.sh").read_text(), re.M)
    assert rows == list(make_tables.ABLATIONS)


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+)(?: [a-z ]+)?:", (ROOT / "Makefile").read_text(), re.M))
    used = re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)
    assert used and set(used) <= targets


@pytest.mark.parametrize("card", MODEL_CARDS)
def test_a_card_and_its_make_target_say_the_same(card):
    target = Path(card).parent.name.removeprefix("astra-")
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)[1]
    made = re.sub(r"\\\n\s*", "", recipe).replace("$(VENV)/bin/", "").split("\n\t")
    text = re.sub(r"\\\n\s*", "", (ROOT / card).read_text())
    assert f"`make {target}`" in text and "\n".join(line.strip() for line in made) in text


def test_tables_show_the_numbers_of_the_files(tmp_path):
    origin = {"command": "astra x", "commit": "abc", "machine": "m", "date": "2026-01-01"}
    frames = {row: {"1": 20.04, "16": 10.0} for row in make_tables.FRAMES}
    close = {"mean_error_m": 0.034, "near": 0.8}
    following = dict.fromkeys(("real frames", *frames), close)
    choice = dict.fromkeys(make_tables.CHOICES, 0.25)
    overall = {row[3]: 0.5 for row in make_tables.GOALS}
    event = {"auroc": 0.9, "mean_probability": 0.04, "mean_frequency": 0.08}
    figures = {
        "evaluation.json": {
            "overall": {**overall, "worlds": ["arm"], "lpips": None},
            "spaces": {
                "panda_joints": {
                    "psnr_db": frames, "ssim": frames, "lpips": frames, "following": following,
                    "object_error_m": {"1": 0.01, "16": 0.057},
                    "still": {"share": 0.125, "psnr_db": 31.0},
                    "events": {"obstacle_contact": event, "off_road": {**event, "auroc": None}},
                }
            },
        },
        "ranking.json": {
            "plans": 8, "overall": {**overall, "worlds": ["arm"]},
            "robots": {
                "panda": {
                    "scenes": 100, "vetoed_of_colliding": 0.9, "vetoed_of_harmless": 0.1,
                    "spearman": 0.61, "spearman_95": [0.5, 0.7], "outcome": choice,
                    "outcome_95": {row: [0.1, 0.4] for row in choice}, "collisions": choice,
                    "verdicts": {"risky": {"share": 0.2, "outcome": -0.1, "collisions": 0.3}},
                    "chosen_verdicts": {"risky": {"share": 0.04, "outcome": 0.2, "collisions": 0.25}},
                }
            },
        },
        "style.json": {
            "overall": {"worlds": ["arm"]},
            "spaces": {"panda_joints": {"style": {
                "clips": 7, "psnr_db": {row: {"1": 15.25, "16": 14.0} for row in make_tables.STYLES},
                "gain_db": {"horizon": 16, "mean": 0.1, "interval_95": [-0.05, 0.25]},
                "gain_over_matched_db": {"mean": 0.2, "interval_95": [0.1, 0.3]}}}, "car_twist": {}},
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
    for model in ("astra-tiny", "other"):
        (tmp_path / model).mkdir()
        for name, result in figures.items():
            (tmp_path / model / name).write_text(json.dumps({**origin, **result}))
    names = ("goals", "other/goals", *(f"other/{name.removesuffix('.json')}" for name in figures))
    page = "".join(f"<!-- table: {name} -->\n<!-- end -->\n" for name in names)
    text = make_tables.rewritten(page, tmp_path, ROOT / "models/other/README.md")
    assert "the object is imagined 5.7 cm off after 16 frames; obstacle contact: AUROC 0.90" in text
    assert "left out, since nothing had changed: 12.5% of the frames (31.0 dB there)" in text
    assert "| 16 frames ahead, mean over worlds | goal | astra-tiny (arm) | other (arm) |" in text
    assert "| LPIPS (alex) | <= 0.06 | - | - |" in text and "| SSIM | >= 0.94 | 0.50 | 0.50 |" in text
    assert "left out, since nothing had changed: 12.5% of the frames (31.0 dB there)" in text
    assert (
        "| 16 frames ahead, mean over worlds | goal | other (arm) |" in text and "| SSIM | >= 0.94 | 0.50 |\n" in text
    )
    assert "[evaluation.json](../../docs/results/other/evaluation.json): `astra x`" in text
    assert "| 20.0 (20.04) | 10.0 (10.00) | 10.000 | 3.4 cm | 80% |" in text
    assert "0.61 (0.50 to 0.70), 100 scenes" in text
    assert "| panda | risky | 20% | -0.10 | 30% | 4% | 0.20 | 25% |\n" in text
    assert "(95 % interval): panda_joints +0.10 dB (-0.05 to +0.25)." in text
    assert "| panda_joints, 7 clips | model, not shown one | 15.2 | 14.0 |" in text
    assert "| 401 ms | 500 ms | 600 ms |" in text and "90000 ms" in text
    assert text.count("`astra x`, commit abc") == len(figures)
    again = make_tables.rewritten(text, tmp_path, ROOT / "models/other/README.md")
    assert again == text  # a second time changes nothing
    rows = len(make_tables.FRAMES) + 1 + len(make_tables.CHOICES) + 1  # and the verdict's
    assert text.count("| panda |") + text.count("| panda_joints |") == rows


def test_ablations_are_rows_of_a_folder(tmp_path):
    origin = {"command": "astra x", "commit": "abc", "machine": "m", "date": "2026-01-01"}
    overall = {"worlds": ["arm", "drive"], "ssim": 0.9, "lost_when_shuffled_db": 2.5, "drift_db": 1.5}
    spaces = {
        name: {"world": world, "gain_over_copy_db": {"mean": gain}}
        for name, world, gain in (("a", "arm", 4.0), ("b", "arm", 5.0), ("c", "drive", -0.5))
    }
    folder = tmp_path / "ablations"
    folder.mkdir()
    for name in ("full", "no-drawing"):
        (folder / f"{name}.json").write_text(json.dumps({**origin, "overall": overall, "spaces": spaces}))
    text = make_tables.table("ablations", tmp_path)
    assert "| everything | +4.50 dB | -0.50 dB | 0.900 | 2.50 dB | 1.50 dB |" in text
    assert "without the robot drawn" in text and "experts" not in text
    assert "`astra x`, commit abc, m, 2026-01-01" in text
