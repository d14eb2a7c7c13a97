# syntax=docker/dockerfile:1

# Debian bookworm in both stages, so that the binary finds the C library it was linked against.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc g++ libc6-dev make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
# The registry and the compiled dependencies stay in a cache, so that the next build is of what changed.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin rookery \
    && cp target/release/rookery /rookery

FROM debian:bookworm-slim
# By number, so that an orchestrator can see that it is not root.
RUN mkdir /data && chown 10001:10001 /data
COPY --from=build /rookery /usr/local/bin/rookery
USER 10001:10001
ENV ROOKERY_SERVER__LISTEN=0.0.0.0:8080 \
    ROOKERY_DATA__DIR=/data
VOLUME /data
EXPOSE 8080
# The hub then says 1012 to its clients, who come back elsewhere, and writes what is left.
STOPSIGNAL SIGTERM
# The image has no HTTP client; bash can speak enough HTTP to ask.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /healthz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["rookery"]
CMD ["serve"]
