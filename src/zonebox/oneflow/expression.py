"""The expressions of elasticity policies: parsing, evaluation, and the text that OneFlow shows. Knows no role.

Grammar (OneFlow 7.0): comparisons of numbers and attribute names, `&`, `&&`, `|`, `||`, `!`, parentheses. There is no
precedence: what follows an operator, or a `!`, is taken whole, so `a > 1 & b > 1 | c > 1` is `a > 1 & (b > 1 | c > 1)`.
An attribute that no VM has makes its comparison false.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

Lookup = Callable[[str], float | None]
"""Gives an attribute's average over the role's running VMs, or None where no VM has it."""

_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}
_NAME: Final = "[A-Za-z][0-9A-Za-z_]*"
_TOKEN: Final = re.compile(
    rf" *(?:(?P<number>-?[0-9]+(?:\.[0-9]+)?)|(?P<name>\"{_NAME}\"|'{_NAME}'|{_NAME})"
    r"|(?P<compare>==|=|!=|<>|>=|>|<=|<)|(?P<logic>&&|&|\|\||\|)|(?P<other>[!()]))"
)


MOST_CONDITIONS = 100
"""Within or after each other; each is a call within the call before, when it is read and when it is looked at."""


class ExpressionError(ValueError):
    """The expression does not parse."""

    def __init__(self, source: str, at: int, expected: str) -> None:
        super().__init__(f"Expected {expected} at line 1, column {at + 1} (byte {at + 1}) after {source[:at]}")


@dataclass(frozen=True)
class Number:
    """A literal; whole numbers show without a point."""

    value: float
    text: str

    def read(self, lookup: Lookup) -> tuple[float | None, str]:
        """Its value and text."""
        return self.value, self.text


@dataclass(frozen=True)
class Attribute:
    """A name, looked up in upper case."""

    name: str

    def read(self, lookup: Lookup) -> tuple[float | None, str]:
        """The average and its text, such as `LOAD[1.5]`, or `LOAD[--]` where there is none."""
        value = lookup(self.name)
        return value, f"{self.name}[{'--' if value is None else value}]"


@dataclass(frozen=True)
class Comparison:
    """Two operands and what is asked of them."""

    left: Number | Attribute
    symbol: str
    right: Number | Attribute

    def evaluate(self, lookup: Lookup) -> tuple[bool, str]:
        """The outcome and its text."""
        left, left_text = self.left.read(lookup)
        right, right_text = self.right.read(lookup)
        outcome = left is not None and right is not None and _COMPARISONS[self.symbol](left, right)
        return outcome, f"{left_text} {self.symbol} {right_text}"


@dataclass(frozen=True)
class Negation:
    """`!` and everything after it."""

    inner: Expression

    def evaluate(self, lookup: Lookup) -> tuple[bool, str]:
        """The outcome and its text."""
        outcome, text = self.inner.evaluate(lookup)
        return not outcome, f"!{text}"


@dataclass(frozen=True)
class Group:
    """Parentheses."""

    inner: Expression

    def evaluate(self, lookup: Lookup) -> tuple[bool, str]:
        """The outcome and its text."""
        outcome, text = self.inner.evaluate(lookup)
        return outcome, f"({text})"


@dataclass(frozen=True)
class Combination:
    """A condition, `&` or `|`, and the rest."""

    left: Comparison | Negation | Group
    symbol: str
    right: Expression

    def evaluate(self, lookup: Lookup) -> tuple[bool, str]:
        """The outcome and its text."""
        left, left_text = self.left.evaluate(lookup)
        right, right_text = self.right.evaluate(lookup)
        outcome = (left and right) if self.symbol.startswith("&") else (left or right)
        return outcome, f"{left_text} {self.symbol} {right_text}"


Expression = Comparison | Negation | Group | Combination


def parse(source: str) -> Expression:
    """The expression in a text.

    Raises:
        ExpressionError: with the position and what was expected there.
    """
    parser = _Parser(source)
    expression = parser.expression()
    parser.end()
    return expression


def rounded(value: float) -> float:
    """Two decimals, halves away from zero, as OneFlow rounds averages."""
    scaled = abs(value) * 100
    return (int(scaled + 0.5) / 100.0) * (1 if value >= 0 else -1)


class _Parser:
    """Recursive descent over tokens."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self._left = MOST_CONDITIONS

    def _take(self, kind: str, *texts: str) -> str | None:
        match = _TOKEN.match(self.source, self.at)
        text = match.group(kind) if match else None
        if match is None or text is None or (texts and text not in texts):
            return None
        self.at = match.end()
        return text

    def _fail(self, expected: str) -> ExpressionError:
        return ExpressionError(self.source, self.at, expected)

    def end(self) -> None:
        """Refuse anything but spaces."""
        if self.source[self.at :].strip(" "):
            raise self._fail("one of &, |, a space")

    def expression(self) -> Expression:
        """A condition and what it is combined with."""
        if self._left == 0:
            raise self._fail(f"no more than {MOST_CONDITIONS} conditions")
        self._left -= 1
        left = self._condition()
        symbol = self._take("logic")
        return left if symbol is None else Combination(left, symbol, self.expression())

    def _condition(self) -> Comparison | Negation | Group:
        if self._take("other", "!"):
            return Negation(self.expression())
        if self._take("other", "("):
            inner = self.expression()
            if not self._take("other", ")"):
                raise self._fail(")")
            return Group(inner)
        left = self._operand()
        symbol = self._take("compare")
        if symbol is None:
            raise self._fail("one of ==, =, !=, <>, >=, >, <=, <")
        return Comparison(left, symbol, self._operand())

    def _operand(self) -> Number | Attribute:
        number = self._take("number")
        if number is not None:
            return Number(float(number), str(float(number)) if "." in number else str(int(number)))
        name = self._take("name")
        if name is None:
            raise self._fail("a number or the name of an attribute")
        return Attribute(name.upper())
