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
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.subscription import Subscription
from rclpy.timer import Timer

_NOTHING_TO_DO = (
    executors.TimeoutException,
    executors.ShutdownException,
    executors.ExternalShutdownException,
    executors.ConditionReachedException,
)


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


class InPlaceExecutor(MultiThreadedExecutor):
    """Runs callbacks in the thread that spins. Only those of reentrant groups, which may block, get threads of a pool.

    So a callback outside reentrant groups must not wait for another one. In return, messages cost less: rclpy prepares
    anew for every message that it takes, and does that beside the callback of the one before, where both wait for the
    interpreter. Here nothing of the executor runs beside such a callback, and messages that wait are taken in a row.
    """

    def _take_subscription(self, subscription: Subscription) -> Any:
        take = super()._take_subscription
        if (first := take(subscription)) is None:
            return None

        async def those_that_wait() -> None:
            await first()
            for _ in range(subscription.qos_profile.depth - 1):  # then it is the others' turn
                if (another := take(subscription)) is None:
                    return
                await another()

        return those_that_wait

    def _spin_once_impl(self, timeout_sec: Any = None, wait_condition: Callable[[], bool] = lambda: False) -> None:
        try:
            ready: tuple[Any, Any, Any] = self.wait_for_ready_callbacks(timeout_sec, None, wait_condition)
        except _NOTHING_TO_DO:
            return
        handler, entity, _ = ready
        if entity is not None and isinstance(entity.callback_group, ReentrantCallbackGroup):
            self._executor.submit(handler)
            self._futures.append(handler)
        else:
            handler()
            handler.result()  # raises what the callback raised
        for future in [each for each in self._futures if each.done()]:
            self._futures.remove(future)
            future.result()  # the same for callbacks in the pool; one error at a time, the others at later spins
