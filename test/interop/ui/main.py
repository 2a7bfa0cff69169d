"""What a user of kaskade sees of the broker given as argument: its screens, without a terminal (Textual's pilot), and each check as a line of JSON."""

import asyncio
import json
import sys
import time
import traceback

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from kaskade.admin import KaskadeAdmin
from kaskade.consumer import KaskadeConsumer
from kaskade.deserializers import Deserialization
from textual.widgets import DataTable

BOOTSTRAP = sys.argv[1]
CONFIG = {"bootstrap.servers": BOOTSTRAP}
SECONDS_MAX = 60
SIZE = (220, 60)
TOPIC, GROUP, COUNT, READ = "ui-lines", "ui-group", 10, 7


def prepare():
    """A topic of ten lines, a group that has read seven."""
    admin = AdminClient(CONFIG)
    admin.create_topics([NewTopic(TOPIC, 2, 1, config={"segment.bytes": "2000000"})])[TOPIC].result(SECONDS_MAX)
    producer = Producer(CONFIG)
    for number in range(COUNT):
        producer.produce(TOPIC, key=f"key {number}", value=f"line {number}", partition=0)
    assert producer.flush(SECONDS_MAX) == 0
    consumer = Consumer({**CONFIG, "group.id": GROUP})
    consumer.commit(offsets=[TopicPartition(TOPIC, 0, READ)], asynchronous=False)
    consumer.close()


def rows(app, table):
    """The text of a table of the screen on top."""
    return [[str(cell) for cell in found.get_row_at(row)] for found in app.screen.query(table).results(DataTable) for row in range(found.row_count)]


async def until(pilot, what, look):
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} is not on the screen"
        await pilot.pause(0.1)


async def topics_and_groups():
    app = KaskadeAdmin(CONFIG, refresh_interval=0)
    async with app.run_test(size=SIZE) as pilot:

        def line():
            found = [row for row in rows(app, "#topics-table") if row[0] == TOPIC]
            return found and found[0][1:] == ["2", "1", "1", "1", "0", "≈10", "≈3"]

        await until(pilot, "the topic with its records and its lag", line)
        topics = app.query_one("#topics-table", DataTable)
        topics.focus()
        topics.move_cursor(row=[row[0] for row in rows(app, "#topics-table")].index(TOPIC))
        await pilot.pause()
        await pilot.press("enter")
        groups = await until(pilot, "the groups of the topic", lambda: rows(app, "#groups-table"))
        assert (groups[0][0], groups[0][2], groups[0][-1]) == (GROUP, "empty", "3"), groups
        offsets = rows(app, "#group-offsets-table")
        assert [GROUP, "0", str(READ), str(COUNT), "3"] in offsets, offsets
        partitions = rows(app, "#partitions-table")
        assert [row[2:5] for row in partitions] == [["0", "10", "10"], ["0", "0", "0"]], partitions
        settings = dict(rows(app, "#configurations-table"))
        assert settings["segment.bytes"] == "2000000", settings


async def messages():
    config = {**CONFIG, "auto.offset.reset": "earliest"}
    app = KaskadeConsumer(TOPIC, config, {}, {}, {}, Deserialization.STRING, Deserialization.STRING)
    async with app.run_test(size=SIZE) as pilot:
        found = await until(pilot, "the messages", lambda: len(rows(app, "#records-table")) == COUNT and rows(app, "#records-table"))
        assert sorted((row[0], row[1]) for row in found) == sorted((f"key {n}", f"line {n}") for n in range(COUNT)), found


def main():
    prepare()
    for name, body in [
        ("topics with records and lag; partitions, settings, groups and their offsets", topics_and_groups),
        ("messages of a topic, with keys", messages),
    ]:
        started = time.monotonic()
        told = {"feature": "ui", "name": name, "ok": True, "note": ""}
        try:
            asyncio.run(body())
        except Exception:  # whatever it is, it is this check's failure
            told.update(ok=False, note=traceback.format_exc())
        told["seconds"] = time.monotonic() - started
        print(json.dumps(told), flush=True)


main()
