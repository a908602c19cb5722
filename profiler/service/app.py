# SPDX-License-Identifier: GPL-2.0-only
"""The ASGI application: every route, made and read before the privileges are dropped."""

import hashlib
from importlib.resources import files

from fastapi import FastAPI, Request, Response

from .. import __version__
from . import api, docs_page, openapi, page, probes, problems, scrape
from .head import AnswerHead
from .service import Service

_REVALIDATE = "no-cache"


def create(service: Service) -> FastAPI:
    """The application over a service."""
    app = FastAPI(
        title="uffd-profiler",
        version=__version__,
        summary="Where the time of a page fault goes, around userfaultfd.",
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    app.include_router(scrape.router(service))
    app.include_router(api.router(service))
    app.include_router(probes.router(service))
    openapi.install(app)
    css = files("profiler.service").joinpath("docs.css").read_bytes()
    _serve(app, "docs", "text/html; charset=utf-8", docs_page.render(app.openapi()))
    _serve(app, "docs.css", "text/css; charset=utf-8", css)
    for path, (content_type, body) in page.files(service.options.telemetry_path).items():
        _serve(app, path, content_type, body)
    app.add_middleware(AnswerHead)
    return app


def _serve(app: FastAPI, path: str, content_type: str, body: bytes) -> None:
    """A file that never changes while the service runs."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"ETag": etag, "Cache-Control": _REVALIDATE}

    @app.get(f"/{path}", include_in_schema=False)
    async def file(request: Request) -> Response:
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers | {"Content-Type": content_type})
