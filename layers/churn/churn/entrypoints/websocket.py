"""The WebSocket entry point: checks and answers connections and their messages.

The authority of a client is checked at each message. When its token has expired the message is answered with `error`
401 and the connection is closed; one that says nothing is closed by the invocation that comes each minute.

`connected` cannot be posted from `$connect`, where the connection does not exist yet: the function invokes itself
asynchronously for it. A message of the client's may come first: `connected` is posted first by whoever posts first.
"""

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from churn.adapters.api_gateway_push import (
    MAX_MESSAGE_BYTES,
    ConnectionGoneError,
    MessageRefusedError,
    Push,
    PushUnavailableError,
)
from churn.adapters.aws_clients import InvocationError
from churn.adapters.mysql import (
    Database,
    DatabaseUnavailableError,
    StatementRefusedError,
    prediction_subscriptions,
    websocket_connections,
)
from churn.adapters.mysql.alerts import AlertsPrunedError
from churn.adapters.mysql.used_tickets import TicketUsedError
from churn.adapters.request_time import REQUEST_TIME
from churn.domain.alerts import ALERT_PRIORITIES
from churn.domain.audit import AuditEntry
from churn.domain.errors import FieldError, InvalidInputError
from churn.domain.json_text import read_json
from churn.domain.timestamps import iso
from churn.entrypoints.http.app import check
from churn.entrypoints.http.grants import expired_token, granted
from churn.entrypoints.http.problems import ProblemError
from churn.entrypoints.socket_requests import PredictionsWanted
from churn.observability import count_failed_answer, logger
from churn.services import alert_delivery, broadcasts, socket_expiry
from churn.services.audit_trail import AuditTrail
from churn.services.presentation import parse_change, parse_since
from churn.settings import Settings

PING_EVERY_SECONDS = 240
# What opens data of the shop to a client; whoever only connects has been told nothing.
_AUDITED = frozenset({"subscribe_alerts", "subscribe_predictions", "request_dashboard_data"})
_LOST = "the subscription was lost: subscribe again, with since"
# A handshake takes some milliseconds after $connect was answered; who is not there after this has gone.
_GREETING_WAITS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.6)

Answer = dict[str, Any]


class _BadMessageError(Exception):
    def __init__(self, code: int, message: str, *fields: str | FieldError) -> None:
        super().__init__(message)
        errors = [FieldError(field, message) if isinstance(field, str) else field for field in fields]
        self.data: Answer = {"code": code, "message": message, "errors": [asdict(error) for error in errors]}


@dataclass(frozen=True, slots=True)
class _Caller:
    connection_id: str
    subject: str
    role: str
    expires_at: float

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> "_Caller":
        """Return who calls, by an event's `requestContext`. Raises ProblemError: 401, 403."""
        grant = granted(context, "read", time.time())
        return cls(context["connectionId"], str(grant.subject), str(grant.role), float(grant.expires_at or 0))

    @property
    def until(self) -> datetime:
        """When the caller's authority ends; no socket lives for a day."""
        now = datetime.now(UTC)
        return now + timedelta(seconds=min(self.expires_at - now.timestamp(), 86400))


def is_socket_event(event: Mapping[str, Any]) -> bool:
    """Return whether the WebSocket API, or the function itself for a socket, made this invocation."""
    return "socket" in event or bool((event.get("requestContext") or {}).get("connectionId"))


