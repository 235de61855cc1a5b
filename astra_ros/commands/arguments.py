"""What the command lines of this package share: help that shows defaults, and numbers with a floor."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from astra_ros.errors import UserError
from astra_ros.texts import listed, short

Request = TypeVar("Request")


class HelpFormat(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps line breaks of descriptions, and shows defaults that are not None."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.nargs == 0 or action.default in (None, False, ()) or "default" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


class OneLineParser(argparse.ArgumentParser):
    """A parser that tells in one line what is wrong, and does not print its usage.

    Attributes:
        hints: a wrong choice -> what to type instead.
        asks: whose ``--help`` lists what there is; '' for this parser's own.
        given: names of the settings whose options the command line has; the arguments have it under this name.
    """

    hints: Mapping[str, str] = {}
    asks = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.given: set[str] = set()
        self.set_defaults(given=self.given)
        self._flags: dict[str, str] = {}  # setting -> the option that set it

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._flags.clear()
        return super().parse_known_args(args, namespace)

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        if action.option_strings:
            self.given.add(action.dest)
            flag = action.option_strings[0]
            if (first := self._flags.setdefault(action.dest, flag)) != flag:
                self.error(f"{first} and {flag} set the same; give one of them")
        return super()._get_values(action, arg_strings)

    def error(self, message: str) -> NoReturn:
        """Tell what is wrong, and exit with 2."""
        asks = self.asks or self.prog
        self.exit(2, f"{asks}: {message}; `{asks} --help` lists what it takes\n")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is None or value in action.choices:
            return
        what = action.option_strings[0] if action.option_strings else "command"
        numbers = isinstance(action.choices, range)
        known = str(action.metavar) if numbers and action.metavar else listed(action.choices)
        hint = self.hints.get(str(value)) or robot_or_world(str(value))
        told = f"{what}: there is no '{short(value)}'; choose from {known}"
        self.exit(2, f"{self.prog}: {told}{f'; {hint}' if hint else ''}\n")


class UnusedOption(UserError):
    """An option was given that has no effect beside the others."""


def refuse_unused(args: argparse.Namespace, names: Iterable[str], problem: str, cure: str = "leave it out") -> None:
    """Raises UnusedOption for the first of these settings whose option was given. The problem says why it is unused."""
    for name in names:
        if name in args.given:
            raise UnusedOption(problem, thing=name, cure=cure)


def robot_or_world(name: str) -> str:
    """That a name is a robot of a world, or a world of robots, in words; '' where it is neither."""
    from astra_ros.simulation.worlds import WORLDS

    worlds = [world for world, spec in WORLDS.items() if name in spec.robots]
    if worlds:
        return f"{name} is a robot of the world{'s' * (len(worlds) > 1)} {listed(worlds)}"
    return f"{name} is a world, with {listed(WORLDS[name].robots)}" if name in WORLDS else ""


def at_least(low: float, high: float | None = None) -> Callable[[str], int]:
    """An argparse type: a whole number that is not below `low`, nor above `high` if there is one."""

    def number(text: str) -> int:
        value = int(text)
        if value < low:
            raise argparse.ArgumentTypeError(f"{value} is below {low}")
        if high is not None and value > high:
            raise argparse.ArgumentTypeError(f"{value} is above {high}")
        return value

    number.__name__ = "whole number"  # argparse says "invalid whole number value: 'x'"
    return number


def frame_size(text: str) -> tuple[int, int]:
    """An argparse type: '64' or '96x64', width first -> (height, width), pixels."""
    numbers = [int(part) if part.isdigit() else 0 for part in text.split("x")]
    if len(numbers) > 2 or min(numbers) < 16 or any(number % 2 for number in numbers):
        raise argparse.ArgumentTypeError(f"'{text}': expected one or two even numbers from 16 on, such as 64 or 96x64")
    return numbers[-1], numbers[0]


frame_size.__name__ = "frame size"


def add_options(parser: argparse.ArgumentParser, request: type) -> None:
    """Add an option for each field of a request dataclass that has a description, with the field's default.

    The field's annotation says what is parsed; `range` in its metadata limits whole numbers.
    """
    for item in fields(request):
        if "description" not in item.metadata:
            continue
        about = {key: item.metadata[key] for key in ("choices", "metavar") if key in item.metadata}
        kind, limits = str(item.type).removesuffix(" | None"), item.metadata.get("range")
        if kind == "bool":
            about["action"] = "store_false" if item.default else "store_true"
        elif kind == "Sequence[str]":
            about["nargs"] = "+"
        else:
            kinds = {"str": str, "Path": Path, "float": float, "int": int}
            about["type"] = at_least(*limits) if kind == "int" and limits else kinds[kind]
        flag = item.metadata.get("flag", "--" + item.name.replace("_", "-"))
        parser.add_argument(flag, dest=item.name, default=item.default, help=item.metadata["description"], **about)


def flags_of(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Name of a setting -> the flag that sets it."""
    return {action.dest: action.option_strings[0] for action in parser._actions if action.option_strings}


def request_of(request: type[Request], args: argparse.Namespace) -> Request:
    """A request dataclass from the arguments of the same names."""
    names = [field.name for field in fields(request)]  # type: ignore[arg-type]  # every request is a dataclass
    return request(**{name: getattr(args, name) for name in names})
