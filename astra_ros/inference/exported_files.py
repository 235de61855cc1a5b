"""A model's network as ONNX files, one a function of `Engine`: where they lie, and whether they are whole and fit.

A manifest beside the files says what they were made from. They lie in the folder `onnx` of the model where that
exists, or else in the user's cache, in a folder that is named by the hashes of the model and of the code that makes the
graphs. The cache keeps the models that were read last.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from astra_ros.files import user_cache
from astra_ros.inference.card import CARD_FILE, ModelCard, ModelError

LOG = logging.getLogger(__name__)
FORMAT = 1  # of the files: their names, inputs and outputs; counted up where they change
OPSET = 20  # of ONNX: the first one whose GridSample says 'linear'
MANIFEST = "manifest.json"
BESIDE = "onnx"  # folder in that of the model


@dataclass(frozen=True)
class ExportManifest:
    """What exported files were made from, and their hashes. The files' own metadata say the same."""

    format_version: int
    model: str  # the card's name
    model_sha256: str  # of the weights
    card_sha256: str  # of the card, which has the weights' hash too
    astra_ros: str  # version of this package
    code_sha256: str  # of its code that makes the graphs
    torch: str
    opset: int
    files: dict[str, str]  # name of a graph -> sha256 of its file

    @property
    def metadata(self) -> dict[str, str]:
        """What is written into every file."""
        return {name: str(value) for name, value in asdict(self).items() if name != "files"}

    def __str__(self) -> str:
        return (
            f"model sha256 {self.model_sha256[:12]}, format {self.format_version}, astra_ros {self.astra_ros}, "
            f"opset {self.opset}, torch {self.torch}"
        )


def card_digest(card: ModelCard) -> str:
    """sha256 of the model's card: another one for other weights, spaces or cameras. No engine reads calibrations and
    limits, so these do not count, and a model that is calibrated later keeps its exported files.
    """
    values = json.loads((card.path / CARD_FILE).read_text())
    for measured in ("calibrations", "prediction_limits", "robot_fit_limits"):
        values.pop(measured, None)
    return hashlib.sha256((json.dumps(values, indent=1) + "\n").encode()).hexdigest()


@cache
def code_digest() -> str:
    """sha256 of the code that graphs are made by: files that other code made may compute something else."""
    here = Path(__file__).parent
    files = [*sorted((here.parent / "world_model").glob("*.py")), here / "torch_export.py", here / "torch_graphs.py"]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def export_folder(card: ModelCard) -> Path:
    """Where the exported files of a model lie, or would."""
    beside = card.path / BESIDE
    made_by = f"{card_digest(card)[:32]}-{code_digest()[:16]}"
    return beside if beside.is_dir() else user_cache() / "onnx" / made_by


def graph_file(folder: Path, graph: str) -> Path:
    return folder / f"{graph}.onnx"


def export_command(card: ModelCard) -> str:
    """The command that exports a model."""
    return f"astra export --engine onnx --model {card.path}"


def read_manifest(folder: Path, card: ModelCard) -> ExportManifest:
    """The manifest of exported files, after comparing them with it and with the model.

    Raises ModelError where a file is missing, cut off or changed, or was exported from another model, or in another
    format.
    """
    again = f"export the model again with: {export_command(card)}"
    path = folder / MANIFEST
    try:
        values = json.loads(path.read_text())
        if (found := values["format_version"]) != FORMAT:
            problem = f"exported in format {found} by astra_ros {values.get('astra_ros')}; this one reads {FORMAT}"
            raise ModelError(problem, thing=folder, cure=again)
        manifest = ExportManifest(**values)
        files = dict(manifest.files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be used ({error})"
        raise ModelError(reason, thing=path, cure=again) from error
    if manifest.card_sha256 != card_digest(card):
        ours, theirs = card.sha256[:12], manifest.model_sha256[:12]
        what = f"weights {theirs}, this one has {ours}" if ours != theirs else "the same weights and another card"
        problem = f"exported from another model ('{manifest.model}': {what})"
        raise ModelError(problem, thing=folder, cure=again)
    if manifest.code_sha256 != code_digest():
        theirs = f"exported by other code (astra_ros {manifest.astra_ros}), which may compute something else"
        LOG.warning(f"{folder}: {theirs}; {again}")
    if lacking := sorted(_needed(card) - files.keys()):
        raise ModelError(f"lacks {', '.join(lacking)}", thing=path, cure=again)
    for graph, digest in files.items():
        file = graph_file(folder, graph)
        try:
            found = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError as error:
            raise ModelError(f"cannot be read ({error.strerror})", thing=file, cure=again) from error
        if found != digest:
            problem = f"cut off or changed: sha256 {found[:12]}, {MANIFEST} says {str(digest)[:12]}"
            raise ModelError(problem, thing=file, cure=again)
    return manifest


def _needed(card: ModelCard) -> set[str]:
    """Graphs without which a model does not run, or imagines something else without a word."""
    always = {
        "encode",
        "decode",
        "remember",
        "denoise",
        "composite",
        *(f"condition_{each}" for each in card.action_spaces),
    }
    parts = {"robot_tokens": card.network.drawing, "outcomes": bool(card.network.outcomes)}
    return always | {name for name, is_there in parts.items() if is_there}
