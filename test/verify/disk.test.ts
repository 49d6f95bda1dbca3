/** A whole disk, link by link: the lines, the exit code, and what a disk that is none says. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { WorkEvent } from "../../src/events/index.ts";
import { objectPath } from "../../src/tree/index.ts";
import { allLinks, firstBroken, NO_POLICY, verify } from "../../src/verify/index.ts";
import { verityDigest } from "../../src/verity/index.ts";
import { run } from "../cli/run-verb.ts";
import { baseFiles } from "../install/sealed-image.ts";
import { type FixtureDisk, FixtureDisks } from "./fixture-disk.ts";

const disks = new FixtureDisks();
after(() => disks[Symbol.dispose]());
let sealed: FixtureDisk;
before(async () => {
  sealed = await disks.make();
});

const LINKS = [
  ...["disk verified", "keys verified", "loader verified", "loader verified", "entry verified"],
  ...["uki verified", "command-line verified", "initramfs verified", "image verified", "state unchecked"],
  "objects verified",
];

/** The lines, with names that differ from run to run replaced. */
async function linesOf({ path, deploymentId }: FixtureDisk, ...words: string[]) {
  const { exitCode, out, err } = await run("verify", path, ...words);
  assert.equal(err, "");
  const short = `${deploymentId.slice(0, 12)}…`;
  return { exitCode, out: out.replaceAll(path, "DISK").replaceAll(deploymentId, "ID").replaceAll(short, "ID") };
}

test("a sealed disk: every link is verified, but for the state, which nothing vouches for", async () => {
  const hash = () => createHash("sha256").update(readFileSync(sealed.path)).digest("hex");
  const before = hash();
  const { exitCode, out } = await linesOf(sealed);
  assert.equal(exitCode, 0, out);
  assert.equal(
    out,
    `DISK: disk
verified   disk  DISK
             by the checksums of its partition table
             partition 3 (root) is the root, ext4
             partition 2 (EFI-SYSTEM) is the ESP
verified   keys  loader/keys of the ESP
             by the keys in auto/
             the keys in auto/ let start what is signed by CN=test db
             db has no certificate of Microsoft for option ROMs (UEFI CA 2011, Option ROM UEFI CA 2023): a machine whose graphics or network card has a signed option ROM may not start with these keys; remedy: sealroot keys add KEYS CERTIFICATE, and seal again
verified   loader  EFI/BOOT/BOOTX64.EFI
             by CN=test db in db of the keys in auto/
             systemd-boot 257.13-1
verified   loader  EFI/systemd/systemd-bootx64.efi
             by CN=test db in db of the keys in auto/
             systemd-boot 257.13-1
verified   entry  loader/entries/bootc_testos-1.0-1.conf
             it boots by default
verified     uki  EFI/Linux/bootc/bootc_composefs-ID.efi
               by CN=test db in db of the keys in auto/
verified     command-line  composefs=ID rw
               by the signature of the UKI
               it names the image ID
verified     initramfs  of EFI/Linux/bootc/bootc_composefs-ID.efi
               by the signature of the UKI
               sealroot makes the root
               its permit allows the image that the command line names, and no other
verified     image  ID
               by sha512 fs-verity digest in the command line
               20480 bytes, made by the rule: version 1, whole seconds, so that both rules for times give it
unchecked    state  state/deploy/ID
               it came from docker://quay.io/example/os:latest
               unchecked: /etc and /var are kept and not sealed: who writes the disk is root at the next boot
                 path: state/deploy/ID
                 remedy: mount = "transient" for both in setup-root-conf.toml keeps nothing
verified   objects  9 objects
             by their digests in the images
             314631 bytes were hashed; content, verity flag, descriptor and Merkle tree of each were compared

taken at boot though nobody signed it, and what it can change here:
  loader/loader.conf: which of the signed entries starts, and how long the menu waits
  SMBIOS io.systemd.stub.kernel-cmdline-extra: arguments after the signed ones: one that names an image or drops fs-verity stops the boot, init= and systemd.unit= are obeyed
  SMBIOS and fw_cfg io.systemd.credential: settings of services, and units that run as root; seal with --karg systemd.import_credentials=no to close it

verified, but for what is marked unchecked; 9 objects, 307.26 KiB hashed
`,
  );
  assert.equal(hash(), before, "the disk was written");
});

test("a disk that cannot be written is read all the same", async () => {
  chmodSync(sealed.path, 0o444);
  assert.equal((await run("verify", sealed.path)).exitCode, 0);
  chmodSync(sealed.path, 0o644);
});

