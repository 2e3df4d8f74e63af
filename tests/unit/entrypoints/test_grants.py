"""What a function makes of the authorizer's answer."""

from typing import Any

import pytest

from churn.entrypoints.http.grants import Grant, granted
from churn.entrypoints.http.problems import ProblemError


@pytest.mark.parametrize(
    "authorizer",
    [
        {"sub": "anna", "role": "root", "exp": "99999999999"},
        {"sub": "anna", "role": "admin"},
        {"sub": "anna", "role": "admin", "exp": "never"},
        {"sub": "anna", "role": "admin", "exp": None},
        {"sub": "", "role": "admin", "exp": "99999999999"},
        {"role": "admin", "exp": "99999999999"},
        None,
    ],
)
def test_an_authorizer_that_says_less_than_all_grants_nothing(authorizer: Any) -> None:
    with pytest.raises(ProblemError) as refused:
        granted({"authorizer": authorizer}, "read", now=0)
    assert refused.value.status == 401


def test_a_route_for_anybody_knows_who_calls_where_it_can() -> None:
    assert granted({}, None, now=0) == Grant(None, None)
    assert granted({"authorizer": {"sub": "anna", "role": "read"}}, None, now=0) == Grant("anna", "read")


def test_the_second_of_the_expiry_is_too_late() -> None:
    context = {"authorizer": {"sub": "anna", "role": "admin", "exp": "100"}}
    assert granted(context, "write", now=99.9) == Grant("anna", "admin", 100)
    with pytest.raises(ProblemError, match="expired"):
        granted(context, "write", now=100)
