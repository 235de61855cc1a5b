"""A dataset's README.md: what is in the folder, counted from the episodes themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from astra_ros.datasets.dataset import continuous_joints_of, list_episodes, read_footer, space_of, videos_without_table
from astra_ros.datasets.episode import DatasetError
from astra_ros.files import atomic_write

CARD = "README.md"
MARK = "<!-- written by astra, anew after each recording -->"


def write_card(folder: Path) -> list[str]:
    """Describe a folder of episodes. Returns the problem of each damaged episode, which the card lists too."""
    import pyarrow
    import pyarrow.parquet as pq

    footers: dict[Path, dict] = {}
    damaged: list[str] = []
    contacts: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    for path in list_episodes(folder):
        try:
            footer = read_footer(path)
            names = pq.read_schema(path).names
            if "label.obstacle_contact" in names:
                column = pq.read_table(path, columns=["label.obstacle_contact"])[footer.get("frames_seen", 0) :]
                contacts[space_of(footer)] += sum(column.column(0).to_pylist())
                judged[space_of(footer)] += len(column)
            footers[path] = footer
        except DatasetError as error:
            damaged.append(str(error))
        except (OSError, pyarrow.ArrowException) as error:  # its footer is whole, a page of it is not
            damaged.append(f"{path}: {str(error).splitlines()[0]}")
    damaged += [
        f"{path}: its table is missing, so it is not an episode; record or import it again, or delete it"
        for path in videos_without_table(folder)
    ]
    spaces: dict[str, list[dict]] = {}
    for footer in footers.values():
        spaces.setdefault(space_of(footer), []).append(footer)
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    frames = sum(footer["frames"][0] for footer in footers.values())
    lines = [
        MARK,
        "",
        f"# {folder.resolve().name}",
        "",
        f"{len(footers)} episodes, {frames} frames, {_bytes(size)}. Each episode is a "
        "Parquet table and an MP4 video of one name;",
        "the columns are explained in `astra_ros/datasets/dataset.py`.",
        "",
        "| action space | world | episodes | in two styles | frames | pixels | s a frame | motion | contact | seeds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for space, group in sorted(spaces.items()):
        first, count = group[0], sum(footer["frames"][0] for footer in group)
        seeds = [footer["seed"] for footer in group if footer["seed"] is not None]
        lines.append(
            f"| {space} | {first['world']} | {len(group)} | {_in_two_styles(group)} | {count} | "
            f"{first['frames'][2]} x {first['frames'][1]} | {first['dt_s']:g} | "
            f"{', '.join(first['motion_names'])} | {_share(contacts[space], judged[space])} | "
            + (f"{min(seeds)} to {max(seeds)}" if seeds else "none: real")
            + " |"
        )
    lines += ["", '"contact" is the share of frames in which the robot touched an obstacle.']
    if seen := {footer["frames_seen"] for footer in footers.values() if "frames_seen" in footer}:
        lines += [
            f"These are branches: plans that were executed and undone. Pictures show the first {max(seen)} frames,",
            "and repeat the last of them. Contacts are counted in the others.",
        ]
    if _in_two_styles(footers.values()):
        lines += [
            "Of an episode in two styles there is a second video (`.style.mp4`): the same in another light, with",
            "other colours and textures.",
        ]
    lines.append("")
    for space, group in sorted(spaces.items()):
        kinds = Counter(kind for footer in group for kind in footer["behaviour"].split("+") if kind)
        if kinds:
            lines.append(f"- {space}: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
    for space, joints in continuous_joints_of(footers.values()).items():
        lines.append(f"- {space}: {', '.join(joints)} turn without end; each episode begins in [-pi, pi)")
    if unfit := Counter(why for footer in footers.values() if (why := footer["source"].get("unfit"))):
        lines += ["", "## Not to be trained on", "", *(f"- {count} episodes: {why}" for why, count in unfit.items())]
    if damaged:
        lines += ["", "## Damaged", "", *(f"- {text}" for text in damaged)]
    card = folder / CARD
    if card.exists() and not card.read_text(errors="replace").startswith(MARK):
        card = folder / "DATASET.md"  # a page of the user's own stays as it is
    with atomic_write(card) as part:
        part.write_text("\n".join(lines) + "\n")
    return damaged


def _in_two_styles(footers: Iterable[dict]) -> int:
    return sum("restyled_sha256" in footer for footer in footers)


def _bytes(count: int) -> str:
    return f"{count / 2**20:.0f} MiB" if count >= 2**20 else f"{count / 2**10:.0f} KiB"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
