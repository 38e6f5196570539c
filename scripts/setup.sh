# shellcheck shell=bash
# Sourced by ./run, ./test and .ci/run: makes a fresh Debian 12 or Ubuntu ready, and only then does
# anything need root. What is there already is left alone.
#
#   setup_build   a C linker and the toolchain of rust-toolchain.toml
#   setup_tests   the same, and the independent programs that judge our output
#
# What judges our output and is no package of the system goes into an environment of its own below the
# cache, $cache/python; scripts/requirements.txt says what. Tests look for it there.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/imprint
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
export PATH=$PATH:${CARGO_HOME:-${HOME:-/tmp}/.cargo}/bin:/usr/sbin:/sbin

die() { printf 'error: %s\n' "$*" >&2; exit 1; }

has() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif has sudo; then sudo "$@"
  else die "this needs root: $*"; fi
}

# Installs packages. The lists are fetched only if the first try fails: on most machines they are there.
apt_install() {
  has apt-get || die "please install: $*"
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends)
  echo "installing $*" >&2
  as_root "${install[@]}" "$@" >/dev/null 2>&1 </dev/null && return
  as_root apt-get update -q >/dev/null </dev/null || die "apt-get update failed"
  as_root "${install[@]}" "$@" >/dev/null </dev/null || die "apt-get could not install: $*"
}

# The toolchain that rust-toolchain.toml names, with rustfmt and clippy.
setup_rust() {
  local channel
  channel=$(sed -n 's/^channel = "\(.*\)"$/\1/p' "$root/rust-toolchain.toml")
  if (cd "$root" && cargo clippy --version && cargo fmt --version) >/dev/null 2>&1; then return; fi
  # Debian has rustup as a package from version 13 on, Ubuntu from 24.04 on.
  if ! has rustup; then
    apt-cache show rustup >/dev/null 2>&1 || die "please install Rust with rustup"
    apt_install rustup
  fi
  echo "installing Rust $channel" >&2
  rustup toolchain install "$channel" --profile minimal --component rustfmt --component clippy \
    >/dev/null </dev/null || die "rustup could not install Rust $channel"
}

setup_build() {
  has cc || apt_install gcc libc6-dev
  setup_rust
}

# The Python packages that judge our output. Once they are there the network is not asked again.
setup_python() {
  local home=$cache/python wanted=$root/scripts/requirements.txt
  if cmp -s "$wanted" "$home/requirements.txt" \
    && "$home/bin/python3" -c 'import dissect.hypervisor, dissect.ntfs' 2>/dev/null; then return; fi
  echo "installing $(grep -c == "$wanted") Python packages" >&2
  mkdir -p "$cache"
  python3 -m venv --clear "$home" || die "python3 could not make an environment in $home"
  "$home/bin/python3" -m pip install --quiet --no-input --disable-pip-version-check --no-deps \
    --requirement "$wanted" </dev/null || die "pip could not install scripts/requirements.txt"
  # Copied last: it says that all of it is there.
  cp "$wanted" "$home/requirements.txt"
}

# Programs and the packages they come from; g++ builds libFuzzer.
setup_tests() {
  local missing=() program package
  while read -r program package; do
    has "$program" || missing+=("$package")
  done <<'LIST'
cc gcc
c++ g++
git git
wimlib-imagex wimtools
mkntfs ntfs-3g
fusermount3 fuse3
setfattr attr
setfacl acl
python3 python3
mkfs.ext4 e2fsprogs
sfdisk fdisk
sgdisk gdisk
parted parted
mkfs.vfat dosfstools
mcopy mtools
strace strace
/usr/bin/time time
/bin/kill procps
qemu-img qemu-utils
qemu-io qemu-utils
vhdiinfo libvhdi-utils
vhdimount libvhdi-utils
bzip2 bzip2
xz xz-utils
fls sleuthkit
grub-mkimage grub-common
LIST
  [ -e /usr/lib/grub/i386-pc/boot.img ] || missing+=(grub-pc-bin)
  # Together: a newer one of the first makes apt remove an older one of the second.
  has qemu-system-x86_64 || missing+=(qemu-system-x86 seabios qemu-utils)
  # Debian cuts this module out of Python's own library.
  python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
  has 7zz || has 7z || missing+=("$(apt-cache show 7zip >/dev/null 2>&1 && echo 7zip || echo p7zip-full)")
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
  setup_python
  setup_rust
}
