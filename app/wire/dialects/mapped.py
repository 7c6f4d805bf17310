"""What the path below a mapping's target asks for: providers put their APIs below paths of their own.

/v1/chat/completions    /openai/v1/chat/completions    /api/paas/v4/chat/completions    /openai/deployments/d/embeddings
"""

from __future__ import annotations

import re

from app.wire.dialects.asked import Asked, dialect_of

_VERSIONED = re.compile(r"/(?:upload/)?v1(?:beta)?/")
_LAST = re.compile(
    r"/(?:audio/(?:speech|transcriptions|translations)|chat/completions|completions|embeddings"
    r"|images/(?:edits|generations|variations)|messages|responses)/?\Z"
)
_GEMINI = re.compile(r"/models/[^/]+:(?:generateContent|streamGenerateContent|embedContent|batchEmbedContents)\Z")
_VERTEX = re.compile(r"/publishers/anthropic/models/([^/:]+):(?:rawPredict|streamRawPredict)\Z")
"""https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude"""


def mapped(method: str, path: str, has_anthropic_version: bool) -> Asked | None:
    """What is asked for; None where that is of no dialect. `path` is without its query."""
    fields = {"anthropic-version": ""} if has_anthropic_version else {}
    if (gemini := _GEMINI.search(path)) is not None:
        return dialect_of(method, f"/v1beta{gemini.group()}", fields)
    if (vertex := _VERTEX.search(path)) is not None:
        asked = dialect_of(method, "/v1/messages", fields)
        if asked is not None:
            asked.model = vertex.group(1)  # which its body does not name
        return asked
    if (versioned := _VERSIONED.search(path)) is not None:
        return dialect_of(method, path[versioned.start() :], fields)
    if (last := _LAST.search(path)) is not None:
        return dialect_of(method, f"/v1{last.group()}", fields)
    return None
