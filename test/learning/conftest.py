"""Three recorded episodes for all tests here, and how to call a command."""

import argparse

import pytest

from astra_ros.learning import record, train


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    assert record.record(folder, [("arm", "kuka")], episodes=3, first_seed=0, workers=1) == 3
    return folder


@pytest.fixture
def arguments():
    """`astra train` with a few steps only: (data, out, *more) -> parsed arguments."""

    def parse(data, out, *more):
        parser = argparse.ArgumentParser()
        train.add_arguments(parser)
        return parser.parse_args(
            [
                "--data",
                str(data),
                "--out",
                str(out),
                "--autoencoder-steps",
                "4",
                "--dynamics-steps",
                "6",
                "--compositor-steps",
                "6",
                "--autoencoder-batch",
                "4",
                "--dynamics-batch",
                "2",
                "--compositor-batch",
                "4",
                "--device",
                "cpu",
                *more,
            ]
        )

    return parse
