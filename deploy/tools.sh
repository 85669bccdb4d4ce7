#!/usr/bin/env bash
# Brings what tests/deploy and the drill run into build/tools: Prometheus, promtool and amtool out of Debian's packages,
# Helm and the tests with Kubernetes' own code by Go, Strimzi's schemas by its generator, all of locked versions. What cannot be had is said, and the tests
# say what they miss. `tools.sh debian` brings the first three only, which is a matter of seconds.
set -uo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/build/tools
mkdir -p "$tools"
missing=()

from_debian() { # PACKAGE PROGRAM...
  local package=$1 folder program wanted=()
  for program in "${@:2}"; do
    command -v "$program" >/dev/null || [ -x "$tools/$program" ] || wanted+=("$program")
  done
  [ ${#wanted[@]} -eq 0 ] && return
  folder=$(mktemp -d)
  (cd "$folder" && chmod 755 . && { apt-get -qq download "$package" || { apt-get -qq update && apt-get -qq download "$package"; }; } \
    && dpkg-deb -x ./*.deb . && for program in "${wanted[@]}"; do cp "usr/bin/$program" "$tools/" || exit 1; done) >/dev/null 2>&1 \
    || missing+=("${wanted[*]} (Debian's $package)")
  rm -rf "$folder"
}

with_go() { # NAME MODULE COMMAND...: built again when the module's locked versions, or its own files, change
  local name=$1 module=$2
  shift 2
  [ -x "$tools/$name" ] && [ -z "$(find "deploy/$module" -newer "$tools/$name" -type f)" ] && return
  command -v go >/dev/null || { missing+=("$name (Go)"); return; }
  echo "building $name" >&2
  (cd "deploy/$module" && GOFLAGS="-mod=readonly -buildvcs=false" "${@:1:2}" -o "$tools/$name" "${@:3}") || { missing+=("$name (its build failed)"); return; }
  touch "$tools/$name"
}

from_debian prometheus prometheus promtool
from_debian prometheus-alertmanager amtool
if [ "${1:-all}" = all ]; then
  from_debian bubblewrap bwrap
  with_go helm tools go build -trimpath -ldflags=-s\ -w helm.sh/helm/v4/cmd/helm
  with_go podsecurity.test podsecurity go test -c .
  with_go keda.test podsecurity go test -c ./keda
  .venv/bin/python -m deploy.strimzi "$tools/strimzi" >&2 || missing+=("Strimzi's schemas (Maven)")
fi

for tool in "${missing[@]}"; do
  echo "not to be had here: $tool" >&2
done
