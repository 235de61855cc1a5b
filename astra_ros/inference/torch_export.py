"""Writes a model's network as ONNX files (`exported_files.py`), by torch."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from hashlib import sha256
from json import dumps
from pathlib import Path

import onnx
import torch
from torch import Tensor

from astra_ros import __version__
from astra_ros.files import OutputError
from astra_ros.inference.cache_folders import alone, forget_old
from astra_ros.inference.card import ModelCard, ModelError
from astra_ros.inference.exported_files import (
    BESIDE,
    FORMAT,
    MANIFEST,
    OPSET,
    ExportManifest,
    card_digest,
    code_digest,
    export_folder,
    graph_file,
    read_manifest,
)
from astra_ros.inference.torch_engine import load_network
from astra_ros.inference.torch_graphs import Graph, graphs_of

LOG = logging.getLogger(__name__)
STALE_S = 3600.0  # a part that is older is of a process that was killed
_PART = ".part"


def export_network(card: ModelCard, folder: Path | None = None) -> Path:
    """Export a model to `folder`, by default where its engines look; returns it.

    Files that are there stay until the new ones are whole. If another process exports there meanwhile, this one waits
    for it, and takes its files where they fit. Raises OutputError, ModelError where the weights do not load.
    """
    folder = export_folder(card) if folder is None else folder
    try:
        with alone(folder.parent) as waited:
            if not (waited and _fits(folder, card)):
                _write(card, folder)
            if folder == export_folder(card) and folder.name != BESIDE:
                forget_old(folder.parent, MANIFEST)
    except OSError as error:
        if not _fits(folder, card):  # another process may have been faster, where files cannot be locked
            raise OutputError.of(folder, error) from error
    return folder


def _fits(folder: Path, card: ModelCard) -> bool:
    try:
        read_manifest(folder, card)
    except ModelError:
        return False
    return True


def _write(card: ModelCard, folder: Path) -> None:
    network = load_network(card).requires_grad_(False)
    graphs = list(graphs_of(network, card))
    made_from = ExportManifest(
        FORMAT, card.name, card.sha256, card_digest(card), __version__, code_digest(), torch.__version__, OPSET, {}
    )
    with _new_folder(folder) as part:
        for number, graph in enumerate(graphs, 1):
            LOG.info(f"exporting {card.name} to ONNX: {graph.name} ({number} of {len(graphs)})")
            _export(graph, graph_file(part, graph.name), made_from.metadata)
            made_from.files[graph.name] = sha256(graph_file(part, graph.name).read_bytes()).hexdigest()
        (part / MANIFEST).write_text(dumps(asdict(made_from), indent=1) + "\n")
    LOG.info(f"exported {card.name} to {folder} ({made_from})")


def _export(graph: Graph, file: Path, metadata: dict[str, str]) -> None:
    names: list[str] = []
    free: dict[str, dict[int, str]] = {}
    for name, value in graph.inputs.items():
        parts = [f"{name}_{k}" for k in range(len(value))] if isinstance(value, list) else [name]
        names += parts
        free |= {part: graph.free[name] for part in parts if name in graph.free}
    with _traceable():
        # By tracing: torch 2.13's newer exporter gives graphs that are no faster, and takes 25 times as long.
        torch.onnx.export(
            graph.module.eval(),
            tuple(graph.inputs.values()),
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=names,
            output_names=list(graph.outputs),
            dynamic_axes=free,
        )
    model = onnx.load(file)
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")  # that of the examples
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, file)


@contextmanager
def _traceable() -> Iterator[None]:
    """Traces keep sizes that `unflatten` makes as constants, and those of `reshape` free."""

    def unflatten(x: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
        dim %= x.ndim
        return x.reshape(*x.shape[:dim], *sizes, *x.shape[dim + 1 :])

    real = Tensor.unflatten
    try:
        Tensor.unflatten = unflatten  # type: ignore[method-assign]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on what a trace holds fixed: tests run other sizes
            yield
    finally:
        Tensor.unflatten = real  # type: ignore[method-assign]


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder to write to; it takes the place of `folder` when the block ends, and is deleted if that raises."""
    prefix = f".{folder.name}."
    for stale in folder.parent.iterdir():
        ours = stale.name.startswith(prefix) and stale.name.endswith(_PART)
        if ours and stale.stat().st_mtime < time.time() - STALE_S:
            shutil.rmtree(stale, ignore_errors=True)
    # Not named by the process: in containers, its number comes again at every start.
    with tempfile.TemporaryDirectory(_PART, prefix, folder.parent, ignore_cleanup_errors=True) as beside:
        part = Path(beside, "new")
        part.mkdir()
        yield part
        with suppress(FileNotFoundError):
            folder.rename(Path(beside, "old"))
        part.rename(folder)
