"""Why a request cannot go on, and whose fault it is. Expected things are values; these are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from app.core.failures import Failure
from app.core.statistics.events import ENDED_BY_OPERATOR

if TYPE_CHECKING:
    from app.core.model import AccessToken


class GatewayError(Exception):
    """A request that ends with an answer of ours. The text is for the caller: what to do, and no secret."""

    type: ClassVar[str] = "gateway_error"
    is_final: bool = False
    """To try it again is of no use, and `x-should-retry: false` says so."""

    def __init__(self, status: int, code: str, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s


class ClientFault(GatewayError):
    """The caller's request cannot be served as it is (4xx)."""

    type = "invalid_request_error"


class Busy(ClientFault):
    """The caller may try again soon (429, with Retry-After)."""

    type = "rate_limit_error"


class AddressRefused(ClientFault):
    """The egress guard does not let the gateway connect to where the call leads (403)."""

    type = "permission_error"


class UpstreamFault(GatewayError):
    """The upstream could not be reached, was too slow, or did not speak HTTP: `failure` says how it failed."""

    type = "upstream_error"

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(failure.status, failure.code, message)
        self.failure = failure


class ApiError(GatewayError):
    """A call to a channel that ends with an answer of ours, worded in the caller's dialect."""

    def __init__(
        self, status: int, code: str, message: str, *, retry_after_s: int | None = None, is_final: bool = False
    ) -> None:
        super().__init__(status, code, message, retry_after_s=retry_after_s)
        self.is_final = is_final
        self.attempts = 0
        """How many were made until then."""
        self.channel = ""
        """The name of the last that was tried."""
        self.token: AccessToken | None = None
        """The one that was shown, where it is known and no longer good."""


class OperatorFault(GatewayError):
    """What the operator must mend: wrong configuration, or storage that is away (500, 503)."""


class EndedByOperator(OperatorFault):
    """The operator has ended the call while it went on (503): whoever made it is not to make it again at once."""

    is_final = True

    def __init__(self) -> None:
        super().__init__(503, ENDED_BY_OPERATOR, "the gateway's operator has ended this call")


class Invalid(ValueError):
    """What the operator said cannot be. The text says what would do; `field` names the value, as its sender does."""

    code: ClassVar[Literal["invalid", "unknown_field"]] = "invalid"

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field

    def told(self) -> dict[str, str]:
        """For programs and pages: the code, and the field where one is to blame."""
        return {"code": self.code, "field": self.field} if self.field else {"code": self.code}


class InvalidMapping(Invalid):
    """A prefix or target that cannot be a mapping."""


class InvalidSetting(Invalid):
    """A value that a setting cannot have."""


class UnknownSetting(InvalidSetting):
    """A setting that does not exist."""

    code = "unknown_field"


class InvalidChannel(Invalid):
    """What was said of a channel, or in the same manner of something else, cannot be."""


class UnknownField(InvalidChannel):
    """It has no such field."""

    code = "unknown_field"
