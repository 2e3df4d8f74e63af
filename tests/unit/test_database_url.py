"""What a database's URL says, and that nothing in it is overlooked."""

import pytest

from churn.adapters.mysql.database_url import DatabaseUrl


def test_the_parts_of_a_url() -> None:
    plain = DatabaseUrl.parse("mysql://shop:p%40ss%2F@db")
    assert (plain.host, plain.port, plain.user, plain.password, plain.database) == (
        "db",
        3306,
        "shop",
        "p@ss/",
        "churn",
    )
    assert (plain.has_tls, plain.ca_file, plain.is_proxy, plain.secret) == (False, None, False, "")
    full = DatabaseUrl.parse("mysql://db:3307/other?ssl=true&ssl_ca=/ca.pem&proxy=true&secret=arn:aws:x")
    assert (full.port, full.database, full.has_tls, full.ca_file) == (3307, "other", True, "/ca.pem")
    assert (full.is_proxy, full.secret) == (True, "arn:aws:x")


@pytest.mark.parametrize("options", ["ssl=true", "ssl=True", "ssl=1", "ssl=required", "ssl_ca=/ca.pem"])
def test_what_asks_for_tls_gets_it(options: str) -> None:
    assert DatabaseUrl.parse(f"mysql://db/churn?{options}").has_tls


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("sll=true", "an option that is not known"),
        ("sslmode=require", "an option that is not known"),
        ("ssl=yes", "ssl must be true or false"),
        ("proxy=on", "proxy must be true or false"),
        ("ssl=false&ssl_ca=/ca.pem", "of no use"),
    ],
)
def test_an_option_that_would_be_overlooked_is_refused(options: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        DatabaseUrl.parse(f"mysql://db/churn?{options}")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "db",
        "postgres://db/x",
        "mysql:///churn",
        "mysql://u:p@ss/w:rd@db/x",
        "mysql://u:ss/w",
    ],
)
def test_a_wrong_url_is_refused_without_a_part_of_it(url: str) -> None:
    with pytest.raises(ValueError, match="must look like") as refused:
        DatabaseUrl.parse(url)
    assert "ss" not in str(refused.value).replace("password", "")
