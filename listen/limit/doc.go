// Package limit bounds what strangers may cost a process: connections, bytes that wait
// for slow readers, lines of log. All of it counts over every listener; none of it knows
// a protocol.
//
// Stability: importable, not promised before 1.0.
package limit
