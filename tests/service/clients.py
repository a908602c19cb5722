# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of clients that are slow, silent, large or gone have in common."""

from profiler.service.limits import Limits
from tests.service.serving import Serving

MIB = 1024 * 1024
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#: Short, so that a test of each is short; a test that must not run into one uses the defaults.
HASTY = Limits(request_seconds=0.6, idle_seconds=1, write_seconds=0.5, linger_seconds=0.5)


def is_forgotten(server: Serving) -> bool:
    """Whether nothing is left of any connection."""
    return server.listener.open == 0 and not server.server.server_state.connections
