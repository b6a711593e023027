# Build: dependencies in a layer of their own, so that a change of bugle's sources does not build them again.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
 && echo '//! Nothing yet.' > src/lib.rs \
 && printf '//! Nothing yet.\nfn main() {}\n' > src/main.rs \
 && mkdir -p tests/it && echo '//! Nothing yet.' > tests/it/main.rs \
 && cargo build --release --locked \
 && rm -r src tests target/release/deps/*bugle* target/release/.fingerprint/bugle-*
COPY src src
COPY templates templates
RUN mkdir -p store && mkdir -p tests/it && echo '//! Nothing yet.' > tests/it/main.rs \
 && cargo build --release --locked

# Run: the C library, CA certificates and bugle, as nobody in particular.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/bugle /usr/local/bin/bugle
# The configuration is mounted read-only on /etc/bugle; the store lives on a volume, which belongs to the user below.
COPY --from=build --chown=65532:65532 /build/store /var/lib/bugle
VOLUME /var/lib/bugle
WORKDIR /var/lib/bugle
ENV BUGLE__SERVER__LISTEN=0.0.0.0:8080 \
    BUGLE__STORE__URL=sqlite:/var/lib/bugle/bugle.db
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/bugle"]
CMD ["serve", "--config", "/etc/bugle/config.toml"]
