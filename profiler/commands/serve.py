# SPDX-License-Identifier: GPL-2.0-only
"""Serve /metrics, a live page and JSON over HTTP, from one attachment that stays.

The process that answers has dropped every privilege before its first answer; only the child that attaches
is root, for the second that it takes.

examples:
  uffd-profiler serve                                      on this machine alone
  uffd-profiler serve --web.listen-address=:28333 --web.config.file=web.yml
  uffd-profiler serve --policy mainline                    and say where the kernel does otherwise
"""

import argparse
import logging
import os
import time
from collections.abc import Callable

from ..errors import Exit, UserError
from ..hooks.attaching import Attaching
from ..hooks.catalogue import WAYS
from ..hooks.request import Request
from ..hooks.session import drop_privileges
from ..kernel import userfaultfd
from ..service import DEFAULT_ADDRESS, log
from ..service.listen import listen, parse, url
from ..verdict import policy
from . import uffd_wp_entry

_log = logging.getLogger("uffd_profiler")

NAME = "serve"
HELP = "serve /metrics, a live page and JSON over HTTP"


_TAKEN = ("-", "api", "docs", "docs.css", "openapi.json", "static")
"""First parts of paths that have their meaning."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command; those of the exporter toolkit have its names."""
    add = parser.add_argument
    on_off = argparse.BooleanOptionalAction
    add(
        "--web.listen-address",
        dest="addresses",
        action="append",
        type=_checked(parse),
        metavar="ADDRESS",
        help=f"HOST:PORT, :PORT or [IPv6]:PORT (repeatable; default {DEFAULT_ADDRESS})",
    )
    add(
        "--web.systemd-socket",
        dest="systemd",
        action="store_true",
        help="answer on systemd's sockets instead",
    )
    add(
        "--web.telemetry-path",
        dest="telemetry_path",
        type=_path,
        default="/metrics",
        metavar="PATH",
        help="where the metrics are (default %(default)s)",
    )
    add(
        "--web.config.file",
        dest="config",
        metavar="FILE",
        help="TLS, users and headers, as the toolkit has it",
    )
    add(
        "--web.max-requests",
        dest="max_requests",
        type=_positive(int),
        default=40,
        metavar="N",
        help="scrapes at once (default %(default)s)",
    )
    add(
        "--web.max-profile-seconds",
        dest="max_profile_seconds",
        type=_positive(float),
        default=300.0,
        metavar="SEC",
        help="the longest window of POST /api/v1/profile (default %(default)g)",
    )
    add("--output.textfile", dest="textfile", metavar="FILE", help="write the metrics to FILE.prom as well")
    add("--tick", type=_positive(float), default=5.0, metavar="SEC", help="resolution of the live page")
    add("--policy", type=_checked(policy), help="what the kernel has to do: as in `check`")
    add(
        "--collector.overhead",
        dest="overhead",
        action=on_off,
        default=True,
        help="let the kernel keep run statistics of BPF programs: two readings of the clock for each run",
    )
    add(
        "--collector.resolve",
        dest="resolve",
        action=on_off,
        default=None,
        help="time the ioctls that resolve userfaults; by default only where that does not touch every "
        "system call of the machine",
    )
    uffd_wp_entry.add_option(parser, "--collector.uffd-wp-entry")
    add("--best-way", choices=WAYS, default=WAYS[0], help="take no better way to any hook than this one")
    add("--log.level", dest="log_level", choices=("debug", "info", "warn", "error"), default="info")
    add("--log.format", dest="log_format", choices=("logfmt", "json"), default="logfmt")
    add("--config.check", dest="check", action="store_true", help="check options and files, and end")


def run(args: argparse.Namespace) -> int:
    """Serve until a signal."""
    started = time.monotonic_ns()
    handler = log.setup(args.log_level, args.log_format)
    from ..service import supervisor
    from ..service.config_file import ConfigFile
    from ..service.textfile import Textfile

    if args.check:
        ConfigFile(args.config)
        _log.info("the configuration is valid")
        return Exit.OK
    notify = supervisor.notifier()
    textfile = Textfile(args.textfile) if args.textfile else None
    config = ConfigFile(args.config, _log.error, lambda: _log.info("the web configuration changed"))
    sockets = supervisor.inherited() if args.systemd else listen(args.addresses or [DEFAULT_ADDRESS])
    urls = [url(one, "https" if config.current.tls else "http") for one in sockets]
    modes = _modes()
    # The child compiles while the web framework is imported.
    request = Request(None, args.best_way, args.resolve, args.overhead, args.uffd_wp_entry)
    attaching = Attaching(request)
    try:
        from ..service import web
        from ..service.service import Options

        options = Options(
            policy=args.policy,
            modes=modes,
            tick_seconds=args.tick,
            telemetry_path=args.telemetry_path,
            max_requests=args.max_requests,
            max_profile_seconds=args.max_profile_seconds,
        )
        running = web.assemble(options, handler, config, sockets, attaching)
        running.started_ns, running.notify, running.textfile = started, notify, textfile
        running.heed_signals()
        drop_privileges()
        web.shut_in(config, textfile)
        for address in urls:
            _log.info("open %s", address)
    except BaseException:
        attaching.abandon()
        raise
    return running.run()


def _modes() -> frozenset[str]:
    """What this kernel can register; nothing where it has no userfaultfd."""
    try:
        fd = userfaultfd.open_for_user_mode()
    except OSError:
        return frozenset()
    try:
        return userfaultfd.supported_modes(userfaultfd.features(fd))
    finally:
        os.close(fd)


def _checked(parse: Callable[[str], object]) -> Callable[[str], str]:
    def checked(text: str) -> str:
        try:
            parse(text)
        except (UserError, ValueError) as error:
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error
        return text

    return checked


def _positive(kind: type[int] | type[float]) -> Callable[[str], float]:
    def positive(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = kind(0)
        if not 0 < number < 1e9:
            raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
        return number

    return positive


def _path(text: str) -> str:
    if not text.startswith("/") or text == "/" or any(c in text for c in "{}?#% \t"):
        raise argparse.ArgumentTypeError(f"{text!r} is no path such as /metrics")
    if text.split("/")[1] in _TAKEN:
        raise argparse.ArgumentTypeError(f"{text!r} is where the service answers something else")
    return text
