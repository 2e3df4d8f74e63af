"""Answers that are errors: RFC 9457 problem documents, with the two fields that older clients read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from churn.domain.errors import (
    ChurnError,
    ConflictError,
    CustomerUnreadableError,
    FieldError,
    InvalidInputError,
    NotFoundError,
    OutdatedError,
    UnavailableError,
)
from churn.observability import logger

if TYPE_CHECKING:
    from churn.domain.answers import ProblemDocument

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
"""After how long a request is worth another try that a dependency has failed."""


class ProblemError(ChurnError):
    """A request that cannot be answered as asked; `detail` is a sentence for the client."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def to_dict(self) -> ProblemDocument:
        """Return the problem document."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "errors": [{"field": error.field, "message": error.message} for error in self.errors],
            "error": self.detail,
            "code": self.status,
        }


def bad_request(*errors: FieldError) -> ProblemError:
    """Return a 400 that names each field and what is wrong with it."""
    return ProblemError(
        400, "; ".join(f"{error.field}: {error.message}".removeprefix(": ") for error in errors), errors
    )


def unavailable(what: str, seconds: int = RETRY_AFTER_SECONDS) -> ProblemError:
    """Return a 503 for a dependency that is down, worth another try after `seconds`."""
    return ProblemError(503, f"The {what} is not available now.", headers={"Retry-After": str(seconds)})


def problem_of(error: Exception) -> ProblemError:
    """Return the answer to an exception of the service, by its base; 500 for any other."""
    match error:
        case ProblemError():
            return error
        case InvalidInputError():
            return bad_request(*error.errors)
        case NotFoundError() | CustomerUnreadableError():
            return ProblemError(404 if isinstance(error, NotFoundError) else 500, error.sentence)
        case ConflictError():
            status = 412 if isinstance(error, OutdatedError) else 409
            headers = {"Location": error.location} if error.location else None
            return ProblemError(status, str(error), error.errors, headers)
        case UnavailableError():
            logger.error(f"the {error.dependency} is not available", extra={"reason": str(error)})
            return unavailable(error.dependency)
        case _:
            logger.exception("the request failed")
            return ProblemError(500, "Something went wrong here; the request id is in X-Request-Id.")
