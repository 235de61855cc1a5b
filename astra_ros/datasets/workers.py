"""Jobs in parallel: in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

import multiprocessing
import os
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from astra_ros.errors import UserError

ATTEMPTS = 3

Run = Callable[[Callable, Sequence[tuple]], Iterator]


class WorkersDied(UserError):
    """Worker processes or a Ray cluster ended without an answer, again and again."""


def local_workers(count: int) -> Run:
    """`run(function, jobs)` yields `function(*job)` of each job, in order of completion, from processes.

    When a worker dies (killed, out of memory), new workers repeat the jobs under way, each up to ATTEMPTS times; then
    `run` raises WorkersDied. `run` also raises what a job raises.
    """

    def run(function: Callable, jobs: Sequence[tuple]) -> Iterator:
        waiting = list(jobs)[::-1]
        deaths: Counter[int] = Counter()  # while a job was under way
        while waiting:
            # spawn: a forked simulator would share its parent's state
            with ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _end_with_parent) as pool:
                under_way: dict[Future, tuple] = {}
                try:
                    while waiting or under_way:
                        while waiting and len(under_way) < 2 * count:
                            job = waiting[-1]  # may be refused, where the pool broke meanwhile
                            under_way[pool.submit(function, *job)] = job
                            waiting.pop()
                        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                        for future in done:
                            answer = future.result()
                            del under_way[future]
                            yield answer
                except BrokenProcessPool as error:
                    lost = list(under_way.values())
                    waiting += lost[::-1]
                    deaths.update(map(id, lost))
                    if given_up := [job for job in lost if deaths[id(job)] >= ATTEMPTS]:
                        named = ", ".join(str(job[:3]) for job in given_up)
                        raise WorkersDied(f"worker processes died {ATTEMPTS} times at one of {named}") from error
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise

    return run


def _end_with_parent() -> None:
    """Run first in each worker: it ends with its parent, even if that is killed."""

    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait_for_it() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_for_it, daemon=True).start()


def ray_workers(address: str) -> Run:
    """As `local_workers`, on the Ray cluster at `address`, which repeats the jobs of lost machines."""

    def run(function: Callable, jobs: Sequence[tuple]) -> Iterator:
        import ray

        def no_answer(error: Exception) -> WorkersDied:
            return WorkersDied(
                f"no Ray cluster answers ({error})", thing=address, cure="start one with: ray start --head"
            )

        if place := re.fullmatch(r"([^:/]+):(\d+)", address):
            try:  # Ray itself asks for five minutes.
                socket.create_connection((place[1], int(place[2])), timeout=10).close()
            except (OSError, OverflowError) as error:
                raise no_answer(error) from error
        try:
            ray.init(address=address, log_to_driver=False)
        except (ConnectionError, ValueError) as error:
            raise no_answer(error) from error
        try:
            remote = ray.remote(max_retries=ATTEMPTS)(function)
            under_way = [remote.remote(*job) for job in jobs]
            while under_way:
                done, under_way = ray.wait(under_way)
                try:
                    yield ray.get(done[0])
                except ray.exceptions.RayTaskError as error:  # what the job raised; its text is a whole traceback
                    if isinstance(error.cause, UserError):
                        raise error.cause from error
                    raise
                except ray.exceptions.RayError as error:
                    raise WorkersDied(f"Ray could not do a job ({type(error).__name__}: {error})") from error
        finally:
            ray.shutdown()

    return run
