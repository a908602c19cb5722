# SPDX-License-Identifier: GPL-2.0-only
# docs/container.md says how to run it, and what each right is for.

# Raised by hand; what Debian has fixed since then comes with the packages installed below.
ARG DEBIAN=debian:bookworm-20260202-slim

FROM ${DEBIAN} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml ./
COPY bpf bpf
COPY profiler profiler
# The pip that installs stays in this stage. -I: the workload is compiled from what was installed, not from /src.
RUN python3 -m venv /opt/pip \
    && python3 -m venv --system-site-packages --without-pip /opt/uffd-profiler \
    && /opt/pip/bin/pip --python /opt/uffd-profiler/bin/python install --no-cache-dir --disable-pip-version-check . \
    && /opt/uffd-profiler/bin/python -I -m profiler.workload.build

FROM ${DEBIAN}
ARG DEBIAN
# BCC is Debian's: it compiles in memory, with the LLVM it is linked to, and calls no compiler.
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-bpfcc \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
COPY --from=build /opt/uffd-profiler /opt/uffd-profiler
ENV PATH=/opt/uffd-profiler/bin:${PATH}

LABEL org.opencontainers.image.title="uffd-profiler" \
      org.opencontainers.image.description="eBPF profiler of the Linux page-fault path around userfaultfd" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="GPL-2.0-only" \
      org.opencontainers.image.base.name="${DEBIAN}"

# No USER: attaching takes root. The process that serves has dropped it, and every capability, before it listens.
EXPOSE 28333/tcp
# /-/ready and not /-/healthy: a profiler whose hook has died is to be started anew, though it still answers.
# No urllib: it would ask a proxy that the environment names.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/opt/uffd-profiler/bin/python", "-I", "-c", "import http.client, sys; server = http.client.HTTPConnection('127.0.0.1', 28333, timeout=4); server.request('GET', '/-/ready'); sys.exit(server.getresponse().status != 200)"]
ENTRYPOINT ["uffd-profiler"]
# All addresses of the container's own network; -p says which of the machine's lead there.
CMD ["serve", "--web.listen-address=0.0.0.0:28333"]
