# SPDX-License-Identifier: GPL-2.0-only
"""``tls_server_config`` of the web config file, as far as Python's ssl can do it.

The keys and their values are those of the Prometheus exporter toolkit (docs/web-configuration.md), whose
names of cipher suites and curves are those of Go's crypto/tls.
"""

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from ..errors import UserError
from .pem import Pem, read_pem
from .yaml_fields import Section

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_OLD_VERSIONS = ("TLS10", "TLS11")

#: Go's name -> OpenSSL's name, of the suites Go calls secure; those of TLS 1.3 are not among them.
_SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
_TLS13_SUITES = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
_CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
_CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_UNVERIFIED = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")


@dataclass(frozen=True)
class TlsSettings:
    """:param allowed_sans: a client certificate must have one of them; empty: any will do."""

    certificate: Pem
    key: Pem
    client_ca: Pem | None
    client_auth: ssl.VerifyMode
    allowed_sans: frozenset[str]
    oldest: ssl.TLSVersion
    newest: ssl.TLSVersion
    suites: tuple[str, ...]
    curve: str | None
    server_order: bool


def read_tls(section: Section) -> TlsSettings | None:
    """The settings, ``None`` when the section is empty.

    :raises UserError: for what is wrong, and for what cannot be done here.
    """
    keys = ("cert", "cert_file", "key", "key_file", "client_ca", "client_ca_file", "client_auth_type")
    settings = ("client_allowed_sans", "min_version", "max_version", "cipher_suites", "curve_preferences")
    known = (*keys, *settings, "prefer_server_cipher_suites")
    given = [key for key in known if section.has(key)]
    section.end()
    if not given:
        return None
    certificate = read_pem(section, "cert", "cert_file")
    if certificate is None:
        raise section.bad("cert_file", "is missing", "TLS needs a certificate and its key")
    key = read_pem(section, "key", "key_file")
    if key is None:
        raise section.bad("key_file", "is missing", "TLS needs a certificate and its key")
    client_auth = _client_auth(section)
    client_ca = read_pem(section, "client_ca", "client_ca_file")
    if client_ca is not None and client_auth == ssl.CERT_NONE:
        raise section.bad(
            "client_ca_file",
            "is there but no client is asked",
            "set client_auth_type: RequireAndVerifyClientCert",
        )
    if client_ca is None and client_auth != ssl.CERT_NONE:
        raise section.bad("client_auth_type", "is there but no client_ca_file", "name the CA of the clients")
    sans = frozenset(_san(one) for one in section.texts("client_allowed_sans"))
    if sans and client_auth != ssl.CERT_REQUIRED:
        raise section.bad(
            "client_allowed_sans",
            "lets a client without certificate in",
            "set client_auth_type: RequireAndVerifyClientCert",
        )
    oldest, newest = _version(section, "min_version", "TLS12"), _version(section, "max_version", "TLS13")
    if oldest > newest:
        raise section.bad("min_version", "is above max_version", "exchange the two")
    return TlsSettings(
        certificate=certificate,
        key=key,
        client_ca=client_ca,
        client_auth=client_auth,
        allowed_sans=sans,
        oldest=oldest,
        newest=newest,
        suites=_suites(section, oldest),
        curve=_curve(section),
        server_order=section.flag("prefer_server_cipher_suites") is not False,
    )


def _client_auth(section: Section) -> ssl.VerifyMode:
    name = section.text("client_auth_type") or "NoClientCert"
    if name in _UNVERIFIED:
        raise section.bad(
            "client_auth_type",
            f"is {name}, but Python's ssl verifies every certificate it asks for",
            "write VerifyClientCertIfGiven or RequireAndVerifyClientCert",
        )
    if name not in _CLIENT_AUTH:
        raise section.bad("client_auth_type", f"is {name!r}", f"write one of {', '.join(_CLIENT_AUTH)}")
    return _CLIENT_AUTH[name]


def _version(section: Section, key: str, default: str) -> ssl.TLSVersion:
    name = section.text(key) or default
    if name in _OLD_VERSIONS:
        raise section.bad(
            key, f"is {name}, and nothing older than TLS 1.2 is offered", "write TLS12 or TLS13"
        )
    if name not in _VERSIONS:
        raise section.bad(key, f"is {name!r}", "write TLS12 or TLS13")
    return _VERSIONS[name]


