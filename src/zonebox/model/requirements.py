"""SCHED_REQUIREMENTS: a small language of comparisons over a host's attributes. It evaluates; it ranks nothing.

Grammar: comparisons `NAME = value`, `!=`, `<`, `>`, `=~` joined by `&` and `|`, `!` and parentheses; values may
be quoted and may hold `*` and `?` as wild cards, as in OpenNebula's scheduling guide.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping

from zonebox.errors import Refused

_TOKEN = re.compile(r'\s*(?:(?P<mark>[()&|!](?!=)|!=|=~|=|<|>|@>)|"(?P<quoted>[^"]*)"|(?P<word>[^\s()&|!=<>"]+))')

_OPERATORS = frozenset({"=", "!=", "<", ">", "=~", "@>"})

# Python tries every way in which a pattern could match, and nothing else of the zone goes on meanwhile: a pattern of 31
# characters, `((((((.+)+)+)+)+)+)+!`, took 16 s for the nine characters of a host's name (2026-11-24).
_MOST_REPETITIONS = 3
_MOST_ALTERNATIVES = 6
_LITERAL = re.compile(r"\\.|\[\]?[^\]]*\]", re.DOTALL)
_REPETITION = re.compile(r"[*+?{]")


def met(expression: str, attributes: Mapping[str, str]) -> bool:
    """Whether a host with these attributes meets an expression; an empty one is met.

    Raises:
        Refused: the expression cannot be read.
    """
    if not expression.strip():
        return True
    reader = _Reader(expression, attributes)
    try:
        result = reader.either()
    except RecursionError as error:
        raise Refused("Error parsing requirements: too many parentheses within each other") from error
    if reader.tokens:
        raise Refused(f"Error parsing requirements: unexpected {reader.tokens[0]} in {expression}")
    return result


class _Reader:
    def __init__(self, expression: str, attributes: Mapping[str, str]) -> None:
        self.attributes = attributes
        self.expression = expression
        self.tokens: list[str] = []
        at = 0
        while at < len(expression.rstrip()):
            found = _TOKEN.match(expression, at)
            if found is None:
                raise Refused(f"Error parsing requirements: {expression}")
            self.tokens.append(found.group(found.lastgroup or 0))
            at = found.end()

    def either(self) -> bool:
        result = self.both()
        while self.tokens and self.tokens[0] == "|":
            self.tokens.pop(0)
            other = self.both()
            result = result or other
        return result

    def both(self) -> bool:
        result = self.term()
        while self.tokens and self.tokens[0] == "&":
            self.tokens.pop(0)
            other = self.term()
            result = result and other
        return result

    def term(self) -> bool:
        first = self._next()
        if first == "!":
            return not self.term()
        if first == "(":
            result = self.either()
            if self._next() != ")":
                raise Refused(f"Error parsing requirements: a parenthesis is not closed in {self.expression}")
            return result
        operator, value = self._next(), self._next()
        if operator not in _OPERATORS:
            raise Refused(f"Error parsing requirements: {operator} is no comparison in {self.expression}")
        return self._compare(self.attributes.get(first.upper(), ""), operator, value)

    def _next(self) -> str:
        if not self.tokens:
            raise Refused(f"Error parsing requirements: {self.expression} ends too early")
        return self.tokens.pop(0)

    @staticmethod
    def _compare(actual: str, operator: str, value: str) -> bool:
        if operator in {"<", ">"}:
            try:
                return float(actual) < float(value) if operator == "<" else float(actual) > float(value)
            except ValueError:
                return False
        equal = fnmatch.fnmatchcase(actual, value)
        if operator == "=~":
            _check_pattern(value)
            try:
                return re.search(value, actual) is not None
            except re.error as error:
                raise Refused(f"Error parsing requirements: {value} is no regular expression") from error
        if operator == "@>":
            return value in actual.split(",")
        return not equal if operator == "!=" else equal


def _check_pattern(pattern: str) -> None:
    """Refuse what could take for ever: repeated groups, many repetitions, many groups of alternatives."""
    bare = _LITERAL.sub("x", pattern)
    if re.search(r"\)[*+?{]", bare) or len(_REPETITION.findall(bare)) > _MOST_REPETITIONS:
        raise Refused(
            f"Error parsing requirements: the pattern {pattern} repeats a group, or has more than {_MOST_REPETITIONS} "
            "repetitions, which could keep the whole zone waiting; say the same with several comparisons"
        )
    if bare.count("(") > 1 and bare.count("|") > _MOST_ALTERNATIVES:
        raise Refused(
            f"Error parsing requirements: the pattern {pattern} has several groups and more than {_MOST_ALTERNATIVES} "
            "alternatives, which could keep the whole zone waiting; say the same with several comparisons"
        )
