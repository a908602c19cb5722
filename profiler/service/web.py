# SPDX-License-Identifier: GPL-2.0-only
"""Puts the HTTP side together while files can still be read, and shuts the rest of the machine out."""

import asyncio
import logging
import os
import socket

from ..hooks.attaching import Attaching
from . import http_server, log
from .app import create
from .config_file import ConfigFile
from .sandbox import restrict
from .server import Running
from .service import Options, Service
from .textfile import Textfile
from .warm import warm

_log = logging.getLogger("uffd_profiler")

_READ = ("/proc/self", "/sys/devices/system/cpu")
"""The account of our programs and of ourselves; which CPUs are online."""


def assemble(
    options: Options,
    handler: log.CountingHandler,
    config: ConfigFile,
    sockets: list[socket.socket],
    attaching: Attaching,
) -> Running:
    """All that serves, with every module and file of it read."""
    service = Service(options, handler.counts)
    app = create(service)
    for asked in (app, http_server.guarded(app, config)):
        asyncio.run(warm(asked, options.telemetry_path))
    uvicorn_config = http_server.uvicorn_config(app, config)
    uvicorn_config.load()
    listeners = http_server.listeners(sockets, uvicorn_config)
    return Running(service, uvicorn_config, config, listeners, attaching)


def shut_in(config: ConfigFile, textfile: Textfile | None) -> None:
    """Landlock, and words about what will not work without root."""
    for path in config.unreadable():
        _log.warning(
            "%s cannot be read without root: a change of it will need a restart; let uid 65534 read it",
            path,
        )
    refused = restrict(
        (*_READ, *(path for path in config.directories() if os.access(path, os.R_OK | os.X_OK))),
        [textfile.folder] if textfile else [],
    )
    if refused:
        _log.warning("no Landlock sandbox: %s", refused)
