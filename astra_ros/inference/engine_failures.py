"""Engines that fail while they work: named in one clear error, for all engines; memory that is short is recognised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from astra_ros.errors import where_raised
from astra_ros.inference.card import ModelError
from astra_ros.texts import short

# What runtimes say that have no class for it: torch's allocators, ONNX Runtime's arena, CUDA, C++.
_NO_MEMORY = ("out of memory", "t allocate memory", "cannot allocate", "failed to allocate memory", "bad_alloc")


class NotEnoughMemory(ModelError):
    """A request that memory does not hold."""

    @classmethod
    def of(cls, what: str, runs_on: str) -> NotEnoughMemory:
        cure = "free memory, send fewer plans, or take a shorter horizon or a smaller model"
        return cls(f"memory does not suffice for {what}", thing=f"engine '{runs_on}'", cure=cure)


class EngineSpent(ModelError):
    """An engine that failed, and cannot be asked for less: it must be loaded anew."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was short, of the processor or of a device, and fewer plans may do; looks at the causes too."""
    if isinstance(error, EngineSpent):
        return False
    cause: BaseException | None = error
    while cause is not None:
        text = str(cause).lower()
        if isinstance(cause, MemoryError) or any(words in text for words in _NO_MEMORY):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


@contextmanager
def named_failures(runs_on: str) -> Iterator[None]:
    """Raises NotEnoughMemory where memory is short, and ModelError, with the place in the code, where the engine
    `runs_on` raises anything else."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise NotEnoughMemory.of(f"the request ({short(error, 200)})", runs_on) from error
        reason = short(str(error).strip() or "no reason given", 200)
        problem = f"failed with {type(error).__name__}: {reason} ({where_raised(error)})"
        cure = "if it fails again, take another backend or start anew"
        raise ModelError(problem, thing=f"engine '{runs_on}'", cure=cure) from error
