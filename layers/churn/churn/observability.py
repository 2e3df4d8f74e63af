"""The one logger, the metrics and the tracer of a function: Powertools' own, named by its environment variables."""

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics
from aws_lambda_powertools.tracing import Tracer

logger = Logger(utc=True)
metrics = Metrics(namespace="Churn")
tracer = Tracer()
