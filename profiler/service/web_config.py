# SPDX-License-Identifier: GPL-2.0-only
"""The web config file (``--web.config.file``) of the Prometheus exporter toolkit.

The same keys with the same meaning; what an exporter of Python on uvicorn cannot do is refused with that
reason instead of being ignored. Source of keys and meanings: docs/web-configuration.md of the toolkit.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import bcrypt

from .pem import read_small
from .tls_settings import TlsSettings, make_context, read_tls
from .yaml_fields import Section, parse

#: Header -> the values it may have, empty: any. The toolkit's own list.
_HEADERS: dict[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
_HASH = re.compile(r"\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{22})[./A-Za-z0-9]{31}")
_LEAST_COST, _HIGHEST_COST = 4, 18


@dataclass(frozen=True)
class RateLimit:
    """A token bucket of *burst* requests which gains one every *interval* seconds."""

    interval: float
    burst: int


@dataclass(frozen=True)
class WebConfig:
    """What the file says.

    :param context: serves TLS with these settings; ``None``: plain HTTP.
    :param headers: to be set on every response; an empty value unsets a default.
    :param users: name -> bcrypt hash; empty: everybody may read.
    :param files: every file that was read, the config file first.
    """

    tls: TlsSettings | None = None
    context: ssl.SSLContext | None = field(default=None, repr=False, compare=False)
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    users: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    rate_limit: RateLimit | None = None
    files: tuple[Path, ...] = ()


def load(path: str | Path) -> WebConfig:
    """Read and check the file and everything it names. An empty file is valid.

    :raises UserError: for anything that is wrong with any of them.
    """
    path = Path(path).absolute()
    top = parse(read_small(path), path)
    tls_section = top.section("tls_server_config")
    http_section = top.section("http_server_config")
    user_section = top.section("basic_auth_users")
    rate_section = top.section("rate_limit")
    top.end()
    tls = read_tls(tls_section)
    pems = (tls.certificate, tls.key, tls.client_ca) if tls else ()
    return WebConfig(
        tls=tls,
        context=make_context(tls) if tls else None,
        headers=MappingProxyType(_http(http_section)),
        users=MappingProxyType(_users(user_section)),
        rate_limit=_rate_limit(rate_section),
        files=(path, *(pem.file for pem in pems if pem and pem.file)),
    )


def _http(section: Section) -> dict[str, str]:
    if section.flag("http2"):
        raise section.bad("http2", "is true, but this server speaks HTTP/1.1 only", "take the line out")
    headers = section.section("headers")
    section.end()
    found = headers.items()
    for name, value in found:
        if name not in _HEADERS:
            raise headers.bad(name, "cannot be set here", f"the headers that can are {', '.join(_HEADERS)}")
        allowed = _HEADERS[name]
        if value and allowed and value not in allowed:
            raise headers.bad(name, f"is {value!r}", f"write {' or '.join(allowed)}")
        if not (value.isascii() and value.isprintable()) or value != value.strip():
            raise headers.bad(name, "has a character that no header may have", "write plain text on one line")
    return dict(found)


def _users(section: Section) -> dict[str, bytes]:
    found = {}
    for name, hashed in section.items():
        if ":" in name or not name.isprintable():
            raise section.bad(repr(name), "can never be sent by a client", "use a name of letters and digits")
        match = _HASH.fullmatch(hashed)
        if match is None or not _salt_is_valid(match[2]):
            raise section.bad(name, "is no bcrypt hash", "make one with `htpasswd -nBC 10 NAME`")
        if not _LEAST_COST <= int(match[1]) <= _HIGHEST_COST:
            raise section.bad(
                name,
                f"has cost {match[1]}, and one check of it must not take a minute",
                f"use a cost from {_LEAST_COST} to {_HIGHEST_COST}",
            )
        found[name] = hashed.encode()
    return found


def _salt_is_valid(salt: str) -> bool:
    """The last character of a salt carries unused bits, which the library wants to be zero."""
    try:
        bcrypt.hashpw(b"", b"$2b$04$" + salt.encode())
    except ValueError:
        return False
    return True


def _rate_limit(section: Section) -> RateLimit | None:
    interval = section.duration("interval")
    burst = section.number("burst")
    section.end()
    if not interval:
        return None
    if burst < 1:
        raise section.bad("burst", f"is {burst}, which would refuse every request", "write at least 1")
    return RateLimit(interval, burst)
