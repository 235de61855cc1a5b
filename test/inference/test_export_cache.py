"""The cache of exported models: processes that export at once, and what is left in it."""

import fcntl
import json
import logging
import os
import threading
import time
from contextlib import contextmanager

import pytest
from small_models import write_random_model

from astra_ros.inference import ModelCard, ModelError, cache_folders, exported_files, load_world_model, torch_export
from astra_ros.inference.exported_files import MANIFEST, export_folder, read_manifest
from astra_ros.inference.torch_export import export_network

pytest.importorskip("onnxruntime")


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Of a model whose exported files are empty: what is looked at is where they lie."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(torch_export, "_export", lambda graph, file, metadata: file.write_bytes(b""))
    changes = dict(num_layers=1, drawing=False, reprojection=False, compositing=False, displacements=0)
    return ModelCard.read(write_random_model(tmp_path / "one", **changes, observed_displacements=0))


@contextmanager
def waits_for_another(card, caplog):
    """An export that waits as long as the block lasts, since another process exports the same."""
    caplog.set_level(logging.INFO)
    folder = export_folder(card)
    folder.parent.mkdir(parents=True)
    other = os.open(folder.parent, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    waits = threading.Thread(target=export_network, args=(card,))
    waits.start()
    try:
        deadline = time.monotonic() + 60
        while "waiting for it" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
        yield folder
    finally:
        os.close(other)
        waits.join(60)


def test_a_process_waits_for_another_that_exports_the_same(card, caplog):
    """And takes its files; the lock is that of a process, also for threads of one."""
    with waits_for_another(card, caplog) as folder:
        assert not folder.exists()
        torch_export._write(card, folder)
        written = (folder / MANIFEST).stat()
    assert caplog.text.count("waiting for it") == 1 and caplog.text.count("(1 of 9)") == 1
    assert (folder / MANIFEST).stat().st_ino == written.st_ino and read_manifest(folder, card)


def test_a_process_exports_after_another_that_failed(card, caplog):
    with waits_for_another(card, caplog) as folder:
        pass
    assert read_manifest(folder, card)


def test_what_a_killed_process_left_does_not_stop_the_next_one(card):
    """Not even in a container, where the next process has the same number."""
    folder = export_folder(card)
    old = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    young = folder.with_name(f".{folder.name}.another.part")
    for each in (old, young):
        (each / "new").mkdir(parents=True)
    os.utime(old, (1, 1))
    export_network(card)
    assert read_manifest(folder, card) and not old.exists() and young.exists()


def test_the_models_that_were_read_last_are_kept(card, monkeypatch):
    monkeypatch.setattr(cache_folders, "KEPT", 3)
    folder = export_folder(card)
    for age in range(4):
        manifest = folder.parent / f"model_{age}" / MANIFEST
        manifest.parent.mkdir(parents=True)
        manifest.touch()
        os.utime(manifest, (1000 - age, 1000 - age))
    (folder.parent / "notes").mkdir()  # not ours
    export_network(card)
    left = {each.name for each in folder.parent.iterdir()}
    assert left == {folder.name, "model_0", "model_1", "notes"}


def test_reading_a_model_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    changes = dict(num_layers=1, drawing=False, reprojection=False, compositing=False, displacements=0)
    directory = write_random_model(tmp_path / "one", **changes, observed_displacements=0)
    load_world_model("onnx", directory)
    manifest = export_folder(ModelCard.read(directory)) / MANIFEST
    os.utime(manifest, (1000, 1000))
    load_world_model("onnx", directory)
    assert manifest.stat().st_mtime > 1000


def test_files_that_other_code_made_are_exported_again(card, monkeypatch):
    """Graphs of the same model by an earlier build may compute something else."""
    earlier = export_network(card)
    monkeypatch.setattr(exported_files, "code_digest", lambda: 64 * "0")
    assert earlier.is_dir() and not export_folder(card).exists()


def test_files_beside_the_model_that_other_code_made_are_told(card, caplog):
    """They were put there by hand, and perhaps nothing here can make them again."""
    folder = export_network(card)
    path = folder / MANIFEST
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"code_sha256": 64 * "0", "astra_ros": "0.0.9"}))
    assert read_manifest(folder, card)
    assert str(folder) in caplog.text and "0.0.9" in caplog.text


def test_a_manifest_without_a_graph_is_refused(card):
    """Without that of the outcomes, for example, the model would imagine none and say nothing."""
    path = export_network(card) / MANIFEST
    values = json.loads(path.read_text())
    del values["files"]["outcomes"], values["files"]["denoise"]
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError) as error:
        read_manifest(path.parent, card)
    assert error.value.thing == str(path) and error.value.problem == "lacks denoise, outcomes"
