"""Write the result tables of README, docs and model cards from docs/results, so no figure is typed by hand.

    python docs/make_tables.py           # rewrite what is between the table marks
    python docs/make_tables.py --check   # exit 1 if a page says something else

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. NAME is

    goals                     the project's goals, a column for every model that was measured
    summary                   some of their rows and the shipped models, for the README
    MODEL/goals               the same of one model
    MODEL/evaluation, MODEL/ranking, MODEL/style    from results/MODEL/evaluation.json and so on
    MODEL/pushing, MODEL/lanes    as MODEL/ranking, for plans that a planner makes
    planned                   the models beside each other, from all of these files
    MODEL/strategies          what coarse to fine keeps and costs, from results/MODEL/strategies.json
    MODEL/speed               every engine beside an older build, from results/MODEL/speed.json
    planning                  how long motions of arms take to plan, from results/planning.json
    ablations                 a row for every file of results/ablations
    closed-loop               whole tasks by several ways of choosing, from every file of results/closed-loop
    moving                    what is left of moving things, from every file of results/moving

While its files are missing, a table is empty. A new kind is a file of result_tables/ and an entry of
TABLES or FOLDERS.
"""

import json
import os
import re
import sys
from pathlib import Path

from result_tables.ablations import ablations
from result_tables.closed_loop import closed_loop
from result_tables.evaluation import evaluation
from result_tables.goals import GOALS, SUMMARY, goals
from result_tables.moving import moving
from result_tables.planned import planned
from result_tables.planning import planning
from result_tables.ranking import ranking
from result_tables.speed import speed
from result_tables.strategies import strategies
from result_tables.style import style

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS / "results"
PAGES = [
    DOCS.parent / "README.md",
    DOCS / "closed-loop.md",
    DOCS / "performance.md",
    DOCS / "planning.md",
    DOCS / "results.md",
    DOCS / "training.md",
    *sorted(DOCS.parent.glob("models/*/README.md")),
]
MARKS = re.compile(r"(<!-- table: ([\w/-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
MADE = ("commit", "machine", "date")
# of a folder of files, one of each model
FOLDERS = {"ablations": ablations, "closed-loop": closed_loop, "moving": moving}
# of models that shipped earlier; they stand beside the present ones
EARLIER = ("astra-small-own-plans", "astra-small-frame-by-frame", "astra-arms-without-token")
# of one model, ranked in worlds whose plans a planner makes
PLANNED = ("pushing", "lanes")
# of one model, each from the result file of that name
TABLES = {"planning": planning, "speed": speed, "evaluation": evaluation, "ranking": ranking, "style": style,
          "strategies": strategies, "pushing": ranking, "lanes": ranking}  # fmt: skip


def table(name: str, results: Path, page: Path = PAGES[0]) -> str:
    """One table and where it comes from, for a page; empty without its files."""
    folder, _, kind = name.rpartition("/")
    if kind in FOLDERS:
        files = sorted((results / kind).glob("*.json"))
    elif name == "planned":
        files = [file for stem in PLANNED for file in sorted(results.glob(f"*/{stem}.json"))]
    elif kind in ("goals", "summary"):
        files = sorted(results.glob(f"{folder or '*'}/*.json"))
        files = [file for file in files if file.stem in {row[2] for row in GOALS}]
        if kind == "summary":
            files = [file for file in files if file.parent.name not in EARLIER]
    else:
        files = [file for file in [results / f"{name}.json"] if file.exists()]
    if not files:
        return ""
    found = {file: json.loads(file.read_text()) for file in files}

    def link(file: Path, title: str) -> str:
        return f"[{title}]({os.path.relpath(RESULTS / file.relative_to(results), page.parent)})"

    if kind in ("goals", "summary"):
        models: dict[str, dict[str, dict]] = {}
        for file, result in found.items():
            models.setdefault(file.parent.name, {})[file.stem] = result
        text = goals(models, SUMMARY if kind == "summary" else [row[3] for row in GOALS])
        origin = "From " + ", ".join(link(file, f"{file.parent.name}/{file.name}") for file in files) + "."
        return f"\n{text}\n{origin}\n\n"
    if name == "planned":
        ranked: dict[str, dict] = {}
        for file, result in found.items():
            ranked.setdefault(file.parent.name, {}).update(result["robots"])
        text = planned(ranked)
        origin = ", ".join(link(file, f"{file.parent.name}/{file.name}") for file in files)
    elif kind in FOLDERS:
        text, origin = FOLDERS[kind]({file.stem: each for file, each in found.items()}), link(results / kind, kind)
    else:
        text, origin = TABLES[kind](found[files[0]]), link(files[0], files[0].name)
    commit, machine, date = (", ".join(sorted({each[key] for each in found.values()})) for key in MADE)
    several = name == "planned" or kind == "closed-loop"
    commands = sorted({each["command"] for each in found.values()}) if several else [found[files[0]]["command"]]
    command = ", ".join(f"`{each}`" for each in commands)
    return f"\n{text}\n{origin}: {command}, commit {commit}, {machine}, {date}.\n\n"


def rewritten(text: str, results: Path = RESULTS, page: Path = PAGES[0]) -> str:
    """A page's text with every table made anew."""
    return MARKS.sub(lambda m: m[1] + table(m[2], results, page) + m[3], text)


def main() -> int:
    pages = {page: rewritten(page.read_text(), RESULTS, page) for page in PAGES}
    if "--check" in sys.argv[1:]:
        return int(any(page.read_text() != text for page, text in pages.items()))
    for page, text in pages.items():
        page.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
