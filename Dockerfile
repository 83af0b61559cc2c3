# One image for `geoflock run` and `geoflock generate` (which has no health: start it with --no-healthcheck).
# Layers that change rarely come first. For any builder: nothing here needs BuildKit.
ARG NODE_IMAGE=node:22-bookworm-slim

FROM ${NODE_IMAGE} AS all-packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

# What runs beside our own code: without compilers, and without what only a developer reads. The texts of the
# licences stay.
FROM all-packages AS packages
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
 && find node_modules -type d \( -name test -o -name tests -o -name docs -o -name example -o -name examples -o -name benchmarks \) -prune -exec rm -rf {} + \
 && find node_modules -type f \( -name '*.md' -o -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) \
      ! -iname 'licen[cs]e*' ! -iname 'copying*' ! -iname 'notice*' -delete \
 && rm -rf node_modules/zod/src node_modules/world-atlas/*-10m.json node_modules/world-atlas/*-50m.json

FROM all-packages AS build
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && rm -f dist/.tsbuildinfo

# A first process that hands on signals, and lets those end the program that it has no handler for: the kernel keeps them
# from whoever is process 1.
FROM ${NODE_IMAGE} AS init
RUN apt-get update && apt-get install --yes --no-install-recommends tini

FROM ${NODE_IMAGE}
# The deadline leaves time to leave the groups before `docker stop` kills, which is after 10 s unless it is told otherwise.
ENV NODE_ENV=production \
    GEOFLOCK_INPUT_DIRECTORY=/data \
    GEOFLOCK_STATE_DIRECTORY=/var/lib/geoflock/state \
    GEOFLOCK_REPORT_DIRECTORY=/var/lib/geoflock/report \
    GEOFLOCK_EXPORTS_DIRECTORY=/var/lib/geoflock/exports \
    GEOFLOCK_SHUTDOWN_DEADLINE=7s
COPY --from=init /usr/bin/tini /usr/bin/
COPY --from=init /usr/share/doc/tini/copyright /usr/share/doc/tini/
# Folders of the user of the base image who is not root (uid 1000): all else may be read-only. And the command, for
# `docker exec CONTAINER geoflock status`.
RUN mkdir -p /data /var/lib/geoflock \
 && chown node:node /data /var/lib/geoflock \
 && ln -s /app/bin/geoflock.js /usr/local/bin/geoflock
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json LICENSE NOTICE ./
COPY config ./config
COPY bin ./bin
COPY --from=build /app/dist ./dist
USER 1000:1000
VOLUME ["/data", "/var/lib/geoflock"]
EXPOSE 8470
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.GEOFLOCK_ADMIN_PORT || 8470}/readyz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--", "node", "/app/bin/geoflock.js"]
CMD ["run"]
# Last, because the revision is another one each time.
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="geoflock" \
      org.opencontainers.image.description="Tells, while phones still report their positions, where the users are gathered." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
