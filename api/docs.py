"""/docs: the API's own OpenAPI document as a page, without a script or anything from elsewhere."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.console.endpoints import SECURITY_HEADERS, templates

router = APIRouter(include_in_schema=False)


@router.get("/docs", response_class=HTMLResponse)
async def docs(request: Request) -> HTMLResponse:
    """Every route with its parameters and answers; the document itself is /openapi.json."""
    document = request.app.openapi()
    context = {"info": document["info"], "groups": operations(document)}
    return templates.TemplateResponse(request, "docs.html", context, headers=SECURITY_HEADERS)


def operations(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The document's operations by tag, in its order."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            entry = {
                "method": method.upper(),
                "path": path,
                "summary": operation.get("description") or operation.get("summary", ""),
                "key": bool(operation.get("security")),
                "parameters": operation.get("parameters", []),
                "answers": [
                    (status, answer["description"], _schema(answer))
                    for status, answer in operation["responses"].items()
                ],
            }
            groups.setdefault((operation.get("tags") or ["other"])[0], []).append(entry)
    return groups


def _schema(answer: dict[str, Any]) -> str:
    """The name of the answer's model, where it has one."""
    for content in answer.get("content", {}).values():
        reference = content.get("schema", {}).get("$ref", "")
        if reference:
            return str(reference).rsplit("/", 1)[-1]
    return ""
