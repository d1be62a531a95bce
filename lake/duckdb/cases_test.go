//go:build cgo && !noduckdb

package duckdb_test

// scalarCases are expressions and what a query of them prints as CSV.
const scalarCases = `
1 => 1
7 / 2 => 3
-7 / 2 => -3
7 % -2 => 1
7 / 2.0 => 3.500000
1.0 / 3 => 0.333333
10.25 * 2 => 20.50
1.5 + 2.25 => 3.75
2147483647 + 1 => error: Msg 8115: Arithmetic overflow error converting expression to data type.
1 / 0 => error: Msg 8134: Divide by zero error encountered.
1e3 => 1000.0
1e308 * 1 => 1e+308
5 ^ 3 => 6
'a' + 'b' => ab
NULL => 
CAST(12.7 AS int) => 12
CAST('12' AS int) + 1 => 13
'1' + 2 => 3
CAST('' AS int) => 0
CAST('12.7' AS int) => error: line 1, column 8: Msg 245: Conversion failed when converting the varchar value '12.7' to data type int.
TRY_CAST('12.7' AS int) => 
CAST(1.5E0 AS varchar(20)) => 1.5
CAST(1e15 AS varchar(20)) => 1e+015
CAST('2026-11-27' AS date) => 2026-11-27
CAST('Jan 2 2020' AS date) => 2020-01-02
CAST('20200102 10:11' AS datetime2(6)) => 2020-01-02T10:11:00.000000Z
CONVERT(varchar(30), GETUTCDATE(), 120) => 2026-11-27 10:20:30
CONVERT(varchar(30), GETUTCDATE(), 121) => 2026-11-27 10:20:30.123
CONVERT(varchar(30), GETUTCDATE()) => Nov 27 2026 10:20AM
GETUTCDATE() => 2026-11-27T10:20:30.123000Z
SYSUTCDATETIME() => 2026-11-27T10:20:30.123456Z
DATEADD(hour, -1, GETUTCDATE()) => 2026-11-27T09:20:30.123000Z
DATEADD(month, 1, CAST('2020-01-31' AS date)) => 2020-02-29
DATEDIFF(week, '2026-11-28', '2026-11-29') => 1
DATEDIFF(day, '2026-11-28 23:00', '2026-11-29 01:00') => 1
DATEPART(weekday, '2026-11-29') => 1
DATEPART(week, '2026-01-04') => 2
DATEPART(millisecond, '2026-01-04 10:00:05.123') => 123
DATENAME(month, '2026-01-04') => January
YEAR('2026-01-04') => 2026
EOMONTH('2026-02-04') => 2026-02-28
DATEFROMPARTS(2026, 2, 30) => error: Msg 289: Cannot construct data type date, some of the arguments have values which are not valid.
DATETRUNC(hour, CAST('2026-01-04 10:11:12' AS datetime2)) => 2026-01-04T10:00:00.000000Z
LEN('abc  ') => 3
CHARINDEX('b', 'abcb', 3) => 4
SUBSTRING('hello', -1, 4) => he
LEFT('hello', 2) + RIGHT('hello', 2) => helo
STUFF('abcdef', 2, 3, 'x') => axef
REPLICATE('ab', 3) => ababab
CONCAT('a', NULL, 1) => a1
PATINDEX('%[0-9]%', 'ab3c') => 3
UPPER('abc') => ABC
UPPER('straße äé') => STRAßE ÄÉ
DATEDIFF(hour, GETDATE() - 1, GETDATE()) => 24
CAST('2026-03-01' AS datetime) - 1 => 2026-02-28T00:00:00.000000Z
CAST('2026-03-01' AS datetime) + 0.5 => 2026-03-01T12:00:00.000000Z
2 + CAST('2026-03-01' AS datetime) => 2026-03-03T00:00:00.000000Z
CAST('2026-03-01' AS datetime2(3)) - 1 => error: line 1, column 8: Msg 8117: Operand data type datetime2(3) is invalid for subtract operator. Use DATEADD or DATEDIFF.
CASE WHEN 'a' = 'a  ' THEN 1 ELSE 0 END => 1
CASE WHEN 'abc' LIKE '[a-c]%' THEN 1 ELSE 0 END => 1
CASE WHEN 'a' = 'A' THEN 1 ELSE 0 END => 0
IIF(1 = 1, 2, 3) => 2
ISNULL(NULL, 5) => 5
COALESCE(NULL, 1.5, 2) => 1.5
NULLIF(1, 1) => 
ROUND(123.4545, 2) => 123.4500
ROUND(123.4545, 2, 1) => 123.4500
POWER(2, 10) => 1024
LOG(EXP(1.0)) => 1.0
SQRT(16) => 4.0
SQRT(-1) => error: Msg 3623: An invalid floating point operation occurred.
ABS(-5) => 5
CAST(12345 AS varchar(3)) => *
CAST(12345 AS nvarchar(3)) => error: Msg 8115: Arithmetic overflow error converting int to data type nvarchar(3).
CAST(1234.5678 AS varchar(5)) => error: Msg 8115: Arithmetic overflow error converting decimal(8,4) to data type varchar(5).
TRY_CAST(1234.5678 AS varchar(5)) => 
CAST(123 AS varchar(3)) + CAST(-12 AS nvarchar(3)) => 123-12
ROUND(748.58, -3) => error: Msg 8115: Arithmetic overflow error converting expression to data type.
ROUND(748.58, -2) => 700.00
ROUND(948.58, -2) => 900.00
ROUND(99.5, -2, 1) => 0.0
ISNULL(CAST(NULL AS varchar(2)), 'abcdef') => ab
CAST(1 AS bit) + CAST(1 AS bit) => error: line 1, column 8: Msg 8117: Operand data type bit is invalid for add operator.
CAST(1 AS bit) + 1 => 2
CASE WHEN 'abc ' LIKE 'abc' THEN 1 ELSE 0 END => 1
CASE WHEN N'abc ' LIKE 'abc' THEN 1 ELSE 0 END => 0
CASE WHEN 'abc' LIKE 'abc ' THEN 1 ELSE 0 END => 0
CASE WHEN 'abc ' NOT LIKE '[a]bc' THEN 1 ELSE 0 END => 0
ISNUMERIC('$') => 1
ISNUMERIC('') => 0
DATEDIFF(second, '0001-01-01', '9999-01-01') => error: Msg 535: The datediff function resulted in an overflow. Use datediff with a less precise datepart.
DATEDIFF(year, '0001-01-01', '9999-01-01') => 9998
SUM(MAX(1)) => error: line 1, column 12: Msg 130: An aggregate may not appear inside an aggregate.
STRING_AGG(DISTINCT 'a', ',') => error: line 1, column 8: Msg 102: Incorrect syntax: STRING_AGG takes no DISTINCT.
0x0AFF => Cv8=
ISJSON('{"a":1}') => 1
JSON_VALUE('{"a":{"b":"x"}}', '$.a.b') => x
HASHBYTES('MD5', 'abc') => kAFQmDzST7DWlj99KOF/cg==
NOSUCH(1) => error: line 1, column 8: Msg 195: 'NOSUCH' is not a recognized built-in function name.
SOUNDEX('a') => error: line 1, column 8: Msg 40511: Built-in function 'SOUNDEX' is not supported yet.
DATEADD(fortnight, 1, GETDATE()) => error: line 1, column 16: Msg 155: 'fortnight' is not a recognized dateadd option.
nope => error: line 1, column 8: Msg 207: Invalid column name 'nope'.
DB_NAME() => telemetry
`

