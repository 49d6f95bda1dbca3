# Runs after all packages are installed; $1 is the root of the new system. Turns a plain Debian tree into the layout of
# a bootable image: everything that belongs to the system under /usr (and /etc), /var filled at boot by tmpfiles.d,
# /boot and /sysroot empty.
set -eu
root=$1

# --- kernel: beside its modules, where sealing (and bootc) look for it; no second copy in /boot.
for image in "$root"/boot/vmlinuz-*; do
  release=${image##*/vmlinuz-}
  mv "$image" "$root/usr/lib/modules/$release/vmlinuz"
  mv "$root/boot/config-$release" "$root/usr/lib/modules/$release/config"
  rm -f "$root/boot/System.map-$release"
done
find "$root/boot" -mindepth 1 -delete
rm -f "$root"/vmlinuz "$root"/vmlinuz.old "$root"/initrd.img "$root"/initrd.img.old

# --- state of the package tools: describes /usr, so it lives there and changes with it; /var holds links.
sysimage=$root/usr/lib/sysimage
tmpfiles=$root/usr/lib/tmpfiles.d/image-var.conf
mkdir -p "$sysimage"
echo '# What /var and the places linked into it need; written when the image was built.' >"$tmpfiles"
for state in lib/dpkg lib/pam cache/debconf lib/systemd/deb-systemd-helper-enabled; do
  [ -d "$root/var/$state" ] || continue
  mv "$root/var/$state" "$sysimage/${state##*/}"
  up=$(printf '%s' "$state" | sed 's,[^/]*,..,g')
  ln -s "$up/usr/lib/sysimage/${state##*/}" "$root/var/$state"
  echo "L /var/$state - - - - $up/usr/lib/sysimage/${state##*/}" >>"$tmpfiles"
done
rm -f "$sysimage"/dpkg/*-old "$sysimage"/debconf/*-old

# --- /home, /root, /srv, /opt, /usr/local: writable, so in /var; the image has links.
link_into_var() { # link_into_var PATH TARGET-BELOW-VAR MODE
  rm -rf "${root:?}/$1"
  up=$(printf '%s' "$1" | sed 's,[^/]*$,,; s,[^/]*/,../,g')
  ln -s "${up}var/$2" "$root/$1"
  echo "d /var/$2 $3 root root -" >>"$tmpfiles"
}
mkdir -p "$root/usr/share/factory/roothome"
cp -a "$root/root/.bashrc" "$root/root/.profile" "$root/usr/share/factory/roothome/"
link_into_var home home 0755
link_into_var root roothome 0700
link_into_var srv srv 0755
link_into_var opt opt 0755
link_into_var usr/local usrlocal 0755
for name in bin etc games include lib sbin share src; do
  echo "d /var/usrlocal/$name 0755 root root -" >>"$tmpfiles"
done
for name in .bashrc .profile; do
  echo "C /var/roothome/$name - - - - /usr/share/factory/roothome/$name" >>"$tmpfiles"
done

# --- what is left in /var: logs, caches and lock files go; directories are described to tmpfiles.d unless a package
# has done so, and made at boot.
find "$root/var" -mindepth 1 -type f -delete
find "$root/var" -mindepth 1 -type d -printf '%m %U %G /var/%P\n' | sort -k 4 |
  while read -r mode uid gid path; do
    grep -qsE "^[a-zA-Z]+[^ 	]*[ 	]+$path([ 	]|\$)" "$root"/usr/lib/tmpfiles.d/*.conf ||
      echo "d $path 0$mode $uid $gid -" >>"$tmpfiles"
  done

# --- first boot: an identity of its own for every machine, no questions on the console.
echo uninitialized >"$root/etc/machine-id"
rm -f "$root/etc/hostname" "$root"/etc/ssh/ssh_host_*_key* "$root/etc/.pwd.lock"
rm -f "$root"/etc/passwd- "$root"/etc/group- "$root"/etc/shadow- "$root"/etc/gshadow-
echo LANG=C.UTF-8 >"$root/etc/locale.conf"
mkdir -p "$root/etc/systemd/system"
ln -sf /dev/null "$root/etc/systemd/system/systemd-firstboot.service"

# --- network: every card asks for an address, and only who waits for the network waits. No resolver's answers from the
# machine that builds.
mkdir -p "$root/usr/lib/systemd/network"
printf '[Match]\nType=ether\nKind=!*\n\n[Network]\nDHCP=yes\n' >"$root/usr/lib/systemd/network/80-ethernet.network"
enable() { # enable UNIT TARGET
  mkdir -p "$root/usr/lib/systemd/system/$2.wants"
  ln -sfn "../$1" "$root/usr/lib/systemd/system/$2.wants/$1"
}
enable systemd-networkd.service multi-user.target
enable systemd-networkd-wait-online.service network-online.target
enable systemd-resolved.service multi-user.target
ln -sfn ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"

# --- which images this host accepts: any, until its owner says whose signatures he demands (docs/images.md). Only a UKI
# signed with the machine's Secure Boot key starts.
mkdir -p "$root/etc/containers"
printf '{\n  "default": [{ "type": "insecureAcceptAnything" }]\n}\n' >"$root/etc/containers/policy.json"

# --- the boot layout: the physical root appears on /sysroot; bootc and its lint look for the link and the file.
mkdir -p "$root/sysroot" "$root/usr/lib/ostree" "$root/usr/lib/bootc/kargs.d"
ln -sfn sysroot/ostree "$root/ostree"
printf '[composefs]\nenabled = yes\n' >"$root/usr/lib/ostree/prepare-root.conf"
# Kernel arguments of this image; the console that virtual machines show comes last and becomes /dev/console.
cat >"$root/usr/lib/bootc/kargs.d/10-console.toml" <<KARGS
kargs = ["console=tty0", "console=ttyS0"]
match-architectures = ["x86_64"]
KARGS

# /run and /tmp are emptied by mmdebstrap, which still has files of its own there now.
