"""What the dashboard's figures over time can be asked for."""

from typing import Literal

Period = Literal["7d", "30d", "90d", "1y"]
Granularity = Literal["hour", "day", "week", "month"]

PERIOD_DAYS: dict[Period, int] = {"7d": 7, "30d": 30, "90d": 90, "1y": 365}
