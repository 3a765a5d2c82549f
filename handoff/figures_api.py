"""Figures and transcripts over HTTP: `/api/v1/metrics`, `/api/v1/conversations/{id}/transcript`, `/metrics`."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from bot.conversation.events import utc_now
from bot.conversation.ids import ConversationId
from bot.conversation.log import Log
from handoff.database import Database
from handoff.desk import Desk
from handoff.figures import Figures, FigureView, Period, parse_since, view
from handoff.metrics import By
from handoff.prometheus import exposition
from handoff.transcripts import MEDIA, Format, render, whole


class FiguresAnswer(BaseModel):
    """The figures of a period."""

    items: list[FigureView] = Field(description="every figure, for all episodes or for each group")


def create_router(
    figures: Figures,
    desk: Desk,
    log: Log,
    database: Database,
    timezone: str,
    authorise: Callable[..., Awaitable[object]],
) -> APIRouter:
    """Return the routes; `authorise` is a dependency that refuses whoever has no right to figures."""
    router = APIRouter(dependencies=[Depends(authorise)])

    @router.get("/api/v1/metrics", tags=["figures"], summary="Figures of a period", response_model=FiguresAnswer)
    async def metrics(
        since: Annotated[str, Query(description="7d, 24h, 30m, 2w or a date", examples=["7d", "2026-11-01"])] = "7d",
        until: Annotated[str | None, Query(description="end of the period; none: now")] = None,
        by: Annotated[By | None, Query(description="one set of figures for each group")] = None,
        episodes: Annotated[bool, Query(description="list the episodes behind each figure")] = False,
    ) -> FiguresAnswer:
        now = utc_now()
        end = parse_since(until, now) if until else now + timedelta(seconds=1)
        found = await figures.report(Period(parse_since(since, now), end), now, by)
        return FiguresAnswer(items=[view(figure, episodes) for figure in found])

    @router.get(
        "/api/v1/conversations/{conversation}/transcript",
        tags=["conversations"],
        summary="A conversation's transcript",
        response_class=Response,
    )
    async def transcript(
        conversation: ConversationId,
        form: Annotated[Format, Query(alias="format", description="text, json or pdf")] = Format.JSON,
    ) -> Response:
        content = render(await whole(desk, conversation), form, timezone)
        return Response(content, media_type=MEDIA[form])

    @router.get("/metrics", tags=["figures"], summary="For Prometheus", response_class=Response)
    async def prometheus() -> Response:
        return Response(await exposition(log, database, utc_now()), media_type=CONTENT_TYPE_LATEST)

    return router
