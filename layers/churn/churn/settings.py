"""The settings, read once from the environment: the only place that looks at it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Self, cast

from churn.domain.alerts import AlertRules
from churn.domain.assumptions import Campaign, parse_action_effects
from churn.domain.identifiers import canonical
from churn.domain.risk import RISK_LEVELS, RiskBands, RiskLevel, RiskRules
from churn.domain.roles import ROLES
from churn.variables import MOST, InvalidSettingsError, Variable, brief, real, whole

OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""The variable that names where spans are sent."""

_HOURS_OF_A_YEAR = 24 * 365
# Ten years: orders older than that say nothing about a customer of today.
_LONGEST_DAYS = 3650
_LONGEST_RETENTION_DAYS = 36_500
# A week of predictions is judged once its horizon is over and late events have come, which takes up to 36 days more.
_JUDGED_WITHIN_DAYS = 36
# Trends of a year look back another thirty days.
_LEAST_HOURS_DAYS = 400
_CAMPAIGN = Campaign()
_ORIGIN = r"https?://[^\s'/,*]+"
VARIABLES = (
    Variable("EVENTS_TOPIC", "user-events"),
    Variable("OUTPUT_TOPIC", ""),
    real("MEDIUM_RISK", 0.4, 0, 1),
    real("HIGH_RISK", 0.6, 0, 1),
    real("CRITICAL_RISK", 0.8, 0, 1),
    Variable("ALERT_FROM_RISK", "high", choices=RISK_LEVELS),
    real("RISK_HYSTERESIS", 0.05, 0, 0.5),
    real("ALERT_COOLDOWN_HOURS", 24, 0, _HOURS_OF_A_YEAR),
    Variable("ALERT_ON_RETURN", "off", choices=("off", "on")),
    whole("ALERTS_A_DAY", 0, 0),
    real("ALERT_MIN_VALUE", 0, 0, 10**12),
    Variable("ACTION_EFFECTS", ""),
    real("CAMPAIGN_CUSTOMER_VALUE", _CAMPAIGN.customer_value, 0, 10**12),
    real("CAMPAIGN_OFFER_COST", _CAMPAIGN.offer_cost, 0, 10**12),
    real("CAMPAIGN_CONTACT_COST", _CAMPAIGN.contact_cost, 0, 10**12),
    real("CAMPAIGN_OFFERS_ACCEPTED", _CAMPAIGN.offers_accepted, 1, MOST),
    real("CAMPAIGN_OFFERS_DECLINED", _CAMPAIGN.offers_declined, 1, MOST),
    Variable("CURRENCY", "EUR", pattern="^[A-Z]{3}$"),
    whole("INACTIVITY_DAYS", 180, 1, _LONGEST_DAYS),
    whole("HORIZON_DAYS", 90, 1, _LONGEST_DAYS),
    whole("EMBARGO_DAYS", 7, 0, 365),
    real("SWEEP_AFTER_HOURS", 24, 0, _HOURS_OF_A_YEAR),
    whole("RETENTION_DAYS_EVENTS", 0, 0, _LONGEST_RETENTION_DAYS),
    whole("RETENTION_DAYS_PREDICTIONS", 730, 0, _LONGEST_RETENTION_DAYS),
    whole("RETENTION_DAYS_ALERTS", 730, 0, _LONGEST_RETENTION_DAYS),
    whole("RETENTION_DAYS_DEAD_LETTERS", 90, 0, _LONGEST_RETENTION_DAYS),
    whole("RETENTION_DAYS_HOURS", 800, 0, _LONGEST_RETENTION_DAYS),
    whole("RETENTION_DAYS_SEGMENTS", 800, 0, _LONGEST_RETENTION_DAYS),
    whole("RETENTION_DAYS_AUDIT", 800, 0, _LONGEST_RETENTION_DAYS),
    whole("RATE_LIMIT_ANONYMOUS", 100, 1),
    whole("RATE_LIMIT_AUTHENTICATED", 6000, 1),
    whole("RATE_LIMIT_PREDICTIONS", 6000, 1),
    whole("RATE_LIMIT_WRONG_TOKENS", 60, 1),
    whole("SOCKET_LIMIT", 5, 1),
    whole("RATE_LIMIT_MULTIPLIER", 1, 1),
    Variable("ALLOWED_ORIGINS", "", pattern=rf"^(\*|{_ORIGIN}(,{_ORIGIN})*)?$"),
    Variable("ALLOWED_CUSTOMER_IDS", ""),
    Variable("OIDC_ISSUER", "", pattern="^(https?://[^ ']+)?$"),
    Variable("OIDC_AUDIENCE", ""),
    Variable("OIDC_CLIENT_ID", ""),
    Variable("OIDC_TOKEN_ORIGIN", "", pattern=r"^(https?://[^\s'/,;*]+)?$"),
    Variable("OIDC_ROLE_CLAIM", "roles"),
    Variable("OIDC_ROLES", ""),
    Variable("OWN_TOKENS", "on", choices=("on", "off")),
    Variable("SERVICE_VERSION", "0.1.0"),
    Variable(OTLP_ENDPOINT, "", pattern=r"^(|https?://[^\s/]+(/[^\s]*)?)$", parameter="OtlpEndpoint"),
    Variable("OTEL_TRACES_SAMPLER_ARG", "1", 0, 1, parameter="TraceRatio"),
    Variable(
        "POWERTOOLS_LOG_LEVEL",
        "INFO",
        choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
        parameter="LogLevel",
    ),
)
"""What a shop may set, locally and on AWS. The deployment itself sets addresses and secrets."""

