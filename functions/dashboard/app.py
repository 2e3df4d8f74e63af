"""The dashboard and the API reference, the pages that were built from `web`, and the API's description; no token."""

from pathlib import Path

from churn.adapters.redis_cache import Cache
from churn.entrypoints.http.api_description import ApiDescription
from churn.entrypoints.http.app import Api, Call, File
from churn.entrypoints.http.web_page import WebPage
from churn.settings import settings

_NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The dashboard is not built</title>
<h1>The dashboard is not built</h1>
<p>The service itself runs. <code>make build</code> builds the page; it fetches packages from the npm registry, so
the machine needs to reach that. Then load this page again.</p>
"""

_settings = settings()
_page = WebPage(Path(__file__).with_name("static"), _settings, _NOT_BUILT)
_description = ApiDescription(Path(__file__).with_name("openapi.json"), "/openapi.json")
_api = Api("dashboard", _settings, Cache(_settings.redis_url), reports=False)
app = _api.app


@_api.answers("dashboard_page")
def dashboard_page(call: Call) -> File:
    return _page.document(call)


@_api.answers("api_reference")
def api_reference(call: Call) -> File:
    return _page.reference(call)


@_api.answers("dashboard_asset")
def dashboard_asset(call: Call) -> File:
    return _page.asset(call.path["name"], call)


@_api.answers("api_description")
def api_description(call: Call) -> File:
    return _description.document(call)
