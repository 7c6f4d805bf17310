"""Seeds a Redis with mappings, and says what it added and what it left alone. Safe to run twice, or twice at once.

    python scripts/init_redis.py                        the default mappings
    python scripts/init_redis.py --file mappings.json   your own: {"/prefix": "https://target", ...}
    python scripts/init_redis.py --url redis://...      another Redis than API_PROXY_REDIS_URL or REDIS_URL

Without any URL it is the embedded Redis of a gateway that runs here.
Ends with 0 when all is well, 1 when Redis does not answer, 2 when the input is wrong; nothing is written then.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.config import Config, ConfigError, load_config
from app.core.defaults import DEFAULT_MAPPINGS
from app.core.errors import InvalidMapping
from app.core.network.addresses import mask_url
from app.core.routing import parse_mapping
from app.storage.catalog.seeding import seed
from app.storage.connections import RedisError, open_redis
from app.storage.embedded import embedded_url
from app.storage.refusals import describe


class InputError(ValueError):
    """The file or the URL cannot be used. Its text says why."""


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit code."""
    options = _options(arguments)
    try:
        config = load_config()
        mappings = read_mappings(options.file) if options.file else DEFAULT_MAPPINGS
        return _seed_and_tell(_url(options.url, config), config, mappings)
    except (ConfigError, InputError) as error:
        print(error, file=sys.stderr)
        return 2


def read_mappings(path: Path) -> dict[str, str]:
    """The mappings of a JSON file, each of them checked. Raises InputError that names all that are wrong."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f'{path} must hold one JSON object: {{"/prefix": "https://target", ...}}')
    wrong = [problem for prefix, target in found.items() if (problem := _problem(prefix, target))]
    if wrong:
        raise InputError("\n".join([f"{path}: nothing was written, because", *wrong]))
    return found


def _problem(prefix: str, target: object) -> str | None:
    if not isinstance(target, str):
        return f"  {prefix}: its target must be a string"
    try:
        parse_mapping(prefix, target)
    except InvalidMapping as error:
        return f"  {prefix}: {error}"
    return None


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="redis://, rediss:// or unix:// (default: API_PROXY_REDIS_URL, else REDIS_URL)")
    parser.add_argument("--file", type=Path, help="a JSON object of your own mappings")
    return parser.parse_args(arguments)


def _url(given: str | None, config: Config) -> str:
    if given is not None:
        return load_config({"REDIS_URL": given}).redis_url or given
    return config.redis_url or embedded_url(config.data_dir)


def _seed_and_tell(url: str, config: Config, mappings: Mapping[str, str]) -> int:
    try:
        with open_redis(url, tls_verify=config.redis_tls_verify) as client:
            added = seed(client, mappings, by_operator=mappings is not DEFAULT_MAPPINGS)
    except RedisError as error:
        print(f"Redis at {mask_url(url)} {describe(error)}", file=sys.stderr)
        if url == embedded_url(config.data_dir):
            print("Set REDIS_URL, or start the gateway first: it brings its own Redis.", file=sys.stderr)
        return 1
    for prefix, new in added.items():
        print(f"  added       {prefix}  ->  {mappings[prefix]}" if new else f"  left alone  {prefix}")
    count = sum(added.values())
    print(f"{mask_url(url)}: {count} added, {len(added) - count} left alone")
    return 0


if __name__ == "__main__":
    sys.exit(main())