// tableCases are queries over the tables of lakeOf; rows are joined by " | ".
const tableCases = `
SELECT COUNT(*) FROM telemetry.raw_telemetry => 6000
SELECT COUNT(*), COUNT(DISTINCT DeviceId), MIN(Timestamp), MAX(Timestamp) FROM telemetry.raw_telemetry => 6000,20,2026-11-18T00:00:00.000000Z,2026-11-27T09:59:00.000000Z
SELECT COUNT(Temperature), SUM(Temperature) / COUNT(Temperature), AVG(EventCount) FROM telemetry.raw_telemetry r CROSS JOIN (SELECT MAX(EventCount) AS EventCount FROM telemetry.aggregated_metrics) m => 5940,25.247474747474747,11
select top 2 deviceid, count(*) as n from TELEMETRY.RAW_TELEMETRY group by deviceid order by n desc, deviceid => device-0,300 | device-1,300
SELECT TOP (1) r.DeviceId FROM telemetry.raw_telemetry AS r WHERE r.Timestamp > '2026-11-20' AND r.Temperature < 3 ORDER BY r.Timestamp DESC => device-12
SELECT Location, COUNT(*) FROM telemetry.raw_telemetry GROUP BY Location ORDER BY Location => Seattle,2000 | Tokyo ,2000 | seattle,2000
SELECT COUNT(*) FROM telemetry.raw_telemetry WHERE Location = 'Tokyo' => 2000
SELECT COUNT(*) FROM telemetry.raw_telemetry WHERE Location IN ('Tokyo', 'Seattle  ') => 4000
SELECT COUNT(*) FROM telemetry.raw_telemetry WHERE Location LIKE 'Tokyo' => 0
SELECT COUNT(*) FROM telemetry.raw_telemetry WHERE DeviceId LIKE 'device-1[0-3]' => 1200
SELECT COUNT(*) FROM telemetry.raw_telemetry WHERE TimestampDate = '2026-11-20' => 600
SELECT COUNT(*) FROM telemetry.raw_telemetry WHERE Timestamp BETWEEN '2026-11-20' AND '2026-11-20 00:09' => 10
SELECT DISTINCT Location FROM telemetry.raw_telemetry WHERE Timestamp < '2026-11-18 00:03' ORDER BY Location DESC => seattle | Tokyo  | Seattle
SELECT DeviceId, EventCount FROM telemetry.aggregated_metrics WHERE WindowEnd >= DATEADD(hour, -1, GETUTCDATE()) ORDER BY WindowEnd DESC OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY => device-10,10 | device-9,9
WITH hot AS (SELECT DeviceId, Temperature FROM telemetry.raw_telemetry WHERE Temperature > 49) SELECT COUNT(*) FROM hot a JOIN hot b ON a.DeviceId = b.DeviceId WHERE a.Temperature = b.Temperature => 7200
SELECT CASE WHEN Temperature > 45 THEN 'High' WHEN Temperature < 2 THEN 'Low' ELSE 'Ok' END AS Kind, COUNT(*) FROM telemetry.raw_telemetry GROUP BY CASE WHEN Temperature > 45 THEN 'High' WHEN Temperature < 2 THEN 'Low' ELSE 'Ok' END ORDER BY Kind => High,600 | Low,180 | Ok,5220
SELECT TOP 3 EventId, ROW_NUMBER() OVER (PARTITION BY DeviceId ORDER BY Timestamp) AS n, LAG(EventId) OVER (PARTITION BY DeviceId ORDER BY Timestamp) FROM telemetry.raw_telemetry ORDER BY n DESC, EventId => e9-580,300,e9-560 | e9-581,300,e9-561 | e9-582,300,e9-562
SELECT DeviceId FROM telemetry.aggregated_metrics a WHERE EXISTS (SELECT 1 FROM telemetry.raw_telemetry r WHERE r.DeviceId = a.DeviceId AND r.Temperature > 49) AND WindowEnd >= '2026-11-27 10:45' => device-9
SELECT a.EventCount FROM telemetry.aggregated_metrics a LEFT JOIN telemetry.raw_telemetry r ON r.EventId = 'none' WHERE r.EventId IS NULL AND a.WindowEnd >= '2026-11-27 10:55' => 11
SELECT 1 AS a, 0 UNION ALL SELECT 2.5, 0 UNION ALL SELECT NULL, 0 ORDER BY a => ,0 | 1.0,0 | 2.5,0
SELECT COUNT(*) FROM (SELECT DeviceId FROM telemetry.raw_telemetry EXCEPT SELECT DeviceId FROM telemetry.aggregated_metrics) AS x => 8
SELECT v.a, v.b FROM (VALUES (1, 'x'), (2, NULL)) AS v(a, b) ORDER BY a DESC => 2, | 1,x
SELECT d.DeviceId, x.EventId FROM (SELECT TOP 2 DeviceId FROM telemetry.aggregated_metrics ORDER BY DeviceId) AS d CROSS APPLY (SELECT TOP 1 EventId FROM telemetry.raw_telemetry r WHERE r.DeviceId = d.DeviceId ORDER BY Timestamp DESC) AS x => device-0,e9-580 | device-0,e9-580
SELECT STRING_AGG(DeviceId, ',') WITHIN GROUP (ORDER BY EventCount DESC) FROM telemetry.aggregated_metrics WHERE WindowEnd >= '2026-11-27 10:45' => "device-11,device-10,device-9"
SELECT value FROM STRING_SPLIT('a,b', ',') => a | b
SELECT COUNT(*) FROM telemetry.raw_telemetry HAVING COUNT(*) > 10000 => 
SELECT DATEPART(hour, Timestamp) AS h, AVG(Temperature) FROM telemetry.raw_telemetry WHERE TimestampDate = '2026-11-27' GROUP BY DATEPART(hour, Timestamp) ORDER BY h OFFSET 9 ROWS => 9,28.333333333333332
SELECT TOP 1 WITH TIES EventCount FROM telemetry.aggregated_metrics ORDER BY EventCount DESC => 11 | 11 | 11 | 11 | 11 | 11 | 11 | 11 | 11 | 11 | 11 | 11
SELECT DeviceId, GROUPING(DeviceId), COUNT(*) FROM telemetry.aggregated_metrics WHERE EventCount < 2 GROUP BY ROLLUP(DeviceId) ORDER BY DeviceId => ,1,24 | device-0,0,12 | device-1,0,12
DECLARE @since datetime2 = DATEADD(day, -2, '2026-11-27'), @n int; SET @n = LEN('ab') - 1; SELECT COUNT(*), @n FROM telemetry.raw_telemetry WHERE Timestamp >= @since => 1800,1
USE telemetry; SET NOCOUNT ON; SELECT COUNT(*) AS 'n', x = 1 FROM [raw_telemetry] WITH (NOLOCK) => 6000,1
SELECT COUNT(*) FROM telemetry..raw_telemetry => 6000
SELECT COUNT(*) FROM telemetry.dbo.raw_telemetry AS [t t] WHERE [t t].DeviceId <> N'device-1' -- comment => 5700
SELECT AVG(1.0 * EventCount), STDEV(EventCount) FROM telemetry.aggregated_metrics WHERE WindowEnd >= '2026-11-27 10:30' => 8.500000,1.8708286933869707
SELECT TOP 1 DATEDIFF(minute, WindowEnd, GETUTCDATE()), CONVERT(varchar(16), WindowEnd, 120), FLOOR(AvgTemperature), ROUND(AvgTemperature, 1) FROM telemetry.aggregated_metrics ORDER BY WindowEnd => 680,2026-11-26 23:00,20.0,20.3
SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY EventCount) OVER (), EventCount FROM telemetry.aggregated_metrics WHERE WindowEnd >= '2026-11-27 10:50' => 10.5,10 | 10.5,11
SELECT DISTINCT TOP 2 DeviceId, Location FROM telemetry.raw_telemetry ORDER BY DeviceId, Location DESC => device-0,seattle | device-0,Tokyo 
SELECT DATETRUNC(hour, Timestamp), COUNT(*) FROM telemetry.raw_telemetry WHERE Timestamp >= '2026-11-27T08:30:00Z' GROUP BY DATETRUNC(hour, Timestamp) ORDER BY 1 => 2026-11-27T08:00:00.000000Z,30 | 2026-11-27T09:00:00.000000Z,60
SELECT a.DeviceId, (SELECT COUNT(*) FROM telemetry.raw_telemetry r WHERE r.DeviceId = a.DeviceId) FROM telemetry.aggregated_metrics a WHERE a.EventCount > 9 GROUP BY a.DeviceId ORDER BY 1 => error: line 1, column 87: Msg 40517: A sub-query that refers to the text column 'DeviceId' of a grouped query is not supported yet.
SELECT DeviceId + '!' AS d, MAX(EventCount) - MIN(EventCount) FROM telemetry.aggregated_metrics GROUP BY DeviceId HAVING DeviceId IN ('device-1', 'device-2') ORDER BY d => device-1!,0 | device-2!,0
SELECT COUNT(*) FROM telemetry.raw_telemetry WHERE EventId NOT IN (SELECT EventId FROM telemetry.raw_telemetry WHERE Temperature IS NOT NULL) => 60
SELECT COUNT(*) FROM telemetry.raw_telemetry WHERE Temperature >= ALL (SELECT MAX(Temperature) FROM telemetry.raw_telemetry) => 120
SELECT DeviceId FROM telemetry.aggregated_metrics WHERE EventCount = (SELECT EventCount FROM telemetry.aggregated_metrics) => error: Msg 512: Subquery returned more than 1 value.
SELECT TOP 10 PERCENT EventCount FROM telemetry.aggregated_metrics WHERE WindowEnd >= '2026-11-27 10:00' ORDER BY EventCount => 0 | 1
SELECT TABLE_SCHEMA, TABLE_NAME FROM telemetry.INFORMATION_SCHEMA.TABLES ORDER BY TABLE_NAME => dbo,aggregated_metrics | dbo,raw_telemetry
SELECT c.COLUMN_NAME, c.DATA_TYPE, c.CHARACTER_MAXIMUM_LENGTH FROM telemetry.INFORMATION_SCHEMA.COLUMNS c WHERE c.TABLE_NAME = 'aggregated_metrics' AND c.ORDINAL_POSITION < 3 => DeviceId,nvarchar,4000 | WindowEnd,datetime2,
SELECT COUNT(*) FROM nothing.INFORMATION_SCHEMA.TABLES => 0
SELECT nope FROM telemetry.raw_telemetry => error: line 1, column 8: Msg 207: Invalid column name 'nope'.
SELECT DeviceID2 FROM telemetry.raw_telemetry => error: line 1, column 8: Msg 207: Invalid column name 'DeviceID2'. Did you mean 'DeviceId'?
SELECT * FROM telemetry.nope => error: line 1, column 15: Msg 208: Invalid object name 'telemetry.nope'.
SELECT TOP 1 DATEADD(minute, DATEDIFF(minute, 0, WindowEnd) / 15 * 15, 0) FROM telemetry.aggregated_metrics ORDER BY WindowEnd DESC => 2026-11-27T10:45:00.000000Z
SELECT * FROM raw_telemetri => error: line 1, column 15: Msg 208: Invalid object name 'raw_telemetri'. Did you mean 'telemetry.raw_telemetry'?
SELECT DeviceId, COUNT(*) FROM telemetry.raw_telemetry => error: line 1, column 8: Msg 8120: Column 'raw_telemetry.DeviceId' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause.
SELECT * FROM telemetry.raw_telemetry WHERE COUNT(*) > 1 => error: line 1, column 45: Msg 147: An aggregate may not appear in WHERE.
SELECT * FROM telemetry.raw_telemetry WHERE Temperature => error: line 1, column 45: Msg 4145: An expression of non-boolean type specified in a context where a condition is expected.
SELECT DeviceId FROM telemetry.raw_telemetry a JOIN telemetry.aggregated_metrics b ON a.DeviceId = b.DeviceId => error: line 1, column 8: Msg 209: Ambiguous column name 'DeviceId'.
SELECT * FROM (SELECT * FROM telemetry.raw_telemetry ORDER BY Timestamp) AS x => error: line 1, column 63: Msg 1033: The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table expressions, unless TOP, OFFSET or FOR XML is also specified.
SELECT 1 UNION SELECT 1, 2 => error: line 1, column 1: Msg 205: All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.
DELETE FROM telemetry.raw_telemetry => error: line 1, column 1: Msg 40510: Statement 'DELETE' is not supported in this version of Spate's query endpoint.
`