_TOPIC_PARTITIONS = whole("TOPIC_PARTITIONS", 0, 0)


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days each kind of data is kept; 0 is for ever."""

    events: int = 0
    predictions: int = 730
    alerts: int = 730
    dead_letters: int = 90
    hours: int = 800
    segments: int = 800
    audit: int = 800


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """Whose tokens are taken beside the service's own, and how they are read; without an issuer nobody's.

    `role_claim`: the claim that tells roles, with `/` between the names of one within another.
    `roles`: the role that each of its values stands for. `client_id`: the client by which people sign in to the
    dashboard, empty if they cannot; `token_origin`: where its tokens are asked for, if not at the issuer's origin.
    """

    issuer: str
    audience: str
    client_id: str
    token_origin: str
    role_claim: str
    roles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The maximum requests a minute and open WebSockets of one client, and wrong tokens of one address."""

    anonymous: int
    authenticated: int
    predictions: int
    wrong_tokens: int
    sockets: int


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a process; `docs/settings.md` explains each variable."""

    database_url: str
    database_user_secret: str
    redis_url: str
    jwt_secret: str
    erasure_key: str
    model_bucket: str
    model_signing_key: str
    model_path: str
    socket_endpoint: str
    event_source_url: str
    training_function: str
    scoring_function: str
    events_queue: str
    events_topic: str
    output_topic: str
    kafka_bootstrap_servers: str
    topic_partitions: int
    alerts: AlertRules
    action_effects: Mapping[str, float]
    campaign: Campaign
    currency: str
    inactivity_days: int
    horizon_days: int
    embargo_days: int
    rate_limits: RateLimits
    sweep_after: timedelta
    retention: Retention
    failed_batches: str
    service_name: str
    service_version: str
    allowed_origins: frozenset[str]
    allowed_customer_ids: frozenset[str]
    oidc: OidcSettings
    takes_own_tokens: bool

    @property
    def bands(self) -> RiskBands:
        """The risk bands."""
        return self.alerts.bands

    @property
    def risk_rules(self) -> RiskRules:
        """The rules of a customer's risk level, status and expected spend."""
        return RiskRules(self.bands, self.inactivity_days)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the settings that the variables describe. Raises InvalidSettingsError if one is impossible."""
        check(environment)
        text = environment.get
        value = _Values(environment)
        multiplier = value.whole("RATE_LIMIT_MULTIPLIER")
        return cls(
            database_url=text("DATABASE_URL", ""),
            database_user_secret=text("DATABASE_USER_SECRET", ""),
            redis_url=text("REDIS_URL", ""),
            jwt_secret=text("JWT_SECRET", ""),
            erasure_key=text("ERASURE_KEY", ""),
            model_bucket=text("MODEL_BUCKET", ""),
            model_signing_key=text("MODEL_SIGNING_KEY", ""),
            model_path=text("MODEL_PATH", "/opt/model/model.npz"),
            socket_endpoint=text("SOCKET_ENDPOINT", ""),
            event_source_url=text("EVENT_SOURCE_URL", ""),
            training_function=text("TRAINING_FUNCTION", ""),
            scoring_function=text("SCORING_FUNCTION", ""),
            events_queue=text("EVENTS_QUEUE", ""),
            events_topic=value.text("EVENTS_TOPIC"),
            output_topic=value.text("OUTPUT_TOPIC"),
            kafka_bootstrap_servers=text("KAFKA_BOOTSTRAP_SERVERS", ""),
            topic_partitions=int(_TOPIC_PARTITIONS.text(environment)),
            alerts=_alert_rules(value),
            action_effects=_action_effects(value),
            campaign=Campaign(
                value.real("CAMPAIGN_CUSTOMER_VALUE"),
                value.real("CAMPAIGN_OFFER_COST"),
                value.real("CAMPAIGN_CONTACT_COST"),
                value.real("CAMPAIGN_OFFERS_ACCEPTED"),
                value.real("CAMPAIGN_OFFERS_DECLINED"),
            ),
            currency=value.text("CURRENCY"),
            inactivity_days=value.whole("INACTIVITY_DAYS"),
            horizon_days=value.whole("HORIZON_DAYS"),
            embargo_days=value.whole("EMBARGO_DAYS"),
            rate_limits=RateLimits(
                anonymous=multiplier * value.whole("RATE_LIMIT_ANONYMOUS"),
                authenticated=multiplier * value.whole("RATE_LIMIT_AUTHENTICATED"),
                predictions=multiplier * value.whole("RATE_LIMIT_PREDICTIONS"),
                wrong_tokens=multiplier * value.whole("RATE_LIMIT_WRONG_TOKENS"),
                sockets=multiplier * value.whole("SOCKET_LIMIT"),
            ),
            sweep_after=timedelta(hours=value.real("SWEEP_AFTER_HOURS")),
            retention=_retention(value),
            failed_batches=text("FAILED_BATCHES", ""),
            service_name=text("POWERTOOLS_SERVICE_NAME", "churn"),
            service_version=value.text("SERVICE_VERSION"),
            allowed_origins=frozenset(map(_as_sent, filter(None, value.text("ALLOWED_ORIGINS").split(",")))),
            allowed_customer_ids=frozenset(filter(None, map(canonical, value.text("ALLOWED_CUSTOMER_IDS").split(",")))),
            oidc=_oidc(value),
            takes_own_tokens=value.text("OWN_TOKENS") == "on",
        )

    def require(self, *names: str) -> Self:
        """Return these settings. A function calls it at its start with the names of the settings that it needs.

        Raises InvalidSettingsError if one of them is empty.
        """
        for name in names:
            if not getattr(self, name):
                raise InvalidSettingsError(f"{name.upper()} is not set, and this function needs it")
        return self


def check(environment: Mapping[str, str], *names: str) -> None:
    """Check what the environment says of these of VARIABLES, or of all. Raises InvalidSettingsError."""
    for variable in VARIABLES:
        if not names or variable.name in names:
            variable.text(environment)


class _Values:
    """The values of VARIABLES by their names."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._variables = {variable.name: variable for variable in VARIABLES}

    def text(self, name: str) -> str:
        return self._variables[name].text(self._environment)

    def whole(self, name: str) -> int:
        return int(self.text(name))

    def real(self, name: str) -> float:
        return float(self.text(name))


