// Package random makes random scripts of the language, and random events for them, by
// which engines are compared.
//
// Stability: importable, not promised before 1.0.
package random
