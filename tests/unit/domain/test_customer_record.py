"""The record of a customer: its fields are the table's columns, and erasing leaves nothing personal."""

import re
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_type_hints

from churn.domain.answers import Customer
from churn.domain.customer_record import COLUMNS, CUSTOMER_FIELDS, FIELDS_OF_STATE, CustomerRecord
from tests.support.events import NOW

_MIGRATIONS = Path(__file__).parents[3] / "infra" / "migrations"


def _columns_of_the_table() -> list[str]:
    """Return the columns of the table `customers`, that are written, as all migrations together leave them."""
    sql = "\n".join(file.read_text(encoding="utf-8") for file in sorted(_MIGRATIONS.glob("*.sql")))
    table = re.search(r"CREATE TABLE customers \((.*?)\n\)", sql, re.DOTALL)
    assert table is not None
    columns = re.findall(r"^  ([a-z_]+) ", table[1], re.MULTILINE)
    for statement in re.findall(r"ALTER TABLE customers\b(.*?);", sql, re.DOTALL):
        added = re.findall(r"ADD COLUMN ([a-z0-9_]+)((?:(?!ADD COLUMN).)*)", statement, re.DOTALL)
        # The server writes a generated one by itself.
        columns += [name for name, kind in added if "GENERATED" not in kind]
    return columns


def test_the_fields_are_the_columns_of_the_table() -> None:
    assert list(COLUMNS) == _columns_of_the_table()


def test_the_fields_of_a_listed_customer_are_those_of_its_type() -> None:
    assert set(CUSTOMER_FIELDS) == get_type_hints(Customer).keys()
    assert set(FIELDS_OF_STATE) <= set(CUSTOMER_FIELDS)


def test_erasing_leaves_the_keys_and_when_and_by_which_model_the_score_was() -> None:
    empty = CustomerRecord(id=7, customer_id="C-7", created_at=NOW, updated_at=NOW)
    # Every field differs from its default, also those that later migrations add.
    full = replace(
        empty,
        **{
            field.name: _other_than(getattr(empty, field.name))
            for field in fields(empty)
            if field.name not in {"id", "customer_id", "created_at", "updated_at"}
        },
    )
    later = NOW + timedelta(days=1)
    assert full.erased("erased:x", later) == replace(
        empty,
        customer_id="erased:x",
        deleted=True,
        is_active=False,
        model_version=full.model_version,
        scored_at=full.scored_at,
        updated_at=later,
    )
    assert not full.erased("erased:x", later).share_of_totals()


def _other_than(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else "something else"
