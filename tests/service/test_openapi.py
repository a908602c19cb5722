# SPDX-License-Identifier: GPL-2.0-only
"""The description is complete, true, and holds against whatever Schemathesis thinks of."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from profiler.service.openapi import components
from tests.service.running import Running, running

PATHS = {
    "/metrics": {"get"},
    "/api/v1/snapshot": {"get"},
    "/api/v1/verdict": {"get"},
    "/api/v1/history": {"get"},
    "/api/v1/stream": {"get"},
    "/api/v1/profile": {"post"},
    "/-/healthy": {"get"},
    "/-/ready": {"get"},
}


def _validate(document: object, schema: str) -> None:
    whole = {"$ref": f"#/components/schemas/{schema}", "components": {"schemas": components()}}
    jsonschema.validate(document, whole, cls=jsonschema.Draft202012Validator)


def test_every_route_is_described(service: Running) -> None:
    description = service.get("/openapi.json").json()
    assert {path: set(methods) for path, methods in description["paths"].items()} == PATHS
    for methods in description["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert operation["operationId"]
            for status, answer in operation["responses"].items():
                assert answer["description"], status
                assert answer.get("content"), (operation["operationId"], status)
    page = service.get("/docs")
    for path in PATHS:
        assert path in page.text
    assert "<script" not in page.text


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/api/v1/snapshot", "Profile"),
        ("/api/v1/verdict", "Check"),
        ("/api/v1/history", "History"),
        ("/-/ready", "History_health"),
    ],
)
def test_answers_follow_their_schemas(service: Running, path: str, schema: str) -> None:
    answer = service.get(path)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/json")
    _validate(answer.json(), schema)
    with pytest.raises(jsonschema.ValidationError):
        _validate(answer.json() | {"unheard": "of"}, schema)


def test_a_profile_of_a_window(service: Running) -> None:
    answer = service.get("/api/v1/profile?seconds=0.5", "POST")
    _validate(answer.json(), "Profile")
    assert 0.5e9 <= answer.json()["duration_ns"] < 60e9
    page = service.get("/api/v1/profile?seconds=0.1", "POST", Accept="text/html,*/*;q=0.8")
    assert page.headers["content-type"].startswith("text/html")
    assert page.text.lstrip().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/nothing", "GET", 404),
        ("/../../etc/passwd", "GET", 404),
        ("/static/../__init__.py", "GET", 404),
        ("/static/%2e%2e/app.py", "GET", 404),
        ("//etc/passwd", "GET", 404),
        ("/metrics", "DELETE", 405),
        ("/api/v1/profile", "GET", 405),
        ("/api/v1/profile?seconds=0", "POST", 422),
        ("/api/v1/profile?seconds=nan", "POST", 422),
        ("/api/v1/profile?seconds=1e9", "POST", 422),
        ("/api/v1/profile?seconds=x", "POST", 422),
    ],
)
def test_every_error_is_a_problem(service: Running, path: str, method: str, status: int) -> None:
    detail = service.get(path, method).problem(status)
    assert detail.endswith(".")
    assert "/work" not in detail


def test_a_page_of_another_site_takes_no_profile(service: Running) -> None:
    refused = service.get("/api/v1/profile?seconds=0.1", "POST", Sec_Fetch_Site="cross-site")
    assert "another site" in refused.problem(403)


def test_head_answers_like_get_without_a_body(service: Running) -> None:
    for path in ("/", "/metrics", "/-/ready", "/api/v1/stream", "/docs"):
        answer = service.get(path, "HEAD", timeout=10)
        assert (answer.status, answer.body) == (200, b""), path
        assert "content-type" in answer.headers


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    # Windows are short: each example takes one.
    with running(tmp_path / "log", "--tick=1", "--web.max-profile-seconds=0.05") as service:
        description = service.get("/openapi.json").json()
        # A stream does not end, which is all that Schemathesis would find.
        del description["paths"]["/api/v1/stream"]
        file = tmp_path / "openapi.json"
        file.write_text(json.dumps(description))
        done = subprocess.run(
            [
                Path(sys.executable).parent / "schemathesis",
                "run",
                file,
                f"--url=http://127.0.0.1:{service.port}",
                "--checks=all",
                "--max-examples=25",
                "--max-response-time=60",
                "--seed=1",
                "--workers=1",
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        assert "Warnings" not in done.stdout, done.stdout[-6000:]
        assert "Traceback" not in service.said()
