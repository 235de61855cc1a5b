"""A package of one file, installed beside this one as far as Python's metadata tell."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def code_of(page: str) -> str:
    """The one Python example of a docs page."""
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    return code


def install(folder: Path, module: str, source: str, entry_points: dict[str, dict[str, str]]) -> Path:
    """Write MODULE.py and the metadata that name its entry points; the folder is what goes on the path.

    Args:
        entry_points: group -> name -> "module:object".
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    lines = [
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in entry_points.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return folder
