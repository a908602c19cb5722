# SPDX-License-Identifier: GPL-2.0-only
"""The web config file: what is taken, and what is refused with which key and which reason."""

import os
import ssl
from pathlib import Path

import bcrypt
import pytest
from cryptography import x509

from profiler.errors import UserError
from profiler.service.web_config import RateLimit, WebConfig, load
from tests.service.certificates import Authority

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key"
ECDSA_128 = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
ALL_TLS13 = "TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Path:
    path = tmp_path_factory.mktemp("web-config")
    authority.write(path / "ca.crt")
    authority.issue().write(path, "server")
    authority.issue().write(path, "other")
    authority.issue(password=b"hidden").write(path, "encrypted")
    (path / "junk.pem").write_text("junk")
    (path / "sub").mkdir()
    os.mkfifo(path / "pipe")
    return path


def loaded(folder: Path, text: str) -> WebConfig:
    path = folder / "web.yml"
    path.write_text(text)
    return load(path)


GOOD = {
    "empty": "",
    "only a comment": "# nothing\n",
    "empty sections": "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\nrate_limit: {}\n",
    "TLS": TLS + "}",
    "TLS, no client": TLS + ", client_auth_type: NoClientCert}",
    "client certificates": TLS + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt}",
    "client certificates if given": TLS
    + ", client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.crt}",
    "client names": TLS
    + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt, client_allowed_sans: [a]}",
    "versions": TLS + ", min_version: TLS13, max_version: TLS13}",
    "TLS 1.2 alone": TLS + ", min_version: TLS12, max_version: TLS12}",
    "suites": TLS + f", cipher_suites: [{ECDSA_128}]}}",
    "suites with all of TLS 1.3": TLS + f", cipher_suites: [{ECDSA_128}, {ALL_TLS13}]}}",
    "suites in the client's order": TLS
    + f", cipher_suites: [{ECDSA_128}], prefer_server_cipher_suites: false}}",
    **{
        f"curve {name}": TLS + f", curve_preferences: [{name}]}}"
        for name in ("CurveP256", "CurveP384", "CurveP521")
    },
    "no HTTP/2": "http_server_config: {http2: false}",
    "headers": "http_server_config: {headers: {Strict-Transport-Security: max-age=1, X-Frame-Options: deny,"
    " X-Content-Type-Options: nosniff, X-XSS-Protection: '1', Content-Security-Policy: default-src 'none'}}",
    "header unset": "http_server_config: {headers: {X-Frame-Options: ''}}",
    "users": f"basic_auth_users: {{alice: {HASH}, bob: '{HASH.replace('$2b$', '$2y$')}'}}",
    "no rate limit": "rate_limit: {interval: 0, burst: 0}",
}

