"""Columns that are called as the state of orders is, such as ``State``, and hold regions of addresses."""

import re
from collections import Counter
from collections.abc import Sequence

from infra.tools.importer.export_format import plain, words_of
from infra.tools.importer.statuses import STATUSES, plain_status

_NAMES = frozenset({"state", "estado", "stato", "etat", "stan"})
_OF_ADDRESSES = re.compile(
    r" (?:city|town|zip|zipcode|zip code|postcode|postal|country|county|province|region|street|address|address\d"
    r"|plz|ort|stadt|land|strasse|anschrift|adresse|ville|pays|rue|code postal|ciudad|pais|calle|direccion"
    r"|codigo postal|cidade|cep|endereco|citta|cap|paese|indirizzo|stad|straat|woonplaats|miasto|kraj|ulica) "
)
_NO_ADDRESS = re.compile("mail| ip | web | url ")
_CODE = re.compile("[A-Z]{2,3}")
# Codes of regions are words for states, too: OK is Oklahoma.
_SHORT = 2
_NEARLY_NONE = 0.05
_MOSTLY = 0.8
_MORE_THAN_STATES = 12
"""Shops have fewer words for the state of orders."""


def may_be_regions(column: str, header: Sequence[str]) -> bool:
    """Return whether a column may be of regions by its name and those beside it."""
    return plain(column) in _NAMES and any(map(_is_of_addresses, header))


def are_regions(column: str, header: Sequence[str], words: Counter[str]) -> bool:
    """Return whether a column's words are regions: hardly one is a state of orders, and addresses stand beside it."""
    states = sum(count for word, count in words.items() if len(word) > _SHORT and plain_status(word) in STATUSES)
    if not words or states > _NEARLY_NONE * words.total():
        return False
    at = header.index(column)
    stands_among = any(map(_is_of_addresses, header[max(at - 1, 0) : at + 2]))
    codes = sum(count for word, count in words.items() if _CODE.fullmatch(word))
    return stands_among or codes >= _MOSTLY * words.total() or len(words) > _MORE_THAN_STATES


def _is_of_addresses(name: str) -> bool:
    words = words_of(name)
    return _OF_ADDRESSES.search(words) is not None and _NO_ADDRESS.search(words) is None
