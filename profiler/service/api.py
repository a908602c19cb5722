# SPDX-License-Identifier: GPL-2.0-only
"""``/api/v1``: the JSON of the command line, and the stream of what happens."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from ..errors import Exit
from ..reports import html
from ..reports.json import check_document, document, dump
from .live import Moment
from .problems import ProblemError, documented
from .scrape import encoded, takes_gzip
from .service import Service
from .stream import FullError
from .ticker import own_documents
from .window import BusyError

NO_STORE = {"Cache-Control": "no-store"}
_EXIT_CODES = {"follows": Exit.OK, "violates": Exit.AGAINST_POLICY, "cannot tell": Exit.CANNOT_TELL}


def router(service: Service) -> APIRouter:
    """All of its routes."""
    routes = APIRouter(prefix="/api/v1", tags=["api"])
    live = service.live
    longest = service.options.max_profile_seconds

    @routes.get(
        "/snapshot",
        summary="The profile since the service attached, as `uffd-profiler profile --json` writes it",
        response_class=Response,
        responses={200: _json("Profile"), **documented(503)},
    )
    async def snapshot() -> Response:
        text = await asyncio.to_thread(lambda: dump(document(live.moment().profile())))
        return Response(text, media_type="application/json", headers=NO_STORE)

    @routes.get(
        "/verdict",
        summary="The verdict per uffd mode, as `uffd-profiler check --json` writes it; without cases",
        response_class=Response,
        responses={200: _json("Check"), **documented(503)},
    )
    async def verdict() -> Response:
        text = await asyncio.to_thread(lambda: dump(_check(live.moment())))
        return Response(text, media_type="application/json", headers=NO_STORE)

    @routes.get(
        "/history",
        summary="The last 15 minutes, tick by tick",
        response_class=Response,
        responses={200: _json("History"), **documented(503)},
    )
    async def history(accept_encoding: Annotated[str, Header()] = "") -> Response:
        zipped = takes_gzip(accept_encoding)

        def render() -> bytes:
            own = own_documents(service.history.last, service.ticker.health)
            return service.history.answer(own, compressed=zipped)

        async with service.histories:
            body = await asyncio.to_thread(render)
        return Response(body, media_type="application/json", headers=NO_STORE | encoded(zipped))

    @routes.get(
        "/stream",
        summary="Server-sent events: `hello` at first, then a `tick` whenever one ends",
        response_class=StreamingResponse,
        responses={
            200: {"description": "Events", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
            **documented(503),
        },
    )
    async def stream() -> Response:
        try:
            events = service.streams.subscribe(service.ticker.hello())
        except FullError:
            raise ProblemError(
                503, "As many streams are open as may be; try again later.", {"Retry-After": "10"}
            ) from None
        return StreamingResponse(
            events, media_type="text/event-stream", headers=NO_STORE | {"X-Accel-Buffering": "no"}
        )

    @routes.post(
        "/profile",
        summary="A one-shot profile of the next seconds; one at a time",
        response_class=Response,
        responses={
            200: {
                "description": "The profile, in the format that the Accept header prefers",
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Profile"}},
                    "text/html": {"schema": {"type": "string"}},
                },
            },
            **documented(403, 409, 422, 503),
        },
    )
    async def profile(
        request: Request,
        seconds: Annotated[float, Query(gt=0, le=longest)] = min(10.0, longest),
        accept: Annotated[str, Header()] = "",
    ) -> Response:
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise ProblemError(403, "A page of another site may not take a profile.")
        try:
            taken = await service.window.profile(seconds)
        except BusyError as busy:
            left = int(busy.seconds) + 1
            raise ProblemError(
                409,
                f"Another profile is being taken; try again in {left} s.",
                {"Retry-After": str(left)},
            ) from None
        if _prefers_html(accept):
            page = await asyncio.to_thread(html.render, taken)
            return Response(page, media_type="text/html", headers=NO_STORE)
        text = await asyncio.to_thread(lambda: dump(document(taken)))
        return Response(text, media_type="application/json", headers=NO_STORE)

    return routes


def _check(moment: Moment) -> dict[str, object]:
    return check_document(
        moment.verdicts,
        moment.kernel,
        moment.plan,
        set(moment.modes),
        moment.policy,
        moment.compliance,
        [],
        _EXIT_CODES[moment.compliance] if moment.compliance else Exit.OK,
    )


def _prefers_html(accept: str) -> bool:
    """HTML where it stands ahead of JSON in the header, as browsers have it."""
    kinds = [part.split(";")[0].strip().lower() for part in accept.split(",")]
    return "text/html" in kinds and (
        "application/json" not in kinds or kinds.index("text/html") < kinds.index("application/json")
    )


def _json(schema: str) -> dict[str, object]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": f"A {schema} (docs/json.md)", "content": content}
