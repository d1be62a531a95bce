// Package interop runs the built spate command against the clients and table
// readers that people use: the Azure SDKs for Python and Go, kgo, kcat, delta-rs
// and Spark. It is a module of its own, so that what only these tests need stays
// out of the product's go.mod.
//
// Every test starts the command on free loopback ports with a data folder of its
// own. What needs Python, Java or kcat looks for it where .ci/tools puts it, and
// skips by name if it is not there; with CI=true that is a failure.
package interop
