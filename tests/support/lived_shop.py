"""A shop with a past: half a year, lived through week by week, with all that the dashboard can show of it.

`python -m tests.support.lived_shop` fills the running stack, which must be empty. What happened in the past is told
with the clock of that time: events to the use cases of the functions `scoring` and `rescoring`, and to the functions
`training` and `evaluation` by the time in their event. What happens today comes by the public interfaces.
"""

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from random import Random
from typing import Any

import boto3
from botocore.config import Config
from kafka import KafkaProducer

from churn.adapters.mysql import Database
from churn.adapters.mysql.alert_pages import Wanted
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.alert_work import Work
from churn.domain.customer import observed_kinds
from churn.domain.events import SIMULATED, Event
from churn.domain.timestamps import to_millis
from churn.services import hourly_stats
from churn.services.alerts import list_alerts, work_on_many
from churn.services.current_model import CurrentModel
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from infra import console
from infra.tools.importer.storing import EVENTS_A_TRANSACTION, batches
from infra.tools.progress import Progress
from infra.tools.simulator import simulate
from infra.tools.stack_environment import endpoints, use_stack
from tests.support.http import send

_CUSTOMERS = 1200
_DAYS = 540
_WEEKS = 26
_WEEK = timedelta(days=7)
_EVENTS_AT_ONCE = 2000
_BY = ("anna", "ben", "chloe")
# The shop changed its newsletter, and its provider tells no more who opens one.
_SILENT = {"email_opened", "email_clicked"}
_SILENT_FOR = timedelta(days=75)


@dataclass(frozen=True, slots=True)
class _Past:
    """The service, told what happened with the clock of that time."""

    settings: Settings
    database: Database
    model: CurrentModel
    scoring: Scoring
    functions: Any

    def turn_clock(self, now: datetime | None) -> None:
        """Let the database take an instant for the present one; None is the present one itself."""
        clock = "DEFAULT" if now is None else f"{now.timestamp():.6f}"
        self.database.run(lambda transaction: transaction.execute(f"SET timestamp = {clock}"))

    def begin(self, events: Iterable[Event], now: datetime) -> None:
        """Store the history of before, which is sorted by customer, without alerts."""
        self.turn_clock(now)
        self.model.refresh()
        for batch in batches(events, EVENTS_A_TRANSACTION):
            self.scoring.apply(batch, now=now, raise_alerts=False)

    def live(self, events: Sequence[Event], now: datetime) -> None:
        """Apply what has come since the step before, and score whoever sent nothing."""
        self.turn_clock(now)
        self.model.refresh()
        for batch in batched(events, _EVENTS_AT_ONCE, strict=False):
            self.scoring.apply(batch, now=now)
        sweep(self.scoring, now=now, resume_after=0, time_left=lambda: True, done=lambda _: None)
        hourly_stats.refresh(self.database, self.settings, now)

    def run(self, function: str, now: datetime) -> dict[str, Any]:
        """Run a function of the schedule as of an instant; return its answer."""
        answer = self.functions.invoke(FunctionName=function, Payload=json.dumps({"time": now.isoformat()}).encode())
        result: dict[str, Any] = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise RuntimeError(f"{function}: {result}")
        return result

    def work(self, chance: Random, now: datetime) -> None:
        """Let the team work through most of the alerts that wait."""
        waiting = list_alerts(self.database, Wanted(status=("new",)), limit=200)["alerts"]
        done: dict[tuple[str, str | None], list[int]] = {}
        for alert in waiting:
            what = chance.choices(("resolved", "dismissed", "acknowledged", ""), (5, 1, 1, 2))[0]
            if what:
                done.setdefault((what, "already_handled" if what == "dismissed" else None), []).append(alert["id"])
        for (status, reason), numbers in done.items():
            work = Work(status=status, reason=reason, changes_assignee=True, assigned_to=chance.choice(_BY))  # type: ignore[arg-type]
            work_on_many(self.database, numbers, work, chance.choice(_BY), now)


