# SPDX-License-Identifier: GPL-2.0-only
"""Errors as RFC 9457 problem documents, every one of them."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from .live import NotAttachedError

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2

_log = logging.getLogger("uffd_profiler")


class Problem(BaseModel):
    """What went wrong (RFC 9457). ``detail``: one sentence, with how to go on."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def response(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **extensions: Any
) -> Response:
    """The problem as an answer; nothing may keep it.

    :param extensions: further members (RFC 9457, 3.2).
    """
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(
        problem.model_dump() | extensions,
        status,
        {"Cache-Control": "no-store", **(headers or {})},
        MEDIA_TYPE,
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI description of a route."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Turn everything that goes wrong in a request into a problem."""

    @app.exception_handler(ProblemError)
    async def known(request: Request, error: ProblemError) -> Response:
        return response(error.status, error.detail, error.headers)

    @app.exception_handler(NotAttachedError)
    async def not_attached(request: Request, error: NotAttachedError) -> Response:
        return response(503, f"There are no figures: {error}.", {"Retry-After": str(RETRY_SECONDS)})

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return response(422, f"{where}: {first['msg']}; see /docs.")

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> Response:
        detail = {
            404: "There is nothing at this path; see /docs.",
            405: "This path does not take this method; see /docs.",
        }.get(error.status_code, str(error.detail))
        return response(error.status_code, detail, error.headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        _log.exception("a request failed", exc_info=error)
        return response(500, "The service failed at this request; its log says why.")
