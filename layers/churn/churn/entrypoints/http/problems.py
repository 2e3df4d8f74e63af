"""Answers that are errors: RFC 9457 problem documents, with the two fields that older clients read."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from churn.domain.errors import FieldError

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
