/**
 * A LUKS2 volume that systemd-cryptenroll bound to a signed policy of PCR 11 and to the value of PCR 7 opens without a
 * passphrase after updates and a rollback, and not for anybody else. The TPM is swtpm, programs are systemd's and cryptsetup's of
 * trixie; what firmware, stub and boot program would measure, is measured here.
 */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findSection, parsePe, sectionContent } from "../../src/pe/index.ts";
import { PCR } from "../../src/tpm/index.ts";
import { run } from "../cli/run-verb.ts";
import { buildRoot } from "../container/build-root.ts";
import { SoftwareTpm } from "./software-tpm.ts";
import { TrixieTools } from "./trixie-tools.ts";

// In /tmp whatever TMPDIR is: the path of a socket has 108 bytes at most (unix(7)).
const scratch = mkdtempSync("/tmp/sealroot-unlock-");
const at = (name: string) => join(scratch, name);
const keys = mkdtempSync(join(tmpdir(), "sealroot-unlock-keys-"));
after(() => {
  for (const path of [scratch, keys]) rmSync(path, { recursive: true });
});

/** systemd-stub(7), in this order. */
const MEASURED = [".linux", ".osrel", ".cmdline", ".initrd", ".uname", ".sbat", ".pcrpkey"];
const VOLUME_BYTES = 32 << 20;
const DB = "our db";
/** What systemd-cryptenroll says when PCR 7 has another value, and when nobody signed what PCR 11 has. */
const OTHER_STATE = /No TPM2 metadata matching the current system state/;
const NO_SIGNATURE = /Failed to unseal secret using TPM2: No such device or address/;

let judges: TrixieTools;
let tpm: SoftwareTpm;
/** By their names: three updates, and one that another key signed. */
const ukis = new Map<string, Uint8Array>();

before(async () => {
  judges = await TrixieTools.open();
  tpm = new SoftwareTpm(scratch);
  for (const name of ["keys", "other"]) {
    const { exitCode, err } = await run("keys", "generate", join(keys, name), "--pcr");
    assert.equal(exitCode, 0, err);
  }
  using build = await buildRoot("@1700000000");
  const common = ["--rootfs", build.root, "--initramfs", "minimal"];
  for (const [name, key] of [
    ["first", "keys"],
    ["second", "keys"],
    ["third", "keys"],
    ["fourth", "keys"],
    ["foreign", "other"],
  ] as const) {
    const words = ["--output", at("uki.efi"), "--os-release", `ID=${name}`, "--phases", "enter-initrd"];
    const { exitCode, err } = await run(
      ...["container", "ukify", ...common, "--", ...words, "--pcr-private-key", join(keys, key, "pcr.key")],
    );
    assert.equal(exitCode, 0, err);
    ukis.set(name, readFileSync(at("uki.efi")));
  }
});
after(() => tpm[Symbol.asyncDispose]());

/** A boot with this UKI, up to and with these phases. The initramfs finds what the stub took out of the UKI. */
async function boot(name: string, { db = DB, phases = ["enter-initrd"] }: { db?: string; phases?: string[] } = {}) {
  const image = parsePe(ukis.get(name) ?? new Uint8Array(0));
  const content = (section: string) => {
    const found = findSection(image, section);
    return found === undefined ? undefined : sectionContent(image, found);
  };
  await tpm.restart();
  await tpm.measure(PCR.secureBoot, [Buffer.from(db)]);
  const sections = MEASURED.flatMap((section) => {
    const bytes = content(section);
    return bytes === undefined ? [] : [Buffer.from(`${section}\0`), bytes];
  });
  await tpm.measure(PCR.uki, [...sections, ...phases.map((phase) => Buffer.from(phase))]);
  writeFileSync(at("pcr.pub"), content(".pcrpkey") ?? "");
  writeFileSync(at("tpm2-pcr-signature.json"), content(".pcrsig") ?? "");
}

const device = "swtpm:path=/mnt/tpm.sock";
const enroll = (...words: string[]) => judges.runIn(scratch, "/usr/bin/systemd-cryptenroll", ["/mnt/volume", ...words]);

/**
 * Opens the volume by the TPM alone, as far as that can be done without a kernel: the key slot for recovery is made anew by it.
 * @returns why it cannot; undefined when it can
 */
async function refusal(): Promise<string | undefined> {
  const words = [`--unlock-tpm2-device=${device}`, "--wipe-slot=recovery", "--recovery-key"];
  return enroll(...words).then(
    () => undefined,
    (error: Error) => error.message,
  );
}

test("the first boot enrols: a signed policy for PCR 11, the value of PCR 7, a recovery key", async () => {
  writeFileSync(at("volume"), "");
  truncateSync(at("volume"), VOLUME_BYTES);
  writeFileSync(at("initial"), "the key of the installer");
  chmodSync(at("initial"), 0o600);
  const format = [
    "luksFormat",
    "--batch-mode",
    "--type",
    "luks2",
    "--pbkdf",
    "pbkdf2",
    "--pbkdf-force-iterations",
    "1000",
  ];
  await judges.runIn(scratch, "/usr/sbin/cryptsetup", [...format, "--key-file", "/mnt/initial", "/mnt/volume"]);
  await boot("first");
  const unlock = "--unlock-key-file=/mnt/initial";
  const recovery = await enroll(unlock, "--recovery-key");
  assert.match(recovery, /^(?:[cbdefghijklnrtuv]{8}-){7}[cbdefghijklnrtuv]{8}$/m);
  const policy = ["--tpm2-public-key=/mnt/pcr.pub", "--tpm2-public-key-pcrs=11", "--tpm2-pcrs=7"];
  await enroll(unlock, `--tpm2-device=${device}`, ...policy, "--wipe-slot=password");
  const slots = await enroll();
  assert.deepEqual(slots.match(/recovery|tpm2|password/g)?.sort(), ["recovery", "tpm2"]);
  assert.equal(await refusal(), undefined);
});

test("three updates and a rollback open it", async () => {
  for (const name of ["first", "second", "third", "fourth", "third", "first"]) {
    await boot(name);
    assert.equal(await refusal(), undefined, name);
  }
});

test("another db does not open it, though the UKI is the same", async () => {
  await boot("second", { db: "another db" });
  assert.match((await refusal()) ?? "", OTHER_STATE);
});

test("a UKI whose policies another key signed does not open it", async () => {
  await boot("foreign");
  assert.match((await refusal()) ?? "", NO_SIGNATURE);
});

test("a changed UKI does not open it, whoever's policies lie beside it", async () => {
  const honest = ukis.get("second") ?? new Uint8Array(0);
  const changed = Buffer.from(honest);
  const section = findSection(parsePe(honest), ".cmdline");
  changed.writeUInt8((changed[section?.rawOffset ?? 0] ?? 0) ^ 1, section?.rawOffset ?? 0);
  ukis.set("changed", changed);
  await boot("changed");
  assert.match((await refusal()) ?? "", NO_SIGNATURE);
});

test("before the initramfs has said that it is there, and after it was left, it does not open", async () => {
  for (const phases of [[], ["enter-initrd", "leave-initrd"], ["enter-initrd", "leave-initrd", "sysinit", "ready"]]) {
    await boot("first", { phases });
    assert.match((await refusal()) ?? "", NO_SIGNATURE, phases.join(":"));
  }
  await boot("first");
  assert.equal(await refusal(), undefined);
});
