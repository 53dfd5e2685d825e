# The bot alone. Mount the settings with their secrets at /etc/opsroom (owned by uid 1000, secrets of mode 0600) and set
# dataDir: /data. The health check asks port 9099: set http.listen to 0.0.0.0:9099.
FROM node:26-bookworm-slim

# libatomic1 is needed by Node 26. The client must not be older than the server: pg_dump refuses a newer one.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libatomic1 postgresql-client zstd \
 && rm -rf /var/lib/apt/lists/* \
 && install --directory --owner=node --group=node --mode=0700 /data

WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY src/adapters/matrix/no-native-crypto src/adapters/matrix/no-native-crypto
# The npm package `node` pins the runtime of a checkout; here the image is the runtime.
RUN npm ci --omit=dev \
 && npm cache clean --force \
 && rm -rf node_modules/node node_modules/.bin/node

COPY LICENSE README.md CHANGELOG.md ./
COPY config config
COPY storage storage
# Without src/sandbox: .dockerignore leaves it out.
COPY src src

ENV NODE_ENV=production OPSROOM_SETTINGS=/etc/opsroom/opsroom.yaml
USER node
VOLUME /data
EXPOSE 9099
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9099/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--disable-warning=ExperimentalWarning", "--disable-warning=DEP0060", "src/main.ts"]
