"""Answers queries with Spark.

  spark_dialect.py JARS TABLE  reads queries from standard input, one a line, over
                               the Delta table, which they call t, and prints for
                               each a line of JSON: {"columns":[..],"rows":[[..],..]}
                               or {"error":"..."}. A line "= e" is an expression:
                               SELECT id, CAST((e) AS STRING) AS x FROM t ORDER BY id

Values are as spark_table.py prints them, doubles with all their digits.
"""

import json
import sys

from spark_table import plain, session


def value(v):
    if isinstance(v, float):
        return repr(v)
    if isinstance(v, (bytes, bytearray)):
        return bytes(v).hex()
    return plain(v)


def ask(spark, query):
    try:
        frame = spark.sql(query)
        return {"columns": frame.columns, "rows": [[value(v) for v in row] for row in frame.collect()]}
    except Exception as e:  # noqa: BLE001 - every refusal is an answer
        return {"error": str(e).split("\n")[0][:200]}


def expressions(spark, list):
    """Answers expressions, many with one query if none fails."""
    if not list:
        return []
    columns = ", ".join(f"CAST(({e}) AS STRING) AS x{k}" for k, e in enumerate(list))
    answer = ask(spark, f"SELECT id, {columns} FROM t ORDER BY id")
    if "rows" in answer:
        return [{"columns": ["id", "x"], "rows": [[r[0], r[k + 1]] for r in answer["rows"]]} for k in range(len(list))]
    if len(list) == 1:
        return [answer]
    half = len(list) // 2
    return expressions(spark, list[:half]) + expressions(spark, list[half:])


def main(jars, table):
    spark = session(jars)
    spark.read.format("delta").load(table).createOrReplaceTempView("t")
    queries, answers, waiting = sys.stdin.read().split("\n"), [], []
    for query in queries + [""]:
        if query.startswith("= "):
            waiting.append(query[2:])
        if waiting and (not query.startswith("= ") or len(waiting) == 40):
            answers += expressions(spark, waiting)
            waiting = []
        if query and not query.startswith("= "):
            answers.append(ask(spark, query))
    for answer in answers:
        print(json.dumps(answer, ensure_ascii=False, default=str))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
