#!/usr/bin/env bash
# A timer that a callback cancels, in a node with several threads.
#
# The guess: timer.cancel() in a callback stops that timer, and nothing else.
# The behaviour (ros-rclpy 7.1.6, Jazzy): if the timer is due and its callback already waits for a thread of the
# MultiThreadedExecutor, then no callback of its group runs again, for good. That group is the node's own one if none
# was given, so subscriptions, services and timers are all silent. Nothing is raised or logged while the process runs.
# rclpy enters the group, finds the timer cancelled, raises in a task that is never looked at, and does not leave the
# group. 9.1.2 (Kilted) expects cancelled timers, and there the guess is right.
# For our users: a node that puts off work with a timer (cancel, then reset) meets this rarely when idle and often when
# its cores are busy, and then looks alive in the graph. astra_ros runs its nodes in executors that leave the group.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'ros-rclpy[fastrtps]==7.1.6' 'numpy<2.3'
cat > "$folder/timers.py" <<'PY'
import os
import sys
import threading
import time
from importlib.metadata import version

import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node


def fired(cancels):
    """The names of the timers that fired within three seconds, of a node whose two threads are busy for half a second."""
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    node, names, end = Node("finding", context=context, use_global_arguments=False), [], threading.Event()
    executor = MultiThreadedExecutor(2, context=context)
    executor.add_node(node)
    aside = ReentrantCallbackGroup()

    def busy(timer, seconds):
        timers[timer].cancel()
        end.wait(seconds)

    def first():
        names.append("first")
        timers["first"].cancel()
        if cancels:
            timers["second"].cancel()

    timers = {
        "busy": node.create_timer(0.01, lambda: busy("busy", 0.5), callback_group=aside),
        "very busy": node.create_timer(0.01, lambda: busy("very busy", 60.0), callback_group=aside),
        "first": node.create_timer(0.1, first),
        "second": node.create_timer(0.1, lambda: names.append("second")),
        "other": node.create_timer(1.2, lambda: names.append("other")),
    }
    raised = []

    def spin():
        while context.ok() and not end.is_set():
            try:
                executor.spin_once(timeout_sec=0.1)
            except Exception as error:
                raised.append(error)

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    time.sleep(3.0)
    end.set()
    thread.join(5.0)
    return sorted(set(names)), raised


print("rclpy", version("ros-rclpy"))
without, with_it = fired(cancels=False), fired(cancels=True)
print("nothing is cancelled:           ", *without)
print("the first cancels the second:   ", *with_it)
as_stated = without == (["first", "other", "second"], []) and with_it[0] == ["first"]
print("as stated" if as_stated else "CHANGED")
sys.stdout.flush()
os._exit(0 if as_stated else 1)
PY
AMENT_PREFIX_PATH="$folder/venv" RMW_IMPLEMENTATION=rmw_fastrtps_cpp "$folder/venv/bin/python" "$folder/timers.py"
