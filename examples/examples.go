// Package examples holds the pipelines that come with Spate, as files: copy one
// to begin your own.
package examples

import "embed"

// Files holds one folder per example.
//
//go:embed telemetry
var Files embed.FS
