import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandLine } from "../../src/bls/index.ts";
import { bootDigest } from "../../src/bootimage/index.ts";
import { readUki } from "../../src/pe/index.ts";
import { type BootParts, plannedBoot, tpmVolumes } from "../../src/update/plan/planned-boot.ts";
import { roomOf, verityFileBytes } from "../../src/update/plan/room.ts";
import { ext4VerityTail, VerityHasher } from "../../src/verity/index.ts";
import { peImage } from "../bootloader/pe-fixture.ts";

interface Sections {
  readonly line?: string;
  readonly kernel?: string;
  readonly initramfs?: string;
  readonly microcode?: string;
  /** The key of a signed policy. */
  readonly key?: string;
  readonly scopedAddons?: readonly string[];
  readonly globalAddons?: readonly string[];
}

function parts({
  line = "composefs=aa rw",
  kernel = "kernel",
  initramfs = "i",
  microcode,
  key,
  scopedAddons = [],
  globalAddons = [],
}: Sections = {}): BootParts {
  const policy = key === undefined ? {} : { ".pcrsig": "{}", ".pcrpkey": key };
  const early = microcode === undefined ? {} : { ".ucode": microcode };
  const sections = { ".text": "stub", ".cmdline": line, ".linux": kernel, ".initrd": initramfs, ...early, ...policy };
  const uki = readUki(peImage(sections));
  return { commandLine: CommandLine.parse(line), scopedAddons, globalAddons, bootDigest: bootDigest(uki), uki };
}

test("arguments that come and go; which image is the root does not count", () => {
  const { kernelArguments } = plannedBoot(
    parts({ line: "composefs=aa a=1 a=1 b quiet" }),
    parts({ line: 'composefs.digest=v1-sha512-12:bb a=1 c="x y" quiet' }),
    "",
  );
  assert.deepEqual(kernelArguments, { added: ['c="x y"'], removed: ["a=1", "b"] });
});

test("add-ons bring arguments, which the stub measures; a soft reboot needs the same ones of the deployment", () => {
  const of = (before: Sections, after: Sections) => {
    const { kernelArguments, softReboot, tpm } = plannedBoot(parts(before), parts(after), "");
    return [kernelArguments.added, kernelArguments.removed, softReboot, "changedPcrs" in tpm && tpm.changedPcrs];
  };
  const own = { scopedAddons: ["debug a=1"] };
  const all = { globalAddons: ["site=north"] };
  assert.deepEqual(of(own, own), [[], [], true, []]);
  assert.deepEqual(of({}, own), [["debug", "a=1"], [], false, [4, 12]]);
  assert.deepEqual(of(own, { ...own, line: "composefs=bb rw quiet" }), [["quiet"], [], false, [4, 11]]);
  assert.deepEqual(of(all, { globalAddons: ["site=south"] }), [["site=south"], ["site=north"], true, [4, 12]]);
  assert.deepEqual(of(own, { ...all, line: "composefs=bb rw" }), [
    ["site=north"],
    ["debug", "a=1"],
    false,
    [4, 11, 12],
  ]);
});

test("a soft reboot needs the same kernel and the same arguments", () => {
  const of = (next: Sections) => {
    const { kernelChanges, softReboot } = plannedBoot(parts(), parts(next), "");
    return [kernelChanges, softReboot];
  };
  assert.deepEqual(of({ line: "composefs=bb rw" }), [false, true]);
  assert.deepEqual(of({ line: "composefs=bb rw quiet" }), [false, false]);
  assert.deepEqual(of({ line: "composefs=bb rw", kernel: "another" }), [true, false]);
  // A sealed initramfs says which image it may mount.
  assert.deepEqual(of({ line: "composefs=bb rw", initramfs: "another" }), [false, true]);
  assert.deepEqual(of({ line: "composefs=bb rw", microcode: "new" }), [true, false]);
});

test("what a TPM measures, and whether a signed policy goes on", () => {
  const of = (own: Sections, next: Sections) => plannedBoot(parts(own), parts(next), "").tpm;
  const next = { line: "composefs=bb rw" };
  const tpm = (signedPolicy: string, changedPcrs = [4, 11]) => ({ changedPcrs, signedPolicy, volumes: [] });
  assert.deepEqual(of({}, {}), tpm("none", []));
  assert.deepEqual(of({}, next), tpm("none"));
  assert.deepEqual(of({ key: "k" }, { ...next, key: "k" }), tpm("same-key"));
  assert.deepEqual(of({ key: "k" }, { ...next, key: "l" }), tpm("other-key"));
  assert.deepEqual(of({ key: "k" }, next), tpm("lost"));
  assert.deepEqual(of({}, { ...next, key: "k" }), tpm("added"));
  const without = { ...parts(next), uki: undefined };
  assert.match(JSON.stringify(plannedBoot(parts(), without, "").tpm), /^\{"unknown":"without a UKI/);
});

test("volumes that a TPM unlocks", () => {
  const text = `# name device key options
root UUID=1 - luks,tpm2-device=auto
swap /dev/sda3 /dev/urandom swap
#old UUID=2 - tpm2-device=auto
\tdata  UUID=3   none  discard,tpm2-device=/dev/tpmrm0,nofail
short UUID=4
`;
  assert.deepEqual(tpmVolumes(text), ["root", "data"]);
  assert.deepEqual(tpmVolumes(""), []);
});

test("a verity file takes its data, its Merkle tree and one block", () => {
  for (const algorithm of ["sha256", "sha512"] as const) {
    for (const sizeBytes of [0, 1, 4096, 4097, 64 * 4096, 64 * 4096 + 1, 128 * 4096 + 1, 65 * 64 * 4096]) {
      const hasher = new VerityHasher(algorithm, { keepTree: true });
      hasher.update(new Uint8Array(sizeBytes));
      const dataBytes = Math.ceil(sizeBytes / 4096) * 4096;
      const expected = dataBytes + ext4VerityTail(hasher).bytes.length;
      assert.equal(verityFileBytes(sizeBytes, algorithm, 4096), expected, `${algorithm} ${sizeBytes}`);
    }
  }
});

test("a room counts files, their bytes, and what they take", () => {
  const allotted = (sizeBytes: number) => sizeBytes + 1;
  assert.deepEqual(roomOf([1, 0, 5000], allotted), { files: 3, bytes: 5001, allottedBytes: 5004, certainty: "exact" });
  assert.deepEqual(roomOf([], allotted, "at-most"), { files: 0, bytes: 0, allottedBytes: 0, certainty: "at-most" });
});
