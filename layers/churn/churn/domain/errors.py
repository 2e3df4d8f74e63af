"""The exceptions of the service, and what is wrong with a field of an input.

Each failure that a caller may want to tell apart is a class of its own below one of these bases, which say what kind
of failure it is; the HTTP entry point maps the bases to status codes.

ChurnError
├── InvalidInputError   the input is wrong; nothing was done
├── NotFoundError       what was asked for does not exist
├── ConflictError       it exists, but its present state does not allow the action
│   └── OutdatedError   it has changed since the caller read it
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
    """The input is wrong, and nothing was done; `errors` names each field and what is wrong with it."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = errors


class NotFoundError(ChurnError):
    """What was asked for does not exist; `sentence` says so to a client."""

    sentence = "There is no such thing."


class ConflictError(ChurnError):
    """The present state does not allow the action; the text is a sentence for a client.

    `errors` names the fields that stand in the way, and `location` the path of what is in the way, if it has one.
    """

    errors: tuple[FieldError, ...] = ()
    location: str | None = None


class OutdatedError(ConflictError):
    """It has changed since the caller read it, who wants nothing done then."""


class UnavailableError(ChurnError):
    """A dependency does not answer; the same request may succeed later. `dependency` is its name for a client."""

    dependency = "service"


DATA_ERRORS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""What code raises for stored data that it was not made for: the same data would raise it again."""


class CustomerNotFoundError(NotFoundError):
    """There is no customer with this id."""

    sentence = "There is no such customer."


class CustomerUnreadableError(ChurnError):
    """What is stored of a customer cannot be read, or nothing can be worked out from it; others are not touched."""

    sentence = "What is stored of this customer cannot be read."
