"""Sends events to a hub with the Azure SDK for Python and reads them back.

Reads the connection string from EVENT_HUB_CONNECTION_STRING and the hub from
EVENT_HUB_NAME. Prints one PASS or FAIL line for each check and exits 1 if any
failed. The hub may hold other events; nobody else may send while this runs.

    pip install azure-eventhub==5.15.1
"""
import asyncio
import json
import os
import sys
import threading
import time
import uuid
from datetime import datetime, timedelta, timezone

from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient, TransportType  # noqa: F401
from azure.eventhub import aio
from azure.eventhub.exceptions import EventHubError

CONN = os.environ.get("EVENT_HUB_CONNECTION_STRING", "")
HUB = os.environ.get("EVENT_HUB_NAME", "device-telemetry")
RUN = uuid.uuid4().hex[:8]
WAIT = float(os.environ.get("WAIT_SECONDS", "20"))
failures = []


def options():
    """The hub's name, unless the connection string names it."""
    return {} if "entitypath=" in CONN.lower() else {"eventhub_name": HUB}


def check(name, ok, detail=""):
    print(f"{'PASS' if ok else 'FAIL'} {name}{'' if ok else ': ' + str(detail)}", flush=True)
    if not ok:
        failures.append(name)


def producer():
    return EventHubProducerClient.from_connection_string(CONN, **options())


def consumer(conn=CONN):
    return EventHubConsumerClient.from_connection_string(conn, consumer_group="$Default", **options())


def receive(partition, count, *, position="-1", inclusive=False, before=None, wait=WAIT, track=False, owner_level=None):
    """Reads count events of a partition; before() runs once the receiver is attached."""
    got, done, ready, errors = [], threading.Event(), threading.Event(), []

    def on_event(_context, event):
        ready.set()
        if event is None:
            return
        if track:
            event.last = _context.last_enqueued_event_properties
        got.append(event)
        if len(got) >= count:
            done.set()

    client = consumer()

    def run():
        try:
            client.receive(
                on_event=on_event,
                on_error=lambda _context, error: (errors.append(error), done.set()),
                partition_id=partition,
                starting_position=position,
                starting_position_inclusive=inclusive,
                track_last_enqueued_event_properties=track,
                owner_level=owner_level,
                max_wait_time=1,
            )
        except Exception as error:  # the client reports what it cannot retry this way
            errors.append(error)
            done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    if before:
        ready.wait(wait)  # the first max_wait_time has passed: the link is attached
        before()
    done.wait(wait)
    client.close()
    thread.join(wait)
    return got[:count], errors


def send(partition_id=None, partition_key=None, count=1, tag="", properties=None):
    kwargs = {}
    if partition_id is not None:
        kwargs["partition_id"] = partition_id
    if partition_key is not None:
        kwargs["partition_key"] = partition_key
    with producer() as p:
        batch = p.create_batch(**kwargs)
        for i in range(count):
            event = EventData(json.dumps({"run": RUN, "tag": tag, "n": i}))
            event.properties = dict(properties or {}, n=i)
            batch.add(event)
        p.send_batch(batch)


def ends(ids):
    with producer() as p:
        return {i: p.get_partition_properties(i)["last_enqueued_sequence_number"] for i in ids}


def properties_of_hub():
    with producer() as p:
        hub = p.get_eventhub_properties()
        ids = hub["partition_ids"]
        check("hub properties", hub["eventhub_name"].lower() == HUB.lower() and ids == [str(i) for i in range(len(ids))], hub)
        first = p.get_partition_properties(ids[0])
        check("partition properties", first["id"] == ids[0] and first["last_enqueued_sequence_number"] >= -1, first)
    return ids


def to_a_partition(ids):
    target = ids[-1]
    last = ends([target])[target]
    send(partition_id=target, count=50, tag="partition", properties={"DeviceType": "HVAC", "level": 7, "ratio": 0.5, "on": True})
    got, errors = receive(target, 50, position=last)
    body = [json.loads(e.body_as_str()) for e in got]
    check("batch to a partition", [b["n"] for b in body] == list(range(50)) and all(b["run"] == RUN for b in body), errors or body[:3])
    check("dense sequence numbers", [e.sequence_number for e in got] == list(range(last + 1, last + 51)), [e.sequence_number for e in got][:5])
    if got:
        p = {k.decode() if isinstance(k, bytes) else k: v.decode() if isinstance(v, bytes) else v for k, v in got[3].properties.items()}
        check("application properties", p == {"DeviceType": "HVAC", "level": 7, "ratio": 0.5, "on": True, "n": 3}, p)
        age = datetime.now(timezone.utc) - got[0].enqueued_time
        check("enqueued time", timedelta(seconds=-5) < age < timedelta(minutes=5), age)
        check("offset is text", isinstance(got[0].offset, str) and got[0].offset != "", repr(got[0].offset))
    return target, last, got


def by_key(ids):
    before = ends(ids)
    send(partition_key="device-001", count=10, tag="key")
    time.sleep(0.2)
    after = ends(ids)
    grown = [i for i in ids if after[i] != before[i]]
    check("one key, one partition", len(grown) == 1 and after[grown[0]] - before[grown[0]] == 10, (before, after))
    send(partition_key="device-001", count=5, tag="key")
    again = ends(ids)
    check("the key's partition stays", [i for i in ids if again[i] != after[i]] == grown, (after, again))
    got, errors = receive(grown[0], 10, position=before[grown[0]])
    keys = {e.partition_key.decode() if isinstance(e.partition_key, bytes) else e.partition_key for e in got}
    check("the key comes back", keys == {"device-001"}, keys or errors)


