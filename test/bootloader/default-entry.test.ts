/** Which entry of a disk that does not run boots by default. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type BootFiles, defaultEntry } from "../../src/bootloader/index.ts";

const [A, B] = ["a".repeat(128), "b".repeat(128)];

function files(content: Readonly<Record<string, string>>): BootFiles {
  return {
    list: (folder) =>
      Object.keys(content)
        .filter((path) => path.startsWith(`${folder}/`))
        .map((path) => path.slice(folder.length + 1)),
    read: (path) => (content[path] === undefined ? undefined : Buffer.from(content[path])),
  };
}

const uki = (id: string, sortKey: string) =>
  `title x\nversion 1\nuki /EFI/Linux/bootc/bootc_composefs-${id}.efi\nsort-key ${sortKey}\n`;
const kernel = (id: string) => `version 1\nlinux /vmlinuz\ninitrd /initrd\noptions rw composefs=${id}\n`;
const NONE = files({});

function found(esp: BootFiles | undefined, boot: BootFiles) {
  const unusable: string[] = [];
  const entry = defaultEntry(esp, boot, (name) => unusable.push(name));
  return { entry, unusable };
}

test("systemd-boot: the first of the ESP by sort key; what is no entry is told of and passed over", () => {
  const esp = files({
    "loader/entries/a.conf": uki(A, "bootc-os-1"),
    "loader/entries/b.conf": uki(B, "bootc-os-0"),
    "loader/entries/broken.conf": "nothing\n",
    "loader/entries/twice.conf": `version 1\nlinux /k\noptions composefs=${A} composefs=${B}\n`,
    "loader/entries/readme.txt": "text",
    "loader/entries.staged/c.conf": uki(A, "bootc-os-00"),
  });
  assert.deepEqual(found(esp, NONE), {
    entry: { name: "b.conf", deploymentId: B, start: { ukiPath: `/EFI/Linux/bootc/bootc_composefs-${B}.efi` } },
    unusable: ["broken.conf", "twice.conf"],
  });
});

test("systemd-boot: an entry whose tries are used up comes last, as for the loader", () => {
  const esp = files({
    "loader/entries/new+0-3.conf": uki(B, "bootc-os-0"),
    "loader/entries/old.conf": uki(A, "bootc-os-1"),
  });
  assert.equal(found(esp, NONE).entry?.deploymentId, A);
});

test("the entries of the ESP come before those of /boot", () => {
  const boot = files({ "loader/entries/b.conf": kernel(B) });
  assert.equal(found(files({ "loader/entries/a.conf": uki(A, "z") }), boot).entry?.deploymentId, A);
  assert.equal(found(NONE, boot).entry?.deploymentId, B);
});

test("GRUB: the first of its menu of UKIs, or else the file name that sorts last", () => {
  const block = (id: string) =>
    `menuentry "Test \\"OS\\": (${id})" {\ninsmod fat\nchainloader /EFI/Linux/bootc/bootc_composefs-${id}.efi\n}\n`;
  const menu = `\nif [ -f x ]; then\n        source x\nfi\n# menuentry "no" { chainloader /no }\n${block(B)}${block(A)}`;
  const entries = {
    "loader/entries/bootc_os-1-0.conf": kernel(A),
    "loader/entries/bootc_os-1-1.conf": kernel(B),
  };
  assert.deepEqual(found(NONE, files({ "grub2/user.cfg": menu, ...entries })).entry, {
    name: "grub2/user.cfg",
    deploymentId: B,
    start: { ukiPath: `/EFI/Linux/bootc/bootc_composefs-${B}.efi` },
  });
  assert.deepEqual(found(undefined, files({ "grub2/grub.cfg": "", ...entries })).entry, {
    name: "bootc_os-1-1.conf",
    deploymentId: B,
    start: { commandLine: `rw composefs=${B}` },
  });
});

test("another system's entry is one; without any there is none", () => {
  const esp = files({ "loader/entries/windows.conf": "version 1\nefi /EFI/Microsoft/boot.efi\n" });
  assert.equal(found(esp, NONE).entry?.deploymentId, undefined);
  assert.equal(found(esp, NONE).entry?.name, "windows.conf");
  assert.equal(found(NONE, NONE).entry, undefined);
});
