# The image holds the binary and the certificates that it trusts, nothing else: no shell, no
# package manager, no libc. Build it where it is to run, or under emulation; there is no cross
# compiler in here.
#
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" --tag avepoint-exporter .

FROM rust:1.95-bookworm AS build
WORKDIR /build

# Static, glibc included. With `--target` these flags leave build scripts and procedural macros
# alone, which cannot be static.
ENV RUSTFLAGS="-C target-feature=+crt-static"

# The dependencies, in a layer of their own: it is built again only when a manifest changes. Our
# own crate is an empty one here, and its artefacts are removed, for cargo compares times and the
# sources below are older than they are.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo '//! Empty.' > src/lib.rs \
    && printf '//! Empty.\nfn main() {}\n' > src/main.rs \
    && cargo build --locked --release --target "$(uname -m)-unknown-linux-gnu" \
    && cargo clean --locked --release --target "$(uname -m)-unknown-linux-gnu" --package avepoint-exporter \
    && rm -r src

COPY . .
ARG REVISION=unknown
RUN cargo build --locked --release --target "$(uname -m)-unknown-linux-gnu" --bin avepoint-exporter \
    && cp "target/$(uname -m)-unknown-linux-gnu/release/avepoint-exporter" /avepoint-exporter

FROM scratch
ARG REVISION=unknown
LABEL org.opencontainers.image.title="avepoint-exporter" \
      org.opencontainers.image.description="Prometheus exporter for AvePoint Elements: users at risk, users without backup, and users who are both" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /avepoint-exporter /avepoint-exporter
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 10044
# Where config.yaml is looked for, whatever the command.
WORKDIR /etc/avepoint-exporter
# With --web.config.file, let it ask --web.probe-listen-address instead.
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["/avepoint-exporter", "probe"]
ENTRYPOINT ["/avepoint-exporter"]
