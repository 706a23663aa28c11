# shellcheck shell=bash
# From a kernel SPEC to an image and an initramfs that boots it. Sourced after scripts/common.sh.
#
# SPEC is a path to an image that has everything built in, or the name of a Debian kernel: `stock` is the
# distribution's default one, `stock-6.12` its 6.12.

VM_CACHE=$CACHE/vm

# What a Debian kernel has as modules; an image given by path has all this built in. Loaded in this order.
STOCK_MODULES=(virtio_pci 9pnet_virtio 9p virtio_console vfio_iommu_type1 vfio-pci e1000 kvm-intel kvm-amd)

# prepare_kernel SPEC: sets KERNEL_IMAGE and INITRAMFS.
# shellcheck disable=SC2034 # vm/run reads them
prepare_kernel() {
    case $1 in
        stock) prepare_stock_kernel stock linux-image-amd64 ;;
        stock-*) prepare_stock_kernel "$1" "linux-image-${1#stock-}-amd64" ;;
        *)
            [[ -f $1 && -r $1 ]] || fail "no such kernel image: $1"
            KERNEL_IMAGE=$1
            prepare_initramfs built-in
            ;;
    esac
}

# prepare_stock_kernel NAME META_PACKAGE
# shellcheck disable=SC2034
prepare_stock_kernel() {
    # Named by what is taken from the package, so a changed list makes a new directory.
    local directory
    directory=$VM_CACHE/$1-$(sha256sum <<<"${STOCK_MODULES[*]}" | cut -c 1-12)
    need_commands depmod=kmod xz=xz-utils zstd=zstd
    cached "$directory" fetch_kernel "$2"
    KERNEL_IMAGE=$directory/kernel
    prepare_initramfs "$(basename "$directory")" "$directory/modules"
}

# fetch_kernel META_PACKAGE DIRECTORY: the image `kernel` and modules/, without installing anything.
fetch_kernel() {
    local package download=$2/download
    mkdir -p "$download/root"
    package=$(kernel_package "$1")
    say "fetching kernel package $package (once)"
    fetch_package "$package" "$download"
    dpkg-deb -x "$download"/*.deb "$download/root"
    unpack_image "$download"/root/boot/vmlinuz-* "$2/kernel"
    select_modules "$download/root" "$2/modules"
    rm -rf "$download"
}

# kernel_package META_PACKAGE: the package with the kernel itself.
kernel_package() {
    local package
    has apt-cache || fail "Debian's kernel $1 comes with apt, which this machine lacks: give a kernel image by path"
    [[ -n $(apt-cache search --names-only "^$1\$") ]] || refresh_package_lists
    package=$(apt-cache depends --no-recommends --no-suggests "$1" 2>/dev/null |
        awk '$1 == "Depends:" && $2 ~ /^linux-image-/ && !found++ { print $2 }')
    [[ -n $package ]] || fail "apt knows no kernel package $1 (is apt-get update due?)"
    printf '%s\n' "$package"
}

# fetch_package PACKAGE DIRECTORY. The lists may name a version that the archive has replaced: then once more
# with fresh ones. apt warns that its own user cannot write there; that is harmless.
fetch_package() (
    cd "$2" || exit
    apt-get download -q "$1" >/dev/null 2>&1 || {
        refresh_package_lists
        logged "apt-get download $1" apt-get download -q "$1"
    }
)

# unpack_image IMAGE FILE: the ELF kernel inside a compressed one, which QEMU starts directly. An emulated CPU
# takes 4 to 8 seconds to unpack it at each boot. Where the packing or the kernel does not allow this, the
# image stays as it is. (The x86 boot protocol's header says where the payload lies.)
unpack_image() {
    local image=$1 setup_sectors offset length unpack
    setup_sectors=$(image_field "$image" 497 1)
    offset=$(((setup_sectors + 1) * 512 + $(image_field "$image" 584 4)))
    length=$(image_field "$image" 588 4)
    case $(od -A n -t x1 -j "$offset" -N 2 "$image") in
        ' fd 37') unpack=(xz -dc --single-stream) ;;
        ' 28 b5') unpack=(zstd -dc) ;;
        *) unpack=(false) ;;
    esac
    # The payload ends with its unpacked size, 4 bytes that are no part of the stream.
    tail -c "+$((offset + 1))" "$image" | head -c "$((length - 4))" | "${unpack[@]}" >"$2" || true
    has_pvh_entry "$2" || cp "$image" "$2"
}

# QEMU needs the address that a Xen note of type 18 gives (PVH boot).
has_pvh_entry() {
    LC_ALL=C grep -q -a -P '\x12\x00\x00\x00Xen\x00' "$1"
}

# image_version IMAGE: what `uname -r` says there.
image_version() {
    local version
    version=$(dd if="$1" bs=1 skip="$(($(image_field "$1" 526 2) + 512))" count=64 status=none | tr '\0' ' ')
    printf '%s' "${version%% *}"
}

# image_field IMAGE OFFSET BYTES: an unsigned little-endian number of the header.
image_field() {
    od -A n -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# select_modules ROOT DIRECTORY: the modules of STOCK_MODULES and all they need, uncompressed, and the file
# `load` that lists them in loading order. So the guest needs no module tools and reads no dependency file.
select_modules() {
    local root=$1 version module path
    version=$(basename "$root"/lib/modules/*)
    depmod -b "$root" "$version"
    mkdir "$2"
    for module in "${STOCK_MODULES[@]}"; do
        # An empty answer is a feature that this kernel has built in.
        modprobe -d "$root" -S "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | awk '!seen[$0]++' | while read -r path; do
        module=$(basename "$path" .xz)
        case $path in
            *.xz) xz -dc "$path" >"$2/$module" ;;
            *) cp "$path" "$2/$module" ;;
        esac
        printf '%s\n' "$module" >>"$2/load"
    done
}

# prepare_initramfs NAME [MODULES_DIRECTORY]: named by what is in it, so a changed init makes a new one.
prepare_initramfs() {
    local name=$1 modules=${2-} busybox version
    busybox=$(command -v busybox)
    version=$(cat "$PROJECT/vm/init" "$busybox" | sha256sum | cut -c 1-12)
    INITRAMFS=$VM_CACHE/initramfs-$name-$version
    cached "$INITRAMFS" make_initramfs "$busybox" "$modules"
}

# make_initramfs BUSYBOX MODULES_DIRECTORY FILE. Not compressed: an emulated CPU unpacks slowly.
make_initramfs() {
    local root=$3.root
    # A dynamically linked busybox would not even start: its C library is not there yet.
    if [[ $(ldd "$1" 2>/dev/null) == *'=>'* ]]; then
        fail "$1 is dynamically linked; please install busybox-static"
    fi
    rm -rf "$root"
    mkdir -p "$root/vm/bin" "$root/vm/modules"
    cp "$1" "$root/vm/bin/busybox"
    install -m 755 "$PROJECT/vm/init" "$root/init"
    [[ -z $2 ]] || cp "$2"/* "$root/vm/modules"
    # The guest's root directory gets the mode of this one; programs look askance at a writable root.
    chmod 755 "$root"
    (cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$3"
    rm -rf "$root"
}