test("a disk whose state is the image's at every boot has nothing unchecked", async () => {
  const transient = '[etc]\nmount = "transient"\n[var]\nmount = "transient"\n';
  const disk = await disks.make([
    ...baseFiles(),
    { path: "usr/lib/composefs" },
    { path: "usr/lib/composefs/setup-root-conf.toml", content: transient },
  ]);
  const { exitCode, out } = await linesOf(disk);
  assert.equal(exitCode, 0);
  assert.match(out, /^verified {5}state {2}state\/deploy\/ID\n.*\n {15}\/etc is the image's at every boot\n/m);
  assert.match(out, /^verified; 9 objects, /m);
});

test("large objects are hashed in threads, with progress, and a fault in one is found", async () => {
  const large = Buffer.alloc(40_000_000, "0123456789abcdef");
  const disk = await disks.make([...baseFiles(), { path: "usr/bin/large", content: large }]);
  const progress: number[] = [];
  const events = (event: WorkEvent) => {
    if (event.type === "progress" && event.step === "hash the objects") progress.push(event.done);
  };
  const report = await verify(disk.path, { keys: undefined, policy: NO_POLICY, events });
  assert.deepEqual(
    [...allLinks(report.links)].map(({ name, state }) => `${name} ${state}`),
    LINKS,
  );
  assert.ok(report.hashed.bytes > large.length);
  assert.ok(progress.length >= 2, String(progress));
  assert.equal(progress.at(-1), report.hashed.bytes);
  const copy = await disks.copyOf(disk);
  const id = verityDigest(large, "sha512");
  copy.flipRoot(`composefs/objects/${objectPath(id)}`, 20_000_000);
  const broken = firstBroken((await verify(copy.path, { keys: undefined, policy: NO_POLICY, events })).links);
  assert.equal(broken?.link.name, "objects");
  assert.equal(
    broken?.finding.message,
    "the object of /usr/bin/large: its content has another digest: bytes 19996672 to 20000767 are not those of its Merkle tree",
  );
});

test("--keys: the keys count that the caller gives, not those that the disk enrols", async () => {
  const keys = join(disks.folder(), "keys");
  assert.equal((await run("keys", "generate", keys)).exitCode, 0);
  const { exitCode, out } = await linesOf(sealed, "--keys", keys);
  assert.equal(exitCode, 1);
  assert.match(
    out,
    /^BROKEN at loader EFI\/BOOT\/BOOTX64\.EFI: Cannot use the boot loader: firmware with the keys in .*keys refuses it, as its certificate "CN=test db" is neither trusted nor issued by a trusted one$/m,
  );
});

test("what is no disk is refused as what it is", async () => {
  const text = join(disks.folder(), "text");
  writeFileSync(text, "text");
  for (const [path, code] of [
    [text, "unsupported"],
    [join(disks.folder(), "nothing"), "not-found"],
  ] as const) {
    await assert.rejects(verify(path, { keys: undefined, policy: NO_POLICY, events: () => {} }), { code });
  }
});

test("a disk that lies about its partitions is broken at the disk, and nothing else is said", async () => {
  const copy = await disks.copyOf(sealed);
  spawnSync("truncate", ["-s", "1M", copy.path]);
  const report = await verify(copy.path, { keys: undefined, policy: NO_POLICY, events: () => {} });
  assert.deepEqual(
    report.links.map(({ name, state }) => [name, state]),
    [["disk", "broken"]],
  );
  assert.match(firstBroken(report.links)?.finding.message ?? "", /the disk ends before it$/);
});

/** Numerical Recipes' generator: equal on every machine. */
function randomNumbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Where sectors are that hold something. */
function usedSectors(path: string): number[] {
  const bytes = readFileSync(path);
  const empty = Buffer.alloc(512);
  const starts = Array.from({ length: bytes.length / 512 }, (_, index) => index * 512);
  return starts.filter((start) => bytes.compare(empty, 0, 512, start, start + 512) !== 0);
}

test("whatever byte is wrong, there is a verdict", async () => {
  const copy = await disks.copyOf(sealed);
  const sectors = usedSectors(copy.path);
  const random = randomNumbers(0x5ea1);
  let breaks = 0;
  for (let round = 0; round < 100; round++) {
    const position = (sectors[random(sectors.length)] ?? 0) + random(512);
    copy.flip(position);
    const report = await verify(copy.path, { keys: undefined, policy: NO_POLICY, events: () => {} });
    if (report.state === "broken") breaks++;
    copy.flip(position);
  }
  // Most of what is used is the content of signed files and objects.
  assert.ok(breaks > 30, String(breaks));
});
