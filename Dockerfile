# The gateway and the onecli command. Build with another base: --build-arg BASE=…
ARG BASE=node:26-bookworm-slim

FROM ${BASE} AS manifests
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY gateway/package.json gateway/
COPY dashboard/package.json dashboard/
COPY cli/package.json cli/
COPY cli/bin cli/bin
COPY runner/package.json runner/
COPY sdk/package.json sdk/

FROM manifests AS dashboard
RUN npm install --ignore-scripts --no-audit --no-save -w dashboard
COPY tsconfig.json ./
COPY dashboard dashboard
RUN npm run build -w dashboard

# No install script runs: nothing here needs one. No optional package: the base image is the current Node.
# Not "npm ci": it refuses a lock without the development tools' packages for other platforms. What is locked stays locked.
FROM manifests AS production
RUN npm install --ignore-scripts --no-audit --no-save --omit=dev --omit=optional -w gateway -w cli -w sdk

FROM ${BASE}
WORKDIR /app
# 0700: the gateway refuses a data directory that others can enter. A new named volume takes owner and mode from here.
RUN install -d -o node -g node -m 0700 /data && ln -s /app/cli/bin/onecli.js /usr/local/bin/onecli
COPY --from=production /app ./
COPY scripts/run.js scripts/
COPY migrations migrations
COPY sdk/src sdk/src
COPY cli/src cli/src
COPY gateway/src gateway/src
COPY --from=dashboard /app/dashboard/dist dashboard/dist

USER node
# HOME holds ~/.onecli: database, key file, admin key. The port is published by whoever runs the image.
ENV HOME=/data NODE_ENV=production ONECLI_BIND_HOST=0.0.0.0
VOLUME /data
EXPOSE 10254
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.ONECLI_PORT ?? 10254}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--conditions=source", "--disable-warning=ExperimentalWarning", "--max-semi-space-size=4", "--heap-growing-percent=20", "--disable-sigusr1", "gateway/src/main.ts"]
