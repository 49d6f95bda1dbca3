#!/bin/sh
# Builds an image from the Containerfile here, seals it and publishes it; with podman and sealroot, as an ordinary user.
#
#   sealed-image.sh build      makes localhost/os. Runs what the Containerfile says: give this step no secrets
#   sealed-image.sh publish    seals localhost/os and pushes it as IMAGE:TAG; then IMAGE:latest follows
#
# IMAGE, TAG          where to, such as ghcr.io/example/os and 2026-11-29
# SEALROOT_DB_KEY     secret: the content of db.key. The rest of `sealroot keys generate` is in keys/, without *.key
# REGISTRY_USER, REGISTRY_PASSWORD    secret: for a registry with logins; none is asked for when they are not set
#
# No secret is an argument of a program, printed, or left behind: they are in files of a directory that goes with this script.
set +x -eu
umask 077

# Nothing that is started from here finds them in its environment.
db_key=${SEALROOT_DB_KEY-}
user=${REGISTRY_USER-}
password=${REGISTRY_PASSWORD-}
unset SEALROOT_DB_KEY REGISTRY_USER REGISTRY_PASSWORD

fail() {
  echo "sealed-image.sh: $1" >&2
  exit 1
}

build() {
  podman build --tag localhost/os .
}

publish() {
  [ -n "$db_key" ] || fail "SEALROOT_DB_KEY is not set: it is the content of db.key"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  cp -R keys "$work/keys"
  printf '%s\n' "$db_key" >"$work/keys/db.key"
  if [ -n "$password" ]; then
    export REGISTRY_AUTH_FILE="$work/auth.json"
    printf '%s' "$password" | podman login --username "$user" --password-stdin "${IMAGE%%/*}"
  fi

  # One commit, one result. An image that a shallow clone has made is as good.
  export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
  # Who may read all files of an ordinary user's store.
  unshare="podman unshare"
  [ "$(id -u)" != 0 ] || unshare=
  $unshare sealroot seal --json containers-storage:localhost/os -o "docker://$IMAGE:$TAG" --keys "$work/keys" >"$work/sealed.json"
  cat "$work/sealed.json"
  sealroot image copy --quiet "docker://$IMAGE:$TAG" "docker://$IMAGE:latest"

  digest=$(sed -n 's/^ *"manifestDigest": "\(.*\)",\{0,1\}$/\1/p' "$work/sealed.json")
  [ -n "$digest" ] || fail "sealroot has named no digest"
  [ -z "${GITHUB_OUTPUT-}" ] || echo "digest=$digest" >>"$GITHUB_OUTPUT"
}

case "${1-}" in
  build) build ;;
  publish) publish ;;
  *) fail "usage: sealed-image.sh build|publish" ;;
esac
