/** Differences that are planted, each named with its path, its field and the rule that makes it count. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ByteString, byteStringOfText } from "../../src/bytes/index.ts";
import {
  type DirectoryNode,
  type FileNode,
  type Metadata,
  newDirectory,
  newMetadata,
  type TreeNode,
  walkTree,
} from "../../src/tree/index.ts";
import { at, diffOf, directory, file, folder, type Planted, rename } from "./planted.ts";

const TIME = "2023-11-14T22:13:20.000000005Z";

interface Case extends Planted {
  /** The lines about differences, as printed. */
  readonly says: readonly string[];
  /** The digests are the same. */
  readonly isEqual?: boolean;
}

const change = (path: string, fields: Partial<Metadata>) => (root: DirectoryNode) => {
  Object.assign(at(root, path).metadata, fields);
};
const later = (path: string) => change(path, { mtimeSeconds: 1_700_000_009n });
const put = (root: DirectoryNode, path: string, node: TreeNode) => {
  const slash = path.lastIndexOf("/");
  folder(root, path.slice(0, slash)).entries.set(byteStringOfText(path.slice(slash + 1)), node);
};
const everywhere = (alter: (metadata: Metadata, node: TreeNode) => void) => (root: DirectoryNode) => {
  for (const { node } of walkTree(root)) alter(node.metadata, node);
};
const withXattr = (path: string, name: string, value: string) => (root: DirectoryNode) => {
  const { metadata } = at(root, path);
  metadata.xattrs = new Map([...metadata.xattrs, [name as ByteString, Buffer.from(value)]]);
};
const emptyFile = (): FileNode => ({
  kind: "file",
  metadata: newMetadata({ mode: 0o644, mtimeSeconds: 1_700_000_000n, mtimeNanoseconds: 5 }),
  content: { type: "inline", bytes: new Uint8Array() },
});

