"""The README promises only what is there: its files, its figures, its commands."""

import functools
import json
import re
from pathlib import Path

import make_tables
import pytest
from result_tables.ablations import ABLATIONS
from result_tables.evaluation import FRAMES, seen
from result_tables.goals import SUMMARY
from result_tables.moving import MOVING
from result_tables.ranking import CHOICES, losses
from result_tables.speed import images, nodes, speed

from astra_ros.inference.torch_style_file import style_digest
from astra_ros.simulation.worlds import WORLDS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
RESULTS = ROOT / "docs" / "results"
MODEL_CARDS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("models/*/README.md"))

PAGES = sorted(str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))


@pytest.mark.parametrize("page", [*PAGES, *MODEL_CARDS])
def test_links_lead_somewhere(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_readme_fits_one_sitting():
    assert len(README.splitlines()) <= 150
    assert len(SUMMARY) <= 8
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
    # Those of some folders are of other models too, those beside the models' folders of none.
    if path.parent.name not in (*make_tables.FOLDERS, *make_tables.EARLIER, "results"):
        card = json.loads((ROOT / "models" / path.parent.name / "card.json").read_text())
        # Weights with other pictures or another name, but with the same scores, bit for bit.
        scores_as = card["sha256"] if path.stem == "evaluation" else card.get("scores_as", card["sha256"])
        assert figures["sha256"] in (card["sha256"][:12], scores_as[:12])
        if any("style" in space for space in figures.get("spaces", {}).values()):
            assert figures["style_sha256"] == style_digest(ROOT / "models" / path.parent.name)
    assert not figures["commit"].endswith("+"), "measured with code that is in no commit"


def test_every_result_has_its_place():
    shown = {mark[1] for page in make_tables.PAGES for mark in make_tables.MARKS.findall(page.read_text())}
    measured = {str(path.relative_to(RESULTS).with_suffix("")) for path in RESULTS.glob("*/*.json")}
    measured = {name for name in measured if Path(name).parent.name not in make_tables.EARLIER}  # shown by `goals`
    assert {folder if (folder := Path(name).parent.name) in make_tables.FOLDERS else name for name in measured} <= shown
    assert {path.stem for path in (RESULTS / "moving").glob("*.json")} <= set(MOVING)
    assert {"goals", "summary", *(f"{Path(card).parent.name}/goals" for card in MODEL_CARDS)} <= shown


def test_every_ablation_has_a_title():
    rows = re.findall(r"^one ([a-z-]+)", (ROOT / "docs/ablations.sh").read_text(), re.M)
    assert rows == list(ABLATIONS)


def test_no_imported_world_of_the_docs_has_the_name_of_a_simulated_one():
    texts = [
        path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*.sh")]
    ]
    imported = [name for text in texts for name in re.findall(r"import-bag.* --world (\w+)", text)]
    figures = [json.loads(path.read_text()) for path in (ROOT / "docs/results/moving").glob("pusht*.json")]
    imported += [space["world"] for each in figures for space in each["spaces"].values()]
    assert len(imported) >= 6 and not set(imported) & set(WORLDS)


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
    """Real result files, in which some numbers are known."""
    numbers = {
        "evaluation": {
            "overall": {"ssim": 0.5, "lpips": None, "worlds": ["arm"]},
            "spaces/panda_joints/psnr_db/model": {"1": 20.04, "4": 15.0},
            "spaces/panda_joints/ssim/model": {"1": 0.625, "4": 0.5},
            "spaces/panda_joints/lpips/model": {"16": 0.125},
            "spaces/panda_joints": {
                "following": dict.fromkeys([*FRAMES, "real frames"], {"mean_error_m": 0.034, "near": 0.8})
            },
            "spaces/panda_joints/still": {"share": 0.125, "psnr_db": 31.0},
            "spaces/panda_joints/object_error_m": {"16": 0.057},
            "spaces/panda_joints/events/obstacle_contact": {"auroc": 0.9},
            "spaces/car_twist/events/off_road": {"auroc": None},
        },
        "ranking": {
            "overall": {"worlds": ["arm"]},
            "robots/panda": {"scenes": 70, "spearman": 0.61, "spearman_95": [0.5, 0.7]},
            "robots/panda/verdicts/risky": {"share": 0.2, "outcome": -0.1, "collisions": 0.3},
            "robots/panda/chosen_verdicts/risky": {"share": 0.04, "outcome": 0.2, "collisions": 0.25},
        },
        "style": {
            "spaces/panda_joints/style": {"clips": 7},
            "spaces/panda_joints/style/psnr_db/untold": {"1": 15.25, "4": 14.0},
            "spaces/panda_joints/style/gain_db": {"mean": 0.1, "interval_95": [-0.05, 0.25]},
        },
    }
    for name, places in numbers.items():
        result = json.loads((RESULTS / f"astra-tiny/{name}.json").read_text())
        result |= {"command": "astra x", "commit": "abc", "machine": "m", "date": "2026-01-01"}
        for place, values in places.items():
            functools.reduce(dict.__getitem__, filter(None, place.split("/")), result).update(values)
        for model in ("astra-tiny", "other"):
            (tmp_path / model).mkdir(exist_ok=True)
            (tmp_path / model / f"{name}.json").write_text(json.dumps(result))
    names = ("goals", "other/goals", *(f"other/{name}" for name in numbers))
    page = "".join(f"<!-- table: {name} -->\n<!-- end -->\n" for name in names)
    text = make_tables.rewritten(page, tmp_path, ROOT / "models/other/README.md")
    for part in (
        "| 16 frames ahead, mean over worlds | goal | astra-tiny (arm) | other (arm) |",
        "| LPIPS (alex) | <= 0.06 | - | - |",
        "| SSIM | >= 0.94 | 0.50 | 0.50 |",
        "| 16 frames ahead, mean over worlds | goal | other (arm) |",
        "| SSIM | >= 0.94 | 0.50 |\n",
        "[evaluation.json](../../docs/results/other/evaluation.json): `astra x`",
        "| panda_joints | **model** | 20.0 (0.62) | 15.0 (0.50) |",
        "| 0.125 | 3.4 cm | 80% |",
        "position of the object after 16 frames: 5.7 cm off; obstacle contact: AUROC 0.90",
        "left out, because nothing had changed: 12.5% of the frames (31.0 dB there)",
        "0.61 (0.50 to 0.70), 70 scenes",
        "| panda | risky | 20% | -0.10 | 30% | 4% | 0.20 | 25% |\n",
        "(95 % interval): car_twist",
        "panda_joints +0.10 dB (-0.05 to +0.25)",
        "| panda_joints, 7 clips | model, without a reference image | 15.2 | 14.0 |",
    ):
        assert part in text
    assert "off road" not in text.partition("- car_twist: ")[2].partition("\n")[0]  # its AUROC is not known
    assert text.count("`astra x`, commit abc") == len(numbers)
    assert make_tables.rewritten(text, tmp_path, ROOT / "models/other/README.md") == text
    rows = len(FRAMES) - 1 + 1 + len(CHOICES) + 3  # no geometry, real frames, three verdicts
    assert text.count("| panda |") + text.count("| panda_joints |") == rows


def test_where_ranking_is_lost_is_a_row_for_each_part():
    row = {"spearman": 0.5, "spearman_95": [0.4, 0.6], "top1_regret": 0.25, "outcome": 0.125, "collisions": 0.5}
    panda = row | {
        "outcome": {"score": 0.75},
        "collisions": {"score": 0.0},
        "critics_alone": {"goal": row, "collision": row | {"spearman": -0.25}},
        "with_truth": {"contact": row | {"spearman": 0.625}, "all": row | {"top1_regret": 0.0}},
        "without_imagination": None,
        "contact": {
            "auroc": 0.875, "ece": 0.0625,
            "veto": {"veto_above": 0.3, "missed": 0.1, "vetoed_of_harmless": 0.2},
        },
        "generators": {"pearson": 0.75, "mmrv": 0.125, "by_kind": {"push": {}, "miss": {}}},
    }  # fmt: skip
    car = panda | {"without_imagination": row | {"spearman": -0.5}, "contact": None, "generators": None}
    text = losses({"robots": {"panda": panda, "car": car, "old": {"spearman": 0.5}}})
    for part in (
        "| panda | **nothing: the score** | 0.50 (0.40 to 0.60) | 25% | 0.75 | 0% |\n",
        "| panda | whether the plan collides | 0.62 (0.40 to 0.60) | 25% | 0.12 | 50% |\n",
        "| panda | all of it | 0.50 (0.40 to 0.60) | 0% | 0.12 | 50% |\n| car |",
        "| car | nothing is imagined, the plan alone is read | -0.50 (0.40 to 0.60) | 25% |",
        "- panda: Spearman of each critic alone: `goal` 0.50, `collision` -0.25; contact of a plan: AUROC 0.88, "
        "ECE 0.06; `collision.veto_above` 0.3 misses 10% of the colliding plans and vetoes 20% of the others; "
        "2 generators of plans, mean score against mean outcome: Pearson 0.75, MMRV 0.12\n",
        "- car: Spearman of each critic alone: `goal` 0.50, `collision` -0.25\n",
    ):
        assert part in text
    assert "old" not in text and losses({"robots": {"old": {}}}) == ""


def test_pixels_that_were_seen_are_rows_beside_the_others():
    of = {
        "share": {"1": 0.875, "4": 0.5},
        "seen_db": {"model": {"1": 25.06, "4": 20.0}, "geometry": {"1": 27.0, "4": 18.0}},
        "unseen_db": {"model": {"4": 12.0}},
    }
    text = seen({"spaces": {"car_twist": {"seen": of}, "panda_joints": {}}})
    for part in (
        "|  | pixels | PSNR, dB, frames ahead | 1 | 4 |\n",
        "| car_twist | seen | **model** | 25.1 | 20.0 |\n"
        "| car_twist | seen | the last frame, moved by geometry alone | 27.0 | 18.0 |\n"
        "| car_twist | not seen | **model** | - | 12.0 |\n| car_twist | share that was seen |  | 88% | 50% |\n",
    ):
        assert part in text
    assert "panda" not in text and seen({"spaces": {"panda_joints": {}}}) == ""


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
    assert "without robot renders" in text and "experts" not in text
    assert "`astra x`, commit abc, m, 2026-01-01" in text


def test_speed_has_a_row_for_each_engine_and_condition():
    percentiles = {"p50_ms": 250.0, "p95_ms": 300.0, "p99_ms": 310.0}
    old = {"request": percentiles, "cpu_ms": 480.0, "share_of_peak": 0.22}
    new = old | {"times_faster_than_abc": {"median": 2.0, "q25": 1.75, "q75": 2.25}}
    condition = {"plans": 8, "horizon": 16, "loaded_core": False, "rate_hz": 0}
    facts = {"start_up_s": 2.5, "peak_memory_mb": 512.0, "gflop_per_request": 19.4, "over_topics": []}
    topics = [
        {"loaded_core": True, "rate_hz": rate, "image_to_scores": percentiles, "times_faster_than_abc": 1.5}
        for rate in (0, 10.0)
    ]
    node = {"start_up_s": 4.5, "peak_memory_mb": 700.0, "ros_adds": {"p50_ms": 6.25, "p95_ms": 8.0, "p99_ms": 9.0}}
    timing = {"request": percentiles, "parts_ms": {"imagine": 225.0}}
    of_model = {"model": "astra-x", "image_size": [64, 128], "gflop_per_request": 8.25}
    ratio = {"median": 0.5, "q25": 0.25, "q75": 0.75}
    result = {
        "against": {"commit": "abc"},
        "measurements": [
            condition | {"engines": {"new": new, "abc": old}},
            condition | {"loaded_core": True, "rate_hz": 10.0, "engines": {"new": new}},
        ],
        "engines": {"new": facts | {"over_topics": topics, "node": node}, "abc": facts},
        "cannot_run": {"other": "not installed"},
        "models": [
            of_model | {"engines": {"new": timing}},
            of_model | {"engines": {"new": timing | {"times_the_time": ratio}}},
        ],
    }
    text = speed(result)
    without = {key: value for key, value in result.items() if key != "models"}
    assert images(without) == nodes({"engines": {"abc": facts}}) == ""
    for part in (
        "| times faster than abc |\n",
        "| 8 x 16, back to back | new | 250 ms | 300 ms | 310 ms | 480 ms | 22% | 2.00 (1.75 to 2.25) |\n",
        "| 8 x 16, back to back | abc | 250 ms | 300 ms | 310 ms | 480 ms | 22% |  |\n",
        "| 8 x 16, at 10 Hz, one core kept busy | new |",
        "| over topics, one core kept busy | new | 250 ms | 300 ms | 310 ms |  |  | 1.50 |\n",
        "| over topics, at 10 Hz, one core kept busy | new | 250 ms |",
        "| new | 4.5 s | 700 MB | 6.2 ms | 8.0 ms | 9.0 ms |\n",
        "| 128 x 64 | astra-x | new | 8.2 | 250 ms | 225 ms | 1 |\n",
        "| 128 x 64 | astra-x | new | 8.2 | 250 ms | 225 ms | 0.50 (0.25 to 0.75) |\n",
        "| new | 2.5 s | 512 MB | 19.4 |\n",
        "`other` was not measured: not installed",
    ):
        assert part in text
