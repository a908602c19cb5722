# SPDX-License-Identifier: GPL-2.0-only
"""``/metrics``."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import JsonValue

from .exposition import NAMES, UnknownCollectorError, Wanted, choose
from .problems import ProblemError, documented
from .service import Service

_TEXT = {"schema": {"type": "string"}}
_NAMES: dict[str, JsonValue] = {"items": {"type": "string", "enum": list(NAMES)}}


def router(service: Service) -> APIRouter:
    """The route at the telemetry path."""
    routes = APIRouter(tags=["metrics"])

    @routes.get(
        service.options.telemetry_path,
        summary="All metrics, in the format that the Accept header prefers",
        response_class=Response,
        responses={
            200: {
                "description": "Prometheus text or OpenMetrics",
                "content": {"text/plain": _TEXT, "application/openmetrics-text": _TEXT},
            },
            **documented(400, 503),
        },
    )
    async def metrics(
        collect: Annotated[
            list[str] | None,
            Query(alias="collect[]", description="only these collectors", json_schema_extra=_NAMES),
        ] = None,
        exclude: Annotated[
            list[str] | None,
            Query(alias="exclude[]", description="and none of these", json_schema_extra=_NAMES),
        ] = None,
        accept: Annotated[str, Header()] = "",
        accept_encoding: Annotated[str, Header()] = "",
    ) -> Response:
        try:
            names = choose(collect or [], exclude or [])
        except UnknownCollectorError as error:
            known = ", ".join(NAMES)
            raise ProblemError(400, f"There is no collector {str(error)!r}; there are {known}.") from None
        if service.scrapes >= service.options.max_requests:
            raise ProblemError(
                503,
                f"{service.scrapes} scrapes are being answered, as --web.max-requests allows; try again.",
                {"Retry-After": "1"},
            )
        service.scrapes += 1
        try:
            zipped = takes_gzip(accept_encoding)
            body, content_type = await service.exposition.scrape(Wanted(accept, zipped, names))
        finally:
            service.scrapes -= 1
        return Response(body, headers={"Content-Type": content_type, **encoded(zipped)})

    return routes


def takes_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header (RFC 9110, 12.5.3) allows gzip."""
    weights: dict[str, str] = {}
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = weight.replace(" ", "").removeprefix("q=") or "1"
    weight = weights.get("gzip", weights.get("*", "0"))
    try:
        return float(weight) > 0
    except ValueError:
        return False


def encoded(zipped: bool) -> dict[str, str]:
    """Headers of an answer that may be compressed."""
    return {"Vary": "Accept, Accept-Encoding", **({"Content-Encoding": "gzip"} if zipped else {})}
