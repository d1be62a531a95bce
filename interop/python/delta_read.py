"""Reads, or appends to, a Delta table with delta-rs and polars.

  delta_read.py TABLE [--version N]   prints the row count, then every row as a
                                      line of JSON, sorted
  delta_read.py TABLE --append N      appends N rows by delta-rs: copies of the
                                      first N rows, with their texts marked

Needs deltalake, polars and pyarrow. Times print in UTC with six digits and Z.
"""

import argparse
import datetime
import decimal
import json
import math

import deltalake
import polars as pl


def plain(value):
    if isinstance(value, datetime.datetime):
        zone = "" if value.tzinfo is None else "Z"
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc)
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f") + zone
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def read(table, version):
    # to_pyarrow_table makes the process abort at its end now and then
    frame = pl.read_delta(table, version=version)
    lines = sorted(json.dumps(plain(row), sort_keys=True, ensure_ascii=False) for row in frame.to_dicts())
    print(len(lines))
    for line in lines:
        print(line)


def append(table, count):
    frame = pl.read_delta(table).head(count)
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    partitions = deltalake.DeltaTable(table).metadata().partition_columns
    frame = frame.with_columns([(pl.col(n) + "+rs") for n in texts if n not in partitions])
    deltalake.write_deltalake(table, frame, mode="append")
    print(frame.height, "rows appended, version", deltalake.DeltaTable(table).version())


def main():
    args = argparse.ArgumentParser()
    args.add_argument("table")
    args.add_argument("--append", type=int, metavar="N")
    args.add_argument("--version", type=int)
    args = args.parse_args()
    if args.append is not None:
        append(args.table, args.append)
    else:
        read(args.table, args.version)


if __name__ == "__main__":
    main()
