# SPDX-License-Identifier: GPL-2.0-only
"""Logging as Prometheus exporters do it: ``--log.format=logfmt|json``, ``--log.level``, times in UTC.

One record is one line of printable ASCII, whatever a client put into its request.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

#: Name of the level in ``--log.level``, in a line and in a metric's label.
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
FORMATS = ("logfmt", "json")

#: Of uvicorn, at warning, though any client can cause them as often as it likes.
_CAUSED_BY_CLIENTS = ("Invalid HTTP request received.",)


def level_name(number: int) -> str:
    """The highest of :data:`LEVELS` that is not above *number*."""
    return next((name for name, least in reversed(LEVELS.items()) if number >= least), "debug")


class _Formatter(logging.Formatter):
    def pairs(self, record: logging.LogRecord) -> dict[str, str]:
        """What a line says, in its order; ``fields`` of the record are a mapping of further pairs."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        pairs = {
            "time": at.replace("+00:00", "Z"),
            "level": level_name(record.levelno),
            "source": record.name,
            "msg": record.getMessage().rstrip("\n"),
        }
        fields: Mapping[str, object] = getattr(record, "fields", {})
        pairs |= {key: str(value) for key, value in fields.items()}
        if record.exc_info:
            pairs["error"] = self.formatException(record.exc_info)
        return pairs


class LogfmtFormatter(_Formatter):
    """``key=value`` pairs, quoted where they have to be."""

    def format(self, record: logging.LogRecord) -> str:
        """One line without its end."""
        return " ".join(f"{key}={_logfmt(value)}" for key, value in self.pairs(record).items())


class JsonFormatter(_Formatter):
    """One JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """One line without its end."""
        return (
            "{"
            + ",".join(f"{_quote(key)}:{_quote(value)}" for key, value in self.pairs(record).items())
            + "}"
        )


def _quote(text: str) -> str:
    # Every character but those from space to tilde is escaped.
    return json.dumps(text, ensure_ascii=True)


def _logfmt(value: str) -> str:
    quoted = _quote(value)
    bare = value and quoted == f'"{value}"' and not any(one in value for one in ' ="')
    return value if bare else quoted


class CountingHandler(logging.StreamHandler[TextIO]):
    """Writes lines, and counts them by level, also those that could not be written."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._counts = dict.fromkeys(LEVELS, 0)

    def emit(self, record: logging.LogRecord) -> None:
        """Count and write."""
        # Within the handler's own lock.
        self._counts[level_name(record.levelno)] += 1
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """A log that cannot be written is no reason to write a traceback, or to end."""

    def counts(self) -> dict[str, int]:
        """Messages so far, for each of :data:`LEVELS`."""
        return dict(self._counts)


def setup(level: str = "info", style: str = "logfmt", stream: TextIO | None = None) -> CountingHandler:
    """Send everything the process logs, uvicorn's own included, to *stream* (standard error).

    To be used with ``uvicorn.Config(log_config=None)``. Each request is a line at ``debug`` only.

    :param level: one of :data:`LEVELS`.
    :param style: one of :data:`FORMATS`.
    :returns: the handler, for its counts.
    """
    handler = CountingHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonFormatter() if style == "json" else LogfmtFormatter())
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(LEVELS[level])
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    debug = LEVELS[level] <= logging.DEBUG
    # Not formatted at all when nobody reads them: there is one for each scrape.
    logging.getLogger("uvicorn.access").setLevel(logging.INFO if debug else logging.WARNING)
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).addFilter(_only_debug)
    return handler


def _only_debug(record: logging.LogRecord) -> bool:
    """What every request causes counts as ``debug``, whatever uvicorn calls it."""
    if record.name == "uvicorn.access" or record.msg in _CAUSED_BY_CLIENTS:
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return logging.getLogger().isEnabledFor(logging.DEBUG)
    return True