class WebSocketHandler:
    """The handler of a WebSocket API's events.

    `dashboard` gives the data of `dashboard_update`; `later` invokes the function again, asynchronously.
    """

    def __init__(
        self,
        database: Database,
        push: Push,
        settings: Settings,
        dashboard: Callable[[], Mapping[str, Any]],
        later: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._database = database
        self._trail = AuditTrail(lambda: database, settings)
        self._push = push
        self._settings = settings
        self._dashboard = dashboard
        self._later = later

    def handle(self, event: Mapping[str, Any]) -> Answer:
        """Return the answer to an event for which `is_socket_event` holds; bad input gets an answer too."""
        REQUEST_TIME.begin()
        if "socket" in event:
            return self._own(event)
        context = event["requestContext"]
        try:
            # By the kind of event, which API Gateway sets: a client chooses the route by the text of its message.
            match context["eventType"]:
                case "CONNECT":
                    return self._connect(context)
                case "DISCONNECT":
                    self._forget(context["connectionId"])
                case _:
                    self._message(context, event)
        except (DatabaseUnavailableError, StatementRefusedError):
            logger.exception("the database does not answer")
            return {"statusCode": 503, "body": "The service is not available at the moment."}
        return {"statusCode": 200}

    def deliver_later(self) -> None:
        """Let an invocation of its own tell the sockets what has changed."""
        self._try_later({"socket": "deliver"})

    def _connect(self, context: Mapping[str, Any]) -> Answer:
        try:
            caller = _Caller.of(context)
        except ProblemError as refusal:
            return {"statusCode": refusal.status, "body": refusal.detail}
        limit = self._settings.rate_limits.sockets
        try:
            self._database.run(
                lambda transaction: websocket_connections.register(
                    transaction,
                    caller.connection_id,
                    caller.subject,
                    caller.role,
                    until=caller.until,
                    limit=limit,
                    ticket_id=context["authorizer"].get("ticket_id"),
                )
            )
        except TicketUsedError:
            return {"statusCode": 401, "body": "The ticket has been used."}
        except websocket_connections.TooManySocketsError:
            return {
                "statusCode": 429,
                "headers": {"Retry-After": "60"},
                "body": f"A client may have {limit} open sockets.",
            }
        self._try_later({"socket": "greet", "connection_id": caller.connection_id})
        return {"statusCode": 200}

    def _own(self, event: Mapping[str, Any]) -> Answer:
        match event["socket"]:
            case "deliver":
                self._deliver()
            case "each_minute":
                # A process that ended, or lost its database, may have left alerts that nobody else is about to post.
                self._deliver()
                socket_expiry.close_expired(self._database, self._push)
            case "greet":
                self._greet_when_there(str(event["connection_id"]))
            case task:
                logger.warning("a task for the sockets is not known", task=task)
        return {"statusCode": 200}

    def _greet_when_there(self, connection_id: str) -> None:
        for pause in (*_GREETING_WAITS, None):
            try:
                self._greet(connection_id)
            except (ConnectionGoneError, PushUnavailableError):
                if pause is not None:
                    time.sleep(pause)
                    continue
                self._forget(connection_id)
            break

    def _greet(self, connection_id: str) -> None:
        """Post `connected`, unless that was done."""
        data = {
            "connection_id": connection_id,
            "server_time": iso(datetime.now(UTC)),
            "ping_every_seconds": PING_EVERY_SECONDS,
        }

        def post() -> None:
            self._push.post(connection_id, alert_delivery.message("connected", data))

        self._database.run(lambda transaction: websocket_connections.greet(transaction, connection_id, post))

    def _message(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        connection_id = context["connectionId"]
        try:
            try:
                self._answer(_Caller.of(context), event)
            except ProblemError as refusal:
                self._refuse(connection_id, refusal)
        except ConnectionGoneError:
            self._forget(connection_id)
        except (PushUnavailableError, MessageRefusedError):
            logger.warning("an answer could not be posted", connection_id=connection_id, exc_info=True)

    def _refuse(self, connection_id: str, refusal: ProblemError) -> None:
        """Tell a client that it may not speak any more, and close the connection."""
        data = _BadMessageError(refusal.status, refusal.detail).data
        self._push.post(connection_id, alert_delivery.message("error", data))
        self._push.close(connection_id)
        self._forget(connection_id)

    def _answer(self, caller: _Caller, event: Mapping[str, Any]) -> None:
        try:
            self._greet(caller.connection_id)
        except (DatabaseUnavailableError, StatementRefusedError):
            logger.exception("whether the socket was greeted is not known")
        try:
            name, data = _parse(event)
            handlers = {
                "ping": self._ping,
                "subscribe_alerts": self._subscribe,
                "subscribe_predictions": self._subscribe_predictions,
                "unsubscribe_predictions": self._unsubscribe_predictions,
                "request_dashboard_data": self._send_dashboard,
            }
            if name not in handlers:
                raise _BadMessageError(404, f"there is no event {name[:64]!r}", "event")
            handlers[name](caller, data)
            self._note(caller, name, str(event["requestContext"].get("requestId", "")))
        except _BadMessageError as bad:
            self._post(caller, "error", bad.data)
        except (ConnectionGoneError, MessageRefusedError, PushUnavailableError, ProblemError):
            raise
        except Exception:  # noqa: BLE001 (whatever fails, every message gets an answer)
            logger.exception("a message could not be handled now")
            count_failed_answer()
            self._post(caller, "error", _BadMessageError(503, "not available at the moment, try again").data)

    def _note(self, caller: _Caller, name: str, request_id: str) -> None:
        """Note what a client has been told, or will be; a ping tells of nothing that was not asked for before."""
        if name in _AUDITED:
            now = datetime.now(UTC)
            self._trail.store(
                lambda: AuditEntry(
                    now, caller.subject, caller.role, "read", f"socket:{name}", status=200, request_id=request_id
                ),
                is_needed=False,
            )

    def _ping(self, caller: _Caller, _data: Mapping[str, Any]) -> None:
        # The answer comes first: it does not depend on the database.
        self._post(caller, "pong", {"server_time": iso(datetime.now(UTC))})
        try:
            is_registered = self._touch(caller)
            if is_registered:
                self._deliver()
        except (DatabaseUnavailableError, StatementRefusedError):
            logger.exception("a socket's registration could not be extended")
            return
        if not is_registered:
            raise _BadMessageError(409, _LOST)

    def _subscribe(self, caller: _Caller, data: Mapping[str, Any]) -> None:
        priority = data.get("min_priority")
        if priority is None:
            priority = ALERT_PRIORITIES[0]
        if priority not in ALERT_PRIORITIES:
            raise _BadMessageError(400, f"must be one of {', '.join(ALERT_PRIORITIES)}", "data.min_priority")
        since = websocket_connections.Since(
            _read(data, "since", parse_since), _read(data, "changes_since", parse_change)
        )
        if since.alert is not None and since.change is not None:
            raise _BadMessageError(400, "give since or changes_since, not both", "data.changes_since")
        self._touch(caller)

        def answer(socket: websocket_connections.Socket) -> None:
            subscribed = {"min_priority": priority, "since": data.get("since"), "cursor": socket.alert_cursor}
            if since.change is not None:
                subscribed |= {"changes_since": since.change, "change": socket.change_cursor}
            self._post(caller, "subscribed", subscribed)

        try:
            alert_delivery.subscribe(self._database, caller.connection_id, priority, since, answer)
        except AlertsPrunedError as error:
            raise _BadMessageError(400, error.errors[0].message, "data.since") from None
        self._deliver()

    def _subscribe_predictions(self, caller: _Caller, data: Mapping[str, Any]) -> None:
        if not self._touch(caller):
            raise _BadMessageError(409, _LOST)
        try:
            asked = check(PredictionsWanted, data)
            wanted = asked.filter(self._settings)
            wanted = broadcasts.subscribe_predictions(self._database, caller.connection_id, wanted, asked.segment)
        except (ProblemError, InvalidInputError) as error:
            errors = [FieldError(f"data.{one.field}", one.message) for one in error.errors]
            raise _BadMessageError(400, "; ".join(one.message for one in errors), *errors) from None
        self._post(caller, "subscribed", {"predictions": asdict(wanted)})

    def _unsubscribe_predictions(self, caller: _Caller, _data: Mapping[str, Any]) -> None:
        self._database.run(lambda transaction: prediction_subscriptions.unsubscribe(transaction, caller.connection_id))
        self._post(caller, "unsubscribed", {"predictions": None})

    def _send_dashboard(self, caller: _Caller, _data: Mapping[str, Any]) -> None:
        self._post(caller, "dashboard_update", self._dashboard())

    def _deliver(self) -> None:
        done = alert_delivery.deliver(self._database, self._push)
        if not done.finished and done.posted:
            self._try_later({"socket": "deliver"})

    def _touch(self, caller: _Caller) -> bool:
        """Extend the registration; return False if it was lost. Raises ProblemError (401) if the socket was ended."""
        try:
            return self._database.run(
                lambda transaction: websocket_connections.touch(
                    transaction, caller.connection_id, caller.subject, caller.role, caller.until
                )
            )
        except websocket_connections.SocketEndedError:
            raise ProblemError(401, "A valid token is needed.") from None

    def _forget(self, connection_id: str) -> None:
        self._database.run(lambda transaction: websocket_connections.forget(transaction, [connection_id]))

    def _post(self, caller: _Caller, event: str, data: Mapping[str, Any]) -> None:
        """Post an answer. Raises ProblemError (401) if the token has expired meanwhile, and what `post` raises."""
        if caller.expires_at <= time.time():
            raise expired_token()
        self._push.post(caller.connection_id, alert_delivery.message(event, data))

    def _try_later(self, payload: Mapping[str, Any]) -> None:
        try:
            self._later(payload)
        except InvocationError:
            # A socket without a greeting, or alerts that come with the next delivery, are better than no socket.
            logger.exception("the function could not invoke itself")


def _read[T](data: Mapping[str, Any], name: str, parse: Callable[[object], T]) -> T | None:
    if data.get(name) is None:
        return None
    try:
        return parse(data[name])
    except ValueError as error:
        raise _BadMessageError(400, str(error), f"data.{name}") from None


def _parse(event: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    body = event.get("body") or ""
    try:
        raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else str(body).encode()
        if len(raw) > MAX_MESSAGE_BYTES:
            raise _BadMessageError(413, f"a message may have {MAX_MESSAGE_BYTES} bytes")
    except (UnicodeError, binascii.Error):
        raise _BadMessageError(400, "is not JSON in UTF-8") from None
    try:
        message = read_json(raw)
    except ValueError as error:
        raise _BadMessageError(400, str(error)) from None
    if not isinstance(message, dict):
        raise _BadMessageError(400, "must be an object with event and data")
    name, data = message.get("event"), message.get("data")
    if not isinstance(name, str) or not name:
        raise _BadMessageError(400, "must be text that is not empty", "event")
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise _BadMessageError(400, "must be an object", "data")
    return name, data
