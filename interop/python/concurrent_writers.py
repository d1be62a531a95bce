"""Writes to a Delta table beside other writers, for a while.

  concurrent_writers.py delta-rs TABLE SECONDS
  concurrent_writers.py spark TABLE SECONDS JARS

Appends rows (id, w, n) with its own name as w, and deletes, packs and vacuums. A line is printed
for each statement that was done: "A first n" for rows that were appended, "D first" for rows of its
own below first that were deleted, "C" for what lost against another writer, "O" for a pack.
"""

import sys
import time


def run(name, seconds, append, delete, pack, vacuum, lost):
    until, first, step, cut = time.time() + seconds, 0, 0, 0
    while time.time() < until:
        step += 1
        try:
            if step % 9 == 8:
                delete(cut + 30)
                cut += 30
                print("D", cut, flush=True)
            elif pack and step % 13 == 12:
                pack()
                print("O", flush=True)
            elif step % 29 == 28:
                vacuum()
            else:
                append(first, 10)
                print("A", first, 10, flush=True)
                first += 10
        except lost as e:
            # A statement that lost was not done at all. Whatever else fails is a fault.
            text = f"{type(e).__name__}: {e}"
            if not any(w in text.lower() for w in ("concurrent", "conflict", "protocolchanged", "metadatachanged")):
                raise
            print("C", text.splitlines()[0][:120], flush=True)


def rs(table, seconds):
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake
    from deltalake.exceptions import DeltaError

    def append(first, n):
        rows = pa.table({"id": pa.array(range(first, first + n), pa.int64()), "w": ["rs"] * n, "n": pa.array([1] * n, pa.int32())})
        write_deltalake(table, rows, mode="append")

    # It does not pack: optimize.compact() of deltalake 1.6.6 does not look whether another OPTIMIZE
    # has taken its files meanwhile, and brings their rows back.
    run("rs", seconds, append, lambda below: DeltaTable(table).delete(f"w = 'rs' AND id < {below}"), None,
        lambda: DeltaTable(table).vacuum(dry_run=False), DeltaError)


def spark(table, seconds, jars):
    from spark_table import session

    s = session(jars)
    s.conf.set("spark.sql.sources.parallelPartitionDiscovery.parallelism", "2")  # VACUUM lists in 10,000 tasks otherwise
    t = f"delta.`{table}`"
    s.sql(f"SELECT count(*) FROM {t}").collect()
    print("ready", flush=True)
    run("spark", seconds, lambda first, n: s.sql(f"INSERT INTO {t} SELECT id, 'spark', 1 FROM range({first}, {first + n})"),
        lambda below: s.sql(f"DELETE FROM {t} WHERE w = 'spark' AND id < {below}"), lambda: s.sql(f"OPTIMIZE {t}"), lambda: s.sql(f"VACUUM {t}"), Exception)
    s.stop()


if __name__ == "__main__":
    if sys.argv[1] == "spark":
        spark(sys.argv[2], float(sys.argv[3]), sys.argv[4])
    else:
        rs(sys.argv[2], float(sys.argv[3]))