def _as_sent(origin: str) -> str:
    """Return an origin as browsers write it: in lower case, without the port that its scheme has anyway."""
    lower = origin.lower()
    return lower.removesuffix({"https": ":443", "http": ":80"}.get(lower.partition("://")[0], ""))


def _action_effects(value: _Values) -> Mapping[str, float]:
    try:
        return parse_action_effects(value.text("ACTION_EFFECTS"))
    except ValueError as error:
        raise InvalidSettingsError(f"ACTION_EFFECTS {error}") from None


def _alert_rules(value: _Values) -> AlertRules:
    try:
        bands = RiskBands(*(value.real(name) for name in ("MEDIUM_RISK", "HIGH_RISK", "CRITICAL_RISK")))
    except ValueError as error:
        raise InvalidSettingsError(f"MEDIUM_RISK, HIGH_RISK, CRITICAL_RISK: {error}") from None
    try:
        return AlertRules(
            bands=bands,
            from_level=cast("RiskLevel", value.text("ALERT_FROM_RISK")),
            hysteresis=value.real("RISK_HYSTERESIS"),
            cooldown=timedelta(hours=value.real("ALERT_COOLDOWN_HOURS")),
            on_return=value.text("ALERT_ON_RETURN") == "on",
            a_day=value.whole("ALERTS_A_DAY"),
            min_value=value.real("ALERT_MIN_VALUE"),
        )
    except ValueError as error:
        raise InvalidSettingsError(f"RISK_HYSTERESIS {str(error).replace('medium_risk', 'MEDIUM_RISK')}") from None