def without_key(ids):
    before = ends(ids)
    for i in range(2 * len(ids)):
        send(count=2, tag="round robin")
    after = ends(ids)
    check("batches take turns", all(after[i] - before[i] == 4 for i in ids), (before, after))


def positions(target, last, sent):
    if len(sent) < 50:
        check("start positions", False, "nothing to read")
        return
    f = lambda name, want, **kw: (lambda got: check(name, bool(got[0]) and got[0][0].sequence_number == want, (got, want)))(receive(target, 1, **kw))
    f("behind an offset", sent[10].sequence_number, position=sent[9].offset)
    f("from an offset", sent[9].sequence_number, position=sent[9].offset, inclusive=True)
    f("behind a sequence number", sent[21].sequence_number, position=sent[20].sequence_number)
    f("from a sequence number", sent[20].sequence_number, position=sent[20].sequence_number, inclusive=True)
    f("from an enqueued time", sent[0].sequence_number, position=sent[0].enqueued_time - timedelta(milliseconds=1))
    got, errors = receive(target, 3, position="@latest", before=lambda: send(partition_id=target, count=3, tag="latest"))
    check("latest sees only what comes", [json.loads(e.body_as_str())["tag"] for e in got] == ["latest"] * 3, errors or got)
    got, _ = receive(target, 1, position=sent[0].sequence_number, track=True)
    seen = getattr(got[0], "last", None) if got else None
    check("last enqueued event", bool(seen) and int(seen["sequence_number"]) >= sent[49].sequence_number, seen)


def bodies(target):
    last = ends([target])[target]
    with producer() as p:
        p.send_event(EventData(b"\x00\xff"), partition_id=target)
        p.send_event(EventData([b"one", b"two"]), partition_id=target)
        p.send_event(EventData(""), partition_id=target)
        full = p.create_batch(partition_id=target)
        n = 0
        try:
            while True:
                full.add(EventData("x" * 5000))
                n += 1
        except ValueError:
            p.send_batch(full)
    got, errors = receive(target, 3 + n, position=last)
    parts = [list(e.body) if not isinstance(e.body, (bytes, str)) else [e.body] for e in got[:2]]
    check("binary body", parts[:1] == [[b"\x00\xff"]], parts or errors)
    check("body of two sections", parts[1:] == [[b"one", b"two"]], parts)
    check("a full batch of many frames", len(got) == 3 + n and all(e.body_as_str() == "x" * 5000 for e in got[3:]), (len(got), n, errors))


def refusals(target):
    p = producer()
    try:
        p.send_event(EventData("x" * 1_200_000), partition_id=target)
        check("too large an event", False, "it was accepted")
    except (ValueError, EventHubError):
        check("too large an event", True)
    p.close()
    wrong = ";".join("SharedAccessKey=d3Jvbmc=" if s.lower().startswith("sharedaccesskey=") else s for s in CONN.split(";"))
    p = EventHubProducerClient.from_connection_string(wrong, retry_total=0, **options())
    try:
        p.send_event(EventData("x"))
        check("wrong key", False, "it was accepted")
    except EventHubError as error:
        check("wrong key", "InvalidSignature" in str(error) or "Authentication" in type(error).__name__, error)
    p.close()
    p = producer()
    try:
        p.create_batch(partition_id="999")
        p.send_event(EventData("x"), partition_id="999")
        check("no such partition", False, "it was accepted")
    except (EventHubError, ValueError):
        check("no such partition", True)
    p.close()


def owners(target):
    """A receiver with an owner level takes the partition from one that has the same."""
    lost, attached = threading.Event(), threading.Event()
    first = consumer()
    thread = threading.Thread(
        daemon=True,
        target=lambda: first.receive(
            on_event=lambda _c, _e: attached.set(), on_error=lambda _c, error: lost.set() if "stolen" in str(error) or "OwnershipLost" in type(error).__name__ else None,
            partition_id=target, owner_level=0, max_wait_time=1, starting_position="@latest",
        ),
    )
    thread.start()
    attached.wait(WAIT)
    got, errors = receive(target, 1, position="-1", owner_level=0)
    check("a new owner reads", len(got) == 1, errors)
    check("the old owner is told", lost.wait(WAIT))
    first.close()
    thread.join(WAIT)


async def concurrently(ids):
    before = {i: n for i, n in (await asyncio.to_thread(ends, ids)).items()}

    async def one(k):
        async with aio.EventHubProducerClient.from_connection_string(CONN, **options()) as p:
            for _ in range(5):
                batch = await p.create_batch(partition_key=f"device-{k:03d}")
                for n in range(20):
                    batch.add(EventData(json.dumps({"run": RUN, "k": k, "n": n})))
                await p.send_batch(batch)

    await asyncio.gather(*(one(k) for k in range(8)))
    after = await asyncio.to_thread(ends, ids)
    total = sum(after[i] - before[i] for i in ids)
    check("eight producers at once", total == 800, total)


def main():
    if not CONN:
        print("EVENT_HUB_CONNECTION_STRING is not set", file=sys.stderr)
        return 2
    steps = []
    try:
        ids = properties_of_hub()
        target, last, sent = to_a_partition(ids)
        steps = [lambda: by_key(ids), lambda: without_key(ids), lambda: positions(target, last, sent), lambda: bodies(target),
                 lambda: refusals(target), lambda: owners(target), lambda: asyncio.run(concurrently(ids))]
    except Exception as error:
        check("first steps", False, repr(error))
    for step in steps:
        try:
            step()
        except Exception as error:
            check("step", False, repr(error))
    print(f"{len(failures)} failed" if failures else "all passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
