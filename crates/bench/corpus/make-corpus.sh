#!/usr/bin/env bash
# make-corpus.sh DEST small|large
#
# Builds a Windows-like tree at DEST/SIZE and a slightly changed second version at DEST/SIZE-v2, from
# Debian, Python and npm packages that hold real PE files, fonts, pictures, help and programs. A tree
# that is complete is left alone. Downloads are kept in DEST/.dl (560 MB for large).
#
#   small   3,200 files,  218 MB
#   large  38,600 files, 1692 MB
#
# Needs Debian 12's package lists, pip, npm, unzip and binutils. Versions are pinned, so that figures
# of different days compare; two builds from the same packages are equal byte for byte.
set -euo pipefail
export LC_ALL=C
dest=$(realpath -m "$1")
size=$2
tree=$dest/$size
downloads=$dest/.dl
unpacked=$dest/.x-$size

debian="libwine gnome-icon-theme fonts-dejavu-core fonts-liberation"
wheels64="numpy==2.5.5 pywin32==312"
wheels32=""
npm=""
case $size in
  small) ;;
  large)
    debian+=" mingw-w64-x86-64-dev mingw-w64-i686-dev gcc-mingw-w64-x86-64-win32-runtime"
    debian+=" fonts-noto-core oxygen-icon-theme oxygen-sounds linux-doc-6.1"
    wheels64+=" PySide6_Essentials==6.12.0 PySide6_Addons==6.12.0 scipy==1.18.1"
    wheels64+=" opencv-python==5.0.0.93 pandas==3.1.1 wxPython==4.3.2 pyarrow==26.0.1 pythonnet==3.2.1"
    wheels32="numpy==2.5.5 pywin32==312 wxPython==4.3.2 pillow==13.0.0 cryptography==48.0.1 lxml==6.1.3"
    npm="@esbuild/win32-x64@0.28.2 @swc/core-win32-x64-msvc@1.16.18 7zip-bin-win@2.2.0"
    ;;
  *) echo "error: the size should be small or large, but is $size" >&2; exit 2 ;;
esac

download() {
  local package
  mkdir -p "$downloads"/{deb,whl64,whl32,npm}
  for package in $debian; do
    compgen -G "$downloads/deb/${package}_*" >/dev/null \
      || (cd "$downloads/deb" && apt-get download -q "$package" 2>/dev/null)
  done
  download_wheels win_amd64 whl64 "$wheels64"
  download_wheels win32 whl32 "$wheels32"
  for package in $npm; do
    (cd "$downloads/npm" && npm pack --silent "$package" >/dev/null 2>&1)
  done
}

download_wheels() {
  local package
  for package in $3; do
    pip download -q --platform "$1" --python-version 3.12 --only-binary=:all: --no-deps \
      -d "$downloads/$2" "$package" 2>/dev/null
  done
}

