CREATE TABLE t (
    DeviceId STRING,
    Reading MAP
)
USING DELTA
