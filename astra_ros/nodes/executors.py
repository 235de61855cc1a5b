"""rclpy's executors, without a way in which a node dies silently.

Where an executor cannot take what made a callback ready, rclpy leaves the callback's group occupied for good. No
callback of that group runs again, and nothing is logged. In rclpy 7.1.6 (Jazzy) that happens to a timer that is
cancelled, by another thread or by the callback before it, after the executor has seen that it is due. 9.1.2 (Kilted)
expects cancelled timers, and nothing else.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from rclpy import executors
from rclpy.timer import Timer


class _Takes:
    """What cannot be taken is left out, and the group goes on."""

    def _make_handler(self, entity: Any, node: Any, take_from_wait_list: Callable[[Any], Any]) -> Any:
        def take(entity: Any) -> Any:
            try:
                return take_from_wait_list(entity)
            except Exception:  # noqa: BLE001 - whatever it is, the other callbacks must run
                if not (isinstance(entity, Timer) and entity.is_canceled()):
                    node.get_logger().error(f"unexpected error, the node lives on:\n{traceback.format_exc()}")
                return None

        return super()._make_handler(entity, node, take)  # type: ignore[misc]


class SingleThreadedExecutor(_Takes, executors.SingleThreadedExecutor):
    """Runs callbacks in the thread that spins."""


class MultiThreadedExecutor(_Takes, executors.MultiThreadedExecutor):
    """Runs callbacks in a pool of threads."""
