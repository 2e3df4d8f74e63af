"""The templates that the rules about AWS's limits look at, read once a module."""

from typing import Any

import pytest

from tests.template.test_template import read, translated


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """Return the template as CloudFormation gets it."""
    return translated()


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    """Return the nested template of the data stores."""
    return read("infra/data.yaml")
