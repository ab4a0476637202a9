# Shared by the scripts here: what they install, and how they say so. Sourced, never run.
# Everything is installed once: what is there already is left alone.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# A line of our own among the output of the tools.
say() { printf '\033[1m==> %s\033[0m\n' "$*"; }

fail() {
  printf '\033[1;31m==> %s\033[0m\n' "$*" >&2
  exit 1
}

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1; then
    sudo "$@"
  else
    fail "this needs root and there is no sudo: $*"
  fi
}

installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need REASON PACKAGE... installs the packages that are missing, with apt.
need() {
  local reason=$1 package missing=()
  shift
  if ! command -v apt-get >/dev/null 2>&1; then
    say "No apt here: make sure that you have what Debian calls $* ($reason)"
    return
  fi
  for package in "$@"; do
    installed "$package" || missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  say "Installing with apt ($reason): ${missing[*]}"
  if [ -z "${package_lists_are_fresh:-}" ]; then
    as_root apt-get update -qq
    package_lists_are_fresh=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}" </dev/null
}

# version_at_least HAVE WANT compares dotted version numbers.
version_at_least() {
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

rust_version() { rustc --version 2>/dev/null | awk '{print $2}'; }

# Brings a Rust that the crates compile with. $@: further components, such as clippy.
need_rust() {
  local want have component
  want=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$repository/Cargo.toml")
  case ":$PATH:" in
    *":${CARGO_HOME:-$HOME/.cargo}/bin:"*) ;;
    *) PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH" ;;
  esac
  have=$(rust_version)
  if [ -z "$have" ] || ! version_at_least "$have" "$want"; then
    say "Rust ${have:-is missing}; this needs $want or newer: installing the stable release for $(id -un) with rustup"
    if command -v rustup >/dev/null 2>&1; then
      rustup toolchain install stable --profile minimal
      rustup default stable
    else
      need "to download rustup" ca-certificates curl
      curl --proto '=https' --tlsv1.2 --silent --show-error --fail https://sh.rustup.rs |
        sh -s -- -y --quiet --no-modify-path --profile minimal --default-toolchain stable
    fi
    hash -r
    have=$(rust_version)
    [ -n "$have" ] && version_at_least "$have" "$want" ||
      fail "rustc is still ${have:-missing}: see which one comes first in PATH ($(command -v rustc))"
  fi
  for component in "$@"; do
    cargo "$(component_command "$component")" --version >/dev/null 2>&1 && continue
    say "Installing with rustup: $component"
    rustup component add "$component"
  done
}

component_command() {
  case $1 in
    rustfmt) echo fmt ;;
    *) echo "$1" ;;
  esac
}

# Node and npm drive the tests of the front end and of the browser; the host itself needs neither.
need_node() {
  local have
  command -v node >/dev/null 2>&1 || need "to run the front end's tests" nodejs
  command -v npm >/dev/null 2>&1 || need "to fetch the tests' own packages" npm
  have=$(node --version)
  version_at_least "${have#v}" 18 || fail "node is $have; the tests need 18 or newer"
}

# What the tests take from npm: only again when the lock file has changed.
need_front_end_packages() (
  cd "$repository/tests"
  cmp --silent package-lock.json node_modules/.installed-lock.json && return
  say "Installing with npm (for the tests, into tests/node_modules)"
  # Not `npm ci`: it refuses a lock file without the packages of other platforms, which npm itself wrote so.
  npm install --no-save --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.installed-lock.json
)

# They stand before a host in the tests, which start their own. Their packages start the system's services, which nobody
# has asked for.
need_proxies() {
  local name
  for name in nginx caddy; do
    ! installed "$name" || continue
    need "a reverse proxy for the tests" "$name"
    if [ -d /run/systemd/system ]; then
      as_root systemctl disable --now --quiet "$name"
    elif [ "$name" = nginx ] && [ -e /run/nginx.pid ]; then
      as_root nginx -s stop
    fi
  done
}

need_build_packages() {
  need "to compile" build-essential pkg-config libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
}

need_runtime_packages() {
  need "encoders" gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad \
    gstreamer1.0-plugins-ugly
  need "the instances' X servers and window manager" xvfb xauth openbox
  need "the sandboxes of apps, and their way to the internet" bubblewrap slirp4netns iproute2
  need "the picture for browsers that can do nothing else" x11vnc
  need "a first program to launch" xterm
}

# need_coturn REASON installs a STUN and TURN server, without the service that its package would start: that has a
# configuration that nobody asked for.
need_coturn() {
  local masked=/etc/systemd/system/coturn.service
  installed coturn && return
  if [ -d /run/systemd/system ] && [ ! -e "$masked" ]; then
    as_root ln -s /dev/null "$masked"
  fi
  need "$1" coturn
}

# Where the host is root, programs run as this user, who owns nothing and cannot log in.
need_app_user() {
  [ "$(id -u)" -eq 0 ] || return 0
  ! getent passwd heliostat >/dev/null || return 0
  say "Creating the unprivileged user heliostat, as whom programs run"
  useradd --system --user-group --no-create-home --home-dir /nonexistent \
    --shell /usr/sbin/nologin heliostat
}

# What the benchmarks beside other programs need, the host's release build included.
need_bench() {
  need_build_packages
  need_runtime_packages
  need "the browser that measures" chromium
  need_rust
  need_node
  need_front_end_packages
  need_app_user
  need_peers
  [ -n "${HELIOSTAT_BIN:-}" ] || cargo build --release --locked --bins
}

# The peers are optional: the harness leaves out what is not there, and says so.
need_peers() {
  local venv=${CARGO_TARGET_DIR:-$repository/target}/bench/selkies
  (need "noVNC, to compare with" novnc websockify) || say "noVNC cannot be installed"
  [ ! -x "$venv/bin/selkies" ] || return 0
  (need "Selkies, to compare with" python3-venv) || true
  say "Installing Selkies 2.1 from PyPI into $venv"
  if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet 'selkies==2.1.*' 'pixelflux==2.2.*'; }; then
    rm -rf "$venv"
    say "Selkies cannot be installed"
  fi
}
