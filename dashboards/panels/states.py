# SPDX-License-Identifier: GPL-2.0-only
"""Values that stand for a state, in words and colours."""

from collections.abc import Mapping

from grafana_foundation_sdk.models.dashboard import ValueMap, ValueMapping, ValueMappingResult

State = tuple[str, str]
"""Text and colour."""


def mappings(states: Mapping[int, State]) -> list[ValueMapping]:
    """What Grafana shows in place of each value."""
    options = {
        f"{value}": ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, (text, colour)) in enumerate(states.items())
    }
    return [ValueMap(options)] if options else []