const CASES: Readonly<Record<string, Case>> = {
  "a directory that a later layer changes without an entry for it": {
    layers: [[file("usr/lib/system/c", "c")]],
    commands: ["RUN touch\n  /usr/lib/system/c"],
    unpacked: later("/usr/lib/system"),
    says: [
      "/usr/lib/system",
      `  mtime: ${TIME} → 2023-11-14T22:13:29.000000005Z  (directory-time-unlisted)`,
      '    A: layer 2 (RUN touch /usr/lib/system/c) has "/usr/lib/system/c"',
    ],
  },
  "a directory from which a later layer removes something without an entry for it": {
    layers: [[file("usr/share/.wh.old")]],
    unpacked: later("/usr/share"),
    says: [
      "/usr/share",
      `  mtime: ${TIME} → 2023-11-14T22:13:29.000000005Z  (directory-time-unlisted)`,
      '    A: layer 2 has "/usr/share/.wh.old"',
    ],
  },
  "an archive that comes back to a directory after a sibling": {
    layers: [
      [
        ...["usr", "usr/lib", "usr/lib/system"].map((path) => directory(path)),
        file("usr/lib/system/x", "x"),
        directory("usr/lib/system-preset"),
        file("usr/lib/system-preset/y", "y"),
        file("usr/lib/system/z", "z"),
      ],
    ],
    unpacked: later("/usr/lib/system"),
    says: [
      "/usr/lib/system",
      `  mtime: ${TIME} → 2023-11-14T22:13:29.000000005Z  (directory-time-returned)`,
      '    A: layer 2 has "/usr/lib/system/z"',
    ],
  },
  "a file that was added, and the time of its directory": {
    unpacked: (root) => {
      put(root, "/usr/share/new", emptyFile());
      later("/usr/share")(root);
    },
    says: [
      "/usr/share",
      `  mtime: ${TIME} → 2023-11-14T22:13:29.000000005Z  (directory-time-changed)`,
      "/usr/share/new",
      "  entry: none → file of 0 bytes  (entry)",
    ],
  },
  "a file that was added to a directory that a later layer had changed without an entry for it": {
    layers: [[file("usr/lib/system/c", "c")]],
    unpacked: (root) => {
      put(root, "/usr/lib/system/new", emptyFile());
      later("/usr/lib/system")(root);
    },
    says: [
      "/usr/lib/system",
      `  mtime: ${TIME} → 2023-11-14T22:13:29.000000005Z  (directory-time-changed)`,
      "/usr/lib/system/new",
      "  entry: none → file of 0 bytes  (entry)",
    ],
  },
  "nanoseconds that were dropped": {
    unpacked: change("/usr/bin/ping", { mtimeNanoseconds: 0 }),
    says: [
      "/usr/bin/ping",
      `  mtime: ${TIME} → 2023-11-14T22:13:20Z  (nanoseconds-dropped)`,
      "    B has whole seconds here",
    ],
  },
  "nanoseconds that do not count in version 2": {
    unpacked: change("/usr/bin/ping", { mtimeNanoseconds: 0 }),
    options: ["--erofs-version", "v2"],
    isEqual: true,
    says: ["/usr/bin/ping", `  mtime: ${TIME} → 2023-11-14T22:13:20Z  (not-counted-nanoseconds)`],
  },
  "a time that a file system could not hold": {
    layers: [[file("usr/share/far", "", { mtimeSeconds: 2n ** 36n, mtimeNanoseconds: 0 }), directory("usr/share")]],
    unpacked: change("/usr/share/far", { mtimeSeconds: 15_032_385_535n }),
    says: [
      "/usr/share/far",
      "  mtime: 4147-08-20T07:32:16Z → 2446-05-10T22:38:55Z  (time-clamped)",
      "    A: from layer 2",
    ],
  },
  "another time": {
    unpacked: later("/usr/bin/ping"),
    says: ["/usr/bin/ping", `  mtime: ${TIME} → 2023-11-14T22:13:29.000000005Z  (time)`],
  },
  "a capability that was dropped": {
    unpacked: change("/usr/bin/ping", { xattrs: new Map() }),
    says: [
      "/usr/bin/ping",
      "  xattr security.capability: 0x0100000200200000000000000000000000000000 → none  (xattr-capability)",
    ],
  },
  "attributes that do not count": {
    unpacked: (root) => {
      withXattr("/usr/bin/sh", "user.note", "x")(root);
      withXattr("/usr/bin/sh", "security.selinux", "system_u:object_r:bin_t:s0\0")(root);
      withXattr("/usr/lib", "trusted.overlay.opaque", "y")(root);
    },
    isEqual: true,
    says: [
      "/usr/bin/sh",
      '  xattr security.selinux: none → "system_u:object_r:bin_t:s0"+NUL  (not-counted-label)',
      '  xattr user.note: none → "x"  (not-counted-xattr)',
      "/usr/lib",
      '  xattr trusted.overlay.opaque: none → "y"  (not-counted-xattr)',
    ],
  },
  "user attributes by the rule that keeps them": {
    unpacked: (root) => {
      withXattr("/usr/bin/sh", "user.note", "x")(root);
      withXattr("/usr/lib", "user.overlay.opaque", "y")(root);
    },
    options: ["--xattrs", "keep-user-xattrs"],
    says: [
      "/usr/bin/sh",
      '  xattr user.note: none → "x"  (xattr-user)',
      "/usr/lib",
      '  xattr user.overlay.opaque: none → "y"  (xattr-overlay)',
    ],
  },
  "a hard link that was copied": {
    unpacked: (root) => {
      const perl = at(root, "/usr/bin/perl") as FileNode;
      put(root, "/usr/bin/perl5", { ...perl, metadata: { ...perl.metadata } });
    },
    says: ["/usr/bin/perl5", "  hard-link: the inode of /usr/bin/perl → an inode of its own  (hard-link-copied)"],
  },
  "a whiteout that was not applied": {
    layers: [[directory("usr/share"), file("usr/share/.wh.old")]],
    commands: ["RUN rm /usr/share/old"],
    unpacked: (root) => put(root, "/usr/share/old", emptyFile()),
    says: [
      "/usr/share/old",
      "  entry: none → file of 0 bytes  (whiteout-not-applied)",
      "    A: layer 2 (RUN rm /usr/share/old) removes it",
    ],
  },
  "a whiteout that is there as a file": {
    unpacked: (root) => put(root, "/usr/share/.wh.old", emptyFile()),
    says: ["/usr/share/.wh.old", "  entry: none → file of 0 bytes  (whiteout-file)"],
  },
  "a whiteout of an overlay": {
    unpacked: (root) => {
      put(root, "/usr/share/old", { kind: "character-device", metadata: newMetadata(), rdev: 0 });
    },
    says: ["/usr/share/old", "  type: file of 3 bytes → character-device 0:0  (whiteout-overlay)"],
  },
  "everything owned by the builder": {
    unpacked: everywhere((metadata) => Object.assign(metadata, { gid: 1000 })),
    options: ["--plain"],
    says: [
      ...["/", "/boot", "/boot/loader.conf", "/etc", "/etc/passwd", "/etc/shadow", "/run", "/sysroot", "/usr"],
      ...["/usr/bin", "/usr/bin/perl", "/usr/bin/ping", "/usr/bin/sh", "/usr/bin/su", "/usr/lib", "/usr/lib/system"],
      ...["/usr/lib/system/a", "/usr/lib/system-preset", "/usr/lib/system-preset/b", "/usr/share"],
      ...["/usr/share/café", "/usr/share/old"],
    ].flatMap((path) => [
      path,
      path === "/"
        ? "  gid: 0 → 1000  (root-from-usr)"
        : `  gid: ${path === "/etc/shadow" ? 42 : 0} → 1000  (owner-builder)`,
    ]),
  },
  "another owner": {
    unpacked: change("/etc/shadow", { gid: 0, uid: 7 }),
    says: ["/etc/shadow", "  uid: 0 → 7  (owner-root)", "  gid: 42 → 0  (owner-root)"],
  },
  "an owner among several": {
    layers: [[file("etc/other", "", { uid: 8 })]],
    unpacked: change("/etc/shadow", { uid: 7 }),
    says: ["/etc/shadow", "  uid: 0 → 7  (owner)"],
  },
  "a mode under a umask": {
    unpacked: change("/usr/bin/ping", { mode: 0o700 }),
    says: ["/usr/bin/ping", "  mode: 0755 → 0700  (mode-umask)"],
  },
  "a set-user-id bit that was lost": {
    unpacked: change("/usr/bin/su", { mode: 0o755 }),
    says: ["/usr/bin/su", "  mode: 4755 → 0755  (mode-setid-lost)"],
  },
  "a link with a mode": {
    unpacked: change("/usr/bin/sh", { mode: 0o755 }),
    says: ["/usr/bin/sh", "  mode: 0777 → 0755  (mode-symlink)"],
  },
  "another mode": {
    unpacked: change("/etc/passwd", { mode: 0o666 }),
    says: ["/etc/passwd", "  mode: 0644 → 0666  (mode-umask)"],
  },
  "a name in another normal form": {
    unpacked: (root) => rename(root, "/usr/share/caf\u00e9", "/usr/share/cafe\u0301"),
    says: [
      "/usr/share/cafe\u0301",
      "  entry: none → file of 6 bytes  (name-bytes)",
      '    A has "café" there',
      "/usr/share/café",
      "  entry: file of 6 bytes → none  (name-bytes)",
      '    B has "cafe\u0301" there',
    ],
  },
  "a name whose bytes became question marks": {
    unpacked: (root) => rename(root, "/usr/share/caf\u00e9", "/usr/share/caf??"),
    says: [
      "/usr/share/caf??",
      "  entry: none → file of 6 bytes  (name-bytes)",
      '    A has "café" there',
      "/usr/share/café",
      "  entry: file of 6 bytes → none  (name-bytes)",
      '    B has "caf??" there',
    ],
  },
  "a name that is not UTF-8": {
    unpacked: (root) => folder(root, "/usr/share").entries.set("caf\xe9\n" as ByteString, emptyFile()),
    says: ["/usr/share/caf\\xe9\\x0a", "  entry: none → file of 0 bytes  (entry)"],
  },
  "files below /boot and /sysroot, and in /run": {
    unpacked: (root) => {
      put(root, "/boot/vmlinuz", emptyFile());
      put(root, "/sysroot/ostree", newDirectory());
      put(root, "/run/secrets", emptyFile());
      later("/run")(root);
      change("/", { uid: 5 })(root);
    },
    isEqual: true,
    says: [
      ...["/", "  uid: 0 → 5  (not-counted-root)"],
      ...["/boot/vmlinuz", "  entry: none → file of 0 bytes  (not-counted-boot)"],
      ...["/run", `  mtime: ${TIME} → 2023-11-14T22:13:29.000000005Z  (not-counted-emptied)`],
      ...["/run/secrets", "  entry: none → file of 0 bytes  (not-counted-run)"],
      ...["/sysroot/ostree", "  entry: none → empty directory  (not-counted-boot)"],
    ],
  },
  "a file of /boot in the plain image": {
    unpacked: (root) => put(root, "/boot/vmlinuz", emptyFile()),
    options: ["--plain"],
    says: ["/boot/vmlinuz", "  entry: none → file of 0 bytes  (entry)"],
  },
  "the time of /usr": {
    unpacked: later("/usr"),
    says: [
      ...["/", `  mtime: ${TIME} → 2023-11-14T22:13:29.000000005Z  (root-from-usr)`],
      ...["/boot", `  mtime: ${TIME} → 2023-11-14T22:13:29.000000005Z  (emptied-directory-time)`],
      ...["/run", `  mtime: ${TIME} → 2023-11-14T22:13:29.000000005Z  (emptied-directory-time)`],
      ...["/sysroot", `  mtime: ${TIME} → 2023-11-14T22:13:29.000000005Z  (emptied-directory-time)`],
      ...["/usr", `  mtime: ${TIME} → 2023-11-14T22:13:29.000000005Z  (time)`],
    ],
  },
  "/etc that an ostree tool moved": {
    unpacked: (root) => rename(root, "/etc", "/usr/etc"),
    says: [
      ...["/etc", "  entry: directory with 2 below it, 35 bytes → none  (usr-etc)"],
      ...["/usr/etc", "  entry: none → directory with 2 below it, 35 bytes  (usr-etc)"],
    ],
  },
  "a kernel that was not split from the root": {
    layers: [["usr", "usr/lib", "usr/lib/modules", "usr/lib/modules/6.1"].map((path) => directory(path))],
    unpacked: (root) => put(root, "/usr/lib/modules/6.1/vmlinuz", emptyFile()),
    says: ["/usr/lib/modules/6.1/vmlinuz", "  entry: none → file of 0 bytes  (kernel-in-modules)"],
  },
  "a file that a builder left": {
    unpacked: (root) => put(root, "/etc/resolv.conf", emptyFile()),
    says: ["/etc/resolv.conf", "  entry: none → file of 0 bytes  (builder-file)"],
  },
  "a socket": {
    unpacked: (root) => put(root, "/etc/agent", { kind: "socket", metadata: newMetadata() }),
    says: ["/etc/agent", "  entry: none → socket  (socket)"],
  },
  "other contents, and the layer they came with": {
    layers: [[file("etc/passwd", "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\n")]],
    commands: ["RUN useradd daemon"],
    unpacked: (root) => {
      put(root, "/etc/passwd", {
        ...(at(root, "/etc/passwd") as FileNode),
        content: { type: "inline", bytes: Buffer.from("root") },
      });
    },
    says: [
      "/etc/passwd",
      "  size: 53 → 4  (size)",
      "    A: from layer 2 (RUN useradd daemon)",
      '  content: "root:x:0:0::/root:/bin/sh\\ndaemon:x:1:1::/:/bin/false\\n" → "root"  (content)',
      "    A: from layer 2 (RUN useradd daemon)",
    ],
  },
  "a link that leads elsewhere": {
    unpacked: (root) => {
      const link = at(root, "/usr/bin/sh");
      if (link.kind === "symlink") put(root, "/usr/bin/sh", { ...link, target: "bash" as ByteString });
    },
    says: ["/usr/bin/sh", "  target: dash → bash  (target)"],
  },
  "another type": {
    unpacked: (root) => put(root, "/usr/bin/sh", newDirectory()),
    says: ["/usr/bin/sh", '  type: symlink to "dash" → empty directory  (type)'],
  },
  "SELinux labels by another policy": {
    layers: [
      [
        ...["etc", "etc/selinux", "etc/selinux/t", "etc/selinux/t/contexts", "etc/selinux/t/contexts/files"].map(
          (path) => directory(path),
        ),
        file("etc/selinux/config", "SELINUXTYPE=t\n"),
        file("etc/selinux/t/contexts/files/file_contexts", "/usr/bin/sh a\n/usr/bin/perl p\n"),
      ],
    ],
    unpacked: (root) => {
      const path = "/etc/selinux/t/contexts/files/file_contexts";
      const rules = at(root, path) as FileNode;
      const bytes = Buffer.from("/usr/bin/sh b\n/usr/bin/perl.* p\n");
      put(root, path, { ...rules, content: { type: "inline", bytes } });
    },
    says: [
      "/etc/selinux/t/contexts/files/file_contexts",
      "  size: 30 → 32  (size)",
      "    A: from layer 2",
      '  content: "/usr/bin/sh a\\n/usr/bin/perl p\\n" → "/usr/bin/sh b\\n/usr/bin/perl.* p\\n"  (content)',
      "    A: from layer 2",
      "/usr/bin/perl5",
      "  hard-link: an inode of its own → the inode of /usr/bin/perl  (hard-link-labels)",
      '  xattr security.selinux: none → "p"  (selinux-policy)',
      "/usr/bin/sh",
      '  xattr security.selinux: "a" → "b"  (selinux-policy)',
    ],
  },
};

for (const [title, { says, isEqual = false, ...planted }] of Object.entries(CASES)) {
  test(`diff names ${title}`, async () => {
    const { lines, exitCode, err, out } = await diffOf(planted);
    assert.equal(err, "");
    assert.deepEqual(lines, says);
    assert.equal(exitCode, isEqual ? 0 : 1);
    const [a, b] = [...out.matchAll(/^ {3}([0-9a-f]{128})$/gm)].map(([, id]) => id);
    assert.equal(a === b, isEqual, "the ids themselves");
  });
}

test("diff of an image and its faithful copy", async () => {
  const { out, exitCode, err } = await diffOf({ unpacked: () => {} });
  assert.deepEqual({ exitCode, err }, { exitCode: 0, err: "" });
  assert.match(out, /\n\none digest: nothing that counts differs\n$/);
});
