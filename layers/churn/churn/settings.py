"""The settings, read once from the environment: the only place that looks at it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Self

from churn.domain.alerts import AlertRules
from churn.domain.risk import RISK_LEVELS, RiskBands, RiskRules


class BadSettings(ValueError):
    """A variable of the environment is missing or makes no sense; the text names it."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Requests a minute and open sockets that one client may have."""

    anonymous: int = 100
    authenticated: int = 6000
    predictions: int = 600
    sockets: int = 5


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set. The README's table explains each variable."""

    database_url: str
    database_user_secret: str
    redis_url: str
    jwt_secret: str
    model_bucket: str
    model_path: str
    socket_endpoint: str
    training_function: str
    events_topic: str
    output_topic: str
    kafka_bootstrap_servers: str
    topic_partitions: int
    alerts: AlertRules
    inactivity_days: int
    horizon_days: int
    embargo_days: int
    rate_limits: RateLimits
    sweep_after: timedelta
    service_name: str
    service_version: str
    allowed_origin: str

    @property
    def bands(self) -> RiskBands:
        """The risk bands."""
        return self.alerts.bands

    @property
    def risk_rules(self) -> RiskRules:
        """What decides a customer's risk level, status and expected spend."""
        return RiskRules(self.bands, self.inactivity_days, self.horizon_days)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """The settings that the variables describe. Raises BadSettings with a sentence that names the variable."""
        number = _Numbers(environment)
        text = environment.get
        try:
            bands = RiskBands(
                medium=number.real("MEDIUM_RISK", 0.4, 0, 1),
                high=number.real("HIGH_RISK", 0.6, 0, 1),
                critical=number.real("CRITICAL_RISK", 0.8, 0, 1),
            )
        except ValueError as error:
            raise BadSettings(f"MEDIUM_RISK, HIGH_RISK, CRITICAL_RISK: {error}") from None
        from_level = text("ALERT_FROM_RISK", "high")
        if from_level not in RISK_LEVELS:
            raise BadSettings(f"ALERT_FROM_RISK must be one of {', '.join(RISK_LEVELS)}, not {from_level!r}")
        multiplier = number.whole("RATE_LIMIT_MULTIPLIER", 1, 1)
        return cls(
            database_url=text("DATABASE_URL", ""),
            database_user_secret=text("DATABASE_USER_SECRET", ""),
            redis_url=text("REDIS_URL", ""),
            jwt_secret=text("JWT_SECRET", ""),
            model_bucket=text("MODEL_BUCKET", ""),
            model_path=text("MODEL_PATH", "/opt/model/model.npz"),
            socket_endpoint=text("SOCKET_ENDPOINT", ""),
            training_function=text("TRAINING_FUNCTION", ""),
            events_topic=text("EVENTS_TOPIC", "user-events"),
            output_topic=text("OUTPUT_TOPIC", ""),
            kafka_bootstrap_servers=text("KAFKA_BOOTSTRAP_SERVERS", ""),
            topic_partitions=number.whole("TOPIC_PARTITIONS", 0, 0),
            alerts=AlertRules(
                bands=bands,
                from_level=from_level,
                hysteresis=number.real("RISK_HYSTERESIS", 0.05, 0, 0.5),
                cooldown=timedelta(hours=number.real("ALERT_COOLDOWN_HOURS", 24, 0, 24 * 365)),
            ),
            inactivity_days=number.whole("INACTIVITY_DAYS", 180, 1),
            horizon_days=number.whole("HORIZON_DAYS", 90, 1),
            embargo_days=number.whole("EMBARGO_DAYS", 7, 0),
            rate_limits=RateLimits(
                anonymous=multiplier * number.whole("RATE_LIMIT_ANONYMOUS", 100, 1),
                authenticated=multiplier * number.whole("RATE_LIMIT_AUTHENTICATED", 6000, 1),
                predictions=multiplier * number.whole("RATE_LIMIT_PREDICTIONS", 600, 1),
                sockets=multiplier * number.whole("SOCKET_LIMIT", 5, 1),
            ),
            sweep_after=timedelta(hours=number.real("SWEEP_AFTER_HOURS", 24, 0, 24 * 365)),
            service_name=text("POWERTOOLS_SERVICE_NAME", "churn"),
            service_version=text("SERVICE_VERSION", "0.1.0"),
            allowed_origin=text("ALLOWED_ORIGIN", "*"),
        )

    def require(self, *names: str) -> Self:
        """The settings themselves, when the named ones are given; for a function to say at start what it needs.

        Raises BadSettings with a sentence that names the variable.
        """
        for name in names:
            if not getattr(self, name):
                raise BadSettings(f"{name.upper()} is not set, and this function needs it")
        return self


class _Numbers:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def whole(self, name: str, default: int, least: int) -> int:
        return int(self._number(name, default, int, least, 2**31))

    def real(self, name: str, default: float, least: float, most: float) -> float:
        return float(self._number(name, default, float, least, most))

    def _number(self, name: str, default: float, kind: Callable[[str], float], least: float, most: float) -> float:
        text = self._environment.get(name) or str(default)
        try:
            value = kind(text)
        except ValueError:
            raise BadSettings(f"{name} must be a number, not {text!r}") from None
        if not least <= value <= most:
            raise BadSettings(f"{name} must be between {least} and {most}, not {text}")
        return value


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process. Raises BadSettings."""
    return Settings.from_environment(os.environ)
