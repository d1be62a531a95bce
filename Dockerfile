# The image of Spate: the command, the libraries that DuckDB needs, no shell, no root.
# examples/compose runs it; docs/emulator.md says how.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go build -trimpath -ldflags="-s -w" -o /out/bin/spate ./cmd/spate && mkdir -p /out/data /out/pipeline

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/bin/spate /usr/local/bin/spate
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build --chown=65532:65532 /out/pipeline /pipeline
COPY LICENSE /usr/share/doc/spate/LICENSE
USER 65532:65532
WORKDIR /pipeline
VOLUME /data
EXPOSE 5671 5672 9092 5300
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s CMD ["/usr/local/bin/spate", "status", "--check", "--data", "/data"]
ENTRYPOINT ["/usr/local/bin/spate"]
CMD ["up", "--data", "/data"]
