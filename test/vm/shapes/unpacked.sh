# Runs when packages of another architecture are unpacked and none of their scripts has run; $1 is the root of the new
# system. Does with this machine's programs what those scripts would do for a system that only boots.
set -eu
root=$1

cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
systemd-sysusers --root="$root"
printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
cp "$root/usr/share/base-files/dot.bashrc" "$root/root/.bashrc"
cp "$root/usr/share/base-files/dot.profile" "$root/root/.profile"
touch "$root/etc/machine-id"
for release in "$root"/usr/lib/modules/*; do depmod --basedir "$root" "${release##*/}"; done
systemctl --root="$root" preset-all
