"""Predictions and alerts on a topic, over Kafka's protocol, and the topics that a deployment makes."""

import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import unquote

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

from churn.adapters import aws_clients as aws
from churn.adapters.kafka import BrokersUnknownError, KafkaOutput, OutputUnavailableError, connection, make_topics

CLUSTER = "arn:aws:kafka:eu-central-1:123456789012:cluster/churn/11111111-2222-3333-4444-555555555555-s1"


def test_messages_arrive_in_order_with_the_customer_as_their_key(kafka: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics([NewTopic("churn-output", 1, 1)])
    admin.close()
    items = [{"customer_id": "CUST-001", "churn_probability": number / 10} for number in range(5)]
    output = KafkaOutput(kafka, "churn-output")
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


class _Msk(BaseHTTPRequestHandler):
    """MSK's answer about one cluster: moto knows no brokers."""

    def do_GET(self) -> None:
        known = unquote(self.path) == f"/v1/clusters/{CLUSTER}/bootstrap-brokers"
        told = {"bootstrapBrokerStringSaslIam": "boot-1.churn:9098,boot-2.churn:9098"} if known else {"message": "none"}
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def msk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = HTTPServer(("127.0.0.1", 0), _Msk)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_KAFKA", f"http://127.0.0.1:{server.server_port}")
    aws.client.cache_clear()
    yield
    aws.client.cache_clear()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.usefixtures("msk")
def test_a_cluster_names_its_brokers_and_wants_iam_tokens() -> None:
    assert connection(CLUSTER) == {
        "bootstrap_servers": ["boot-1.churn:9098", "boot-2.churn:9098"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "AWS_MSK_IAM",
    }


@pytest.mark.usefixtures("msk")
def test_a_cluster_that_is_not_known_leaves_the_messages_for_later() -> None:
    unknown = CLUSTER.replace("churn/", "other/")
    with pytest.raises(BrokersUnknownError, match="other"):
        connection(unknown)
    with pytest.raises(OutputUnavailableError, match="other"):
        KafkaOutput(unknown, "churn-output").send("prediction_update", [{"customer_id": "CUST-001"}])


def test_topics_are_made_once(kafka: str) -> None:
    names = [f"made-{uuid.uuid4().hex}", f"made-{uuid.uuid4().hex}"]
    assert make_topics(kafka, names[:1], 3) == names[:1]
    assert make_topics(kafka, names, 3) == names[1:]
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    try:
        assert [len(topic["partitions"]) for topic in admin.describe_topics(names)] == [3, 3]
    finally:
        admin.close()
