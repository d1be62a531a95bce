"""Reads, or appends to, Delta tables with Spark.

  spark_table.py JARS TABLE...           prints for each table the row count, then
                                         every row as a line of JSON, sorted
  spark_table.py JARS --append TABLE...  appends one row to each: a copy of a row
                                         of it, with its texts marked

JARS is the folder of Delta's jars. Needs pyspark. Times print in UTC with six
digits and Z.
"""

import datetime
import decimal
import glob
import json
import os
import sys
import time

os.environ["TZ"] = "UTC"  # Spark gives Python local times
time.tzset()

from pyspark.sql import SparkSession  # noqa: E402


def session(jars):
    return (
        SparkSession.builder.master("local[2]")
        .config("spark.jars", ",".join(glob.glob(os.path.join(jars, "*.jar"))))
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "1g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.databricks.delta.snapshotPartitions", "2")
        .getOrCreate()
    )


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    return value


def read(spark, table):
    rows = spark.read.format("delta").load(table).collect()
    lines = sorted(json.dumps({k: plain(v) for k, v in row.asDict().items()}, ensure_ascii=False, default=str) for row in rows)
    print(len(lines))
    for line in lines:
        print(line)


def append(spark, table):
    frame = spark.read.format("delta").load(table)
    row = frame.limit(1).collect()[0].asDict()
    partitions = spark.sql(f"DESCRIBE DETAIL delta.`{table}`").collect()[0]["partitionColumns"]
    for name, kind in frame.dtypes:
        if kind == "string" and name not in partitions:
            row[name] += "+spark"
    # A frame of its own: what was read from the table would conflict with the
    # commits of the pipeline.
    spark.createDataFrame([row], frame.schema).write.format("delta").mode("append").save(table)


def main(args):
    spark = session(args[0])
    work = read
    if args[1] == "--append":
        work, args = append, args[1:]
    for table in args[1:]:
        work(spark, table)
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
