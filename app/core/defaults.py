"""The mappings that a new gateway begins with. From then on they are the operator's."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

DEFAULT_MAPPINGS: Mapping[str, str] = MappingProxyType(
    {
        "/discord": "https://discord.com/api",
        "/telegram": "https://api.telegram.org",
        "/openai": "https://api.openai.com",
        "/claude": "https://api.anthropic.com",
        "/gemini": "https://generativelanguage.googleapis.com",
        "/gnothink": "https://generativelanguage.googleapis.com",
        "/meta": "https://www.meta.ai/api",
        "/groq": "https://api.groq.com/openai",
        "/xai": "https://api.x.ai",
        "/cohere": "https://api.cohere.ai",
        "/huggingface": "https://api-inference.huggingface.co",
        "/together": "https://api.together.xyz",
        "/novita": "https://api.novita.ai",
        "/portkey": "https://api.portkey.ai",
        "/fireworks": "https://api.fireworks.ai",
        "/openrouter": "https://openrouter.ai/api",
        "/sophnet": "https://sophnet.com",
        "/cerebras": "https://api.cerebras.ai",
        "/gmi": "https://api.gmi-serving.com",
        "/chutes": "https://llm.chutes.ai",
        "/nebius": "https://api.studio.nebius.com",
    }
)
