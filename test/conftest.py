"""What every test needs: a ROS graph of its own, on this machine only; recorded episodes; a short training."""

import atexit
import ctypes
import os
import shutil
import signal
import tempfile

import pytest

from astra_ros.commands.arguments import OneLineParser

# Set before any test imports rclpy, and inherited by the nodes that tests start. A value that is
# already set stays, so that a test run can be watched with ros2 tools on a known domain.
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
# Nodes, workers and torch share a few cores here: threads that wait must not keep one busy.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Shapes that an earlier version cut and kept must not be what is tested.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="astra_test_cache_")
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)

# A shell that starts this with `&` has it ignore Ctrl-C, and what tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


class SignalStack(ctypes.Structure):
    """The C library's `stack_t`: where signal handlers run, Python's among them."""

    _fields_ = [("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


signal_stack = SignalStack()


def pytest_runtest_logstart():
    if not signal_stack.size:
        ctypes.CDLL(None).sigaltstack(None, ctypes.byref(signal_stack))


def pytest_runtest_logfinish():
    # Tests of runtimes leave one of 12 kB. Where a CPU's registers need as much, the next SIGINT is a segmentation
    # fault.
    if signal_stack.size:
        ctypes.CDLL(None).sigaltstack(ctypes.byref(signal_stack), None)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Three recorded episodes of an arm."""
    from astra_ros.datasets import record

    folder = tmp_path_factory.mktemp("data")
    assert record.record(record.RecordRequest(folder, [("arm", "kuka")], episodes=3, first_seed=0, workers=1)) == 3
    return folder


@pytest.fixture
def arguments():
    """`astra train` with a few steps only: (data, out, *more) -> parsed arguments."""
    from astra_ros.commands import train

    def parse(data, out, *more):
        parser = OneLineParser()
        train.add_arguments(parser)
        few = ["--autoencoder-steps", "4", "--dynamics-steps", "6", "--compositor-steps", "6"]
        small = ["--autoencoder-batch", "4", "--dynamics-batch", "2", "--compositor-batch", "4", "--device", "cpu"]
        return parser.parse_args(["--data", str(data), "--out", str(out), *few, *small, *more])

    return parse
