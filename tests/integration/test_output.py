"""Predictions and alerts on a topic, over Kafka's protocol."""

import json

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

from churn.output import KafkaOutput


def test_messages_arrive_in_order_with_the_customer_as_their_key(kafka: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics([NewTopic("churn-output", 1, 1)])
    admin.close()
    items = [{"customer_id": "CUST-001", "churn_probability": number / 10} for number in range(5)]
    output = KafkaOutput(kafka, "churn-output", iam=False)
    output.send("prediction_update", items)
    output.close()
    consumer = KafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest", consumer_timeout_ms=10_000)
    try:
        consumer.assign([TopicPartition("churn-output", 0)])
        found = [next(consumer) for _ in items]
    finally:
        consumer.close()
    assert {record.key for record in found} == {b"CUST-001"}
    assert [json.loads(record.value) for record in found] == [
        {"event": "prediction_update", "data": item} for item in items
    ]
