"""What delta-rs and pyarrow need for the work of `spate bench lake`, as JSON.

  lake.py FOLDER SMALL FILE...  FOLDER is for tables, SMALL a table of many files,
                                the FILEs hold the rows to encode
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake


def cpu():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def timed(work):
    wall, used = time.monotonic(), cpu()
    result = work()
    return result, time.monotonic() - wall, cpu() - used


def encode(rows):
    best = None
    for _ in range(3):
        out = pa.BufferOutputStream()
        _, _, used = timed(lambda: pq.write_table(rows, out, compression="zstd"))
        best = min(best or used, used)
    return best / rows.num_rows * 1e9, out.getvalue().size / rows.num_rows


def commits(folder, rows):
    table = os.path.join(folder, "rs_commits")
    write_deltalake(table, rows.slice(0, 10_000))
    n = min(100, rows.num_rows // 10_000)

    def work():
        for k in range(n):
            write_deltalake(table, rows.slice(k * 10_000, 10_000), mode="append")

    _, wall, _ = timed(work)
    return n * 10_000 / wall


def pack(small, folder, name):
    table = os.path.join(folder, "rs_" + name)
    shutil.copytree(small, table)
    dt = DeltaTable(table)
    rows = dt.count()
    work = dt.optimize.compact if name == "optimize" else lambda: dt.optimize.z_order(["DeviceId", "Timestamp"])
    _, wall, used = timed(work)
    print(json.dumps([rows / wall, rows / used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def main(folder, small, *files):
    if folder == "--pack":
        return pack(small, *files)
    rows = pa.concat_tables([pq.ParquetFile(f).read() for f in files]).combine_chunks()
    out = {}
    out["encode ns"], out["encode bytes"] = encode(rows)
    out["commits"] = commits(folder, rows)
    for name in ("optimize", "zorder"):  # processes of their own, for their memory
        said = subprocess.check_output([sys.executable, __file__, "--pack", small, folder, name])
        out[name], out[name + " cpu"], out[name + " memory"] = json.loads(said)
    print(json.dumps(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
