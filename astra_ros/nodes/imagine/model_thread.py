"""The one thread that loads a model and uses it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from astra_ros.errors import UserError


class ShuttingDown(UserError, RuntimeError):
    """A request is not served any more, since the node ends."""


class ModelThread:
    """Loads a model, then works on it whenever asked.

    Requests that arrive while the thread is busy are answered together by one run that starts afterwards and takes
    the newest inputs, so no queue builds up.

    Args:
        load: returns the model; its exception is the answer of every later request.
        work: called with the model for a request; its result or exception is the answer.
        refresh: called with the model after ``refresh()``, for outputs that gain a subscriber later; after the requests
            that wait, also where those never end.
        on_error: told of exceptions that are not the answer of a request.
    """

    def __init__(
        self,
        load: Callable[[], Any],
        work: Callable[[Any], Any],
        refresh: Callable[[Any], None],
        on_error: Callable[[BaseException], object],
    ) -> None:
        self._load, self._work, self._refresh, self._on_error = load, work, refresh, on_error
        self._wake = threading.Condition()
        self._waiting: list[Future] = []
        self._refresh_wanted = False
        self._stopped = False
        self.failure: BaseException | None = None  # the exception of loading
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def request(self) -> Future:
        """Ask for work; the future gets its result. May be called from any thread."""
        future: Future = Future()
        with self._wake:
            if self._stopped:
                future.set_exception(ShuttingDown("the node is shutting down"))
            else:
                self._waiting.append(future)
                self._wake.notify()
        return future

    def refresh(self) -> None:
        with self._wake:
            self._refresh_wanted = True
            self._wake.notify()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Answer waiting requests with an error and end the thread after the work at hand; False when that takes longer
        than ``timeout_s``, well below the 5 s after which ``ros2 launch`` sends SIGTERM."""
        with self._wake:
            self._stopped = True
            waiting, self._waiting = self._waiting, []
            self._wake.notify()
        for future in waiting:
            future.set_exception(ShuttingDown("the node is shutting down"))
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        model = None
        try:
            model = self._load()
        except Exception as error:  # noqa: BLE001 - every request is answered with it
            self.failure = error
            self._on_error(error)
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._stopped or self._waiting or self._refresh_wanted)
                if self._stopped:
                    return
                waiting, self._waiting = self._waiting, []
                refresh, self._refresh_wanted = self._refresh_wanted, False
            if waiting:
                self._answer(waiting, model)
            if refresh and self.failure is None:
                try:
                    self._refresh(model)
                except Exception as error:  # noqa: BLE001
                    self._on_error(error)

    def _answer(self, waiting: list[Future], model) -> None:
        try:
            if self.failure is not None:
                raise self.failure
            result = self._work(model)
        except Exception as error:  # noqa: BLE001
            for future in waiting:
                future.set_exception(error)
        else:
            for future in waiting:
                future.set_result(result)
