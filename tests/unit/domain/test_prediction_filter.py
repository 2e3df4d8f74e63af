"""Which of many new predictions a socket is told of."""

from collections.abc import Collection, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from churn.domain.prediction_filter import MAX_PREDICTIONS, Ranking

CUSTOMERS = [f"C-{number}" for number in range(8)]
risks = st.floats(0, 1)
customers = st.sets(st.sampled_from(CUSTOMERS))
batches = st.lists(
    st.fixed_dictionaries({"customer_id": st.sampled_from(CUSTOMERS), "churn_probability": risks}), max_size=60
)


def plainly(batch: Sequence[dict[str, Any]], min_risk: float, *choices: Collection[str] | None) -> list[dict[str, Any]]:
    ranked = sorted(batch, key=lambda prediction: -prediction["churn_probability"])
    return [
        prediction
        for prediction in ranked
        if prediction["churn_probability"] >= min_risk
        and all(choice is None or prediction["customer_id"] in choice for choice in choices)
    ]


@given(batches, risks, st.none() | customers)
def test_who_names_no_customers_gets_the_riskiest_that_match(
    batch: list[dict[str, Any]], min_risk: float, members: set[str] | None
) -> None:
    ranking = Ranking(batch)
    places = ranking.riskiest(min_risk, members)
    assert [ranking.predictions[place] for place in places] == plainly(batch, min_risk, members)[:MAX_PREDICTIONS]


@given(batches, risks, customers, st.none() | customers)
def test_who_names_customers_gets_all_of_theirs_that_match(
    batch: list[dict[str, Any]], min_risk: float, named: set[str], members: set[str] | None
) -> None:
    ranking = Ranking(batch)
    places = ranking.of(named, min_risk, members)
    assert [ranking.predictions[place] for place in places] == plainly(batch, min_risk, named, members)
