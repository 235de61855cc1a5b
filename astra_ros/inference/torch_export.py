"""Writes a model's network as ONNX files (`exported_files.py`), by torch."""

from __future__ import annotations

import logging
import os
import shutil
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
from astra_ros.inference.card import ModelCard, ModelError
from astra_ros.inference.exported_files import (
    FORMAT,
    MANIFEST,
    OPSET,
    ExportManifest,
    card_digest,
    export_folder,
    graph_file,
    read_manifest,
)
from astra_ros.inference.torch_engine import load_network
from astra_ros.inference.torch_graphs import Graph, graphs_of

LOG = logging.getLogger(__name__)


def export_network(card: ModelCard, folder: Path | None = None) -> Path:
    """Export a model to `folder`, by default where its engines look; returns it.

    Files that are there stay until the new ones are whole. Another process may export the same meanwhile. Raises
    OutputError, ModelError where the weights do not load.
    """
    folder = export_folder(card) if folder is None else folder
    network = load_network(card).requires_grad_(False)
    graphs = list(graphs_of(network, card))
    made_from = ExportManifest(
        FORMAT, card.name, card.sha256, card_digest(card), __version__, torch.__version__, OPSET, {}
    )
    try:
        with _new_folder(folder) as part:
            for number, graph in enumerate(graphs, 1):
                LOG.info(f"exporting {card.name} to ONNX: {graph.name} ({number} of {len(graphs)})")
                _export(graph, graph_file(part, graph.name), made_from.metadata)
                made_from.files[graph.name] = sha256(graph_file(part, graph.name).read_bytes()).hexdigest()
            (part / MANIFEST).write_text(dumps(asdict(made_from), indent=1) + "\n")
    except OSError as error:
        try:  # another process may have been faster
            read_manifest(folder, card)
        except ModelError:
            raise OutputError.of(folder, error) from error
    LOG.info(f"exported {card.name} to {folder} ({made_from})")
    return folder


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
    """A folder beside `folder` to write to; it takes its place when the block ends, and is deleted if that raises."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for stale in folder.parent.glob(f".{folder.name}.*.part"):
        if not Path("/proc", stale.name.split(".")[-2]).exists():
            shutil.rmtree(stale, ignore_errors=True)
    part, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{kind}") for kind in ("part", "old.part"))
    part.mkdir()
    try:
        yield part
        with suppress(FileNotFoundError):
            folder.rename(old)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
