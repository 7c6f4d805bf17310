"""What one variable of the environment may say: text in, a value out; a ValueError says what would do."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address

_SENT_IN_A_FIELD = re.compile(r"[\x21-\x7e]+")


def listen_address(text: str) -> str:
    """An address or a name to listen at. IPv6 comes with or without brackets and leaves without."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ip_address(bare))
    except ValueError:
        if bare != text or not re.fullmatch(r"[A-Za-z0-9_.-]+", text):
            raise ValueError("must be an address or a name, such as 127.0.0.1, ::1 or 0.0.0.0 (all of them)") from None
        return text


def boolean(text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if text.lower() not in words:
        raise ValueError("say true or false")
    return words[text.lower()]


def integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number <= 86_400:
        raise ValueError("must be a number of seconds above 0, at most 86400")
    return number


def log_level(text: str) -> str:
    """In either case; `warn`, as other programs have it, is WARNING."""
    return one_of("DEBUG", "INFO", "WARNING", "ERROR")("WARNING" if text.lower() == "warn" else text)


def one_of(*words: str) -> Callable[[str], str]:
    """One of the words, in either case; it comes as it is spelled here."""

    def parse(text: str) -> str:
        for word in words:
            if text.lower() == word.lower():
                return word
        raise ValueError(f"must be {', '.join(words[:-1])} or {words[-1]}")

    return parse


def auth_keys(text: str) -> tuple[str, ...]:
    """Those of a list with commas between, each once."""
    keys = tuple(dict.fromkeys(key for part in text.split(",") if (key := part.strip())))
    if not all(_SENT_IN_A_FIELD.fullmatch(key) for key in keys):
        raise ValueError("its entries must be of ASCII letters, digits and signs, without blanks, commas between them")
    return keys


def encryption_keys(text: str) -> tuple[str, ...]:
    """Those of a list with commas between, each once; an empty first one where it says `off`."""
    keys = [key.strip() for key in text.split(",")]
    if not all(keys):
        raise ValueError("there is nothing before or after a comma: give one key, or the new one, a comma and the old")
    if "off" in map(str.lower, keys[1:]):
        raise ValueError("`off` can only stand first: then the keys after it decrypt, and nothing is encrypted")
    keys[0] = "" if keys[0].lower() == "off" else keys[0]
    return tuple(dict.fromkeys(keys)) if any(keys) else ()
