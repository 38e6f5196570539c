#!/usr/bin/env bash
# demo.sh IMPRINT: what Imprint does, on a small Windows-like tree, each step with its time.
#
# Captures two versions of the tree into one WIM, shows what single instancing saved, verifies the
# WIM, applies both versions and compares them with the originals. Then a disk with the tree becomes a
# VHDX with a child that takes the changes of one PC, and is reset.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
imprint=$1
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/imprint
work=$(mktemp -d "${TMPDIR:-/tmp}/imprint-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Small packages that hold real PE files. They are unpacked, not installed.
packages=(libgcrypt-mingw-w64-dev libz-mingw-w64 nsis-common python3-distlib systemd-boot-efi)

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# Runs a step and prints how long it took.
step() {
  local title=$1 began ended
  shift
  say "$title"
  printf '$ %s\n' "$*" | sed "s#$work/##g; s#$imprint#imprint#"
  began=$(date +%s%N)
  "$@" || { printf 'error: the step failed with code %s\n' $? >&2; exit 1; }
  ended=$(date +%s%N)
  awk -v t=$((ended - began)) 'BEGIN { printf "  %.2f s\n", t / 1e9 }'
}

megabytes() { awk -v n="$1" 'BEGIN { printf "%.1f MB", n / 1e6 }'; }

fetch() {
  local package
  mkdir -p "$cache/demo"
  cd "$cache/demo"
  for package in "${packages[@]}"; do
    compgen -G "${package}_*.deb" >/dev/null && continue
    # A machine set up from an image may have no package lists yet.
    apt-get download -q "$package" >/dev/null 2>&1 \
      || { [ "$(id -u)" = 0 ] && apt-get update -q >/dev/null && apt-get download -q "$package" >/dev/null 2>&1; } \
      || { echo "error: cannot download the package $package" >&2; exit 1; }
  done
}

# Builds v1: the packages' files where Windows has its own, some of them as hard links or copies, as
# the component store of Windows does.
build_tree() {
  local tree=$work/v1 package file name count=0
  mkdir -p "$work/unpacked" "$tree"/Windows/{System32,SysWOW64,WinSxS,Boot/EFI} "$tree/Users/Public/Documents"
  for package in "${packages[@]}"; do
    dpkg-deb -x "$cache/demo/${package}"_*.deb "$work/unpacked"
  done
  cp "$work"/unpacked/usr/x86_64-w64-mingw32/{bin,lib}/*.{exe,dll} "$tree/Windows/System32/" 2>/dev/null || true
  cp "$work"/unpacked/usr/i686-w64-mingw32/{bin,lib}/*.{exe,dll} "$tree/Windows/SysWOW64/" 2>/dev/null || true
  cp "$work"/unpacked/usr/lib/systemd/boot/efi/*.efi "$tree/Windows/Boot/EFI/"
  mkdir -p "$tree/Program Files/Python/Lib" "$tree/Program Files (x86)/NSIS"
  cp -r "$work"/unpacked/usr/lib/python3/dist-packages/distlib "$tree/Program Files/Python/Lib/"
  cp -r "$work"/unpacked/usr/share/nsis/. "$tree/Program Files (x86)/NSIS/"
  cp -rL "$work"/unpacked/usr/share/doc "$tree/Users/Public/Documents/" 2>/dev/null || true
  find "$tree" -type l -delete
  for file in "$tree"/Windows/System32/*; do
    count=$((count + 1))
    name=amd64_$(basename "$file")_31bf3856ad364e35_10.0.$count
    mkdir "$tree/Windows/WinSxS/$name"
    if [ $((count % 2)) = 0 ]; then ln "$file" "$tree/Windows/WinSxS/$name/"; else cp "$file" "$tree/Windows/WinSxS/$name/"; fi
  done
  # WIM keeps times in steps of 100 ns; whole seconds survive every file system.
  find "$tree" -exec touch -h -d '2026-01-02 03:04:05' {} +
  rm -rf "$work/unpacked"
}

# Builds v2: one file in ten patched, one in twenty-five removed, some renamed and added.
build_second() {
  local tree=$work/v2 file count=0
  cp -a "$work/v1" "$tree"
  find "$tree" -type f | sort >"$work/files"
  while read -r file; do
    count=$((count + 1))
    case $((count % 50)) in
      4 | 14 | 24 | 34 | 44) printf 'patched' | dd of="$file" bs=1 seek=$(($(stat -c %s "$file") / 2)) conv=notrunc status=none ;;
      7 | 32) rm "$file" ;;
      9) mv "$file" "$file.renamed" ;;
      12) { cat "$file"; echo added; } >"$file.added" ;;
    esac
  done <"$work/files"
  find "$tree" -newermt '2026-01-03' -exec touch -h -d '2026-02-03 04:05:06' {} +
}

# Bytes of all files below the folders; each name counts.
bytes() { find "$@" -type f -printf '%s\n' | awk '{ n += $1 } END { printf "%d", n }'; }

# Bytes of the different contents below the folders, told apart by their SHA-1.
unique_bytes() {
  find "$@" -type f -exec sha1sum {} + | sort -u -k1,1 | cut -c43- | tr '\n' '\0' \
    | xargs -0 stat -c %s | awk '{ n += $1 } END { printf "%d", n }'
}

# What is compared beside the contents: names, types, sizes, times, number of links.
listing() { (cd "$1" && find . -mindepth 1 -printf '%P %y %s %TF %TT %n\n' | sort | sed 's/ d [0-9]* \(.*\) [0-9]*$/ d \1/'); }

compare() {
  diff -r --no-dereference "$1" "$2" && diff <(listing "$1") <(listing "$2") && echo "  equal"
}

saved() {
  local all unique one both
  all=$(bytes "$work/v1" "$work/v2")
  unique=$(unique_bytes "$work/v1" "$work/v2")
  one=$(stat -c %s "$work/one.wim")
  both=$(stat -c %s "$work/demo.wim")
  printf '  files of both versions    %12s\n' "$(megabytes "$all")"
  printf '  different contents        %12s   single instancing leaves out %s\n' "$(megabytes "$unique")" "$(megabytes $((all - unique)))"
  printf '  WIM with version 1        %12s\n' "$(megabytes "$one")"
  printf '  WIM with both versions    %12s   the second costs %s\n' "$(megabytes "$both")" "$(megabytes $((both - one)))"
}

say "Building a sample tree with real PE files"
fetch
build_tree
build_second
echo "  $(find "$work/v1" -type f | wc -l) files, $(find "$work/v1" -type f -exec head -c 2 {} \; | grep -ao MZ | wc -l) of them PE, $(megabytes "$(bytes "$work/v1")")"

step "Capture version 1" "$imprint" capture "$work/v1" "$work/demo.wim" "Version 1" --compress=LZX --check
cp "$work/demo.wim" "$work/one.wim"
step "Append version 2" "$imprint" append "$work/v2" "$work/demo.wim" "Version 2"
step "What is in the WIM" "$imprint" info "$work/demo.wim"
say "What single instancing saved"
saved
step "Verify every byte" "$imprint" verify "$work/demo.wim"
step "Apply version 1" "$imprint" apply "$work/demo.wim" 1 "$work/applied-1"
step "Apply version 2" "$imprint" apply "$work/demo.wim" 2 "$work/applied-2"
step "Compare version 1 with its original" compare "$work/v1" "$work/applied-1"
step "Compare version 2 with its original" compare "$work/v2" "$work/applied-2"

# Changes the disk of one PC as that PC would: through its file system.
change_disk() {
  mkdir -p "$work/mnt"
  "$imprint" disk mount "$work/pc.vhdx" "$work/mnt" --write
  debugfs -w -R "write $work/files desktop.txt" "$work/mnt/disk" 2>/dev/null
  "$imprint" disk unmount "$work/mnt"
}

room() { (cd "$work" && du -h "$@"); }

command -v mke2fs debugfs >/dev/null || { echo "error: the disks need mke2fs: apt-get install e2fsprogs" >&2; exit 1; }
step "A disk with version 1" mke2fs -q -t ext4 -d "$work/v1" "$work/disk.img" 512M
step "As VHDX" "$imprint" disk convert "$work/disk.img" "$work/base.vhdx"
step "A child for one PC: empty, at once" "$imprint" disk child "$work/base.vhdx" "$work/pc.vhdx"
if [ -w /dev/fuse ]; then
  step "The PC writes: mount, change, unmount" change_disk
  step "What it wrote is in the child alone" "$imprint" disk map "$work/pc.vhdx"
else
  say "No /dev/fuse here: the disk cannot be mounted, so nothing is written into the child"
fi
step "Is the chain sound" "$imprint" disk check "$work/pc.vhdx"
step "The room they take" room base.vhdx pc.vhdx
step "The whole chain as one disk" "$imprint" disk flatten "$work/pc.vhdx" "$work/whole.vhdx"
rm "$work/pc.vhdx"
step "Reset: a new child" "$imprint" disk child "$work/base.vhdx" "$work/pc.vhdx"
step "Back to a raw disk" "$imprint" disk convert "$work/pc.vhdx" "$work/back.img"
step "Compare it with the first disk" cmp "$work/disk.img" "$work/back.img"
