"""The routes by which somebody signs in, and by which API keys are made and revoked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from churn.adapters import secrets_manager
from churn.domain.timestamps import iso
from churn.entrypoints.http.app import Api, Call
from churn.entrypoints.http.sessions import open_session
from churn.entrypoints.http.tokens import TICKET_SECONDS, issue_ticket
from churn.services import api_keys

if TYPE_CHECKING:
    from churn.adapters.mysql import Database
    from churn.domain.access_answers import ApiKeyList, MadeApiKey
    from churn.domain.answers import Session, SignedIn, Ticket
    from churn.settings import Settings


def answer_access(api: Api, database: Database, settings: Settings) -> None:
    """Answer who signs in, asks who they are, or looks after API keys."""

    @api.answers("issue_ticket")
    def ticket(call: Call) -> Ticket:
        return {
            "ticket": issue_ticket(
                secrets_manager.resolve(settings.jwt_secret), call.client, call.role or "read", call.expires_at or 0
            ),
            "expires_in": TICKET_SECONDS,
        }

    @api.answers("open_session")
    def session(call: Call) -> Session:
        return open_session(database, secrets_manager.resolve(settings.jwt_secret), call.body.code)

    @api.answers("get_session")
    def who_asks(call: Call) -> SignedIn:
        expires_at = datetime.fromtimestamp(call.expires_at or 0, UTC)
        return {"subject": call.client, "role": str(call.role), "expires_at": iso(expires_at)}

    @api.answers("list_api_keys")
    def list_api_keys(_call: Call) -> ApiKeyList:
        return api_keys.listed(database)

    @api.answers("make_api_key")
    def make_api_key(call: Call) -> MadeApiKey:
        body = call.body
        made = api_keys.make(database, body.name, body.role, body.expires_in_days, by=call.client, now=call.now)
        call.headers["Location"] = f"/api/keys/{made['id']}"
        return made

    @api.answers("revoke_api_key")
    def revoke_api_key(call: Call) -> None:
        api_keys.revoke(database, call.path["id"])
