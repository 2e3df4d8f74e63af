"""Commands leave entries in the audit trail."""

from pathlib import Path

import pytest

from churn.adapters.mysql import Database
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.services.training_runs import release
from infra.tools import dataset, issue_token, models
from infra.tools.importer import command
from tests.support.events import NOW
from tests.support.registry import BUCKET, model
from tests.support.stored import rows

_TOLD = "SELECT subject, role, action, operation, object, status FROM audit ORDER BY id"


@pytest.fixture(autouse=True)
def _operator(monkeypatch: pytest.MonkeyPatch, shop: Database) -> None:
    assert shop
    monkeypatch.setenv("OPERATOR", "anna")
    monkeypatch.setenv("JWT_SECRET", "only-a-test-knows-this-secret-of-32-bytes")
    monkeypatch.setenv("MODEL_BUCKET", BUCKET)


def _told(database: Database) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in rows(database, _TOLD)]


def _orders(folder: Path) -> Path:
    file = folder / "C-1.csv"
    file.write_text("order_id,customer_id,date,total\n1,C-1,2026-01-02,10\n2,C-2,2026-02-03,20\n", encoding="utf-8")
    return file


def _two_versions(registry: S3ModelRegistry) -> str:
    """Publish two versions, of which the first serves; return the second."""
    first = model(1)
    second = model(2, compared_with=first, passed=False)
    release(registry, first, by="training", now=NOW)
    release(registry, second, by="training", now=NOW)
    return second.version


def test_a_command_is_told_of_with_who_gave_it(
    shop: Database, registry: S3ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = _two_versions(registry)
    assert models.main(["list"]) == 0
    assert models.main(["promote", second, "--force", "the shop changed"]) == 0
    assert models.main(["rollback"]) == 0
    monkeypatch.setattr("sys.argv", ["token", "--role", "act", "--subject", "ben"])
    assert issue_token.main() == 0
    assert command.main([str(_orders(tmp_path)), "--dry-run"]) == 0
    assert command.main([str(_orders(tmp_path))]) == 0
    # Of two orders nothing can be learned.
    assert dataset.main([str(tmp_path / "snapshots.parquet")]) == 1
    who = ("anna (command line)", None)
    assert _told(shop) == [
        (*who, "change", "command:promote", second, None),
        (*who, "change", "command:rollback", None, None),
        (*who, "change", "command:token", '["ben", "act"]', None),
        # The name of a file may be that of a customer.
        (*who, "intake", "command:import", None, None),
        (*who, "export", "command:dataset", None, None),
    ]


def test_a_command_that_cannot_be_told_is_not_done(
    registry: S3ModelRegistry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    second = _two_versions(registry)
    before = registry.promotion_state().version
    monkeypatch.setenv("DATABASE_URL", "mysql://nobody@127.0.0.1:9/none")
    assert models.main(["promote", second, "--force", "the shop changed"]) == 1
    assert registry.promotion_state().version == before != second
    capsys.readouterr()
    monkeypatch.setattr("sys.argv", ["token"])
    assert issue_token.main() == 1
    assert capsys.readouterr().out == ""


def test_without_the_table_the_sentence_says_what_is_missing_and_that_nothing_was_done(
    shop: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["token"])
    shop.run(lambda transaction: transaction.execute("RENAME TABLE audit TO audit_away"))
    try:
        assert issue_token.main() == 1
    finally:
        shop.run(lambda transaction: transaction.execute("RENAME TABLE audit_away TO audit"))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: nothing was done, as the audit trail cannot hold an entry for it: ")


def test_without_a_database_a_token_is_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setattr("sys.argv", ["token"])
    assert issue_token.main() == 0
    assert capsys.readouterr().out.count(".") == 2
