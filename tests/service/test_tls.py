# SPDX-License-Identifier: GPL-2.0-only
"""TLS against a real server: who gets in, and what happens when files change under it."""

import ipaddress
import re
import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from profiler.service.limits import Limits
from tests.service.certificates import Authority, Pair
from tests.service.serving import Serving, read_answer, read_to_end, serving, until

CLIENTS = "  client_auth_type: {}\n  client_ca_file: ca.crt\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def stranger() -> Authority:
    return Authority("another CA")


def configure(folder: Path, authority: Authority, more: str = "") -> Path:
    """A config file with a certificate of its own."""
    authority.write(folder / "ca.crt")
    authority.issue().write(folder, "server")
    path = folder / "web.yml"
    path.write_text("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n" + more)
    return path


def trusting(authority: Authority, pair: Pair | None = None, folder: Path | None = None) -> ssl.SSLContext:
    """A client that trusts *authority* and shows *pair*."""
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    if pair is not None and folder is not None:
        context.load_cert_chain(*pair.write(folder, "client"))
    return context


def serial(server: Serving, client: ssl.SSLContext) -> int:
    """Serial number of the certificate that a new connection gets."""
    with server.connect(client) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        der = connection.getpeercert(binary_form=True)
        assert der
        return x509.load_der_x509_certificate(der).serial_number


def is_let_in(server: Serving, client: ssl.SSLContext) -> bool:
    """Whether a request is answered. In TLS 1.3 a client learns only then that it was refused."""
    before = len(server.seen)
    try:
        with server.connect(client) as connection:
            connection.sendall(REQUEST)
            answer = connection.recv(65536)
    except (ssl.SSLError, ConnectionError):
        answer = b""
    assert (len(server.seen) > before) == bool(answer)
    return answer.startswith(b"HTTP/1.1 200")


@pytest.fixture
def plain_tls(tmp_path: Path, authority: Authority) -> Iterator[Serving]:
    with serving(configure(tmp_path, authority)) as server:
        yield server


def test_the_application_is_served_over_tls(plain_tls: Serving, authority: Authority) -> None:
    answer = plain_tls.get(tls=trusting(authority))
    assert (answer.status, answer.body) == (200, b'{"answer":"here"}')


def test_a_client_that_trusts_another_ca_sends_nothing(plain_tls: Serving, stranger: Authority) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        plain_tls.get(tls=trusting(stranger))
    assert plain_tls.seen == []


def test_plaintext_to_the_tls_port_is_not_served(plain_tls: Serving) -> None:
    with plain_tls.connect() as connection:
        connection.sendall(REQUEST)
        assert b"HTTP" not in read_to_end(connection)
    assert plain_tls.seen == []


def test_tls_1_1_is_refused(plain_tls: Serving, authority: Authority) -> None:
    client = trusting(authority)
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        plain_tls.get(tls=client)


@pytest.mark.parametrize("offered", [["h2", "http/1.1"], ["h2"]])
def test_http_2_is_never_agreed_on(plain_tls: Serving, authority: Authority, offered: list[str]) -> None:
    client = trusting(authority)
    client.set_alpn_protocols(offered)
    with plain_tls.connect(client) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        assert connection.selected_alpn_protocol() != "h2"


@pytest.mark.parametrize(
    ("setting", "spoken"), [("max_version: TLS12", "TLSv1.2"), ("min_version: TLS13", "TLSv1.3")]
)
def test_the_version_follows_the_config(
    tmp_path: Path, authority: Authority, setting: str, spoken: str
) -> None:
    config = configure(tmp_path, authority, f"  {setting}\n")
    with serving(config) as server, server.connect(trusting(authority)) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        assert connection.version() == spoken


