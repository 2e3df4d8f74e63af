"""The exceptions of the service, and what is wrong with a field of an input.

Each failure that a caller may want to tell apart is a class of its own below one of these bases, which say what kind
of failure it is; the HTTP entry point maps the bases to status codes.

ChurnError
├── InvalidInputError   the input is wrong; nothing was done
├── NotFoundError       what was asked for does not exist
├── ConflictError       it exists, but its present state does not allow the action
└── UnavailableError    a dependency does not answer; the same request may succeed later
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of an input; `field` is its path, such as ``data.order_value``."""

    field: str
    message: str


class ChurnError(Exception):
    """The base of the service's own exceptions."""


class InvalidInputError(ChurnError, ValueError):
    """The input is wrong, and nothing was done."""


class NotFoundError(ChurnError):
    """What was asked for does not exist."""


class ConflictError(ChurnError):
    """The present state does not allow the action."""


class UnavailableError(ChurnError):
    """A dependency does not answer; the same request may succeed later."""


class CustomerNotFoundError(NotFoundError):
    """There is no customer with this id."""
