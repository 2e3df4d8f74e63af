"""What calls the service: REST, WebSocket, Kafka, CloudFormation, Secrets Manager."""
