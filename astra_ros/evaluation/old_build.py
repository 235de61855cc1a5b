"""An older build of this package, taken out of git into a folder of its own."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from astra_ros.errors import UserError


class OldBuildError(UserError):
    """A revision cannot be taken out of git. ``thing`` is 'against', or the checkout's folder."""


@dataclass(frozen=True)
class OldBuild:
    """Attributes: commit: short; date: of the commit, ISO 8601; root: the folder that holds the build."""

    commit: str
    date: str
    root: Path


@contextmanager
def old_build(revision: str, checkout: Path) -> Iterator[OldBuild]:
    """The files of a git revision in a temporary folder, which is deleted when the block ends.

    Needs no network: nothing is installed. The build runs in this environment, with the models of its own time.

    Raises OldBuildError where `checkout` is not the top of a git checkout, or git does not know the revision.
    """
    top = _git(checkout, "rev-parse", "--show-toplevel")
    if top.returncode or Path(top.stdout.strip()).resolve() != checkout.resolve():
        reason = f" ({top.stderr.strip()})" if top.stderr.strip() else ""
        problem = f"is not a git checkout{reason}, so older builds cannot be taken out of it"
        raise OldBuildError(problem, thing=checkout, cure="run `astra bench` of a clone of the repository")
    found = _git(checkout, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode:
        cure = "give a commit, tag or branch; `git fetch --unshallow` gets the past that a shallow clone lacks"
        raise OldBuildError(f"git does not know the revision '{revision}'", thing="against", cure=cure)
    commit = _git(checkout, "rev-parse", "--short=7", found.stdout.strip()).stdout.strip()
    date = _git(checkout, "log", "-1", "--format=%cI", commit).stdout.strip()
    with tempfile.TemporaryDirectory(prefix=f"astra_{commit}_") as folder:
        archive, root = Path(folder) / "build.tar", Path(folder) / "build"
        packed = _git(checkout, "archive", f"--output={archive}", commit)
        if packed.returncode:
            problem = f"git cannot take out '{revision}' ({packed.stderr.strip()})"
            raise OldBuildError(problem, thing="against", cure="give another revision, or use a complete clone")
        with tarfile.open(archive) as files:
            if hasattr(tarfile, "data_filter"):  # since Python 3.10.12 and 3.11.4
                files.extraction_filter = tarfile.data_filter
            files.extractall(root)
        archive.unlink()
        if not (root / "astra_ros").is_dir():
            problem = f"the revision '{revision}' has no package astra_ros"
            raise OldBuildError(problem, thing="against", cure="give a later one")
        yield OldBuild(commit, date, root)


def _git(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["git", "-C", str(checkout), *words], capture_output=True, text=True)
    except FileNotFoundError as error:
        problem = "git is not installed, so older builds cannot be taken out"
        raise OldBuildError(problem, thing="against", cure="install git") from error
