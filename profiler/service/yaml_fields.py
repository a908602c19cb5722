# SPDX-License-Identifier: GPL-2.0-only
"""A YAML file read strictly: each value of its type, each key known and written once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ..errors import UserError

#: Units of Go's time.ParseDuration, in seconds.
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


class _StrictLoader(yaml.SafeLoader):
    """PyYAML lets the last of two equal keys win; here the second is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key_node.value!r} is there twice", key_node.start_mark
                    )
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def parse(text: bytes, path: Path) -> Section:
    """The top of the file; an empty file is an empty section.

    :raises UserError: when it is no YAML, or no mapping.
    """
    try:
        value = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 (a SafeLoader)
    except RecursionError:
        raise UserError(f"{path} is not usable: it is nested too deeply; make it flatter.") from None
    except (yaml.YAMLError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        why = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        raise UserError(f"{path} is no valid YAML{line}: {why}; correct that line.") from None
    return Section(path, "", value)


class Section:
    """One mapping of the file; what was not asked for by :meth:`end` is an unknown key.

    Every method raises :class:`UserError` naming the file and the whole path of the key.

    :param path: the file, for messages and as the base of relative paths.
    :param name: path of this mapping within the file, ``""`` for the top.
    """

    def __init__(self, path: Path, name: str, value: object) -> None:
        self.path = path
        self._name = name
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise self.bad("", "is not a mapping", "write `key: value` lines below it")
        self._values = value
        self._asked: set[str] = set()

    def bad(self, key: str, what: str, how: str) -> UserError:
        """The error about one key: *what* is wrong with it, and *how* to go on."""
        full = ".".join(part for part in (self._name, key) if part) or "the whole file"
        return UserError(f"{self.path}: {full} {what}; {how}.")

    def has(self, key: str) -> bool:
        """Whether the key has a value that is not empty (``0`` and ``false`` are values)."""
        return self._get(key) not in (None, "", [], {})

    def text(self, key: str) -> str:
        """A string, ``""`` when absent."""
        value = self._get(key)
        if value is not None and not isinstance(value, str):
            raise self.bad(key, f"is {_kind(value)}, not text", "put it in quotes")
        return value or ""

    def duration(self, key: str) -> float:
        """A duration in Go's notation (``1m30s``) or 0, in seconds; 0 when absent."""
        if self._get(key) in (0, "0"):
            return 0.0
        text = self.text(key)
        parts = _DURATION_PART.findall(text)
        if "".join(number + unit for number, unit in parts) != text:
            raise self.bad(key, f"is {text!r}", "write a duration such as 100ms, 1s or 1m30s")
        return sum(float(number) * _UNITS[unit] for number, unit in parts)

    def flag(self, key: str) -> bool | None:
        """A boolean, ``None`` when absent."""
        value = self._get(key)
        if value is not None and not isinstance(value, bool):
            raise self.bad(key, f"is {_kind(value)}", "write true or false")
        return value

    def number(self, key: str) -> int:
        """A whole number, 0 when absent."""
        value = self._get(key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise self.bad(key, f"is {_kind(value)}", "write a whole number")
        return value or 0

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings, empty when absent."""
        value = self._get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.bad(key, "is not a list of texts", "write one `- value` line for each")
        return tuple(value)

    def section(self, key: str) -> Section:
        """A mapping within this one, empty when absent."""
        full = f"{self._name}.{key}" if self._name else key
        return Section(self.path, full, self._get(key))

    def items(self) -> list[tuple[str, str]]:
        """Name and text of every key, for a mapping whose keys are the user's own."""
        for key in self._values:
            if not isinstance(key, str):
                raise self.bad(str(key), f"has {_kind(key)} as its name", "put the name in quotes")
        return [(key, self.text(key)) for key in self._values]

    def end(self) -> None:
        """Refuse every key that was not asked for."""
        for key in self._values:
            if key not in self._asked:
                known = ", ".join(sorted(self._asked))
                raise self.bad(str(key), "is an unknown key", f"the keys here are {known}")

    def _get(self, key: str) -> Any:
        self._asked.add(key)
        return self._values.get(key)


def _kind(value: object) -> str:
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list"}
    return kinds.get(type(value), "of another type")
