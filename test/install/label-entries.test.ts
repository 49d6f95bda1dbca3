import assert from "node:assert/strict";
import { test } from "node:test";
import { byteStringOfText, displayText } from "../../src/bytes/index.ts";
import type { DiskEntry } from "../../src/disk/index.ts";
import { labelEntries } from "../../src/install/label-entries.ts";
import { parseSelinuxPolicy } from "../../src/selinux/index.ts";
import { newMetadata } from "../../src/tree/index.ts";

const LABEL = byteStringOfText("security.selinux");
const CONTEXTS = `/.* system_u:object_r:default_t:s0
/ -d system_u:object_r:root_t:s0
/usr(/.*)? system_u:object_r:usr_t:s0
/boot(/.*)? system_u:object_r:boot_t:s0
/var(/.*)? system_u:object_r:var_t:s0
`;

const policy = parseSelinuxPolicy({
  contexts: [{ path: "file_contexts", bytes: Buffer.from(CONTEXTS) }],
  substitutions: [{ path: "file_contexts.subs", bytes: Buffer.from("/state/os/default/var /var\n") }],
});

function entry(path: string, kind: "directory" | "file" = "directory", label?: string): DiskEntry {
  const xattrs = new Map(label === undefined ? [] : [[LABEL, Buffer.from(label)] as const]);
  const metadata = newMetadata({ mode: 0o755, xattrs });
  const name = byteStringOfText(path);
  return kind === "directory" ? { kind, path: name, metadata } : { kind, path: name, metadata, source: "/dev/null" };
}

test("the repository is labelled as if it were /usr, the rest by its own path, and existing labels stay", () => {
  const entries: DiskEntry[] = [
    entry(""),
    entry("boot"),
    entry("composefs"),
    entry("composefs/objects"),
    entry("composefs/objects/ab", "file"),
    entry("state"),
    entry("state/os/default/var"),
    entry("state/os/default/var/log"),
    entry("state/deploy/x/etc/shadow", "file", "system_u:object_r:shadow_t:s0"),
    { kind: "hard-link", path: byteStringOfText("second"), existing: byteStringOfText("composefs/objects/ab") },
  ];
  labelEntries(entries, policy);
  const labels = entries.map((one) => {
    const label = one.kind === "hard-link" ? undefined : one.metadata.xattrs.get(LABEL);
    const type = label === undefined ? "none" : Buffer.from(label).toString().split(":")[2];
    return `${displayText(one.path)} ${type}`;
  });
  assert.deepEqual(labels, [
    " root_t",
    "boot boot_t",
    "composefs usr_t",
    "composefs/objects usr_t",
    "composefs/objects/ab usr_t",
    "state default_t",
    "state/os/default/var var_t",
    "state/os/default/var/log var_t",
    "state/deploy/x/etc/shadow shadow_t",
    "second none",
  ]);
});
