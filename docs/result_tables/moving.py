"""What is left of moving things in imagined frames."""

from .evaluation import FRAMES
from .markdown import markdown

# Model, and what its labelled object is.
MOVING = {
    "drawn": ("astra-small", "cube"),
    "arms": ("astra-arms", "cube"),
    "small": ("astra-small-own-plans", "cube"),
    "frame-by-frame": ("astra-small-frame-by-frame", "cube"),
    "pusht-block": ("astra-tiny, trained on for 240 steps", "block"),
    "pusht-moved-block": ("the same with `--moved-weight 4`", "block"),
}


def moving(results: dict[str, dict]) -> str:
    """What is left of moving things. Regions that need no label stand once for each model and robot."""
    columns = ["ceiling", "model", "decoded", "copy"]
    rows: dict[tuple[str, str, str], list[str]] = {}
    for file in [file for file in MOVING if file in results]:
        model, labelled = MOVING[file]
        for space, figures in results[file]["spaces"].items():
            for name, thing in figures["moving"].items():
                title = labelled if name == "object" else name
                for part, suffix in (("rows", ""), ("displaced", ", where it has moved")):
                    if part not in thing:
                        continue
                    count = thing["count" if part == "rows" else "displaced_count"]
                    kept = (thing[part].get(column) for column in columns)  # without a compositor none is decoded alone
                    cells = [
                        f"{each['found']:.0%}, {each['in_place']:.0%}, {each['contrast']:.2f}" if each else "-"
                        for each in kept
                    ]
                    rows[model, space, title + suffix] = [model, space, f"{title}{suffix} ({count})", *cells]
    head = ["model", "robot", "found, in its place, contrast (of how many)", *(FRAMES[name] for name in columns)]
    return markdown(head, list(rows.values()))
