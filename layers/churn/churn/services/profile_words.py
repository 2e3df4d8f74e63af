"""The search words of customers, brought up to date with their profiles."""

from collections.abc import Mapping, Sequence
from copy import replace

from churn.adapters.mysql import Transaction
from churn.adapters.mysql.customer_words import index_words
from churn.adapters.mysql.customers import Customer
from churn.domain.events import PROFILE_EVENTS, Event
from churn.domain.search_terms import WORDS_VERSION, search_words


def index_profiles(
    transaction: Transaction, kept: Sequence[Customer], by_customer: Mapping[int, Sequence[Event]]
) -> None:
    """Store the search words of customers whose words are none yet or of other rules, or whose profile may change."""
    words: dict[int, set[str]] = {}
    for customer in kept:
        has_news = any(event.event_type in PROFILE_EVENTS for event in by_customer.get(customer.pk, ()))
        if has_news or customer.record.words_version < WORDS_VERSION:
            record = customer.record = replace(customer.record, words_version=WORDS_VERSION)
            words[customer.pk] = search_words(record.customer_id, record.name, record.email)
    index_words(transaction, words)
