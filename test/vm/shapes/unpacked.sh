# Runs when packages for arm64 are unpacked and none of their scripts has run; $1 is the root of the new system. Does what
# those scripts would do for a system that only boots, with the system's own programs, under qemu-user(1).
set -eu
root=$1
own() { # own PROGRAM ARGUMENT...
  program=$1
  shift
  qemu-aarch64 -L "$root" -0 "${program##*/}" "$root/$program" "$@"
}

cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
own usr/bin/systemd-sysusers --root="$root"
printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
cp "$root/usr/share/base-files/dot.bashrc" "$root/root/.bashrc"
cp "$root/usr/share/base-files/dot.profile" "$root/root/.profile"
touch "$root/etc/machine-id"
for release in "$root"/usr/lib/modules/*; do own usr/sbin/depmod --basedir "$root" "${release##*/}"; done
own usr/bin/systemctl --root="$root" preset-all
