# Runs after the essential packages are installed and before the rest; $1 is the root of the new system.
#
# Debian's kernel packages depend on a program that generates an initramfs. This system gets its initramfs when it is
# sealed, so an empty package says that the need is met; nothing is generated, and no generator is installed.
set -eu
root=$1

package=$root/tmp/initramfs-by-sealroot
mkdir -p "$package/DEBIAN"
cat >"$package/DEBIAN/control" <<CONTROL
Package: initramfs-by-sealroot
Version: 1
Architecture: all
Maintainer: sealroot example <nobody@localhost>
Section: kernel
Priority: optional
Provides: linux-initramfs-tool
Description: stands for the initramfs that sealroot adds when it seals the image
CONTROL
chroot "$root" dpkg-deb --build /tmp/initramfs-by-sealroot /tmp/initramfs-by-sealroot.deb >/dev/null
chroot "$root" dpkg --install /tmp/initramfs-by-sealroot.deb >/dev/null
rm -r "$package" "$package.deb"
