"""FVD against the reference implementations, on a detector made here."""

import numpy as np
import pytest
import torch
from detector import Detector, scripted
from scipy.linalg import sqrtm
from torch import nn
from torchmetrics.image.fid import _compute_fid
from user_errors import holds

from astra_ros.evaluation.fvd import frechet_distance, statistics
from astra_ros.training.pretrained_weights import MetricError


class Classifier(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def videos(count: int = 5, frames: int = 9, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, frames, 8, 10, 3), np.uint8)


def test_features_are_the_detectors(fvd):
    clips = videos()
    scaled = clips.reshape(5, -1, 3) / 127.5 - 1
    features = fvd.features(clips, batch=2)
    np.testing.assert_allclose(features, np.concatenate([scaled.mean(1), scaled.std(1)], 1), atol=1e-6)
    assert features.dtype == np.float64


def test_fvd_refuses_other_videos_and_files(fvd, tmp_path):
    def refused(thing, call) -> str:
        with pytest.raises(MetricError) as error:
            call()
        assert error.value.thing == str(thing) and error.value.cure
        return error.value.problem

    assert "[5, 8, 8, 10, 3]" in refused("FVD", lambda: fvd.features(videos(frames=8)))
    assert "float32" in refused("FVD", lambda: fvd.features(videos().astype(np.float32)))
    assert "[0, 9, 8, 10, 3]" in refused("FVD", lambda: fvd.features(videos(0)))
    assert "[1, 9, 8, 10, 3]" in refused("FVD", lambda: fvd.features(videos(1)))
    path = tmp_path / "bad.pt"
    bad = scripted(Detector(wide=False), path)
    assert "[4, 3, 720]" in refused(path, lambda: bad.features(videos()))
    path = tmp_path / "other.pt"
    assert "(self, x)" in (problem := refused(path, lambda: scripted(Classifier(), path))) and "rescale" in problem
    path = tmp_path / "mine.pt"
    assert "sha256" in refused(path, lambda: scripted(Detector(), path, official=True))


def test_a_failing_detector_is_named(fvd):
    fvd._detector = torch.jit.script(Classifier())
    with pytest.raises(MetricError) as error:
        fvd.features(videos())
    assert error.value.thing.endswith("detector.pt") and "[4, 3, 9" in error.value.problem


def test_frechet_distance_by_hand():
    mean, eye = np.zeros(3), np.eye(3)
    shift = np.array([1.0, -2.0, 3.0])
    assert frechet_distance(mean, eye, mean, eye) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(mean, eye, shift, eye) == pytest.approx(1 + 4 + 9)
    # Along each axis (spread_1 - spread_2)^2: (1 - 2)^2 + (3 - 1)^2 + (0 - 5)^2.
    assert frechet_distance(mean, np.diag([1.0, 9, 0]), mean, np.diag([4.0, 1, 25])) == pytest.approx(1 + 4 + 25)


def test_shifted_features_are_as_far_as_the_shift():
    features = np.random.default_rng(1).normal(size=(500, 40)) * np.geomspace(1e-3, 10, 40)
    shift = np.linspace(-1, 1, 40)
    here, there = statistics(features), statistics(features + shift)
    assert frechet_distance(*here, *here) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(*here, *there) == pytest.approx(np.square(shift).sum())


def test_frechet_distance_is_that_of_the_references():
    rng = np.random.default_rng(2)
    one, two = (statistics(rng.normal(size=(900, 400)) @ rng.normal(size=(400, 400))) for _ in range(2))
    ours = frechet_distance(*one, *two)
    tensors = [torch.from_numpy(value) for value in (*one, *two)]
    assert ours == pytest.approx(float(_compute_fid(*tensors)), rel=1e-9)
    # As StyleGAN-V has it.
    root = sqrtm(one[1] @ two[1])
    theirs = np.real(np.square(one[0] - two[0]).sum() + np.trace(one[1] + two[1] - 2 * root))
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_few_videos_are_exact_and_warned_of():
    rng = np.random.default_rng(3)
    features = [rng.normal(size=(20, 100)) for _ in range(2)]
    with pytest.warns(UserWarning) as warned:
        one, two = (statistics(value) for value in features)
    assert all(holds(str(warning.message), ("20 videos", "100 features")) for warning in warned) and len(warned) == 2
    # Of centred features A and B the root's trace is the nuclear norm of A B' / (N - 1).
    a, b = (value - value.mean(0) for value in features)
    shared = np.linalg.svd(a @ b.T / 19, compute_uv=False).sum()
    exact = np.square(one[0] - two[0]).sum() + np.trace(one[1]) + np.trace(two[1]) - 2 * shared
    assert frechet_distance(*one, *two) == pytest.approx(exact, rel=1e-10)
    assert frechet_distance(*one, *one) == pytest.approx(0, abs=1e-10)


def test_what_is_no_gaussian_is_refused():
    for features in (np.zeros((1, 4)), np.full((5, 4), np.nan)):
        with pytest.raises(MetricError) as error:
            statistics(features)
        assert error.value.thing == "FVD" and str(list(features.shape)) in error.value.problem
    mean, eye = np.zeros(2), np.eye(2)
    for covariance, fact in (
        (-eye, "negative"),
        (np.array([[1.0, 5], [0, 1]]), "symmetric"),
        (np.eye(3), "[3, 3]"),
        (eye * np.nan, "not finite"),
    ):
        with pytest.raises(MetricError) as error:
            frechet_distance(mean, eye, mean, covariance)
        assert error.value.thing == "FVD" and fact in error.value.problem
