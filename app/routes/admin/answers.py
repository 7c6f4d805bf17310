"""What every route of the admin API shares: how a JSON body is read, and the one shape of its errors.

An error is `{"error": "a sentence that says what to do", "code": "name_taken", "field": "prefix"}`: the code is for
programs and for the page, which says it in its own language; `field` stands where one is to blame.
"""

from __future__ import annotations

import codecs
import logging
from typing import Any, Literal, get_args

import orjson
from flask import Response, jsonify, request
from werkzeug.exceptions import HTTPException

from app.core.backup.form import BackupRefused
from app.core.errors import AddressRefused, Invalid
from app.storage.catalog.access_tokens import AccessTokenNotFound
from app.storage.catalog.channels import ChannelInUse, ChannelNameTaken, ChannelNotFound
from app.storage.catalog.mappings import MappingExists, MappingNotFound
from app.storage.connections import RedisError
from app.storage.keys.edits import KeyNotFound
from app.storage.refusals import describe, refusal_of, trouble_of
from app.storage.secrets import CannotOpen
from app.storage.sql.errors import DatabaseAway, DatabaseElsewhere
from app.storage.tasks.task import TaskNotFound, TaskRunning

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Longest body that the admin API reads."""
MAX_OPEN_BODY_BYTES = 64 * 1024
"""Of those that anybody may send: to log in and out."""

Code = Literal[
    "address_refused",
    "admin_disabled",
    "backup_damaged",
    "backup_newer",
    "bad_json",
    "bad_request",
    "body_too_large",
    "database_away",
    "internal_error",
    "in_use",
    "invalid",
    "key_unreadable",
    "locked",
    "logs_elsewhere",
    "method_not_allowed",
    "name_taken",
    "not_found",
    "passphrase_missing",
    "passphrase_wrong",
    "process_silent",
    "session_ended",
    "storage_away",
    "storage_refuses",
    "task_running",
    "token_missing",
    "token_wrong",
    "unknown_field",
    "upstream_failed",
]
"""Every code that the admin API answers with. They are stable; the page has words for each (`admin_ui/js/i18n.js`)."""

CODES: tuple[Code, ...] = get_args(Code)

_HTTP_CODES: dict[int | None, Code] = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


class AdminError(Exception):
    """Ends a request to the admin API. `field` is the path of the value to blame: `prefix`, `options.burst`."""

    def __init__(
        self, status: int, code: Code, message: str, field: str = "", *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.field = field
        self.headers = headers or {}


EXPECTED = (
    AdminError,
    Invalid,
    AddressRefused,
    MappingExists,
    MappingNotFound,
    ChannelNotFound,
    ChannelNameTaken,
    ChannelInUse,
    KeyNotFound,
    CannotOpen,
    AccessTokenNotFound,
    TaskNotFound,
    TaskRunning,
    BackupRefused,
    RedisError,
    DatabaseAway,
    DatabaseElsewhere,
)
"""What a route of the admin API may raise; `error_answer` words it."""


def read_json() -> Any:
    """The value that the body holds as JSON; None where it holds none, or one nested beyond measure.

    What is no text (half a surrogate pair) or no number (NaN) is no JSON either, so all that is read can be stored.
    """
    if not request.is_json:
        return None
    try:
        return orjson.loads(request.get_data().removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError:
        return None


def error_answer(error: Exception) -> tuple[Response, int, dict[str, str]]:
    """The answer to an admin's request that failed, whatever failed."""
    known = as_admin_error(error)
    answer = {"error": str(known), "code": known.code}
    if known.field:
        answer["field"] = known.field
    return jsonify(answer), known.status, known.headers


def as_admin_error(error: Exception) -> AdminError:
    """What is told of it, whatever failed."""
    match error:
        case AdminError():
            return error
        case Invalid():
            return AdminError(400, error.code, str(error), error.field)
        case AddressRefused():
            return AdminError(400, "address_refused", str(error), "target")
        case MappingExists():
            return AdminError(400, "name_taken", str(error), "prefix")
        case MappingNotFound() | ChannelNotFound() | KeyNotFound() | AccessTokenNotFound() | TaskNotFound():
            return AdminError(404, "not_found", str(error))
        case ChannelNameTaken():
            return AdminError(409, "name_taken", str(error), "name")
        case TaskRunning():
            return AdminError(409, "task_running", str(error))
        case CannotOpen():
            return AdminError(409, "key_unreadable", f"{error}; nothing was done")
        case ChannelInUse():
            return AdminError(409, "in_use", str(error))
        case BackupRefused():
            return AdminError(400, error.code, str(error))
        case RedisError():
            return _storage_error(error)
        case DatabaseElsewhere():
            return AdminError(503, "logs_elsewhere", str(error))
        case DatabaseAway():
            return AdminError(503, "database_away", str(error))
        case HTTPException():
            return _http_error(error)
    return AdminError(500, "internal_error", "the gateway failed; its log says why")


def _storage_error(error: RedisError) -> AdminError:
    refusal = refusal_of(error)
    if refusal is None:
        text = f"Redis {trouble_of(error)}, so nothing can be read or changed here; try again soon"
        return AdminError(503, "storage_away", text)
    if request.method != "GET":  # a page that asks again and again is no news
        log.warning("%s %s was not done: Redis %s", request.method, request.path, describe(error))
    text = f"Redis answers but refuses, as {refusal}; nothing was changed, and nothing can be until that is mended"
    return AdminError(503, "storage_refuses", text)


def _http_error(error: HTTPException) -> AdminError:
    status = error.code or 500
    text = f"there is nothing at {request.path}" if status == 404 else error.description or "it cannot be served"
    if status == 413:
        limit = request.max_content_length or MAX_BODY_BYTES
        text = f"the body is longer than {limit:,} bytes; send less at once"
    allowed = {name: value for name, value in error.get_headers() if name == "Allow"}
    return AdminError(status, _HTTP_CODES.get(status, "bad_request"), text, headers=allowed)
