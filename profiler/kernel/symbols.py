# SPDX-License-Identifier: GPL-2.0-only
"""/proc/kallsyms: which functions exist, how often, and at which address."""

from pathlib import Path

KALLSYMS = Path("/proc/kallsyms")


class Symbols:
    """Addresses of the wanted symbols of the kernel image (modules left out).

    :param wanted: names to look for; others cost nothing.
    :param path: file in the format of /proc/kallsyms.
    """

    def __init__(self, wanted: set[str], path: Path = KALLSYMS) -> None:
        self._addresses: dict[str, list[int]] = {name: [] for name in wanted}
        keys = {name.encode() for name in wanted}
        with path.open("rb") as lines:
            for line in lines:
                # "ffffffff8158c420 T filemap_map_pages", and "\t[module]" behind a module's symbol.
                name = line[19:-1]
                if name in keys:
                    self._addresses[name.decode()].append(int(line[:16], 16))

    def count(self, name: str) -> int:
        """How many symbols of the image have this name: 0 means inlined or not built."""
        return len(self._addresses[name])

    def address(self, name: str) -> int | None:
        """Address of the only symbol of that name; ``None`` if there is none, two, or it is hidden.

        Without CAP_SYSLOG kptr_restrict hides addresses as 0.
        """
        found = self._addresses[name]
        return found[0] if len(found) == 1 and found[0] else None