@pytest.mark.parametrize(
    ("mode", "shown", "let_in"),
    [
        ("RequireAndVerifyClientCert", "good", True),
        ("RequireAndVerifyClientCert", "none", False),
        ("RequireAndVerifyClientCert", "expired", False),
        ("RequireAndVerifyClientCert", "of another CA", False),
        ("RequireAndVerifyClientCert", "for servers", False),
        ("VerifyClientCertIfGiven", "good", True),
        ("VerifyClientCertIfGiven", "none", True),
        ("VerifyClientCertIfGiven", "expired", False),
        ("VerifyClientCertIfGiven", "of another CA", False),
    ],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificates(
    tmp_path: Path,
    authority: Authority,
    stranger: Authority,
    mode: str,
    shown: str,
    let_in: bool,
    version: ssl.TLSVersion,
) -> None:
    issuer = stranger if shown == "of another CA" else authority
    left = timedelta(seconds=-10) if shown == "expired" else timedelta(days=1)
    pair = None if shown == "none" else issuer.issue(client=shown != "for servers", left=left)
    client = trusting(authority, pair, tmp_path)
    client.maximum_version = version
    with serving(configure(tmp_path, authority, CLIENTS.format(mode))) as server:
        assert is_let_in(server, client) is let_in


@pytest.mark.parametrize(
    ("name", "let_in"),
    [
        (x509.DNSName("prometheus.example"), True),
        (x509.RFC822Name("ops@example.org"), True),
        (x509.UniformResourceIdentifier("spiffe://example/prometheus"), True),
        (x509.IPAddress(ipaddress.ip_address("2001:db8::1")), True),
        (x509.DNSName("grafana.example"), False),
        (x509.DNSName("sub.prometheus.example"), False),
        (x509.DNSName("*.example"), False),
    ],
    ids=str,
)
def test_only_allowed_names_of_clients_are_let_in(
    tmp_path: Path, authority: Authority, name: x509.GeneralName, let_in: bool
) -> None:
    names = ("prometheus.example", "ops@example.org", "spiffe://example/prometheus", "2001:db8:0::1")
    more = "  client_allowed_sans:\n" + "".join(f'    - "{one}"\n' for one in names)
    config = configure(tmp_path, authority, CLIENTS.format("RequireAndVerifyClientCert") + more)
    client = trusting(authority, authority.issue(name, client=True), tmp_path)
    with serving(config) as server:
        assert is_let_in(server, client) is let_in


def test_a_resumed_session_is_asked_for_its_name_again(tmp_path: Path, authority: Authority) -> None:
    """The names are changed in between: what was allowed once is not for ever."""
    mode = CLIENTS.format("RequireAndVerifyClientCert")
    config = configure(tmp_path, authority, mode + "  client_allowed_sans: [one, two]\n")
    client = trusting(authority, authority.issue(x509.DNSName("one"), client=True), tmp_path)
    with serving(config) as server:
        with server.connect(client) as connection:
            assert isinstance(connection, ssl.SSLSocket)
            connection.sendall(REQUEST)
            assert read_answer(connection).status == 200
            session = connection.session
        config.write_text(config.read_text().replace("[one, two]", "[two]"))
        until(lambda: server.file.reloads, "the change is taken")
        with socket.create_connection(("127.0.0.1", server.port), 30) as raw:
            try:
                with client.wrap_socket(raw, server_hostname="127.0.0.1", session=session) as again:
                    again.sendall(REQUEST)
                    assert again.recv(100) == b""
            except (ssl.SSLError, ConnectionError):
                pass
        assert len(server.seen) == 1


def test_a_rotated_certificate_serves_new_connections_and_keeps_the_old(
    plain_tls: Serving, tmp_path: Path, authority: Authority
) -> None:
    client = trusting(authority)
    old = serial(plain_tls, client)
    with plain_tls.connect(client) as connection:
        new = authority.issue()
        new.write(tmp_path, "server")
        until(lambda: serial(plain_tls, client) == new.serial, "new connections get the new certificate")
        assert new.serial != old
        for _ in range(2):
            connection.sendall(REQUEST)
            assert read_answer(connection).status == 200
    assert plain_tls.failures == []
    assert plain_tls.file.reloads == 1


def test_a_broken_new_file_is_reported_once_and_keeps_the_old(
    plain_tls: Serving, tmp_path: Path, authority: Authority
) -> None:
    client = trusting(authority)
    old = serial(plain_tls, client)
    (tmp_path / "server.crt").write_text("rubbish")
    until(lambda: plain_tls.file.failures >= 2, "the change was refused, and tried again")
    assert serial(plain_tls, client) == old
    (failure,) = plain_tls.failures
    assert re.search(r"server\.crt holds no server certificate.* stays in force", failure)

    good = authority.issue()
    good.write(tmp_path, "server")
    until(lambda: serial(plain_tls, client) == good.serial, "a good certificate is taken after a broken one")


def test_a_file_that_vanishes_keeps_the_old(plain_tls: Serving, tmp_path: Path, authority: Authority) -> None:
    client = trusting(authority)
    old = serial(plain_tls, client)
    (tmp_path / "server.key").unlink()
    until(lambda: plain_tls.failures, "it was reported")
    assert "server.key cannot be read" in plain_tls.failures[0]
    assert serial(plain_tls, client) == old


def test_a_new_client_ca_counts_without_restart(
    tmp_path: Path, authority: Authority, stranger: Authority
) -> None:
    client = trusting(authority, stranger.issue(client=True), tmp_path)
    with serving(configure(tmp_path, authority, CLIENTS.format("RequireAndVerifyClientCert"))) as server:
        assert not is_let_in(server, client)
        stranger.write(tmp_path / "ca.crt")
        until(lambda: server.file.reloads, "the change is taken")
        assert is_let_in(server, client)


def test_tls_is_never_switched_off_while_serving(
    plain_tls: Serving, tmp_path: Path, authority: Authority
) -> None:
    (tmp_path / "web.yml").write_text("")
    until(lambda: plain_tls.failures, "it was reported")
    assert "switches TLS off, which a running server cannot; restart it." in plain_tls.failures[0]
    assert plain_tls.get(tls=trusting(authority)).status == 200


def test_a_handshake_that_does_not_come_is_ended(tmp_path: Path, authority: Authority) -> None:
    with serving(configure(tmp_path, authority), Limits(request_seconds=0.5)) as server:
        with server.connect() as silent, server.connect() as slow:
            slow.sendall(b"\x16\x03\x01\x02\x00\x01")
            until(lambda: server.listener.open == 2, "both are connected")
            assert read_to_end(silent) == b""
            assert read_to_end(slow) == b""
        until(lambda: server.listener.open == 0, "both are forgotten")