def live(end: datetime) -> None:
    """Live through the past: a year of history, a training, and half a year by the week with a challenger beside."""
    settings = use_stack("DATABASE_URL", "ERASURE_KEY")
    database = Database(settings.database_url)
    model = CurrentModel(settings, shadow=True)
    scoring = Scoring(
        database, model, settings, lambda: model.challenger, promoted_at=lambda: model.promoted_at, renew=model.renew
    )
    config = Config(read_timeout=280, retries={"total_max_attempts": 1})
    # `use_stack` has set the address, and the key.
    functions = boto3.client("lambda", config=config)
    past = _Past(settings, database, model, scoring, functions)
    start, began = end - timedelta(days=_DAYS), end - _WEEKS * _WEEK
    events = list(_events(start, end))
    scoring.observe(dict.fromkeys(observed_kinds(events), to_millis(start)))
    past.begin((event for event in events if event.timestamp <= began), began)
    _bring_a_challenger(past, began)
    events.sort(key=lambda event: event.timestamp)
    chance, before = Random(1), began
    with Progress("living through half a year, steps") as progress:
        for step, now in enumerate(_steps(began, end), 1):
            past.live([event for event in events if before < event.timestamp <= now], now)
            if now < end:
                past.work(chance, now + timedelta(hours=5))
            past.run("evaluation", now)
            before = now
            progress(step)
    past.turn_clock(None)
    database.close()


def _steps(began: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the ends of the weeks, and of the last one those of its days."""
    yield from (began + week * _WEEK for week in range(1, _WEEKS))
    yield from (end - timedelta(days=days) for days in range(6, -1, -1))


def _events(start: datetime, end: datetime) -> Iterator[Event]:
    """Yield the events that the shop heard of, sorted by customer, under ids of its own: it is no sample."""
    shop = simulate(_CUSTOMERS, seed=7, start=start, end=end)
    events = (event for customer in shop for event in customer.events)
    heard = (one for one in events if not (one.event_type in _SILENT and one.timestamp > end - _SILENT_FOR))
    return (replace(one, event_id=one.event_id.removeprefix(SIMULATED)) for one in heard)


def _bring_a_challenger(past: _Past, now: datetime) -> None:
    """Train a version of the shop's own, and compare it with the first one."""
    registry = S3ModelRegistry.of(past.settings)
    first = registry.promotion_state().version
    trained = past.run("training", now)
    registry.challenge(first if trained["promoted"] and first else trained["version"])


def today(base_url: str, token: str, kafka: str) -> None:
    """Do what belongs to a day: fail payments, send what is no event, import files, work on alerts, name a segment."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(method: str, path: str, body: object = None) -> Any:
        answer = send(base_url + path, method, None if body is None else json.dumps(body).encode(), headers)
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.body[:300]!r}")
        return answer.json

    producer = KafkaProducer(bootstrap_servers=kafka, acks="all")
    for value in (
        {"event_type": "order_placed", "customer_id": "CUST-0412", "timestamp": "yesterday", "data": {}},
        {"event_id": "a-71", "event_type": "order_placed", "timestamp": 1_764_000_000, "data": {"order_value": 20}},
        {"customer_id": "CUST-0007", "event_type": 7},
    ):
        producer.send("user-events", json.dumps(value).encode()).get(30)
    producer.close()
    _import_files()
    alerts = ask("GET", "/api/alerts?status=new&limit=12")["alerts"]
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for number, alert in enumerate(alerts[4:]):
        path = f"/api/alerts/{alert['id']}"
        if number % 3 == 0:
            ask("PATCH", path, {"snoozed_until": until, "note": "Away until tomorrow."})
        elif number % 3 == 1:
            ask("PATCH", path, {"status": "in_progress", "assigned_to": "anna", "note": "Called, no answer yet."})
    filters = {"status": "current", "min_total_orders": 5, "min_days_since_last_order": 60}
    ask("POST", "/api/segments", {"name": "Regulars gone quiet", "filter": filters})


def _import_files() -> None:
    """Import a file of orders twice, so that the second run finds what the first one stored."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders-of-october.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["customer_id", "order_id", "timestamp", "order_value"])
            for number in range(240):
                at = datetime.now(UTC) - timedelta(days=27 + number % 30, minutes=number)
                value = "n/a" if number % 57 == 3 else f"{9 + number * 7 % 40}.50"
                writer.writerow([f"MARKET-{number % 40:03d}", f"M-{number}", at.isoformat(), value])
        for _ in range(2):
            command = [sys.executable, "-m", "infra.tools.importer", str(path)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """Fill the running stack."""
    live(datetime.now(UTC).replace(microsecond=0))
    addresses = endpoints()
    today(addresses["base_url"], addresses["token"], addresses["kafka"])
    return 0


if __name__ == "__main__":
    console.run(main)
