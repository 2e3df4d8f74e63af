"""Columns that no field is read from, and whose names say that an order did not stay, or never was one."""

import re
from collections import Counter
from typing import NamedTuple

from infra.tools.importer.cells import said
from infra.tools.importer.export_format import plain, words_of

# Columns of yes and no, and what they say of lines that never were orders.
_NEVER_ORDERS = {
    **dict.fromkeys(("paid", "livemode", "paymentreceived", "success", "successful", "valid", "approved"), False),
    **dict.fromkeys(("test", "testorder", "testmode", "sandbox", "draft", "fraud", "fraudulent", "spam"), True),
    **dict.fromkeys(("deleted", "removed"), True),
}
_TAKEN_BACK = re.compile(
    " cancel| storn| annul| anul| geannul| void| revers| charge ?back| disput| return(s|ed)? | retour| refund|"
    " rueckgab| ruckgab| devol| devue| reembols| rimbors| rembours| terugbeta| erstatt| zwrot| estorn| resi |"
    " deleted (at|on|date) "
)
# What a shop allows, and what says nothing of the order itself.
_OF_RULES = re.compile(
    r"polic| by | before | free |able |allow|eligib|window|deadline|until|address|label|url| link|method|returning"
    r"|track|frist|recht|period|previous| num|number|rate |accept|gratui|bon de|subscri|count| of | days |tage |jours"
)
_AMOUNT = re.compile(r"\D{0,4}\d[\d.,' ]*\D{0,4}")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{8,}")
_NOTHING = frozenset({"-", "none", "null", "nan", "n/a", "na", "0000-00-00", "0000-00-00 00:00:00"})


class NotKept(NamedTuple):
    """The words of a column by which orders did not stay, and the field that would read them, if one does."""

    words: Counter[str]
    field: str | None


def never_orders(column: str, words: Counter[str]) -> Counter[str]:
    """Return the words of a column, as `paid` or `test`, by which lines never were orders."""
    name = plain(column)
    means = _NEVER_ORDERS.get(name, _NEVER_ORDERS.get(name.removeprefix("is")))
    if means is None or any(said(word) is None for word in words):
        return Counter()
    return Counter({word: count for word, count in words.items() if word and said(word) is means})


def not_kept(column: str, words: Counter[str]) -> NotKept | None:
    """Return what a column, as `cancel_flag` or `returned_at`, says of orders that did not stay; None for nothing."""
    name = words_of(column)
    if not _TAKEN_BACK.search(name) or _OF_RULES.search(name):
        return None
    nothing = {word for word in words if said(word) is False or word.strip().lower() in _NOTHING}
    told = Counter({word: count for word, count in words.items() if word not in nothing})
    amounts = Counter({word: count for word, count in told.items() if _AMOUNT.fullmatch(word) and said(word) is None})
    if not told or (amounts and not any(re.search("[1-9]", word) for word in told)):
        return None
    if all(said(word) or _DATE.match(word) for word in told):
        return NotKept(told, "cancelled")
    return NotKept(told, "refunded" if amounts.total() == told.total() else None)