def _suites(section: Section, oldest: ssl.TLSVersion) -> tuple[str, ...]:
    names = section.texts("cipher_suites")
    newer = _TLS13_SUITES.intersection(names)
    if newer and newer != _TLS13_SUITES:
        raise section.bad(
            "cipher_suites",
            "picks among the suites of TLS 1.3, which Python's ssl cannot",
            "list all three of them or none",
        )
    older = [name for name in names if name not in _TLS13_SUITES]
    for name in older:
        if name not in _SUITES:
            raise section.bad(
                "cipher_suites", f"names {name!r}, which is no suite", "correct it or take it out"
            )
    if names and not older and oldest < ssl.TLSVersion.TLSv1_3:
        raise section.bad(
            "cipher_suites", "leaves none for TLS 1.2", "add one of TLS 1.2, or min_version: TLS13"
        )
    return tuple(_SUITES[name] for name in older)


def _curve(section: Section) -> str | None:
    names = section.texts("curve_preferences")
    for name in names:
        if name not in _CURVES:
            raise section.bad("curve_preferences", f"names {name!r}", f"write one of {', '.join(_CURVES)}")
    if len(names) > 1:
        raise section.bad(
            "curve_preferences", "has several curves, and Python's ssl takes one", "keep one, or none"
        )
    for name in names:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ecdh_curve(_CURVES[name])
        except (ssl.SSLError, ValueError):
            raise section.bad(
                "curve_preferences",
                f"is {name}, which this Python's ssl cannot choose alone",
                "take the key out",
            ) from None
    return _CURVES[names[0]] if names else None


def _san(name: str) -> str:
    """Addresses in one spelling: a certificate's come as OpenSSL writes them."""
    try:
        return ipaddress.ip_address(name).compressed
    except ValueError:
        return name


def sans_of(certificate: Mapping[str, object] | None) -> frozenset[str]:
    """Subject alternative names of a peer's certificate, as ``ssl.SSLObject.getpeercert`` gives it."""
    names = cast("tuple[tuple[str, str], ...]", (certificate or {}).get("subjectAltName", ()))
    return frozenset(
        _san(value.strip()) if kind == "IP Address" else value
        for kind, value in names
        if kind in ("DNS", "email", "URI", "IP Address")
    )


class _CheckedConnection(ssl.SSLObject):
    """A connection whose handshake fails when the client's certificate has no allowed name."""

    def do_handshake(self) -> None:
        super().do_handshake()
        allowed: frozenset[str] = getattr(self.context, "allowed_sans", frozenset())
        if allowed and not allowed & sans_of(self.getpeercert()):
            raise ssl.SSLCertVerificationError(1, "the client certificate has no allowed name")


class _Context(ssl.SSLContext):
    """Carries the allowed names to :class:`_CheckedConnection`."""

    sslobject_class = _CheckedConnection
    allowed_sans: frozenset[str] = frozenset()


def make_context(settings: TlsSettings) -> ssl.SSLContext:
    """A server's context of these settings.

    For ``wrap_bio`` (asyncio) only: the names of clients are not checked by ``wrap_socket``.

    :raises UserError: when a certificate, key or CA does not load.
    """
    context = _Context(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = settings.oldest, settings.newest
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not settings.server_order:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if settings.suites:
        context.set_ciphers(":".join(settings.suites))
    if settings.curve:
        context.set_ecdh_curve(settings.curve)
    context.set_alpn_protocols(["http/1.1"])
    _load_pair(context, settings.certificate, settings.key)
    if settings.client_ca is not None:
        _load_ca(context, settings.client_ca, "client CA")
        # As in Go, each listed certificate is trusted by itself, also one that is no root.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_mode = settings.client_auth
    context.allowed_sans = settings.allowed_sans
    return context


def _load_ca(context: ssl.SSLContext, pem: Pem, what: str) -> None:
    try:
        with pem.as_file() as path:
            context.load_verify_locations(path)
    except ssl.SSLError:
        raise UserError(f"{pem.where} holds no {what} certificate in PEM; put one there.") from None


def _load_pair(context: ssl.SSLContext, certificate: Pem, key: Pem) -> None:
    # By itself first, so that what fails below is the key.
    _load_ca(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, "server")

    def no_password() -> str:
        raise UserError(f"{key.where} is encrypted, and nobody can type its password; decrypt it.")

    try:
        with certificate.as_file() as certificate_path, key.as_file() as key_path:
            context.load_cert_chain(certificate_path, key_path, no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UserError(f"{key.where} is not the key of {certificate.where}; give the pair.") from None
        what = (error.reason or "no private key in PEM").replace("_", " ").lower()
        raise UserError(
            f"{key.where} does not load as the key of {certificate.where}: {what}; give the pair in PEM."
        ) from None
