# bugle in a container: `docker build -t bugle .`, or with podman or buildah. See docs/INSTALL.md.
#
# Both base images can be replaced: the first needs a Rust toolchain and a C compiler, the second glibc 2.36 or newer,
# libgcc and CA certificates.
ARG BUILD_IMAGE=rust:1.95-bookworm
ARG RUN_IMAGE=gcr.io/distroless/cc-debian12:nonroot

# Build. First the dependencies, in a layer of their own that lasts until the manifest or the lock file changes: an empty
# bugle is built, and what there is of it is removed. Then bugle itself.
FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src tests/it \
 && echo '//! Nothing yet.' | tee src/lib.rs tests/it/main.rs > src/main.rs \
 && echo 'fn main() {}' >> src/main.rs \
 && cargo build --release --locked \
 && rm -r src target/release/bugle target/release/deps/*bugle* target/release/.fingerprint/bugle-*
COPY src src
COPY templates templates
RUN cargo build --release --locked && mkdir store

# Run: the C library, CA certificates and bugle, as nobody in particular.
FROM ${RUN_IMAGE}
COPY --from=build /build/target/release/bugle /usr/local/bin/bugle
# The configuration is mounted on /etc/bugle, as a folder; the store lives on a volume, which belongs to the user below.
COPY --from=build --chown=65532:65532 /build/store /var/lib/bugle
VOLUME /var/lib/bugle
WORKDIR /var/lib/bugle
ENV BUGLE__SERVER__LISTEN=0.0.0.0:8080 \
    BUGLE__STORE__URL=sqlite:/var/lib/bugle/bugle.db
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=6s --start-period=5s --retries=3 \
    CMD ["/usr/local/bin/bugle", "healthcheck", "--config", "/etc/bugle/config.toml"]
ENTRYPOINT ["/usr/local/bin/bugle"]
CMD ["serve", "--config", "/etc/bugle/config.toml"]
