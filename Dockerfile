# The remote MCP server in a container:
#
#   docker build -t clerk-mcp .
#   docker run --rm clerk-mcp --help
#
# docs/guides/deploy.md says how to run it. BuildKit is needed for the caches (Docker 23 and newer).

ARG RUST_VERSION=1.95

FROM rust:${RUST_VERSION}-slim-bookworm AS build
WORKDIR /src
COPY . .
# Dependencies and what is built of them stay in caches between builds; the binary leaves them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p clerk-mcp \
    && install -D -m 755 target/release/clerk-mcp /out/usr/local/bin/clerk-mcp \
    && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt \
    && install -d -m 755 /out/etc/clerk-mcp \
    && install -d -m 700 /data/clerk-mcp

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="clerk-mcp" \
      org.opencontainers.image.description="Safe access to Clerk for AI agents" \
      org.opencontainers.image.source="https://github.com/clerk-mcp/clerk-mcp" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /out /
# A new volume takes over the owner of the folder that it covers.
COPY --from=build --chown=65532:65532 /data /var/lib

# A number, so that an orchestrator can tell that it is not root.
USER 65532:65532
# clerk-mcp.toml is read from here, if it is mounted; these variables win over it.
WORKDIR /etc/clerk-mcp
ENV CLERK_MCP_BIND=0.0.0.0:8788 \
    CLERK_MCP_DATABASE=/var/lib/clerk-mcp/clerk-mcp.db
VOLUME /var/lib/clerk-mcp
EXPOSE 8788

HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/clerk-mcp", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/clerk-mcp"]
CMD ["serve"]