BAD = {
    "unknown key": ("tls_server_confg: {}", "tls_server_confg is an unknown key"),
    "unknown key within": (TLS + ", cert_fil: x}", "tls_server_config.cert_fil is an unknown key"),
    "unknown key of HTTP": (
        "http_server_config: {http3: true}",
        "http_server_config.http3 is an unknown key",
    ),
    "unknown key of the limit": ("rate_limit: {per: 1s}", "rate_limit.per is an unknown key"),
    "key twice": (TLS + ", cert_file: other.crt}", "the key 'cert_file' is there twice"),
    "no YAML": ("a: [", "no valid YAML in line 1"),
    "a control character": ("a: \0", "no valid YAML"),
    "nested without end": ("[" * 1000, "nested too deeply"),
    "a list": ("- a", "the whole file is not a mapping"),
    "a section that is a text": ("tls_server_config: yes please", "tls_server_config is not a mapping"),
    "an object of Python": ("!!python/object/apply:os.getpid []", "no valid YAML"),
    "no certificate": ("tls_server_config: {key_file: server.key}", "cert_file is missing"),
    "no key": ("tls_server_config: {cert_file: server.crt}", "key_file is missing"),
    "TLS by its version alone": ("tls_server_config: {min_version: TLS13}", "cert_file is missing"),
    "certificate twice": (TLS + ", cert: x}", "cert stands beside cert_file"),
    "certificate not there": (
        "tls_server_config: {cert_file: none.crt, key_file: server.key}",
        "none.crt cannot be read: No such file or directory",
    ),
    "certificate is a folder": (
        "tls_server_config: {cert_file: sub, key_file: server.key}",
        "Is a directory",
    ),
    "certificate is a pipe": (
        "tls_server_config: {cert_file: pipe, key_file: server.key}",
        "no regular file",
    ),
    "certificate never ends": (
        "tls_server_config: {cert_file: /dev/zero, key_file: server.key}",
        "regular file",
    ),
    "certificate is junk": (
        "tls_server_config: {cert_file: junk.pem, key_file: server.key}",
        "junk.pem holds no server certificate in PEM",
    ),
    "key is junk": (
        "tls_server_config: {cert_file: server.crt, key_file: junk.pem}",
        "junk.pem does not load",
    ),
    "key of another": (
        "tls_server_config: {cert_file: server.crt, key_file: other.key}",
        "other.key is not the key of",
    ),
    "key encrypted": (
        "tls_server_config: {cert_file: encrypted.crt, key_file: encrypted.key}",
        "encrypted.key is encrypted",
    ),
    "CA without asking": (
        TLS + ", client_ca_file: ca.crt}",
        "client_ca_file is there but no client is asked",
    ),
    "asking without CA": (TLS + ", client_auth_type: RequireAndVerifyClientCert}", "but no client_ca_file"),
    "CA is junk": (
        TLS + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: junk.pem}",
        "no client CA certificate",
    ),
    **{
        f"client {name}": (
            TLS + f", client_auth_type: {name}, client_ca_file: ca.crt}}",
            f"is {name}, but Python's ssl verifies every certificate it asks for",
        )
        for name in ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")
    },
    "client unknown": (TLS + ", client_auth_type: Perhaps}", "client_auth_type is 'Perhaps'"),
    "client names without certificate": (
        TLS
        + ", client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.crt, client_allowed_sans: [a]}",
        "client_allowed_sans lets a client without certificate in",
    ),
    "client names not a list": (TLS + ", client_allowed_sans: a}", "client_allowed_sans is not a list"),
    "TLS 1.0": (TLS + ", min_version: TLS10}", "min_version is TLS10, and nothing older"),
    "TLS 1.1": (TLS + ", max_version: TLS11}", "max_version is TLS11, and nothing older"),
    "TLS 1.4": (TLS + ", max_version: TLS14}", "max_version is 'TLS14'"),
    "versions crossed": (TLS + ", min_version: TLS13, max_version: TLS12}", "min_version is above"),
    "version a number": (TLS + ", min_version: 1.2}", "min_version is a number, not text"),
    "suite invented": (TLS + ", cipher_suites: [TLS_FAST]}", "cipher_suites names 'TLS_FAST'"),
    "suite without forward secrecy": (
        TLS + ", cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]}",
        "is no suite",
    ),
    "suites of TLS 1.3 picked": (
        TLS + ", cipher_suites: [TLS_AES_128_GCM_SHA256]}",
        "which Python's ssl cannot",
    ),
    "suites leave none": (TLS + f", cipher_suites: [{ALL_TLS13}]}}", "leaves none for TLS 1.2"),
    "two curves": (TLS + ", curve_preferences: [X25519, CurveP256]}", "Python's ssl takes one"),
    # True of Python 3.11, which asks OpenSSL for a group of points by name.
    "curve that Python cannot choose": (
        TLS + ", curve_preferences: [X25519]}",
        "X25519, which this Python's ssl",
    ),
    "curve invented": (TLS + ", curve_preferences: [P1]}", "curve_preferences names 'P1'"),
    "order a text": (TLS + ", prefer_server_cipher_suites: maybe}", "prefer_server_cipher_suites is a text"),
    "HTTP/2": ("http_server_config: {http2: true}", "http2 is true, but this server speaks HTTP/1.1 only"),
    "HTTP/2 a number": ("http_server_config: {http2: 1}", "http2 is a number"),
    "header not allowed": ("http_server_config: {headers: {Server: x}}", "headers.Server cannot be set here"),
    "header in lower case": ("http_server_config: {headers: {x-frame-options: deny}}", "cannot be set here"),
    "header value unknown": (
        "http_server_config: {headers: {X-Frame-Options: allow}}",
        "X-Frame-Options is 'allow'",
    ),
    "header with a line": (
        'http_server_config: {headers: {X-XSS-Protection: "1\\r\\nSet-Cookie: a=b"}}',
        "X-XSS-Protection has a character",
    ),
    "password in clear": ("basic_auth_users: {alice: secret}", "basic_auth_users.alice is no bcrypt hash"),
    "hash cut short": (
        f"basic_auth_users: {{alice: {HASH[:-1]}}}",
        "basic_auth_users.alice is no bcrypt hash",
    ),
    "hash with a bad salt": (f"basic_auth_users: {{alice: {HASH[:28]}a{HASH[29:]}}}", "is no bcrypt hash"),
    "hash too dear": (f"basic_auth_users: {{alice: {HASH.replace('$04$', '$19$')}}}", "alice has cost 19"),
    "user with a colon": (f"basic_auth_users: {{'a:b': {HASH}}}", "'a:b' can never be sent"),
    "user a number": (f"basic_auth_users: {{1: {HASH}}}", "basic_auth_users.1 has a number as its name"),
    "users a list": ("basic_auth_users: [alice]", "basic_auth_users is not a mapping"),
    "limit without burst": ("rate_limit: {interval: 1s}", "burst is 0, which would refuse every request"),
    "limit without unit": ("rate_limit: {interval: '10', burst: 1}", "interval is '10'"),
    "limit a number": ("rate_limit: {interval: 10, burst: 1}", "interval is a number"),
    "limit negative": ("rate_limit: {interval: -1s, burst: 1}", "interval is '-1s'"),
    "burst a text": ("rate_limit: {interval: 1s, burst: many}", "burst is a text"),
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_a_good_file_is_taken(folder: Path, text: str) -> None:
    loaded(folder, text)


