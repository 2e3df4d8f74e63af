"""Answers that are errors: RFC 9457 problem documents, with the two fields that older clients read."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from churn.domain.errors import ConflictError, FieldError, InvalidInputError, NotFoundError, UnavailableError
from churn.observability import logger

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
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

    def to_dict(self) -> dict[str, Any]:
        """The problem document."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "errors": [{"field": error.field, "message": error.message} for error in self.errors],
            "error": self.detail,
            "code": self.status,
        }


def bad_request(*errors: FieldError) -> Problem:
    """400, naming each field and what is wrong with it."""
    return Problem(400, "; ".join(f"{error.field}: {error.message}".removeprefix(": ") for error in errors), errors)


def unavailable(what: str, seconds: int = 5) -> Problem:
    """503 for a dependency that is down, worth another try after `seconds`."""
    return Problem(503, f"The {what} is not available now.", headers={"Retry-After": str(seconds)})


def problem_of(error: Exception) -> Problem:
    """Return the answer to an exception of the service, by its base; 500 for any other."""
    match error:
        case Problem():
            return error
        case InvalidInputError():
            return bad_request(*error.errors)
        case NotFoundError():
            return Problem(404, error.sentence)
        case ConflictError():
            return Problem(409, str(error), error.errors, {"Location": error.location} if error.location else None)
        case UnavailableError():
            logger.error(f"the {error.dependency} is not available", extra={"reason": str(error)})
            return unavailable(error.dependency)
        case _:
            logger.exception("the request failed")
            return Problem(500, "Something went wrong here; the request id is in X-Request-Id.")
