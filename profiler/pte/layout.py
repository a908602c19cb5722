# SPDX-License-Identifier: GPL-2.0-only
"""A kernel's numbers as far as they are known: all that are consistent with what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import product

from .bits import TYPES
from .generations import GENERATIONS, Generation, Numbers, Options, numbers

OPTIONS = tuple(option.name for option in fields(Options))


@dataclass(frozen=True)
class Facts:
    """What is known of a kernel; what is not named is not known.

    :param areas: ``MAX_SWAPFILES``.
    :param options: of :class:`Options`.
    :param generation: attributes of :class:`Generation`.
    """

    areas: int | None = None
    options: Mapping[str, bool] = field(default_factory=dict)
    generation: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """Every :class:`Numbers` that the kernel may have; one when nothing is in doubt.

    :param name: for people.
    :param sources: where the facts are from.
    :param doubts: what could not be read, and what follows; a sentence each.
    """

    name: str
    candidates: tuple[Numbers, ...]
    sources: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @cached_property
    def types(self) -> tuple[tuple[str, ...], ...]:
        """Swap type → the kinds it may be."""
        return tuple(
            tuple(dict.fromkeys(numbers.types[type_] for numbers in self.candidates))
            for type_ in range(TYPES)
        )


def candidates(facts: Facts) -> tuple[Numbers, ...]:
    """All numbers that are consistent with the facts; none when they contradict each other.

    :raises KeyError: when a fact is of no known option or attribute.
    """
    unknown = set(facts.options) - set(OPTIONS)
    if unknown:
        raise KeyError(f"no options {sorted(unknown)}")
    choices = [(facts.options[name],) if name in facts.options else (True, False) for name in OPTIONS]
    found = (
        numbers(generation, Options(*chosen))
        for generation in GENERATIONS
        if all(_attribute(generation, name) == value for name, value in facts.generation.items())
        for chosen in product(*choices)
    )
    return tuple(dict.fromkeys(n for n in found if facts.areas in (None, n.max_swapfiles)))


def _attribute(generation: Generation, name: str) -> object:
    if name not in Generation.__dataclass_fields__:
        raise KeyError(f"no attribute {name}")
    return getattr(generation, name)
