"""Churn prediction for shops: see docs/architecture.md for the levels in which these modules stand."""
