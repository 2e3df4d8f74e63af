"""What an API key is made of, and what is kept of it."""

import pytest

from churn.domain.api_keys import ApiKey


def test_a_key_is_known_again_by_its_text() -> None:
    key = ApiKey.new()
    assert ApiKey.parse(key.text) == key
    assert key.id in key.text
    assert ApiKey.new().digest != key.digest


def test_what_is_kept_does_not_tell_the_text() -> None:
    key = ApiKey.new()
    assert key.text not in key.digest
    assert key.text.rpartition("_")[2] not in key.digest
    assert len(key.digest) == 64


@pytest.mark.parametrize(
    "text",
    ["", "churn_", "churn_0123456789abcdef_", f"churn_{'g' * 16}_{'x' * 43}", f"churn_{'a' * 16}_{'x' * 44}", "é"],
)
def test_what_has_not_the_form_of_a_key_is_none(text: str) -> None:
    assert ApiKey.parse(text) is None
