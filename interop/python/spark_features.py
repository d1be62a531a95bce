"""Makes Delta tables with the features that Spark switches on, and changes them.

  spark_features.py JARS make FOLDER     makes a table in FOLDER for each feature
  spark_features.py JARS change FOLDER   deletes, updates and appends rows of each

JARS is the folder of Delta's jars. Needs pyspark. spark_table.py reads the tables.
"""

import sys

from spark_table import session

COLUMNS = "id INT, s STRING, d DOUBLE, at TIMESTAMP, day DATE, dec DECIMAL(30,4), bin BINARY, st STRUCT<a: INT, b: STRING>, arr ARRAY<INT>, m MAP<STRING, INT>"
TABLES = {
    "vectors": (COLUMNS, "", "'delta.enableDeletionVectors' = 'true'"),
    "mapped": (COLUMNS, "PARTITIONED BY (day)", "'delta.columnMapping.mode' = 'name'"),
    "ids": (COLUMNS, "", "'delta.columnMapping.mode' = 'id', 'delta.enableDeletionVectors' = 'true'"),
    "widened": (COLUMNS, "", "'delta.enableTypeWidening' = 'true'"),
    "numbered": (COLUMNS, "", "'delta.enableRowTracking' = 'true'"),
    "stamped": (COLUMNS, "PARTITIONED BY (day)", "'delta.enableInCommitTimestamps' = 'true', 'delta.checkpointPolicy' = 'v2'"),
    "clustered": (COLUMNS, "CLUSTER BY (id)", ""),
}


def rows(spark, table, first, n):
    spark.sql(
        f"INSERT INTO delta.`{table}` SELECT CAST(id AS INT), concat('s', id), id / 4, timestamp_micros(1767225600000000 + id * 3600000000),"
        f" date_add(DATE '2026-01-01', CAST(id / 10 AS INT)), CAST(id AS DECIMAL(30,4)) / 3, CAST(concat('b', id) AS BINARY),"
        f" named_struct('a', CAST(id AS INT), 'b', concat('x', id)), array(CAST(id AS INT), NULL), map('k', CAST(id AS INT)) FROM range({first}, {first + n})"
    )


def make(spark, folder):
    for name, (columns, clause, properties) in TABLES.items():
        table = f"{folder}/{name}"
        spark.sql(f"CREATE TABLE delta.`{table}` ({columns}) USING DELTA {clause}" + (f" TBLPROPERTIES ({properties})" if properties else ""))
        rows(spark, table, 0, 20)
        if name == "mapped":
            spark.sql(f"ALTER TABLE delta.`{table}` RENAME COLUMN s TO text")
            spark.sql(f"ALTER TABLE delta.`{table}` ADD COLUMNS (extra INT)")
        if name == "widened":
            spark.sql(f"ALTER TABLE delta.`{table}` ALTER COLUMN id TYPE BIGINT")
            spark.sql(f"ALTER TABLE delta.`{table}` ALTER COLUMN dec TYPE DECIMAL(38,6)")
        spark.sql(f"DELETE FROM delta.`{table}` WHERE id IN (3, 4, 15)")
        spark.sql(f"UPDATE delta.`{table}` SET d = -1 WHERE id = 7")


def change(spark, folder):
    for name in TABLES:
        table = f"{folder}/{name}"
        spark.sql(f"DELETE FROM delta.`{table}` WHERE id % 5 = 1")
        spark.sql(f"UPDATE delta.`{table}` SET d = 100 WHERE id = 8")


if __name__ == "__main__":
    work = {"make": make, "change": change}[sys.argv[2]]
    opened = session(sys.argv[1])
    work(opened, sys.argv[3])
    opened.stop()
