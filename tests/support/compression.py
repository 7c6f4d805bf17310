"""zstd, as the gateway has it on this Python."""

from __future__ import annotations

from app.wire.http.codings import zstd_library

zstd = zstd_library()
