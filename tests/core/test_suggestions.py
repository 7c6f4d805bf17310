"""What a path that no mapping serves may have meant."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from app.core.defaults import DEFAULT_MAPPINGS
from app.core.routing import match
from app.core.suggestions import MAX_COMPARED, Suggester, Suggestion
from app.wire.dialects.asked import understand
from tests.support.snapshots import snapshot_of


def suggester_of(*mappings: tuple[str, str]) -> Suggester:
    return Suggester(snapshot_of(dict(mappings)))


DEFAULTS = suggester_of(*DEFAULT_MAPPINGS.items())


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/chat/completions", "/openai/v1/chat/completions"),
        ("/v1/responses", "/openai/v1/responses"),
        ("/v1", "/openai/v1"),
        ("/chat/completions", "/openai/v1/chat/completions"),
        ("//v1/embeddings", "/openai/v1/embeddings"),
        ("/v1/messages", "/claude/v1/messages"),
        ("/v1/messages/count_tokens", "/claude/v1/messages/count_tokens"),
        ("/v1beta/models/g:generateContent", "/gemini/v1beta/models/g:generateContent"),
        ("/v1/models/g:streamGenerateContent", "/gemini/v1/models/g:streamGenerateContent"),
        ("/upload/v1beta/files", "/gemini/upload/v1beta/files"),
        ("/V1/chat/completions", "/openai/v1/chat/completions"),
        ("/Upload/V1beta/files", "/gemini/upload/v1beta/files"),
        ("/V1Beta/models/G:generateContent", "/gemini/v1beta/models/G:generateContent"),
    ],
)
def test_a_providers_own_path_is_told_its_prefix(path: str, meant: str) -> None:
    """Of the mappings the one to the provider whose path it is, whatever the prefixes are called."""
    assert DEFAULTS.suggest(path) == Suggestion(misses_prefix=True, path=meant)
    renamed = suggester_of(*((f"/x{number}", target) for number, target in enumerate(DEFAULT_MAPPINGS.values())))
    suggestion = renamed.suggest(path)
    assert suggestion is not None
    prefix = suggestion.path.split("/")[1]
    target = list(DEFAULT_MAPPINGS.values())[int(prefix[1:])]
    assert target == DEFAULT_MAPPINGS["/" + meant.split("/")[1]]


def test_anthropics_clients_say_who_they_are() -> None:
    """All providers have /v1/models; the field `anthropic-version` tells whose is meant."""
    assert DEFAULTS.suggest("/v1/models") == Suggestion(True, "/openai/v1/models")
    assert DEFAULTS.suggest("/v1/models", has_anthropic_version=True) == Suggestion(True, "/claude/v1/models")


@pytest.mark.parametrize(
    ("mappings", "meant"),
    [
        ([("/a", "https://x.example"), ("/b", "https://my.example/openai")], "/b/v1/chat/completions"),
        ([("/a", "https://x.example"), ("/my-gpt", "https://y.example")], "/my-gpt/v1/chat/completions"),
        ([("/a", "https://api.openai.com/v1"), ("/openai", "https://y.example")], "/a/chat/completions"),
        ([("/a", "https://api.openai.com/v1/")], "/a/chat/completions"),
        ([("/only", "https://x.example")], "/only/v1/chat/completions"),
        ([("/模型", "https://api.openai.com")], f"/{quote('模型')}/v1/chat/completions"),
        ([("/trail/", "https://api.openai.com")], "/trail/v1/chat/completions"),
        ([("/a", "https://x.example"), ("/b", "https://y.example")], ""),
        ([], ""),
    ],
)
def test_the_catalogue_says_who_serves_a_path(mappings: list[tuple[str, str]], meant: str) -> None:
    """The provider's own host goes first, then what is called after it, then the only one; what is said leads there."""
    assert suggester_of(*mappings).suggest("/v1/chat/completions") == Suggestion(True, meant)
    if meant:
        found = match(snapshot_of(dict(mappings)), meant)
        assert found is not None
        assert found[1].endswith("/v1/chat/completions")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/opnai/v1/chat/completions", "/openai/v1/chat/completions"),
        ("/OpenAI/v1/models", "/openai/v1/models"),
        ("/cluade", "/claude"),
        ("/openruoter/v1", "/openrouter/v1"),
        ("/%6Fpnai/v1%2Fx", "/openai/v1%2Fx"),
        ("/anthropic/v1/messages", "/claude/v1/messages"),
        ("/stat", "/stats"),
        ("/Admin", "/admin"),
        ("/proxi/https://a.example/", "/proxy/https://a.example/"),
    ],
)
def test_near_misses_are_suggested(path: str, meant: str) -> None:
    """A letter too few, two changed places, another case, the provider's name; the rest of the path stays."""
    assert DEFAULTS.suggest(path) == Suggestion(misses_prefix=False, path=meant)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/admin/mappings", "/admin"),
        ("/adminn/mappings", "/admin"),
        ("/dashboard/x", "/dashboard"),
        ("/health/live", "/health"),
        ("/stats/24h/x", "/stats"),
        ("/stat/24h", "/stats/24h"),
    ],
)
def test_below_a_page_of_ours_the_page_is_suggested(path: str, meant: str) -> None:
    """Nobody is told to ask for what he asked for, nor for what leads to no page."""
    assert DEFAULTS.suggest(path) == Suggestion(misses_prefix=False, path=meant)


def test_below_a_mapping_called_as_a_page_of_ours_the_path_stays() -> None:
    """The operator said so."""
    suggester = suggester_of(("/dashboard", "https://x.example"))
    assert suggester.suggest("/dashbord/v1") == Suggestion(False, "/dashboard/v1")


@pytest.mark.parametrize("path", ["/", "/nowhere/v1", "/x", "/favicon.png", "/v2/x", "/wp-login.php", "/%FF%FE", "/%"])
def test_what_is_near_to_nothing_gets_no_suggestion(path: str) -> None:
    """A wrong guess would send a key to somebody else."""
    assert DEFAULTS.suggest(path) is None


def test_a_prefix_of_several_segments_is_found() -> None:
    """The longest that is near."""
    suggester = suggester_of(("/team/openai", "https://api.openai.com"), ("/team", "https://x.example"))
    assert suggester.suggest("/taem/opena1/v1") == Suggestion(False, "/team/openai/v1")


HOSTILE = ["/" + "a" * 60_000, "/" + "a/" * 30_000, "/" + "%61" * 64, "/" + "%" * 9_000, "/v1/models/" + "a" * 60_000]


@pytest.mark.timing
@pytest.mark.parametrize("path", ["/mapping-12345x/v1", "/v1/chat/completions", *HOSTILE], ids=lambda path: path[:12])
def test_a_look_up_is_bounded(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 10,000 mappings and whatever path, only so many are compared, and it takes but a moment of the processor."""
    suggester = suggester_of(*((f"/mapping-{number}", "https://x.example") for number in range(10_000)))
    compared = 0
    candidates = Suggester._candidates

    def counted(self: Suggester, segments: int, first: str) -> Iterator[str]:
        nonlocal compared
        for prefix in candidates(self, segments, first):
            compared += 1
            yield prefix

    monkeypatch.setattr(Suggester, "_candidates", counted)
    begun = time.process_time()
    suggester.suggest(path)
    assert time.process_time() - begun < 0.05
    assert compared <= 3 * MAX_COMPARED


def test_all_of_a_path_survives() -> None:
    """What is understood is the path itself; only a version that was left out is put in front."""
    assert understand("/v1/x%2F;y//z") == ("openai", "/v1/x%2F;y//z")
    assert understand("/v10/x") is None
