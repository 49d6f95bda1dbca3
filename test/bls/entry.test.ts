import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compareForGrub,
  compareForSystemdBoot,
  deploymentOfUkiPath,
  entryFileName,
  formatBootEntry,
  formatCountedName,
  type NamedEntry,
  osIdentity,
  parseBootEntry,
  parseCountedName,
  parseOsRelease,
  ukiEntry,
  ukiPath,
} from "../../src/bls/index.ts";

const ID = "0123456789abcdef".repeat(8);
const FEDORA = osIdentity(
  parseOsRelease('ID=fedora\nPRETTY_NAME="Fedora Linux 43 (Container Image)"\nVERSION_ID=43\n'),
);

test("ukiEntry() and formatBootEntry() write upstream's entry of a UKI to the letter", () => {
  assert.equal(
    formatBootEntry(ukiEntry(FEDORA, ID, "primary", "uki")),
    "title Fedora Linux 43 (Container Image) 43\n" +
      "version 43\n" +
      `uki /EFI/Linux/bootc/bootc_composefs-${ID}.efi\n` +
      "sort-key bootc-fedora-0\n",
  );
  assert.match(formatBootEntry(ukiEntry(FEDORA, ID, "secondary", "efi")), /\nefi \/EFI.*\nsort-key bootc-fedora-1\n$/);
});

test("ukiEntry() of a system without a version is versioned by the deployment", () => {
  const entry = ukiEntry(osIdentity(parseOsRelease("")), ID, "primary", "efi");
  assert.equal(entry.title, "bootc");
  assert.equal(entry.version, ID);
  assert.equal(entry.sortKey, "bootc-bootc-0");
});

test("parseBootEntry() reads a Linux entry, with comments, blanks, several initrds and unknown keys", () => {
  const text =
    "# c\n title\tA B \nversion 1\nlinux /v\ninitrd /a\ninitrd /b\noptions x=1\noptions y\ngrub_users $u\nsort-key k\nmachine-id m\n";
  const entry = parseBootEntry(text);
  assert.deepEqual(entry, {
    title: "A B",
    version: "1",
    target: { type: "linux", linux: "/v", initrd: ["/a", "/b"] },
    options: "x=1 y",
    machineId: "m",
    sortKey: "k",
    otherFields: [["grub_users", "$u"]],
  });
  const written = formatBootEntry(entry);
  assert.equal(
    written,
    "title A B\nversion 1\nlinux /v\ninitrd /a\ninitrd /b\noptions x=1 y\nmachine-id m\nsort-key k\ngrub_users $u\n",
  );
  assert.deepEqual(parseBootEntry(written), entry);
});

test("parseBootEntry() refuses an entry without version, without target or with two", () => {
  assert.throws(() => parseBootEntry("linux /v\n"), { code: "corrupt", message: /"version" is missing/ });
  assert.throws(() => parseBootEntry("version 1\n"), { code: "corrupt", message: /none of/ });
  assert.throws(() => parseBootEntry("version 1\nefi /a\nuki /a\n"), { code: "corrupt", message: /more than one/ });
  assert.throws(() => parseBootEntry("version 1\nefi\n"), { code: "corrupt", message: /no value/ });
  assert.throws(() => formatBootEntry({ ...ukiEntry(FEDORA, ID, "primary", "efi"), title: "a\nb" }), {
    code: "corrupt",
  });
});

test("entryFileName() separates id, version and number safely", () => {
  assert.equal(entryFileName(FEDORA, ID, "primary"), "bootc_fedora-43-1.conf");
  const strange = { id: "suse-leap", name: undefined, version: "15/6-rc+2" };
  assert.equal(entryFileName(strange, ID, "secondary"), "bootc_suse_leap-15_6_rc_2-0.conf");
});

test("deploymentOfUkiPath() reads new and old names and nothing else", () => {
  assert.equal(deploymentOfUkiPath(ukiPath(ID)), ID);
  assert.equal(deploymentOfUkiPath(`/EFI/Linux/bootc/${ID}.efi`), ID);
  assert.equal(deploymentOfUkiPath("/EFI/Linux/bootc/bootc_composefs-12.efi"), undefined);
});

test("parseCountedName() takes the boot counter off a name or a path and formatCountedName() puts it back", () => {
  assert.deepEqual(parseCountedName("\\loader\\entries\\os-1+2-1.conf"), {
    base: "\\loader\\entries\\os-1.conf",
    count: { left: 2, done: 1 },
  });
  assert.deepEqual(parseCountedName("os+3.efi"), { base: "os.efi", count: { left: 3, done: 0 } });
  for (const name of ["os.conf", "os+.conf", "os+1-.conf", "+1.conf", "os+1.txt"]) {
    assert.deepEqual(parseCountedName(name), { base: name, count: undefined });
  }
  assert.equal(formatCountedName("os.conf", { left: 0, done: 3 }), "os+0-3.conf");
  assert.equal(formatCountedName("os.conf", { left: 3, done: 0 }), "os+3.conf");
  assert.equal(formatCountedName("os.conf", undefined), "os.conf");
});

function named(fileName: string, version: string, sortKey?: string, machineId?: string): NamedEntry {
  const entry = { ...ukiEntry(FEDORA, ID, "primary", "efi"), version, sortKey, machineId };
  return { fileName, entry };
}

test("compareForSystemdBoot() orders by tries, sort key, machine id, version and name", () => {
  const expected = [
    named("a.conf", "1", "k0", "m0"),
    named("b.conf", "9", "k0", "m1"),
    named("c.conf", "8", "k0", "m1"),
    named("z.conf", "8", "k1"),
    named("y.conf", "8", "k1"),
    named("os-10.conf", "1"),
    named("os-9.conf", "2"),
    named("x+0-3.conf", "9", "k0"),
  ];
  assert.deepEqual(expected.toReversed().sort(compareForSystemdBoot), expected);
});

test("compareForGrub() orders names as packages, descending", () => {
  const names = [
    "bootc_fedora-43-1.conf",
    "bootc_fedora-43-0.conf",
    "bootc_fedora-9-1.conf",
    "bootc_debian-99-1.conf",
    "a.conf",
  ];
  const entries = names.map((name) => named(name, "1"));
  assert.deepEqual(
    entries
      .toReversed()
      .sort(compareForGrub)
      .map((entry) => entry.fileName),
    names,
  );
});
