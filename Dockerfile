# One image for both programs: `citadel` (the default) and `sidecar`.
#
#   docker build -t sallyport:0.1.0 .
#   docker run --rm sallyport:0.1.0 --help
#   docker run --rm --entrypoint sidecar sallyport:0.1.0 --help
#
# The first stage compiles; the second holds Node, compiled JavaScript and production packages, nothing that can
# install or build. It runs as uid 65532 and writes nowhere but in the volumes that it is given.

ARG NODE_IMAGE=node:26.10.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.ts scripts/build.ts
COPY shared shared
COPY citadel citadel
COPY sidecar sidecar
RUN node scripts/build.ts
# Optional are the platform packages of Node, which the image has, and of the linter.
RUN npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE} AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="sallyport" \
      org.opencontainers.image.description="Workload identity and mutual TLS for Kubernetes: citadel and sidecar" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
# Package managers have no business in a running container.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* /usr/local/bin/yarn* \
 && ln -s /app/bin/citadel.js /usr/local/bin/citadel \
 && ln -s /app/bin/sidecar.js /usr/local/bin/sidecar \
# Volumes mounted here take over this owner.
 && install -d -m 0700 -o 65532 -g 65532 /var/lib/citadel /var/lib/sallyport/tokens /var/lib/sallyport/trust
WORKDIR /app
COPY package.json LICENSE ./
COPY bin bin
COPY manifests/samples/app samples/app
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
ENV NODE_ENV=production
USER 65532:65532
EXPOSE 15012 15014 15006 15008 15020 15021
ENTRYPOINT ["citadel"]
CMD ["--help"]
