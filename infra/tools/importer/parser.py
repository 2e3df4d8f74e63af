"""A shop's own history: rows of its exports become events.

Everything about a row is decided by the file alone, the events' ids too, so that reading a file twice gives the same
events, and the store knows the second ones again.
"""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from churn.domain.errors import FieldError
from churn.domain.events import Event, InvalidEventError, parse_event
from churn.domain.timestamps import iso, parse_timestamp, to_millis
from infra.tools.importer.readers import Row, UnreadableFileError, read_rows

Kind = Literal["orders", "events", "customers"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# What shops call their columns, the likeliest first; compared in lower case and without all but letters and digits.
_SYNONYMS: dict[Kind, dict[str, tuple[str, ...]]] = {
    "orders": {
        "customer_id": (
            *("customerid", "customer", "custid", "cust", "customernumber", "customerno", "userid", "user"),
            *("clientid", "client", "buyerid", "buyer", "memberid", "visitorid"),
        ),
        "timestamp": (
            *("timestamp", "orderdate", "orderedat", "ordertime", "orderdatetime", "invoicedate", "purchasedate"),
            *("transactiondate", "datetime", "date", "time", "ts", "createdat", "created"),
        ),
        "order_value": (
            *("ordervalue", "ordertotal", "orderamount", "totalamount", "totalprice", "grandtotal", "amount", "total"),
            *("value", "revenue", "sales", "spent", "spend", "totalspent", "linetotal", "subtotal", "paid"),
        ),
        "unit_price": ("unitprice", "price", "itemprice"),
        "items_count": ("itemscount", "quantity", "qty", "nitems", "items", "units"),
        "order_id": (
            *("orderid", "invoice", "invoiceno", "invoiceid", "invoicenumber", "ordernumber", "orderno", "order"),
            *("transactionid", "receiptid", "receipt"),
        ),
        "discount": (
            *("discountvalue", "discountused", "discountamount", "discount", "totaldiscount", "couponcode", "coupon"),
            *("vouchercode", "voucher", "promocode"),
        ),
        "cancelled": (
            *("cancelledat", "canceledat", "cancelled", "canceled", "iscancelled", "iscanceled", "cancel"),
            *("orderstatus", "status"),
        ),
    },
    "customers": {
        "customer_id": ("customerid", "id", "customer", "custid", "cust", "userid", "user", "clientid", "memberid"),
        "name": ("name", "fullname", "customername"),
        "first_name": ("firstname", "givenname"),
        "last_name": ("lastname", "surname", "familyname"),
        "email": ("email", "emailaddress", "mail"),
        "phone": ("phone", "phonenumber", "telephone", "mobile"),
        "address": ("address", "city", "country"),
        "loyalty_points": ("loyaltypoints", "points", "bonuspoints"),
        "registered_at": (
            *("registeredat", "registrationdate", "registered", "signupdate", "joinedat", "joindate", "createdat"),
            *("created", "since", "firstseen", "date"),
        ),
        "updated_at": ("updatedat", "updated", "modifiedat", "lastmodified"),
    },
    "events": {},
}
_REQUIRED: dict[Kind, tuple[str, ...]] = {
    "orders": ("customer_id", "timestamp", "order_value"),
    "customers": ("customer_id",),
    "events": (),
}
_YES = frozenset({"1", "1.0", "true", "t", "yes", "y", "x"})
_NO = frozenset({"", "0", "0.0", "false", "f", "no", "n", "none", "null", "nan", "-"})
_CANCELLED = frozenset({"cancelled", "canceled", "cancel", "void", "voided", "refunded", "failed", "declined"})
_WHOLE_FLOAT = re.compile(r"\d+\.0+")
_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"-?(\d+|\d{1,3}(\.\d{3})+),\d{1,2}")


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that was not taken, and why."""

    line: int
    reason: str
    text: str


@dataclass(slots=True)
class History:
    """What a file holds: its events by customer and time, the lines that are none, and what else is worth knowing."""

    events: list[Event] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    lines: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class _BadRow(ValueError):
    """A row that is no order, event or customer; the text says why."""


def read_history(
    path: Path,
    kind: Kind = "orders",
    *,
    now: datetime,
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> History:
    """Return the events of a file of orders, events or customers.

    `columns` names columns that the file calls differently (field to column); `date_format`, in the notation of
    `datetime.strptime`, is for times that are not ISO 8601, YYYYMMDD, or seconds or milliseconds since 1970. `progress`
    receives the number of lines read so far. Times without a zone are UTC. Raises UnreadableFileError if the file as a
    whole cannot be read.
    """
    reader = _Reader(kind, now, dict(columns or {}), date_format, fixed=".json" not in "".join(path.suffixes).lower())
    for row in read_rows(path):
        reader.read(row)
        if reader.history.lines % 1000 == 0:
            progress(reader.history.lines)
    return reader.finish()


@dataclass(slots=True)
class _Order:
    """An order as its lines add up."""

    row: Row
    customer_id: str
    order_id: str
    at: datetime
    value: float
    discount: float | bool | None
    items: int | None
    cancelled_at: datetime | None
    repetition: int = 0
    texts: set[str] = field(default_factory=set)


class _Reader:
    def __init__(
        self, kind: Kind, now: datetime, named: dict[str, str], date_format: str | None, *, fixed: bool
    ) -> None:
        self.kind = kind
        self.now = now
        self.named = named
        self.date_format = date_format
        self.fixed = fixed
        self.history = History()
        self._columns: dict[tuple[str, ...], dict[str, str]] = {}
        self._orders: dict[tuple[str, ...], _Order] = {}
        self._seen: Counter[tuple[object, ...]] = Counter()
        self._further_lines = 0
        unknown = set(named) - set(_SYNONYMS[kind])
        if unknown:
            known = ", ".join(_SYNONYMS[kind]) or "none"
            raise UnreadableFileError(f"{kind} have no field {', '.join(sorted(unknown))}; their fields are: {known}")

    def read(self, row: Row) -> None:
        self.history.lines += 1
        if row.values is None:
            self._reject(row, row.error)
            return
        try:
            if self.kind == "events":
                self._event(row.values)
                return
            columns = self._columns_of(tuple(row.values))
            cells = {name: _clean(row.values[column]) for name, column in columns.items()}
            if self.kind == "orders":
                self._order(row, cells, columns)
            else:
                self._customer(cells)
        except InvalidEventError as error:
            self._reject(row, _sentence(error.errors))
        except _BadRow as error:
            self._reject(row, str(error))

    def finish(self) -> History:
        history = self.history
        placed: set[tuple[str, str]] = set()
        cancelled: set[tuple[str, str]] = set()
        for order in self._orders.values():
            try:
                for event in self._events_of(order):
                    known = placed if event.event_type == "order_placed" else cancelled
                    known.add((event.customer_id, str(event.data.get("order_id"))))
                    history.events.append(event)
            except InvalidEventError as error:
                self._reject(order.row, _sentence(error.errors))
        self._orders.clear()
        if self._further_lines:
            history.notes.append(
                f"{self._further_lines:,} lines repeat an order number: the values of an order's lines were added up"
            )
        alone = len(cancelled - placed)
        if alone:
            history.notes.append(f"{alone:,} cancelled orders or credit notes cancel no other order of this file")
        history.events.sort(key=lambda event: (event.customer_id, event.timestamp, event.event_id))
        history.rejects.sort(key=lambda reject: reject.line)
        return history

    def _reject(self, row: Row, reason: str) -> None:
        self.history.rejects.append(Reject(row.line, reason, row.text))

    def _columns_of(self, names: tuple[str, ...]) -> dict[str, str]:
        found = self._columns.get(names)
        if found is None:
            found = self._columns[names] = _find_columns(self.kind, names, self.named)
            self.history.columns = found | self.history.columns
        missing = [name for name in _REQUIRED[self.kind] if name not in found]
        if "order_value" in missing and "unit_price" in found:
            missing.remove("order_value")
        if missing and self.fixed:
            raise UnreadableFileError(
                f"there is no column for {', '.join(missing)} among {', '.join(names)}; "
                f"name it with --column {missing[0]}=COLUMN"
            )
        if missing:
            raise _BadRow(f"has no {', '.join(missing)}")
        return found

    def _event(self, values: dict[str, Any]) -> None:
        wire = {name: _wire(value) for name, value in values.items() if value is not None}
        for name in ("data", "metadata"):
            text = wire.get(name)
            if isinstance(text, str):
                # In CSV and Parquet the field is JSON in a column.
                try:
                    wire[name] = json.loads(text) if text.strip() else {}
                except ValueError:
                    raise _BadRow(f"{name}: is not JSON") from None
        self.history.events.append(parse_event(wire, now=self.now))

    def _order(self, row: Row, cells: dict[str, Any], columns: dict[str, str]) -> None:
        customer_id, order_id = _identifier(cells["customer_id"]), _identifier(cells.get("order_id"))
        if not customer_id:
            raise _BadRow("customer_id: is required")
        at = self._instant(cells["timestamp"], "timestamp")
        items = _items(cells.get("items_count"))
        value = self._value(cells)
        cancelled_at = self._cancelled_at(cells.get("cancelled"), columns.get("cancelled", ""), at)
        order = _Order(
            row,
            customer_id,
            order_id,
            at,
            abs(value) if cancelled_at else value,
            _discount(cells.get("discount")) if "discount" in cells else None,
            items,
            cancelled_at,
        )
        if not order_id:
            content = (customer_id, to_millis(at), order.value, order.discount, cancelled_at)
            order.repetition = self._seen[content]
            self._seen[content] += 1
            self._orders[("", str(row.line))] = order
            return
        order.texts.add(row.text)
        first = self._orders.setdefault((customer_id, order_id, "cancelled" if cancelled_at else "placed"), order)
        if first is not order and row.text not in first.texts:
            _add(first, order)
            self._further_lines += 1

    def _value(self, cells: dict[str, Any]) -> float:
        if "order_value" in cells:
            return _number(cells["order_value"], "order_value")
        quantity = _number(cells["items_count"], "items_count") if "items_count" in cells else 1.0
        return _number(cells["unit_price"], "unit_price") * quantity

    def _cancelled_at(self, value: Any, column: str, placed_at: datetime) -> datetime | None:
        """When the order was cancelled; at once where only a mark says that it was, None where it was not."""
        if isinstance(value, datetime | date):
            return self._instant(value, "cancelled")
        text = str(value if value is not None else "").strip().lower()
        if text in _NO:
            return None
        if text in _YES or text in _CANCELLED:
            return placed_at
        if "status" in column.lower():
            return None
        try:
            return self._instant(value, "cancelled")
        except _BadRow:
            raise _BadRow(f"cancelled: {text!r} is neither yes, no nor a time") from None

    def _events_of(self, order: _Order) -> Iterator[Event]:
        value = round(order.value, 2)
        at = to_millis(order.at)
        identity = [order.customer_id, order.order_id, at, value, order.discount, order.repetition]
        order_id = order.order_id
        if order.cancelled_at and not order_id:
            order_id = "row-" + _digest(identity)
        data: dict[str, Any] = {"order_id": order_id} if order_id else {}
        data["order_value"] = value
        if order.cancelled_at is None or order.cancelled_at > order.at:
            placed = dict(data)
            if isinstance(order.discount, bool):
                placed["discount_used"] = order.discount
            elif order.discount is not None:
                placed["discount_value"] = round(order.discount, 2)
            if order.items is not None:
                placed["items_count"] = order.items
            yield self._checked("order-" + _digest(identity), "order_placed", order.customer_id, order.at, placed)
        if order.cancelled_at is not None:
            identity.append(to_millis(order.cancelled_at))
            event_id = "cancel-" + _digest(identity)
            yield self._checked(event_id, "order_cancelled", order.customer_id, order.cancelled_at, data)

    def _customer(self, cells: dict[str, Any]) -> None:
        customer_id = _identifier(cells["customer_id"])
        profile: dict[str, Any] = {
            name: str(cells[name]) for name in ("name", "email", "phone", "address") if cells.get(name)
        }
        parts = [str(cells[name]) for name in ("first_name", "last_name") if cells.get(name)]
        if parts:
            profile.setdefault("name", " ".join(parts))
        if cells.get("loyalty_points") is not None:
            profile["loyalty_points"] = _number(cells["loyalty_points"], "loyalty_points")
        found: list[Event] = []
        registered = cells.get("registered_at")
        if registered is not None:
            at = self._instant(registered, "registered_at")
            event_id = "registered-" + _digest([customer_id, to_millis(at)])
            found.append(self._checked(event_id, "customer_registered", customer_id, at, {}))
        updated = cells.get("updated_at")
        if profile or registered is None:
            # Without a time of its own the profile is what the shop says today; its id does not depend on today.
            at = self.now if updated is None else self._instant(updated, "updated_at")
            event_id = "profile-" + _digest([customer_id, updated and to_millis(at), profile])
            found.append(self._checked(event_id, "profile_updated", customer_id, at, profile))
        self.history.events.extend(found)

    def _instant(self, value: Any, name: str) -> datetime:
        try:
            if value is None:
                raise ValueError("is required")
            if self.date_format and isinstance(value, str):
                # The zone may be part of the given form; without one it is UTC.
                read = datetime.strptime(value, self.date_format)  # noqa: DTZ007
                return parse_timestamp(read.isoformat())
            if isinstance(value, date):
                return parse_timestamp(value.isoformat())
            text = str(value)
            if text.isdigit() and len(text) == 8:
                return parse_timestamp(f"{text[:4]}-{text[4:6]}-{text[6:]}")
            return parse_timestamp(float(text) if text.isdigit() else value)
        except ValueError as error:
            reason = str(error)
            if isinstance(value, str) and not self.date_format and "ISO 8601" in reason:
                reason = f"{value!r} is neither ISO 8601 nor YYYYMMDD; name its form with --date-format"
            raise _BadRow(f"{name}: {reason}") from None

    def _checked(self, event_id: str, event_type: str, customer_id: str, at: datetime, data: dict[str, Any]) -> Event:
        """An event that passes the same check as one that comes over Kafka. Raises InvalidEventError."""
        wire = {
            "event_id": event_id,
            "event_type": event_type,
            "customer_id": customer_id,
            "timestamp": iso(at),
            "data": data,
        }
        return parse_event(wire, now=self.now)


def _find_columns(kind: Kind, names: tuple[str, ...], named: Mapping[str, str]) -> dict[str, str]:
    """Field to column, as named on the command line or else by the first synonym that the file has."""
    by_plain_name = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(names)}
    found: dict[str, str] = {}
    for name, synonyms in _SYNONYMS[kind].items():
        if name in named:
            if named[name] not in names:
                raise UnreadableFileError(f"there is no column {named[name]!r} among {', '.join(names)}")
            found[name] = named[name]
            continue
        column = next((by_plain_name[synonym] for synonym in synonyms if synonym in by_plain_name), None)
        if column is not None and column not in named.values():
            found[name] = column
    if "order_value" in found:
        found.pop("unit_price", None)
    return found


def _add(order: _Order, line: _Order) -> None:
    order.value += line.value
    order.at = min(order.at, line.at)
    order.texts.add(line.row.text)
    if order.cancelled_at is not None and line.cancelled_at is not None:
        order.cancelled_at = min(order.cancelled_at, line.cancelled_at)
    if line.items is not None:
        order.items = (order.items or 0) + line.items
    if line.discount is not None:
        both_values = not isinstance(order.discount, bool) and not isinstance(line.discount, bool)
        order.discount = (
            (order.discount or 0.0) + line.discount if both_values else bool(order.discount) or bool(line.discount)
        )


def _clean(value: Any) -> Any:
    """A cell without surrounding spaces; None where it says nothing."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def _identifier(value: Any) -> str:
    text = "" if value is None else str(value)
    # Tools that read a column with gaps as floats write 12346 as 12346.0.
    return text.split(".")[0] if _WHOLE_FLOAT.fullmatch(text) else text


def _number(value: Any, name: str) -> float:
    if value is None:
        raise _BadRow(f"{name}: is required")
    text = re.sub(r"[\s€$£¥']", "", str(value))
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    elif _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(".", "").replace(",", ".")
    try:
        number = float(text)
    except ValueError:
        raise _BadRow(f"{name}: {value!r} is not a number") from None
    if not math.isfinite(number):
        raise _BadRow(f"{name}: {value!r} is not a number")
    return number


def _items(value: Any) -> int | None:
    try:
        return abs(int(float(value))) if value is not None else None
    except (TypeError, ValueError, OverflowError):
        return None


def _discount(value: Any) -> float | bool:
    """The value of the discount, or whether there was one; an empty cell of a discount column means none."""
    if value is None or isinstance(value, bool):
        return bool(value)
    text = str(value).lower()
    if text in {"true", "yes", "y", "t", "x"}:
        return True
    if text in _NO - {"0", "0.0"}:
        return False
    try:
        return abs(_number(value, "discount"))
    except _BadRow:
        # A coupon's code.
        return True


def _wire(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return value


def _sentence(errors: list[FieldError]) -> str:
    return "; ".join(f"{error.field.removeprefix('data.')}: {error.message}" for error in errors)


def _digest(content: list[Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:40]