# System32 and its drivers, stripped: real Windows DLLs carry no DWARF. `strip -p` keeps the times
# inside the files.
put_system() {
  local system=$tree/Windows/System32
  cp "$unpacked"/usr/lib/x86_64-linux-gnu/wine/x86_64-windows/* "$system"/
  [ "$size" = large ] || rm -f "$system"/[n-z]*
  find "$system" -type f -print0 | xargs -0 -n 40 strip -p --strip-debug 2>/dev/null || true
  mv "$system"/*.sys "$system"/drivers/ 2>/dev/null || true
}

# The component store: one DLL in four is there as a hard link, one in six as a copy.
put_component_store() {
  local count=0 file folder
  for file in "$tree"/Windows/System32/*.dll; do
    count=$((count + 1))
    folder=$tree/Windows/WinSxS/amd64_$(basename "$file" .dll)_31bf3856ad364e35_10.0.$count
    if [ $((count % 4)) = 0 ]; then mkdir "$folder"; ln "$file" "$folder"/
    elif [ $((count % 6)) = 1 ]; then mkdir "$folder"; cp "$file" "$folder"/; fi
  done
}

# put_wheels FROM TO "NAME==VERSION ..."
put_wheels() {
  local package name
  for package in $3; do
    name=$(echo "${package%%==*}" | tr 'A-Z-' 'a-z_')
    unzip -qo "$(find "$downloads/$1" -name '*.whl' | grep -i "/${name}-${package##*==}-")" -d "$2"
  done
}

put_tools() {
  local package folder
  for package in "$downloads"/npm/*.tgz; do
    folder="$tree/Program Files/Tools/$(basename "$package" .tgz)"
    mkdir -p "$folder"
    tar xzf "$package" -C "$folder"
  done
  for folder in x86_64-w64-mingw32 i686-w64-mingw32 gcc; do
    [ ! -d "$unpacked/usr/lib/$folder" ] || cp -rL "$unpacked/usr/lib/$folder" "$tree/Program Files/Tools/lib-$folder"
    [ ! -d "$unpacked/usr/$folder" ] || cp -r "$unpacked/usr/$folder" "$tree/Program Files/Tools/$folder"
  done
  mkdir -p "$tree/Windows/Help"
  cp -r "$unpacked"/usr/share/doc/linux-doc*/* "$tree/Windows/Help/"
  cp -r "$unpacked"/usr/share/sounds/* "$tree/Windows/Media/"
}

build() {
  local package python64 python32
  python64="$tree/Program Files/Python312/Lib/site-packages"
  python32="$tree/Program Files (x86)/Python312/Lib/site-packages"
  mkdir -p "$unpacked" "$tree"/Windows/{System32/drivers,Fonts,WinSxS,Media,SysWOW64} \
    "$python64" "$python32" "$tree/Program Files/Tools" "$tree/Users/Public/Icons"
  for package in $debian; do dpkg-deb -x "$downloads"/deb/"${package}"_*.deb "$unpacked"; done
  put_system
  find "$unpacked"/usr/share/fonts -type f -exec cp {} "$tree"/Windows/Fonts/ \;
  put_component_store
  put_wheels whl64 "$python64" "$wheels64"
  put_wheels whl32 "$python32" "$wheels32"
  [ "$size" = small ] || put_tools
  cp -r "$unpacked"/usr/share/icons/* "$tree/Users/Public/Icons/"
  rm -rf "$unpacked"
  find "$tree" -type l -delete
  find "$tree" -empty -type d -delete
  [ "$size" = large ] || rm -rf "$tree"/Users/Public/Icons/gnome/{256x256,48x48,32x32}
}

# The second version: one file in 50 patched by a few bytes, one in 100 removed, one in 200 renamed,
# one in 100 added as a near copy.
build_second() {
  local file list=$dest/.list-$size
  cp -a "$tree" "$tree-v2"
  cd "$tree-v2"
  find . -type f | sort >"$list"
  every() { awk "NR % $1 == $2" "$list"; }
  every 50 7 | while read -r file; do
    # Written to a copy, so that the other names of a hard-linked file keep their contents.
    cp "$file" "$file.t"
    printf 'patched %s' "$file" \
      | dd of="$file.t" bs=1 seek=$(($(stat -c %s "$file") / 2)) conv=notrunc status=none
    mv -f "$file.t" "$file"
  done
  every 100 13 | while read -r file; do rm "$file"; done
  every 200 51 | while read -r file; do mv "$file" "$file.new"; done
  every 100 77 | while read -r file; do { cat "$file"; echo "added $file"; } >"$file.added"; done
  rm "$list"
}

if [ -e "$dest/.done-$size" ]; then exit 0; fi
rm -rf "$tree" "$tree-v2" "$unpacked"
download
build
build_second
touch "$dest/.done-$size"
for version in "$tree" "$tree-v2"; do
  echo "$version: $(find "$version" -type f | wc -l) files," \
    "$(find "$version" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }') bytes"
done
