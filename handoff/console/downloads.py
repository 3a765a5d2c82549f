"""Transcripts to keep: one conversation as text, JSON or PDF, for whoever may read it."""

import asyncio
import re

from fastapi import APIRouter, Request
from starlette.responses import Response

from bot.conversation.errors import BadInput, NotFound, Unavailable
from bot.conversation.ids import ConversationId
from handoff.console.guard import sign_in_for, visitor
from handoff.console.plain import missing_page, refused_page, unavailable_page
from handoff.console.visit import Console
from handoff.roles import Right
from handoff.transcripts import MEDIA, Format, render, whole

KINDS = {"txt": Format.TEXT, "json": Format.JSON, "pdf": Format.PDF}


def routes(console: Console) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/desk/c/{conversation}/transcript.{kind}")
    async def transcript(request: Request, conversation: str, kind: str) -> Response:
        form = KINDS.get(kind)
        try:
            caller = await visitor(console.auth, request.scope)
            if caller is None:
                return sign_in_for(request.scope)
            if not caller.may(Right.READ):
                return refused_page()
            if form is None:
                return missing_page()
            view = await whole(console.desk, ConversationId(conversation))
        except (NotFound, BadInput):
            return missing_page()
        except Unavailable:
            return unavailable_page()
        content = await asyncio.to_thread(render, view, form, console.settings.hours.timezone)
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", f"transcript-{conversation}")[:80]
        headers = {
            "Content-Disposition": f'attachment; filename="{name}.{kind}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(content, media_type=MEDIA[form], headers=headers)

    return router
