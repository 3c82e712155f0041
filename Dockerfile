# syntax=docker/dockerfile:1
# One image for all of Concord: `serve` (the default), `web`, `worker`, `migrate`. The one that is built without naming a
# target has neither sandbox nor demo in it; `docker build --target demo .` makes the one that has.

FROM rust:1.95-slim-bookworm AS source
WORKDIR /concord
COPY . .

# The caches outlive a build; the binary is copied out of them within the same step.
FROM source AS build
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/concord/target \
    cargo build --release --locked --no-default-features --bin concord && cp target/release/concord /usr/local/bin/concord

FROM source AS build-demo
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/concord/target \
    cargo build --release --locked --bin concord && cp target/release/concord /usr/local/bin/concord

FROM debian:bookworm-slim AS runtime
# ca-certificates: Concord trusts whom the system trusts.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/concord --create-home --shell /usr/sbin/nologin concord \
    && chmod 700 /var/lib/concord
COPY config/example.toml /usr/share/doc/concord/example.toml

# A container's own address is reached through a published port or a proxy only.
ENV CONCORD__SERVER__LISTEN=0.0.0.0:8080 \
    CONCORD__DATA_DIR=/var/lib/concord \
    CONCORD__TELEMETRY__LOG_FORMAT=json
USER concord
WORKDIR /var/lib/concord
VOLUME /var/lib/concord
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["concord", "health", "--url", "http://127.0.0.1:8080"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["concord"]
CMD ["serve"]

FROM runtime AS demo
COPY --from=build-demo /usr/local/bin/concord /usr/local/bin/concord
# Its links name the address that it listens on: `docker run --network host`.
CMD ["demo", "--data", "/var/lib/concord/demo"]

FROM runtime AS production
COPY --from=build /usr/local/bin/concord /usr/local/bin/concord