@pytest.mark.parametrize(("text", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_in_one_sentence_that_names_it(folder: Path, text: str, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        loaded(folder, text)
    message = str(caught.value)
    assert sentence in message
    assert str(folder) in message or "/dev/zero" in message
    assert message.endswith(".")
    assert "\n" not in message


def test_a_bad_file_does_not_repeat_secrets(folder: Path) -> None:
    with pytest.raises(UserError) as caught:
        loaded(folder, "basic_auth_users: {alice: my-password}")
    assert "my-password" not in str(caught.value)


def test_the_representation_has_no_secrets(folder: Path) -> None:
    key = (folder / "server.key").read_text()
    config = loaded(folder, TLS + f"}}\nbasic_auth_users: {{alice: {HASH}}}")
    assert HASH not in repr(config)
    assert key.splitlines()[1] not in repr(config)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(UserError, match="No such file or directory; correct the path"):
        load("/nowhere/web.yml")


def test_an_empty_file_changes_nothing(folder: Path) -> None:
    config = loaded(folder, "")
    assert (config.tls, config.context, config.headers, config.users, config.rate_limit) == (
        None,
        None,
        {},
        {},
        None,
    )
    assert config.files == (folder / "web.yml",)


def test_values_arrive(folder: Path) -> None:
    config = loaded(
        folder,
        TLS + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt, min_version: TLS13,"
        " client_allowed_sans: ['::1', a]}\n"
        f"basic_auth_users: {{alice: {HASH}}}\n"
        "rate_limit: {interval: 1m0.5s, burst: 7}\n"
        "http_server_config: {headers: {X-Frame-Options: sameorigin}}\n",
    )
    assert config.users == {"alice": HASH.encode()}
    assert config.rate_limit == RateLimit(60.5, 7)
    assert config.headers == {"X-Frame-Options": "sameorigin"}
    assert config.tls
    assert config.tls.allowed_sans == {"::1", "a"}
    assert config.context
    assert config.context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert config.context.verify_mode == ssl.CERT_REQUIRED
    names = ("web.yml", "server.crt", "server.key", "ca.crt")
    assert config.files == tuple(folder / name for name in names)


def test_suites_and_order_reach_the_context(folder: Path) -> None:
    config = loaded(folder, GOOD["suites in the client's order"])
    assert config.context
    older = [one["name"] for one in config.context.get_ciphers() if one["protocol"] != "TLSv1.3"]
    assert older == ["ECDHE-ECDSA-AES128-GCM-SHA256"]
    assert not config.context.options & ssl.OP_CIPHER_SERVER_PREFERENCE


def test_tls_1_2_is_the_oldest_without_being_asked(folder: Path) -> None:
    config = loaded(folder, TLS + "}")
    assert config.context
    assert config.context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_certificate_key_and_ca_may_stand_in_the_file(folder: Path, authority: Authority) -> None:
    pair = authority.issue(x509.DNSName("a"))
    parts = {"cert": pair.certificate, "key": pair.key, "client_ca": authority.certificate}
    text = "tls_server_config:\n  client_auth_type: RequireAndVerifyClientCert\n"
    for key, data in parts.items():
        text += f"  {key}: |\n" + "".join(f"    {line}\n" for line in data.decode().splitlines())
    config = loaded(folder, text)
    assert config.context
    assert config.files == (folder / "web.yml",)
