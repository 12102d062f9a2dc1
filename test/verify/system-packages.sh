#!/usr/bin/env bash
# Installs the system packages that tests need, on Debian and its kin, and only those that are missing.
# faketime: a child process under a wall clock that jumps (libfaketime).
# chromium: the browser that the page is tested in.
# etcd, etcdctl: the real server and client that the store is held against.
set -euo pipefail

missing=()
command -v faketime >/dev/null || missing+=(faketime)
command -v chromium >/dev/null || missing+=(chromium)
command -v etcd >/dev/null || missing+=(etcd-server)
command -v etcdctl >/dev/null || missing+=(etcd-client)

if [ ${#missing[@]} -eq 0 ]; then
  echo "system packages: nothing is missing"
  exit 0
fi

if ! command -v apt-get >/dev/null; then
  echo "system packages: this is not Debian; install by hand: ${missing[*]}" >&2
  exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  else
    echo "system packages: missing ${missing[*]}; run as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
fi

export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
echo "system packages: installed ${missing[*]}"