def _oidc(value: _Values) -> OidcSettings:
    issuer, audience = value.text("OIDC_ISSUER"), value.text("OIDC_AUDIENCE")
    if issuer and not audience:
        raise InvalidSettingsError("OIDC_AUDIENCE must be set with OIDC_ISSUER: tokens for others would be taken")
    if not issuer and value.text("OWN_TOKENS") == "off":
        raise InvalidSettingsError("OWN_TOKENS must be on without OIDC_ISSUER: nobody could come in")
    pairs = value.text("OIDC_ROLES")
    roles = {} if pairs else {role: role for role in ROLES}
    for pair in filter(None, pairs.split(",")):
        name, _, role = pair.strip().rpartition("=")
        if not name or role not in ROLES:
            raise InvalidSettingsError(
                "OIDC_ROLES must be VALUE=ROLE with commas between them, "
                f"ROLE one of {', '.join(ROLES)}, not {brief(pair)}"
            )
        roles[name] = role
    client_id = value.text("OIDC_CLIENT_ID")
    if client_id and not issuer:
        raise InvalidSettingsError("OIDC_ISSUER must be set with OIDC_CLIENT_ID: there is nobody to sign in at")
    return OidcSettings(
        issuer, audience, client_id, value.text("OIDC_TOKEN_ORIGIN"), value.text("OIDC_ROLE_CLAIM"), roles
    )


def _retention(value: _Values) -> Retention:
    horizon, inactivity = value.whole("HORIZON_DAYS"), value.whole("INACTIVITY_DAYS")
    least = {
        # Shorter, and training could not tell who left.
        "EVENTS": (inactivity + horizon, "INACTIVITY_DAYS and HORIZON_DAYS together"),
        "PREDICTIONS": (horizon + _JUDGED_WITHIN_DAYS, f"HORIZON_DAYS and {_JUDGED_WITHIN_DAYS}, when they are judged"),
        "ALERTS": (1, "a day"),
        "DEAD_LETTERS": (1, "a day"),
        "HOURS": (_LEAST_HOURS_DAYS, "what the trends of a year need"),
        "SEGMENTS": (1, "a day"),
        "AUDIT": (1, "a day"),
    }
    days = {name: value.whole(f"RETENTION_DAYS_{name}") for name in least}
    for name, (fewest, why) in least.items():
        if 0 < days[name] < fewest:
            raise InvalidSettingsError(
                f"RETENTION_DAYS_{name} must be 0, for ever, or at least {fewest} ({why}), not {days[name]}"
            )
    return Retention(**{name.lower(): number for name, number in days.items()})


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process. Raises InvalidSettingsError."""
    return Settings.from_environment(os.environ)
