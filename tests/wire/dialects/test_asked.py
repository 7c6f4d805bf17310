"""What a request asks for, by its method and path."""

from __future__ import annotations

import pytest

from app.wire.dialects.asked import DIALECTS, Asked, bare_model, dialect_of, model_in_query, query_with_model

VERSION = {"anthropic-version": "2023-06-01"}


def asked(method: str, path: str, fields: dict[str, str] | None = None) -> Asked:
    found = dialect_of(method, path, fields or {})
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("method", "path", "fields", "speaks", "served_by", "endpoint"),
    [
        ("POST", "/v1/messages", {}, "anthropic", "anthropic", "/v1/messages"),
        ("POST", "/v1/messages/count_tokens", {}, "anthropic", "anthropic", "/v1/messages"),
        ("GET", "/v1/messages/batches/b1", {}, "anthropic", "anthropic", "/v1/messages"),
        ("POST", "/v1/messagesx", {}, "openai", "openai", "/v1"),
        ("GET", "/v1/models", VERSION, "anthropic", "anthropic", "/v1"),
        ("POST", "/v1/files", VERSION, "anthropic", "anthropic", "/v1"),
        ("POST", "/v1/responses", VERSION, "anthropic", "anthropic", "/v1"),
        ("POST", "/v1/responses", {}, "responses", "responses", "/v1/responses"),
        ("GET", "/v1/responses/resp_1", {}, "responses", "responses", "/v1/responses"),
        ("POST", "/v1/responses-x", {}, "openai", "openai", "/v1"),
        ("POST", "/v1beta/openai/chat/completions", {}, "openai", "gemini", "/v1beta"),
        ("GET", "/v1beta/openai", {}, "openai", "gemini", "/v1beta"),
        ("GET", "/v1beta/openaix", {}, "gemini", "gemini", "/v1beta"),
        ("POST", "/v1beta/models/gemini-2.5-flash:generateContent", {}, "gemini", "gemini", "/v1beta"),
        ("POST", "/upload/v1beta/files", {}, "gemini", "gemini", "/v1beta"),
        ("POST", "/v1/models/gemini-2.5-pro:generateContent", {}, "gemini", "gemini", "/v1beta"),
        ("DELETE", "/v1/models/ft:gpt-4o:org::id", {}, "openai", "openai", "/v1"),
        ("GET", "/v1/models/llama3:8b", {}, "openai", "openai", "/v1"),
        ("POST", "/v1/chat/completions", {}, "openai", "openai", "/v1"),
        ("GET", "/v1/anything", {}, "openai", "openai", "/v1"),
    ],
)
def test_the_first_row_that_fits_counts(
    method: str, path: str, fields: dict[str, str], speaks: str, served_by: str, endpoint: str
) -> None:
    """The dialect in which it is read and answered, that of the channels that serve it, and its name in statistics."""
    found = asked(method, path, fields)
    assert (found.speaks, found.served_by, found.endpoint) == (speaks, served_by, endpoint)
    assert found.dialect is DIALECTS[speaks]


@pytest.mark.parametrize("path", ["/", "", "/v1", "/v1beta1/x", "/v2/chat/completions", "/upload/v1/files", "/x/v1/y"])
def test_other_paths_are_of_no_dialect(path: str) -> None:
    """What no row names is a matter of mappings and pages."""
    assert dialect_of("POST", path, VERSION) is None


@pytest.mark.parametrize(
    ("method", "path", "model", "other"),
    [
        ("POST", "/v1beta/models/g-2.5:generateContent", "g-2.5", "/v1beta/models/up%2F1%3Ax:generateContent"),
        ("POST", "/v1beta/models/g/operations/1", "g", "/v1beta/models/up%2F1%3Ax/operations/1"),
        ("POST", "/v1beta/tunedModels/mine:generateContent", "mine", "/v1beta/tunedModels/up%2F1%3Ax:generateContent"),
        ("POST", "/v1/models/g%2Fh:countTokens", "g/h", "/v1/models/up%2F1%3Ax:countTokens"),
        ("POST", "/v1beta/models/%E6%A8%A1:embedContent", "模", "/v1beta/models/up%2F1%3Ax:embedContent"),
        ("GET", "/v1/models/meta/llama:8b", "meta/llama:8b", "/v1/models/up%2F1%3Ax"),
        ("DELETE", "/v1/models/ft:gpt-4o:org::id/", "ft:gpt-4o:org::id", "/v1/models/up%2F1%3Ax/"),
        ("GET", "/v1beta/openai/models/g", "g", "/v1beta/openai/models/up%2F1%3Ax"),
        ("POST", "/v1/chat/completions", "", "/v1/chat/completions"),
        ("GET", "/v1beta/models", "", "/v1beta/models"),
    ],
)
def test_a_model_in_the_path_is_found_and_replaced(method: str, path: str, model: str, other: str) -> None:
    """Decoded as it is asked for, encoded where another takes its place; the rest of the path stays."""
    found = asked(method, path)
    assert found.model == model
    assert found.path_for("up/1:x") == other
    assert found.path_for(model) == path


