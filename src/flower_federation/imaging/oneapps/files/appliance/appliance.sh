# What the stages of /etc/one-appliance/service do. All of it ends in the program that our own image runs, too:
# `python -m flower_appliance`. Nothing is decided here, and nothing is handed from one stage to another.
# shellcheck shell=sh

: "${ONE_SERVICE_DIR:=/etc/one-appliance}"
. "$ONE_SERVICE_DIR/service.d/facts.sh"

# The guest's root: empty on a real machine.
flower_root=${ONE_SERVICE_DIR%/etc/one-appliance}
flower_python=$flower_root$FLOWER_PREFIX/bin/python

service_help() {
    cat "$ONE_SERVICE_DIR/service.d/help.txt"
}

# Reads the CONTEXT as a boot does, and says what it asks for or everything that is wrong with it. Writes nothing:
# a file that was written here would look unchanged to the appliance, which restarts only what changed.
service_configure() {
    if [ -z "$flower_root" ] && [ -e /dev/disk/by-label/CONTEXT ]; then
        systemctl start run-flower-context.mount
    fi
    "$flower_python" -m flower_appliance check --root "$flower_root/"
}

# The appliance runs beside systemd and does the rest. A reload has it read the CONTEXT again; it is not waited for,
# because this may run in a job that systemd wants finished first.
service_bootstrap() {
    if [ -z "${VM_ROOT-}" ] && [ -d /run/systemd/system ]; then
        systemctl --no-block reload-or-restart flower-appliance.service
    else
        # A process VM (VM_ID, VM_ROOT, VM_CONTEXT, VM_ADDRESS): the appliance is all that runs in it.
        exec "$flower_python" -m flower_appliance boot
    fi
}

# On Ubuntu, while the image is built, with the payload that the recipe brought.
service_install() {
    # Packages' own scripts write files that services must read, such as the list of CAs.
    umask 022
    flower_payload=/opt/one-appliance/flower
    flower_refuse_other_machines
    (cd "$flower_payload" && sha256sum --check --quiet --strict SHA256SUMS)

    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet
    # shellcheck disable=SC2086 # a list of names
    apt-get install --quiet --yes --no-install-recommends $FLOWER_PACKAGES

    flower_environment
    flower_user
    flower_overlay
    rm -rf "$flower_payload"
    apt-get clean
}

flower_refuse_other_machines() {
    if [ ! -x /usr/sbin/one-contextd ]; then
        echo "install: no /usr/sbin/one-contextd. It must be there: network and SSH keys come from one-context." >&2
        echo "Build on one-apps' own $FLOWER_BASE image." >&2
        return 1
    fi
    flower_found=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$flower_found" != "$FLOWER_PYTHON_VERSION" ]; then
        echo "install: Python $flower_found. It must be $FLOWER_PYTHON_VERSION, Ubuntu $FLOWER_UBUNTU's: units name its folder." >&2
        echo "Build on one-apps' own $FLOWER_BASE image." >&2
        return 1
    fi
}

# Exactly the lock: no dependency is looked for, no hash is missing, nothing is compiled.
flower_environment() {
    python3 -m venv "$FLOWER_PREFIX"
    "$FLOWER_PREFIX/bin/python" -m pip install --no-deps --require-hashes --only-binary=:all: --no-cache-dir \
        --disable-pip-version-check --no-compile --requirement "$flower_payload/requirements.lock"
    cp -R "$flower_payload/flower_appliance" "$FLOWER_PREFIX/lib/python$FLOWER_PYTHON_VERSION/site-packages/"
    chmod -R u=rwX,go=rX "$FLOWER_PREFIX"
    "$FLOWER_PREFIX/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$FLOWER_PREFIX/lib"
}

flower_user() {
    groupadd --gid "$FLOWER_ID" "$FLOWER_USER"
    useradd --uid "$FLOWER_ID" --gid "$FLOWER_ID" --no-create-home --home-dir /var/lib/flower \
        --shell /usr/sbin/nologin --comment "Flower services" "$FLOWER_USER"
    for flower_folder in $FLOWER_FOLDERS; do
        install -d -m 0755 "$flower_folder"
    done
}

flower_overlay() {
    chmod -R u=rwX,go=rX "$flower_payload/overlay"
    cp -R "$flower_payload/overlay/." /
    # shellcheck disable=SC2086
    systemctl enable $FLOWER_UNITS
    # shellcheck disable=SC2086
    systemctl mask $FLOWER_MASKED
}
