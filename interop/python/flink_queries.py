"""Runs queries in Apache Flink over streams in files, and prints their rows.

    flink_queries.py FOLDER...

FOLDER/queries.json lists {"name", "sql"}; every FOLDER/*.csv is a table by its name, of
key k, number v and event time ts in milliseconds, in the order of arrival.
FOLDER/disorder.txt is how many seconds a row may come late.

A window of Stream Analytics has its end and not its begin, one of Flink its begin and not
its end. So rowtime is a millisecond before ts, and the watermark one more behind: Flink
closes [s, e) where e is passed, and (s, e] is to be closed behind e.
"""

import json
import pathlib
import sys

from pyflink.table import EnvironmentSettings, TableEnvironment


def main():
    env = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for key, value in {
        "parallelism.default": "1",
        "table.local-time-zone": "UTC",
        "table.exec.mini-batch.enabled": "false",
        "taskmanager.memory.network.min": "16mb",
        "taskmanager.memory.network.max": "16mb",
        "rest.bind-address": "127.0.0.1",
        "rest.address": "127.0.0.1",
        "rest.bind-port": "0",
    }.items():
        env.get_config().set(key, value)
    for folder in sys.argv[1:]:
        ask(env, pathlib.Path(folder).resolve())


def ask(env, folder):
    disorder = int((folder / "disorder.txt").read_text())
    for file in sorted(folder.glob("*.csv")):
        env.execute_sql(f"DROP TABLE IF EXISTS {file.stem}")
        env.execute_sql(f"""
            CREATE TABLE {file.stem} (
                k STRING, v BIGINT, ts TIMESTAMP(3),
                rowtime AS ts - INTERVAL '0.001' SECOND,
                WATERMARK FOR rowtime AS rowtime - INTERVAL '{disorder}' SECOND - INTERVAL '0.001' SECOND
            ) WITH ('connector' = 'filesystem', 'path' = '{file.as_uri()}', 'format' = 'csv')""")
    for query in json.loads((folder / "queries.json").read_text()):
        with env.execute_sql(query["sql"]).collect() as rows:
            for row in rows:
                print(json.dumps({"folder": folder.name, "query": query["name"], "row": list(row)}))


main()