@pytest.mark.parametrize(
    ("method", "path", "needs"),
    [
        ("POST", "/v1/messages", True),
        ("POST", "/v1/messages/count_tokens", True),
        ("POST", "/v1/messages/batches", False),
        ("POST", "/v1/responses", True),
        ("POST", "/v1/responses/", True),
        ("POST", "/v1/responses/resp_1/cancel", False),
        ("POST", "/v1/chat/completions", True),
        ("POST", "/v1/completions", True),
        ("POST", "/v1/embeddings", True),
        ("POST", "/v1/audio/speech", True),
        ("POST", "/v1/audio/transcriptions", True),
        ("POST", "/v1beta/openai/chat/completions", True),
        ("GET", "/v1/chat/completions", False),
        ("POST", "/v1/files", False),
        ("POST", "/v1/images/generations", False),
        ("POST", "/v1beta/models/g:generateContent", False),
    ],
)
def test_some_calls_need_a_model(method: str, path: str, needs: bool) -> None:
    """Those of which every provider asks for one."""
    assert asked(method, path).needs_model is needs


@pytest.mark.parametrize(
    ("method", "path", "fields", "lasting"),
    [
        ("POST", "/v1/files", {}, True),
        ("POST", "/v1/files", VERSION, True),
        ("GET", "/v1/files", {}, False),
        ("DELETE", "/v1/files/file-1", {}, True),
        ("POST", "/v1/batches", {}, True),
        ("POST", "/v1/messages/batches", {}, True),
        ("POST", "/v1/fine_tuning/jobs", {}, True),
        ("POST", "/v1/videos", {}, True),
        ("POST", "/v1/conversations", {}, True),
        ("POST", "/v1/chat/completions", {}, False),
        ("POST", "/v1/responses", {}, False),
        ("POST", "/upload/v1beta/files", {}, True),
        ("POST", "/v1beta/cachedContents", {}, True),
        ("POST", "/v1beta/models/g:batchGenerateContent", {}, True),
        ("POST", "/v1beta/models/veo:predictLongRunning", {}, True),
        ("POST", "/v1beta/models/g:generateContent", {}, False),
        ("GET", "/v1beta/files", {}, False),
        ("POST", "/v1beta/openai/files", {}, True),
    ],
)
def test_what_outlasts_the_call_is_known(method: str, path: str, fields: dict[str, str], lasting: bool) -> None:
    """It is not asked for twice, and its answer may hold errors of the past, so that is not judged."""
    found = asked(method, path, fields)
    assert found.is_lasting is lasting
    assert found.is_judged is (method == "POST" and not lasting)


@pytest.mark.parametrize(
    ("method", "path", "fields", "lists"),
    [
        ("GET", "/v1/models", {}, True),
        ("GET", "/v1/models", VERSION, True),
        ("GET", "/v1/models/m", {}, True),
        ("GET", "/v1beta/models", {}, True),
        ("GET", "/v1beta/openai/models", {}, True),
        ("HEAD", "/v1/models", {}, True),
        ("POST", "/v1/models", {}, False),
        ("DELETE", "/v1/models/m", {}, False),
        ("GET", "/v1beta/models/m", {}, False),
        ("GET", "/v1/modelsx", {}, False),
        ("OPTIONS", "/v1/models", {}, False),
    ],
)
def test_lists_of_models_are_known(method: str, path: str, fields: dict[str, str], lists: bool) -> None:
    """Those that the gateway answers itself."""
    assert asked(method, path, fields).lists_models is lists


@pytest.mark.parametrize(
    ("method", "path", "stream", "counts", "realtime"),
    [
        ("POST", "/v1beta/models/g:streamGenerateContent", True, False, False),
        ("POST", "/v1beta/models/g:generateContent", False, False, False),
        ("POST", "/v1beta/models/g:countTokens", False, True, False),
        ("POST", "/v1/messages/count_tokens", False, True, False),
        ("POST", "/v1/responses/input_tokens", False, True, False),
        ("POST", "/v1/messages", False, False, False),
        ("GET", "/v1/realtime", False, False, True),
        ("POST", "/v1/realtime/client_secrets", False, False, False),
        ("GET", "/v1/responses", False, False, False),
    ],
)
def test_the_path_tells_streams_counts_and_realtime(
    method: str, path: str, stream: bool, counts: bool, realtime: bool
) -> None:
    """Gemini's paths say whether a stream is asked for; counts of tokens are free; one WebSocket is tunnelled."""
    found = asked(method, path)
    assert (found.is_stream, found.counts_tokens, found.is_realtime) == (stream, counts, realtime)


def test_googles_clients_write_models_before_a_name() -> None:
    """In a body; the channel's model has no such beginning."""
    assert bare_model(asked("POST", "/v1beta/cachedContents"), "models/g") == "g"
    assert bare_model(asked("POST", "/v1beta/openai/chat/completions"), "models/g") == "g"
    assert bare_model(asked("POST", "/v1/chat/completions"), "models/g") == "models/g"


@pytest.mark.parametrize(
    ("query", "model"),
    [("model=gpt-realtime", "gpt-realtime"), ("a=b&model=a%2Fb+c&model=d", "a/b c"), ("xmodel=a", ""), ("", "")],
)
def test_a_realtime_calls_model_is_replaced_in_its_query(query: str, model: str) -> None:
    """All else stays as it came; where it names none, nothing changes."""
    edited = query_with_model(query, "x/y z&é")
    assert model_in_query(edited) == ("x/y z&é" if model else "")
    assert edited.count("&") == query.count("&")
    assert query_with_model(edited, "n") == query_with_model(query, "n")


@pytest.mark.parametrize(
    ("query", "model"),
    [("model=gpt-realtime", "gpt-realtime"), ("a=b&model=a%2Fb+c&model=d", "a/b c"), ("xmodel=a", ""), ("", "")],
)
def test_a_realtime_calls_model_stands_in_its_query(query: str, model: str) -> None:
    """There is no body."""
    assert model_in_query(query) == model
