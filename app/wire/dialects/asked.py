"""What a request asks for, told by its method, its path and few fields: which dialect, and where its model stands.

The first row that fits counts:

    /v1/messages, /v1/messages/..., any /v1/... with `anthropic-version`     anthropic
    /v1/responses, /v1/responses/...                                         responses
    /v1beta/openai/...                                  read and answered as openai, served by gemini channels
    /v1beta/..., /upload/v1beta/..., POST /v1/models/{model}:verb            gemini
    /v1/...                                                                  openai
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, unquote_plus

from app.wire.dialects.anthropic import Anthropic
from app.wire.dialects.dialect import Dialect
from app.wire.dialects.gemini import Gemini
from app.wire.dialects.openai import OpenAI
from app.wire.dialects.responses import Responses

OPENAI: Final = OpenAI()
RESPONSES: Final = Responses()
ANTHROPIC: Final = Anthropic()
GEMINI: Final = Gemini()
DIALECTS: Final[dict[str, Dialect]] = {dialect.name: dialect for dialect in (OPENAI, RESPONSES, ANTHROPIC, GEMINI)}
"""By name."""

ENDPOINTS: Final = ("/v1/messages", "/v1/responses", "/v1", "/v1beta")
"""For what calls count in statistics."""

_COMPATIBLE: Final = "/v1beta/openai"
_GEMINI = re.compile(r"(?:/upload)?/v1beta(?:/|\Z)")
_GEMINI_VERB = re.compile(r"/v1/models/[^/]+:[A-Za-z]")
_GEMINI_MODEL = re.compile(r"(?:/upload)?/v1(?:beta)?/(?:models|tunedModels)/([^:/]+)")
_NEEDS_MODEL: Final = frozenset(
    "/audio/speech /audio/transcriptions /audio/translations /chat/completions /completions /embeddings /messages"
    " /messages/count_tokens /responses".split()
)
_LASTING = re.compile(
    r"/(?:assistants|batches|containers|conversations|evals|files|fine[_-]tuning|fine-tunes|messages/batches|skills"
    r"|threads|uploads|vector_stores|videos)(?:/|\Z)"
)
"""Below `/v1`: what a POST to one of these makes outlasts the call."""
_GEMINI_LASTING = re.compile(
    r"/(?:batches|cachedContents|corpora|fileSearchStores|files|tunedModels)/?\Z"
    r"|:(?:asyncBatchEmbedContent|batchGenerateContent|importFile|predictLongRunning|uploadToFileSearchStore)\Z"
)
_LISTING: Final = frozenset({"GET", "HEAD"})
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ODDLY_WRITTEN = re.compile(r"[%;\\]|//|/\.")
_MODEL_SAFE: Final = "@!$&'()*+,;=~"
_MODEL_IN_QUERY: Final = "/:@!$'()*,;~"
_UNVERSIONED = re.compile(
    r"/(?:audio/(?:speech|transcriptions|translations)|chat/completions|completions|embeddings"
    r"|images/(?:edits|generations|variations)|messages|models|moderations|responses)(?:/|\Z)"
)


class Asked:
    """What a request asks for."""

    def __init__(self, dialect: Dialect, endpoint: str, method: str, path: str) -> None:
        """`path` without its query."""
        self.dialect = dialect
        """How it is read and answered."""
        self.speaks = dialect.name
        self.served_by = dialect.name
        """The dialect that a channel must have to serve it."""
        self.endpoint = endpoint
        """Its name in statistics, one of ENDPOINTS."""
        self.mapping = ""
        """The prefix of the mapping that leads to a channel, and then its name in statistics; empty where none does."""
        self.method = method
        self.path = path
        self.model = ""
        """The model that the path names, decoded; empty where it names none, and then the body may."""
        self.model_start = self.model_end = 0
        """Where it stands in the path, as it is written there."""
        self.is_stream = False
        """True where the path asks for a stream; elsewhere the body does."""
        self.needs_model = False
        """A call without a model is an error."""
        self.lists_models = False
        """It asks for the list of models that is answered here, or, where the path names one, for that entry of it."""
        self.counts_tokens = False
        self.is_lasting = False
        """It makes something that outlasts the call: a file, a batch, a fine-tuned model, a video."""
        self.is_realtime = False
        """A WebSocket of its own kind; the query names its model (`model_in_query`)."""
        self.is_judged = True
        """False where a good answer may be anything: what is stored or made is read back, or downloaded."""

    @property
    def is_plainly_written(self) -> bool:
        """No server takes the path for another: it has no escapes (but in the model's name), no dots that lead
        elsewhere, no doubled slashes."""
        path, model = self.path, self.model
        if model:
            path = path[: self.model_start] + path[self.model_end :]
            if "%" in model or ".." in model.split("/"):
                return False
        return _ODDLY_WRITTEN.search(path) is None

    def path_for(self, upstream_model: str) -> str:
        """The path with another model in it; as it came where it names none, or this one already."""
        if not self.model or upstream_model == self.model:
            return self.path
        return self.path[: self.model_start] + quote(upstream_model, safe=_MODEL_SAFE) + self.path[self.model_end :]


def dialect_of(method: str, path: str, fields: dict[str, str]) -> Asked | None:
    """What is asked for; None where the path is that of no dialect.

    `path` as it came, without its query; `fields` by name in lower case, of which `anthropic-version` is looked at.
    """
    if path.startswith("/v1/"):
        if path.startswith("/v1/messages") and (len(path) == 12 or path[12] == "/"):
            return _asked(ANTHROPIC, "/v1/messages", method, path, 3)
        if "anthropic-version" in fields:
            return _asked(ANTHROPIC, "/v1", method, path, 3)
        if path.startswith("/v1/responses") and (len(path) == 13 or path[13] == "/"):
            return _asked(RESPONSES, "/v1/responses", method, path, 3)
        if method == "POST" and _GEMINI_VERB.match(path):
            return _asked_gemini(method, path)
        return _asked(OPENAI, "/v1", method, path, 3)
    if path.startswith(_COMPATIBLE) and (len(path) == 14 or path[14] == "/"):
        asked = _asked(OPENAI, "/v1beta", method, path, 14)
        asked.served_by = GEMINI.name
        return asked
    return _asked_gemini(method, path) if _GEMINI.match(path) else None


def bare_model(asked: Asked, name: str) -> str:
    """A model's name without the `models/` that Google's clients write before it in a body."""
    return name.removeprefix("models/") if asked.served_by == "gemini" else name


def model_in_query(query: str) -> str:
    """The model that the query of a realtime call names, decoded; empty where it names none."""
    for member in query.split("&"):
        if member.startswith("model="):
            return unquote_plus(member[len("model=") :])
    return ""


def query_with_model(query: str, model: str) -> str:
    """The query of a realtime call with another model in it."""
    members = query.split("&")
    for place, member in enumerate(members):
        if member.startswith("model="):
            members[place] = f"model={quote(model, safe=_MODEL_IN_QUERY)}"
            break
    return "&".join(members)


def _asked(dialect: Dialect, endpoint: str, method: str, path: str, version_end: int) -> Asked:
    """For the dialects that write the model into the body; `version_end`: where the path goes on below the version."""
    asked = Asked(dialect, endpoint, method, path)
    rest = path[version_end:].removesuffix("/")
    if method == "POST" and rest in _NEEDS_MODEL:
        asked.needs_model = True
        asked.counts_tokens = rest == "/messages/count_tokens"
        return asked
    asked.counts_tokens = rest == "/responses/input_tokens"
    is_reading = method in _READING
    asked.is_lasting = not is_reading and _LASTING.match(rest) is not None
    asked.is_judged = not (is_reading or asked.is_lasting)
    asked.is_realtime = is_reading and rest == "/realtime"
    if rest == "/models":
        asked.lists_models = method in _LISTING
    elif rest.startswith("/models/"):
        asked.lists_models = method in _LISTING and version_end == len("/v1")
        _take_model(asked, version_end + len("/models/"), version_end + len(rest))
    return asked


def _asked_gemini(method: str, path: str) -> Asked:
    asked = Asked(GEMINI, "/v1beta", method, path)
    model = _GEMINI_MODEL.match(path)
    is_reading = method in _READING
    if model is not None:
        _take_model(asked, model.start(1), model.end(1))
        verb = path[asked.model_end :]
        asked.is_stream = verb == ":streamGenerateContent"
        asked.counts_tokens = verb == ":countTokens"
    else:
        asked.lists_models = method in _LISTING and path.removesuffix("/") == "/v1beta/models"
    asked.is_lasting = not is_reading and _GEMINI_LASTING.search(path) is not None
    asked.is_judged = not (is_reading or asked.is_lasting)
    return asked


def _take_model(asked: Asked, start: int, end: int) -> None:
    written = asked.path[start:end]
    asked.model = unquote(written) if "%" in written else written
    asked.model_start, asked.model_end = start, end


class Understood(NamedTuple):
    """What a path without a prefix asks for."""

    dialect: str
    """A key of DIALECTS."""
    path: str
    """As the dialect spells it: with the version that the caller may have left out."""


def understand(path: str, *, has_anthropic_version: bool = False) -> Understood | None:
    """What the provider's own path asks for, whatever the method; None where it is that of no dialect.

    All send `/v1/models`; Anthropic's clients say who they are by their field `anthropic-version`.
    """
    if _UNVERSIONED.match(path):
        path = f"/v1{path}"
    if path == "/v1":
        return Understood("anthropic" if has_anthropic_version else "openai", path)
    asked = dialect_of("POST", path, {"anthropic-version": ""} if has_anthropic_version else {})
    return None if asked is None else Understood(asked.served_by, path)
