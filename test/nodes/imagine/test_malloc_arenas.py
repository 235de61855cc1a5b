"""Large images in many threads: the process takes what it needs and no more with time."""

import subprocess
import sys

import pytest

pytest.importorskip("rclpy")

PROGRAM = """
import threading
from types import SimpleNamespace

from astra_ros.nodes.imagine.malloc_arenas import share_arenas

shared = share_arenas()
import numpy as np
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image

from astra_ros.bridge.images import rgb_to_image
from astra_ros.bridge.stamps import stamp_of
from astra_ros.nodes.imagine.bridge_readers import bridge_readers
from astra_ros.nodes.imagine.inputs import ImagineInputs, Topics
from astra_ros.nodes.imagine.settings import PlanTopicSettings

def memory_mb():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

inputs = ImagineInputs(Topics("/camera"), {"a": PlanTopicSettings()}, bridge_readers({}), print, print)
inputs.camera.expect(SimpleNamespace(image_size=(128, 128), history=4, dt_s=0.25))
data = serialize_message(rgb_to_image(np.zeros((1080, 1920, 3), np.uint8), stamp_of(0.0), "camera"))
turn, numbers, seen = threading.Lock(), iter(range(300)), []

def work():  # as the executor's threads: each takes a message, one at a time is converted
    while (number := next(numbers, None)) is not None:
        msg = deserialize_message(data, Image)
        msg.header.stamp = stamp_of(1.0 + number / 60)
        with turn:
            inputs.on_image(msg)
            seen.append(memory_mb())

threads = [threading.Thread(target=work) for _ in range(4)]
before = memory_mb()
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(shared, inputs.camera.frames_held, len(seen), before, max(seen[:150]), max(seen[150:]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_images_of_a_fast_camera_do_not_pile_up():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    shared, held, count, before, early, late = done.stdout.split()
    assert shared == "True" and int(held) <= 32 and int(count) == 300
    # 6 MB an image: four messages, and the copies of those that are being converted.
    assert float(late) - float(before) < 150.0 and float(late) - float(early) < 30.0, done.stdout


def test_a_user_who_sets_the_number_of_arenas_is_left_alone(monkeypatch):
    from astra_ros.nodes.imagine.malloc_arenas import share_arenas

    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    assert share_arenas() is False
