/** The rules by which a difference counts for the digest, or does not, and the ways that such differences come about. */

/** What a rule says: in one clause, and what to do about it if the two are meant to be equal. */
export interface Rule {
  readonly title: string;
  readonly remedy?: string;
}

const UNPACK = "unpack as root with tar --numeric-owner --xattrs --xattrs-include='*' -p, or sealroot repo extract";

export const RULES = {
  // Times
  "directory-time-unlisted": {
    title: "a layer changed the directory without an entry for it: unpacking sets its time, merging layers does not",
    remedy: "let the layer list every directory that it changes, with its metadata",
  },
  "directory-time-returned": {
    title: "an archive comes back to the directory after an entry outside of it: unpackers had set its time by then",
    remedy: "write the archive directory by directory, as a walk of the tree",
  },
  "directory-time-changed": {
    title: "names in the directory differ, and adding or removing one sets its time",
  },
  "nanoseconds-dropped": {
    title: "one side has whole seconds: a tool dropped the nanoseconds, which count in images of version 1",
    remedy: "write times as PAX records, or give all files whole seconds before the digest is computed",
  },
  "time-clamped": {
    title: "a file system cannot hold the time and took the nearest that it can",
    remedy: "give the file a time between 1970 and 2038",
  },
  time: {
    title: "the time a file was last changed is part of the digest",
    remedy: "build with SOURCE_DATE_EPOCH, and keep times when files are copied",
  },
  "emptied-directory-time": {
    title: "/run, /boot and /sysroot get the time of /usr, which differs, or by another rule (--boot-times)",
  },
  // Owners and modes
  "owner-builder": {
    title: "everything on one side belongs to one user: it was unpacked without root",
    remedy: UNPACK,
  },
  "owner-root": {
    title: "everything on one side belongs to root: owners became 0 when it was copied, or the other side has another",
    remedy: UNPACK,
  },
  owner: { title: "owner and group are part of the digest, by number" },
  "mode-umask": {
    title: "the umask of whoever unpacked took permission bits away",
    remedy: UNPACK,
  },
  "mode-setid-lost": {
    title: "set-user-id and set-group-id bits are lost when the owner is changed after the mode (chown(2))",
    remedy: "set the owner first, then the mode",
  },
  "mode-symlink": {
    title: "an archive states permission bits of a symbolic link; on Linux every link has 0777",
    remedy: "write links with mode 0777 into archives",
  },
  mode: { title: "permission bits are part of the digest" },
  // Extended attributes
  "xattr-capability": {
    title: "security.capability is part of the digest, and tools drop it unless told to keep it",
    remedy: UNPACK,
  },
  "xattr-user": {
    title: "user.* attributes are part of the digest by the rule that keeps them (--xattrs keep-user-xattrs)",
    remedy: "compute both digests by the same rule",
  },
  "selinux-policy": {
    title: "SELinux labels come from the policy of the image itself, and the policies say something else here",
    remedy: "compare /etc/selinux on both sides",
  },
  "xattr-overlay": {
    title: "an attribute of the overlay file system: an upper directory was read as if it were the merged tree",
    remedy: "read the merged mount, not its upper directory",
  },
  xattr: { title: "extended attributes are part of this tree" },
  // Names
  "whiteout-file": {
    title: "a whiteout of a layer is there as a file: the layers were unpacked one over the other without applying it",
    remedy: "unpack with a tool that knows OCI layers, such as sealroot repo extract, umoci or podman",
  },
  "whiteout-not-applied": {
    title: "a layer removes the path with a whiteout, and here it is still there",
    remedy: "unpack with a tool that knows OCI layers, such as sealroot repo extract, umoci or podman",
  },
  "whiteout-overlay": {
    title: "a whiteout of the overlay file system (a character device 0:0): an upper directory was read",
    remedy: "read the merged mount, not its upper directory",
  },
  "name-bytes": {
    title: "the same name in other bytes: a file system or a tool changed its case, its normal form or its encoding",
    remedy: "unpack on a case-sensitive file system that keeps names as bytes, such as ext4",
  },
  "usr-etc": {
    title: "/etc and /usr/etc: ostree tools keep the image's /etc in the other place",
    remedy: "commit the image with /etc",
  },
  "kernel-in-modules": {
    title: "kernel and initramfs below /usr/lib/modules are part of the digest until they are split from the root",
    remedy: "compute the digest after the kernel is taken out (sealroot seal does)",
  },
  "builder-file": {
    title: "a builder's own file: it was mounted over the image while a command ran, and left its place",
    remedy: "remove it in the layer that leaves it",
  },
  socket: {
    title: "a socket: archives have no entry for one, directories do",
    remedy: "remove it: a program makes it again when it starts",
  },
  entry: { title: "every name is part of the digest" },
  type: { title: "what kind of file it is, is part of the digest" },
  // Contents
  "content-inline": {
    title: "the same content, kept in the image by one side and named by its digest on the other",
    remedy: "make both images with the same tool",
  },
  content: { title: "contents are part of the digest" },
  size: { title: "the size of a file is part of the digest" },
  target: { title: "where a link leads is part of the digest" },
  device: { title: "major and minor number are part of the digest" },
  // Hard links
  "hard-link-copied": {
    title: "names that share an inode on one side are copies of each other on the other: a tool wrote them apart",
    remedy: "copy with cp -a, rsync -H or tar, which keep hard links",
  },
  "hard-link-labels": {
    title: "names of one inode get different labels by the policy, and each its own inode",
  },
  "hard-link": { title: "which names share an inode is part of the digest" },
  // The root
  "root-from-usr": { title: "the root has the owner, mode, time and attributes of /usr, which differ" },
  // What does not count
  "not-counted-boot": { title: "what is below /boot and /sysroot is not part of the digest of a boot image" },
  "not-counted-run": { title: "what is below /run is not part of the digest" },
  "not-counted-root": { title: "the root's own owner, mode, time and attributes do not count: it has those of /usr" },
  "not-counted-emptied": { title: "the time of /run, /boot and /sysroot does not count: they get that of /usr" },
  "not-counted-xattr": { title: "of extended attributes only security.capability counts" },
  "not-counted-label": { title: "labels do not count: an image has those of its own policy, or none" },
  "not-counted-nanoseconds": { title: "images of version 2 hold whole seconds" },
  "not-counted-hard-link": { title: "the names get inodes of their own by their labels" },
} as const satisfies Readonly<Record<string, Rule>>;

export type RuleName = keyof typeof RULES;
