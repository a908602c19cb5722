# SPDX-License-Identifier: GPL-2.0-only
"""What the verdict of a service that runs for months rests on.

A missed event makes every answer ``not exercised``, as everywhere. In a one-shot that is the end of it; here
the evidence is collected anew from there on, so that one lost event does not silence the service for good.
"""

from ..snapshot import Snapshot


class Evidence:
    """The part of the figures that nothing is missing from."""

    def __init__(self) -> None:
        self._since: Snapshot | None = None

    def of(self, total: Snapshot) -> Snapshot:
        """Figures since the evidence was last renewed, any miss since then among them."""
        return total - self._since if self._since else total

    def renew(self, total: Snapshot) -> None:
        """Begin anew if something was missed. Called every tick: so long a miss shows as the reason."""
        if self.of(total).lost:
            self._since = total
