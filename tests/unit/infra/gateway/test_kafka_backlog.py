"""What waits in a topic, since when and why, by observations of its offsets."""

from infra.local.gateway.environment import Result
from infra.local.gateway.kafka_backlog import Backlog, Causes, Waiting
from infra.local.gateway.kafka_event_source import kind_of_failure


def test_nothing_waits_where_all_is_committed() -> None:
    backlog = Backlog()
    backlog.observe({0: 5, 1: 0}, {0: 5, 1: 0}, at=100.0)
    assert backlog.waiting(200.0) == Waiting(0, 0.0)


def test_the_oldest_record_waits_since_it_was_first_seen() -> None:
    backlog = Backlog()
    backlog.observe({0: 0, 1: 7}, {0: 3, 1: 7}, at=100.0)
    backlog.observe({0: 0, 1: 7}, {0: 9, 1: 8}, at=110.0)
    assert backlog.waiting(130.0) == Waiting(10, 30.0)
    # The records of the first sight are applied: what came after them is the oldest now.
    backlog.observe({0: 3, 1: 7}, {0: 9, 1: 8}, at=131.0)
    assert backlog.waiting(131.0) == Waiting(7, 21.0)
    backlog.observe({0: 9, 1: 8}, {0: 9, 1: 8}, at=132.0)
    assert backlog.waiting(140.0) == Waiting(0, 0.0)


def test_a_topic_that_begins_again_has_no_old_backlog() -> None:
    backlog = Backlog()
    backlog.observe({0: 0}, {0: 100}, at=100.0)
    backlog.observe({0: 0}, {0: 2}, at=200.0)
    assert backlog.waiting(201.0) == Waiting(2, 1.0)


def test_a_partition_that_nobody_reads_keeps_its_age_and_a_bounded_memory() -> None:
    backlog = Backlog()
    for second in range(5000):
        backlog.observe({0: 0}, {0: second + 1}, at=float(second))
    assert backlog.waiting(6000.0) == Waiting(5000, 6000.0)
    assert len(backlog._partitions[0].sightings) == 1000


def test_a_cause_stands_until_its_part_goes_on() -> None:
    at = [10.0]
    causes = Causes(lambda: at[0])
    assert (causes.sentence, causes.seconds) == (None, 0.0)
    assert causes.tell("partition 1", "it cannot be read")
    at[0] = 15.0
    assert not causes.tell("partition 1", "it cannot be read")
    assert causes.tell("broker", "it does not answer")
    assert (causes.sentence, causes.seconds) == ("it cannot be read; it does not answer", 5.0)
    assert causes.tell("partition 1", None)
    assert (causes.sentence, causes.seconds) == ("it does not answer", 0.0)


def test_a_failure_is_named_without_what_its_text_may_quote() -> None:
    failed = Result.failure("1", "ValueError", "no date: Rosa Schmidt")
    assert kind_of_failure(failed) == "ValueError"
    assert kind_of_failure(Result(b"Rosa", "1", "Unhandled")) == "it fails"
    assert kind_of_failure(Result(b"{}", "1")) == "it reports the records as failed"
