"""The use cases: what the service does, by way of the adapters."""
