# SPDX-License-Identifier: GPL-2.0-only
"""``/-/healthy`` and ``/-/ready``, for whoever supervises the service."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from .api import NO_STORE
from .problems import RETRY_SECONDS, documented, response
from .service import Service
from .ticker import health_document


def router(service: Service) -> APIRouter:
    """Both routes."""
    routes = APIRouter(tags=["probes"])

    @routes.get(
        "/-/healthy",
        summary="Whether the process answers",
        response_class=PlainTextResponse,
    )
    async def healthy() -> PlainTextResponse:
        return PlainTextResponse("healthy\n", headers=NO_STORE)

    @routes.get(
        "/-/ready",
        summary="Whether every hook that was attached still works; each hook with its way",
        response_class=JSONResponse,
        responses={
            200: {"description": "Ready", "content": _HEALTH},
            **documented(503),
        },
    )
    async def ready() -> Response:
        health = service.ticker.health
        found = health_document(health)
        if health.ready:
            return JSONResponse(found, headers=NO_STORE)
        detail = f"Not ready: {health.reason}."
        return response(503, detail, {"Retry-After": str(RETRY_SECONDS)}, **found)

    return routes


_HEALTH: dict[str, Any] = {"application/json": {"schema": {"$ref": "#/components/schemas/History_health"}}}
