import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import schema from "../../docs/schema/status.json" with { type: "json" };
import { readLuksVolume } from "../../src/bootplan/index.ts";
import { encryptedPartition, type Host, statusDocument, statusText } from "../../src/host/index.ts";
import { luksHeader, METADATA } from "../bootplan/luks-header.ts";
import { faultsOf } from "../docs/json-schema.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-encrypted-root-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** A folder as /sys/dev/block, in which the scratch directory's device is mapped so. */
function devices(name: string, uuid: string | undefined, slaves: readonly string[]): string {
  const { dev } = statSync(scratch);
  const device = join(scratch, name, `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`);
  for (const slave of slaves) mkdirSync(join(device, "slaves", slave), { recursive: true });
  if (uuid === undefined) return join(scratch, name);
  mkdirSync(join(device, "dm"), { recursive: true });
  writeFileSync(join(device, "dm/uuid"), `${uuid}\n`);
  return join(scratch, name);
}

test("encryptedPartition() names the partition under a mapping of LUKS2, and nothing under another device", () => {
  const of = (...words: Parameters<typeof devices>) => encryptedPartition(scratch, devices(...words));
  assert.equal(of("luks", "CRYPT-LUKS2-11111111222243338444555555555555-root", ["vda3"]), "/dev/vda3");
  assert.equal(of("lvm", "LVM-abc", ["vda3"]), undefined);
  assert.equal(of("luks1", "CRYPT-LUKS1-11111111222243338444555555555555-root", ["vda3"]), undefined);
  assert.equal(of("partition", undefined, ["vda3"]), undefined);
  assert.equal(of("anonymous", undefined, []), undefined);
});

function hostWith(uses: "closed" | "open"): Host {
  const slot = METADATA.keyslots["0"];
  const keyslots = { "0": slot, "1": slot };
  const second = uses === "closed" ? { "1": { type: "systemd-tpm2", keyslots: ["1"] } } : {};
  const metadata = { ...METADATA, keyslots, tokens: { ...METADATA.tokens, ...second } };
  return {
    ...{ staged: undefined, booted: undefined, rollback: undefined, others: [], entries: [], rollbackQueued: false },
    ...{ bootLoader: "none", usrOverlay: undefined, isReadOnly: false, space: [], failedBoots: [], problems: [] },
    encryption: { device: "/dev/vda3", volume: readLuksVolume(luksHeader(metadata)) },
  };
}

test("the status tells of an encrypted root that is open; of one that is closed, whoever asks for more", () => {
  const linesOf = (host: Host, verbose: boolean) =>
    statusText(host, { bootedOnly: false, verbose }).filter((line) => /encrypted|open for/.test(line));
  const closed = "Root encrypted: LUKS2 on /dev/vda3, opened by: recovery key, TPM";
  assert.deepEqual(linesOf(hostWith("closed"), false), []);
  assert.deepEqual(linesOf(hostWith("closed"), true), [closed]);
  const open = [
    "Root encrypted: LUKS2 on /dev/vda3, opened by: recovery key, an empty passphrase: no TPM is enrolled yet",
    "It is open for whoever has the disk. A boot with Secure Boot on and a TPM closes it.",
  ];
  assert.deepEqual(linesOf(hostWith("open"), false), open);
  assert.deepEqual(linesOf(hostWith("open"), true), open);
});

test("the status for programs has the key slots, as its schema says", () => {
  const document = statusDocument(hostWith("closed"), { withOwn: true });
  assert.deepEqual(document.sealroot?.encryption, { device: "/dev/vda3", slots: ["recovery", "tpm2"] });
  assert.deepEqual(faultsOf(schema, JSON.parse(JSON.stringify(document))), []);
  const { encryption: _, ...plain } = hostWith("closed");
  const without = statusDocument({ ...plain, encryption: undefined }, { withOwn: true });
  assert.equal(without.sealroot?.encryption, null);
  assert.deepEqual(faultsOf(schema, JSON.parse(JSON.stringify(without))), []);
});
