# The lower part of the sandbox image, which seldom changes: base, Python packages, hardening.
# Built by docker/build, which fills the context: hosts, own-hosts, site/ (the packages of requirements.lock).
ARG BASE
FROM ${BASE}

COPY hosts /etc/hosts
COPY hosts own-hosts /opt/
COPY site /opt/mendbench/site

ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
WORKDIR /

# Both bases end up alike: nothing setuid, no installers, no packages but ours, everything compiled
# (the root is read-only, and hashes that are never checked do not depend on times of files).
RUN set -eu; \
    python3 -c 'import sys; assert sys.version_info[:2] == (3, 11), sys.version'; \
    ln -s "$(command -v python3)" /opt/mendbench/python; \
    python3 -I -S /opt/own-hosts; \
    rm /opt/own-hosts; \
    find / -xdev -perm /6000 -exec chmod a-s {} +; \
    lib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))'); \
    rm -rf "$lib/site-packages" "$lib/ensurepip" "$lib/idlelib" "$lib/tkinter" "$lib/turtledemo" "$lib/test" \
        /usr/local/bin/pip* /usr/local/bin/wheel /usr/local/bin/idle* /var/lib/apt/lists /var/cache/apt; \
    python3 -m compileall -q -j 0 "$lib" >/dev/null; \
    python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/mendbench/site; \
    python3 -I -S -c 'import sys; sys.path.append("/opt/mendbench/site"); import coverage, hypothesis, numpy, pandas, pytest'
