"""What an import refuses: a file as a whole, a reading that is in doubt, and a line."""


class UnreadableFileError(ValueError):
    """A file that cannot be read as a whole; the text says why."""


class DoubtError(UnreadableFileError):
    """A file that can be read in two ways; the text shows both, and the option that decides."""


class BadRowError(ValueError):
    """A row that is no order, event or customer; the text says why."""


class ImplausibleTimeError(BadRowError):
    """A row of a time when no shop sold anything, or that lies ahead."""


class RefundOfNobodyError(BadRowError):
    """A row that pays an order back and says which, but not whose."""

    def __init__(self, number: str) -> None:
        super().__init__("customer_id: is required, as the order that was paid back is not in the file")
        self.number = number


class NobodyError(BadRowError):
    """A row whose customer is what tools write where there is none."""

    def __init__(self, customer_id: str) -> None:
        super().__init__(
            f"customer_id: {customer_id!r} stands for no customer; if it is one, import with --allow-id={customer_id}"
        )
        self.customer_id = customer_id


class NotCountedError(Exception):
    """A row that is read and is no order, such as one that was never paid; the text says what it is."""


class NeverPlacedError(NotCountedError):
    """A row whose state says that it never was an order."""
