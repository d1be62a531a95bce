# What people type. Every target works on a fresh clone with Go and a C compiler.
.PHONY: run test check race conform fuzz bench build release pgo

run: ## the built-in pipeline
	go run ./cmd/spate up

build:
	go build -o bin/spate ./cmd/spate

test: ## the whole test suite
	go test ./...

check: ## format, vet, staticcheck
	bash .ci/lint

race: ## the packages that share memory between goroutines
	go test -race ./hub/... ./stream/... ./listen/... ./monitor/... ./blob/... ./connector/...
	go test -race -short . ./jobs

conform: ## the cases of the language, engine and reference interpreter
	go test ./conform/...

fuzz: ## every fuzz target, briefly
	bash .ci/fuzz 30000x

bench: ## the primary benchmark
	go run ./cmd/spate bench seed3

release: ## the archives for every platform and their checksums, into dist/
	go -C tools run ./release

pgo: ## the compiler's profile of the command, cmd/spate/default.pgo, from benchmarks
	go -C tools run ./pgo
