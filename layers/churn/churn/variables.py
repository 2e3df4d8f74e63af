"""A variable of the environment: its form, its bounds, and what is said of one that is impossible."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from churn.domain.errors import ChurnError

_WHOLE = re.compile(r"[+-]?[0-9]+")
_REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BRIEF = 20
MOST = 1_000_000
"""The bound above of numbers that have no other."""


class InvalidSettingsError(ChurnError, ValueError):
    """A variable of the environment is missing or has an impossible value; the message names it."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the environment that a deployment may set; the template has a parameter for it.

    A number lies between `least` and `most`; where there are `choices`, the value is one of them. With a
    `pattern` it has that form. Where one of them limits the value, an empty one is the default.
    """

    name: str
    default: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    is_whole: bool = False
    parameter: str = ""
    """The name of the template's parameter, if it is not the variable's in CamelCase."""

    @property
    def parameter_name(self) -> str:
        """The name of the template's parameter."""
        return self.parameter or self.name.title().replace("_", "")

    def text(self, environment: Mapping[str, str]) -> str:
        """Return the value. Raises InvalidSettingsError if it is impossible."""
        text = environment.get(self.name, self.default)
        if self.least is not None or self.choices or self.pattern:
            text = text or self.default
        if self.choices and text not in self.choices:
            raise InvalidSettingsError(f"{self.name} must be one of {', '.join(self.choices)}, not {brief(text)}")
        if self.pattern and not re.search(self.pattern, text, re.ASCII):
            raise InvalidSettingsError(f"{self.name} must match {self.pattern}, not {brief(text)}")
        if self.least is not None:
            self._check_number(text)
        return text

    def _check_number(self, text: str) -> None:
        # int() and float() of Python take underscores, spaces and other scripts' digits, too.
        form = _WHOLE if self.is_whole else _REAL
        if not form.fullmatch(text):
            kind = "whole number" if self.is_whole else "number"
            raise InvalidSettingsError(f"{self.name} must be a {kind}, not {brief(text)}")
        least = 0 if self.least is None else self.least
        most = MOST if self.most is None else self.most
        if not least <= float(text) <= most:
            raise InvalidSettingsError(f"{self.name} must be between {least} and {most}, not {brief(text)}")


def brief(text: str) -> str:
    """Return a value as a message quotes it: a secret or a file that came into the wrong variable is cut."""
    return repr(text) if len(text) <= _BRIEF else f"{text[:_BRIEF]!r}…"


def whole(name: str, default: int, least: int, most: int = MOST) -> Variable:
    """Return the variable of a whole number."""
    return Variable(name, str(default), least, most, is_whole=True)


def real(name: str, default: float, least: float, most: float) -> Variable:
    """Return the variable of a number."""
    return Variable(name, f"{default:g}", least, most)
