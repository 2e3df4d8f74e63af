"""Table `customer_words`: the words by which customers are found."""

from collections.abc import Iterable, Mapping

from churn.adapters.mysql.database import Transaction


def index_words(transaction: Transaction, words: Mapping[int, Iterable[str]]) -> None:
    """Replace the search words of customers, by their keys."""
    if words:
        keys = sorted(words)
        transaction.execute_among("DELETE FROM customer_words WHERE customer_pk IN ({values})", keys)
        transaction.insert_many(
            "INSERT INTO customer_words (word, customer_pk)",
            [(word, key) for key in keys for word in sorted(words[key])],
        )
