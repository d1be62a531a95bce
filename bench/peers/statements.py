"""Runs the same statements over the same file of telemetry on Spate and on its peers, and
prints what a CPU-second of each is worth.

    python3 statements.py --spate ../../bin/spate [--flink PYTHON] [--benthos BINARY]

PYTHON has apache-flink. A peer runs what its language has: Benthos the filter only, for its
windows follow the clock. Every peer reads JSON lines from the file and writes JSON lines, and
what it gave is counted: with another number of rows there is no figure. The CPU time is that
of the process and all it has started, with their start.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

FILTER = """SELECT DeviceId, Temperature, Timestamp INTO [filter] FROM telemetry TIMESTAMP BY Timestamp
WHERE Temperature > 30.0;"""
WINDOW = """SELECT DeviceId, Location, DeviceType, COUNT(*) AS EventCount, AVG(Temperature) AS AvgTemperature,
MIN(Temperature) AS MinTemperature, MAX(Temperature) AS MaxTemperature, AVG(Humidity) AS AvgHumidity, AVG(Pressure) AS AvgPressure,
System.Timestamp() AS WindowEnd INTO [window] FROM telemetry TIMESTAMP BY Timestamp
GROUP BY DeviceId, Location, DeviceType, TumblingWindow(minute, 5);"""
STEPS = """WITH Steps AS (SELECT DeviceId, Temperature, LAG(Temperature, 1) OVER (PARTITION BY DeviceId LIMIT DURATION(minute, 5)) AS Before,
System.Timestamp() AS EventTime FROM telemetry TIMESTAMP BY Timestamp)
SELECT DeviceId, Temperature, Before, EventTime INTO [steps] FROM Steps WHERE ABS(Temperature - Before) > 0.45;"""
HEALTH = """SELECT DeviceId, Location, COUNT(*) AS MessageCount, AVG(BatteryLevel) AS AvgBattery, AVG(SignalStrength) AS AvgSignal,
System.Timestamp() AS WindowEnd INTO [health] FROM telemetry TIMESTAMP BY Timestamp
GROUP BY DeviceId, Location, TumblingWindow(minute, 10) HAVING COUNT(*) < 10 OR AVG(SignalStrength) < -70.0;"""

WINDOWED = "TABLE(TUMBLE(TABLE telemetry, DESCRIPTOR(rowtime), INTERVAL '%d' MINUTE))"
FLINK = {
    "filter": "SELECT DeviceId, Temperature, `Timestamp` FROM telemetry WHERE Temperature > 30.0",
    "window": "SELECT DeviceId, Location, DeviceType, COUNT(*), AVG(Temperature), MIN(Temperature), MAX(Temperature), AVG(Humidity),"
    " AVG(Pressure), window_end FROM " + WINDOWED % 5 + " GROUP BY DeviceId, Location, DeviceType, window_start, window_end",
    "steps": "SELECT DeviceId, Temperature, Before, ts FROM (SELECT DeviceId, Temperature, ts, LAG(Temperature, 1) OVER"
    " (PARTITION BY DeviceId ORDER BY rowtime) AS Before FROM telemetry) WHERE ABS(Temperature - Before) > 0.45",
    "health": "SELECT DeviceId, Location, COUNT(*), AVG(BatteryLevel), AVG(SignalStrength), window_end FROM " + WINDOWED % 10
    + " GROUP BY DeviceId, Location, window_start, window_end HAVING COUNT(*) < 10 OR AVG(SignalStrength) < -70.0",
}
SETS = [("filter", {"filter": FILTER}), ("one window", {"window": WINDOW}), ("three statements", {"window": WINDOW, "steps": STEPS, "health": HEALTH})]

COLUMNS = {
    "filter": "DeviceId STRING, Temperature DOUBLE, `Timestamp` STRING",
    "window": "DeviceId STRING, Location STRING, DeviceType STRING, EventCount BIGINT, AvgTemperature DOUBLE, MinTemperature DOUBLE,"
    " MaxTemperature DOUBLE, AvgHumidity DOUBLE, AvgPressure DOUBLE, WindowEnd TIMESTAMP(3)",
    "steps": "DeviceId STRING, Temperature DOUBLE, Before DOUBLE, EventTime TIMESTAMP(3)",
    "health": "DeviceId STRING, Location STRING, MessageCount BIGINT, AvgBattery DOUBLE, AvgSignal DOUBLE, WindowEnd TIMESTAMP(3)",
}


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--spate", required=True)
    flags.add_argument("--flink", help="a Python that has apache-flink")
    flags.add_argument("--benthos", help="a binary of Benthos")
    flags.add_argument("--events", type=int, default=1_000_000)
    flags.add_argument("--devices", type=int, default=1000)
    flags.add_argument("--inside-flink", metavar="FOLDER", help=argparse.SUPPRESS)
    flags.add_argument("--statements", help=argparse.SUPPRESS)
    o = flags.parse_args()
    if o.inside_flink:
        return inside_flink(pathlib.Path(o.inside_flink), o.statements.split(","))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_events(folder / "telemetry.jsonl", o.events, o.devices)
        print(f"{'statements':>18} {'peer':>8} {'CPU-s':>8} {'events/CPU-s':>13} {'ratio':>7}  rows")
        for what, statements in SETS:
            ours = None
            for peer, run in [("Spate", run_spate), ("Flink", run_flink), ("Benthos", run_benthos)]:
                if not getattr(o, peer.lower()):
                    continue
                out = folder / f"{what}-{peer}".replace(" ", "-")
                out.mkdir()
                cpu = run(o, folder, out, statements)
                if cpu is None:
                    continue
                rows = {s: count(out, s) for s in statements}
                if ours is None:
                    ours = (cpu, rows)
                elif rows != ours[1]:
                    sys.exit(f"{peer} gave other rows to {what}: {rows}, and Spate {ours[1]}")
                print(f"{what:>18} {peer:>8} {cpu:8.2f} {o.events / cpu:13,.0f} {cpu / ours[0]:7.1f}  {rows}", flush=True)


def write_events(file, events, devices):
    """A walk of each device, in turn, a second apart; times in the middle of milliseconds."""
    r = random.Random(1)
    fleet = [[25.0, 60.0, 1013.25, 100.0, -65.0] for _ in range(devices)]
    begin = 1767614400
    with open(file, "w") as f:
        for i in range(events):
            d = fleet[i % devices]
            for k, step in enumerate((0.5, 1, 0.1, 0.02, 2)):
                d[k] += r.uniform(-step, step)
            ms = (i % devices) * 1000 // devices
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begin + i // devices)) + f".{ms:03d}500"
            f.write(
                f'{{"DeviceId": "device-{i % devices:03d}", "Location": "Warehouse-{i % 3 + 1}", "DeviceType": "Environmental", '
                f'"Temperature": {d[0]:.2f}, "Humidity": {d[1]:.2f}, "Pressure": {d[2]:.2f}, "BatteryLevel": {d[3]:.2f}, '
                f'"SignalStrength": {d[4]:.2f}, "Timestamp": "{at}", "EventId": "device-{i % devices:03d}-{i}"}}\n'
            )


def count(out, statement):
    n = 0
    for file in out.rglob("*"):
        if file.is_file() and statement in str(file.relative_to(out)):
            with open(file, "rb") as f:
                n += sum(1 for _ in f)
    return n


def measured(command, **more):
    """Runs a program to its end and returns the CPU seconds of it and of what it started."""
    p = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)
    seen = {}
    while True:
        try:
            _, errors = p.communicate(timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            for pid in descendants(p.pid):
                seen[pid] = spent(pid) or seen.get(pid, 0)
    if p.returncode:
        sys.exit(f"{command[0]}: {errors.decode()[-2000:]}")
    return sum(seen.values())


def descendants(root):
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents[int(entry)] = int(pathlib.Path("/proc", entry, "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                pass  # it has ended
    found = {root}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def spent(pid):
    try:
        fields = pathlib.Path("/proc", str(pid), "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_spate(o, folder, out, statements):
    query = folder / "query.asaql"
    query.write_text("\n".join(statements.values()))
    # Its own resource usage is exact: it starts nothing.
    p = subprocess.Popen([o.spate, "eval", "--query", query, "--input", f"telemetry={folder / 'telemetry.jsonl'}", "--late", "infinite",
                          "--arrival", "Timestamp", "--output-dir", out])
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode:
        sys.exit("spate eval failed")
    return usage.ru_utime + usage.ru_stime


def run_flink(o, folder, out, statements):
    job = folder / "flink"
    job.mkdir(exist_ok=True)
    (job / "in").write_text(str(folder / "telemetry.jsonl"))
    (job / "out").write_text(str(out))
    return measured([o.flink, __file__, "--spate", o.spate, "--inside-flink", job, "--statements", ",".join(statements)])


def inside_flink(job, statements):
    from pyflink.table import EnvironmentSettings, TableEnvironment

    env = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for key, value in {"parallelism.default": "2", "table.local-time-zone": "UTC", "rest.bind-address": "127.0.0.1", "rest.address": "127.0.0.1",
                       "rest.bind-port": "0"}.items():
        env.get_config().set(key, value)
    env.execute_sql(f"""
        CREATE TABLE telemetry (
            DeviceId STRING, Location STRING, DeviceType STRING, Temperature DOUBLE, Humidity DOUBLE, Pressure DOUBLE, BatteryLevel DOUBLE,
            SignalStrength DOUBLE, `Timestamp` STRING,
            ts AS CAST(REPLACE(`Timestamp`, 'T', ' ') AS TIMESTAMP(3)), rowtime AS CAST(REPLACE(`Timestamp`, 'T', ' ') AS TIMESTAMP(3)),
            WATERMARK FOR rowtime AS rowtime - INTERVAL '2' SECOND
        ) WITH ('connector' = 'filesystem', 'path' = 'file://{(job / "in").read_text()}', 'format' = 'json')""")
    jobs = env.create_statement_set()
    for s in statements:
        env.execute_sql(f"""
            CREATE TABLE sink_{s} ({COLUMNS[s]}) WITH ('connector' = 'filesystem', 'format' = 'json', 'path' = 'file://{(job / "out").read_text()}/{s}')""")
        jobs.add_insert_sql(f"INSERT INTO sink_{s} {FLINK[s]}")
    jobs.execute().wait()


def run_benthos(o, folder, out, statements):
    if list(statements) != ["filter"]:
        return None
    config = {
        "http": {"enabled": False},
        "logger": {"level": "ERROR"},
        "input": {"file": {"paths": [str(folder / "telemetry.jsonl")], "scanner": {"lines": {}}}},
        "pipeline": {"threads": 2, "processors": [{"mapping": "root = if this.Temperature > 30.0 "
                     "{ {\"DeviceId\": this.DeviceId, \"Temperature\": this.Temperature, \"Timestamp\": this.Timestamp} } else { deleted() }"}]},
        "output": {"file": {"path": str(out / "filter.jsonl"), "codec": "lines"}},
    }
    file = folder / "benthos.json"
    file.write_text(json.dumps(config))
    return measured([o.benthos, "-c", file])


if __name__ == "__main__":
    main()
