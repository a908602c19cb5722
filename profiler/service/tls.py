# SPDX-License-Identifier: GPL-2.0-only
"""An SSL context for a server that never restarts: every connection gets the settings in force when it began.

``SSLContext.sni_callback`` could exchange the certificate alone; handing each connection to the newest
context exchanges everything: certificate, key, client CA, allowed names, versions, suites.
"""

import ssl
from collections.abc import Callable
from typing import Any, Self


class ReloadingContext(ssl.SSLContext):
    """Stands where asyncio wants a context, and has none of its own settings.

    :param current: gives the context for a new connection; called for each, so it must not block.
    """

    _current: Callable[[], ssl.SSLContext]

    def __new__(cls, current: Callable[[], ssl.SSLContext]) -> Self:
        """As the class says."""
        self = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        self._current = current
        return self

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """As ``SSLContext.wrap_bio``, which asyncio calls for each accepted connection."""
        return self._current().wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """Refused, by design: a blocking socket would not check the names of client certificates.

        :raises ssl.SSLError: always.
        """
        raise ssl.SSLError("this context serves connections of asyncio alone")
