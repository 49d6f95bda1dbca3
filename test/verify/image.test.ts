/** Images before they are installed, and single programs. */
import assert from "node:assert/strict";
import { globSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { silent } from "../../src/events/index.ts";
import { signPe } from "../../src/pe/index.ts";
import { allLinks, firstBroken, NO_POLICY, type VerifyReport, verify } from "../../src/verify/index.ts";
import { loaderImage, peImage } from "../bootloader/pe-fixture.ts";
import { run } from "../cli/run-verb.ts";
import {
  baseFiles,
  type ImageFile,
  type SealOptions,
  sealImage,
  TEST_KEYS,
  ukiImage,
  ukiLayer,
  writeImage,
} from "../install/sealed-image.ts";
import { temporaryKeys } from "../keys/temporary-keys.ts";
import { FixtureDisks, sealedInitramfs } from "./fixture-disk.ts";

const disks = new FixtureDisks();
after(() => disks[Symbol.dispose]());
const other = await temporaryKeys("other");

const OPTIONS = { keys: undefined, policy: NO_POLICY, events: silent, sourcePolicy: "accept-anything" } as const;
const check = (given: string, more: Partial<Parameters<typeof verify>[1]> = {}) =>
  verify(given, { ...OPTIONS, ...more });

async function seal(files: readonly ImageFile[] = baseFiles(), options: SealOptions = {}) {
  const directory = disks.folder();
  return { directory, ...(await sealImage(directory, files, { initramfs: sealedInitramfs, ...options })) };
}

function states({ links }: VerifyReport): string[] {
  return [...allLinks(links)].map(({ name, state }) => `${name} ${state}`);
}

function broken({ links }: VerifyReport): readonly (string | undefined)[] {
  const found = firstBroken(links);
  return [found?.link.name, found?.finding.message];
}

const GOOD = [
  ...["source verified", "keys verified", "loader verified", "uki verified", "command-line verified"],
  ...["initramfs verified", "image verified", "objects verified"],
];

test("a sealed image: everything that an installation will put on a disk is verified", async () => {
  const { reference, deploymentId } = await seal();
  const report = await check(reference);
  assert.deepEqual(states(report), GOOD);
  assert.equal(report.state, "verified");
  const image = report.links.find(({ name }) => name === "image");
  assert.deepEqual([image?.subject, image?.facts], [deploymentId, ["made by the rule: version 1"]]);
  const { exitCode, out, err } = await run("verify", reference, "--insecure-policy");
  assert.deepEqual([exitCode, err], [0, ""]);
  assert.match(out, /^verified; 10 objects, .* hashed\n$/m);
});

test("the rule that made the digest is named: format, attributes, nanoseconds", async () => {
  const files = baseFiles().map((file) =>
    file.path === "usr"
      ? { ...file, header: { mtimeNanoseconds: 5, xattrs: new Map([["user.a" as never, Buffer.from("1")]]) } }
      : file,
  );
  const rules = new Set<string>();
  for (const index of [0, 1, 2, 3, 4]) {
    const { reference } = await seal(files, { commandLine: (_, images) => `composefs=${images[index]?.id} rw` });
    const report = await check(reference);
    assert.equal(firstBroken(report.links), undefined, String(index));
    for (const { name, facts } of report.links) if (name === "image") for (const fact of facts) rules.add(fact);
  }
  assert.deepEqual([...rules].sort(), [
    "made by the rule: version 1",
    "made by the rule: version 1, /boot and /sysroot with the seconds of /usr only (composefs before 0.9.3)",
    "made by the rule: version 1, user.* attributes kept",
    "made by the rule: version 2",
    "made by the rule: version 2, user.* attributes kept",
  ]);
});

test("an image that was changed after it was sealed is broken at the image, with the command that shows why", async () => {
  const { directory, deploymentId } = await seal();
  const sealed = baseFiles();
  const uki = await signPe(
    ukiImage(deploymentId, { initramfs: sealedInitramfs(`composefs=${deploymentId} rw`) }),
    TEST_KEYS.signer,
  );
  const later = join(directory, "later");
  mkdirSync(later);
  const reference = await writeImage(later, [sealed, ukiLayer(uki), [{ path: "usr/bin/new", content: "new" }]]);
  const report = await check(reference);
  const found = firstBroken(report.links);
  assert.deepEqual(broken(report), ["image", "the layers give another image: it was changed after it was sealed"]);
  assert.equal(found?.finding.expected, deploymentId);
  assert.equal(
    found?.finding.remedy,
    `to see what was changed: sealroot diff ${deploymentId} ${reference}; then seal the unsealed image again`,
  );
});

test("images that cannot boot sealed are broken where they lack something", async () => {
  const plain = await writeImage(disks.folder(), [baseFiles()]);
  assert.deepEqual(broken(await check(plain)), ["uki", "the image has no UKI: it is not sealed"]);
  const foreign = await seal(baseFiles(), { signer: other.signer });
  assert.equal(broken(await check(foreign.reference))[0], "uki");
  const unsigned = await seal(baseFiles(), { signer: null });
  assert.match(String(broken(await check(unsigned.reference))[1]), /refuses it, as it is not signed$/);
  const second = await seal(baseFiles(), {
    beside: [{ path: "boot/EFI/Linux/second.efi", content: ukiImage("0".repeat(128)) }],
  });
  assert.deepEqual(broken(await check(second.reference)), [
    "entry",
    "the image has several UKIs, so none would be installed",
  ]);
  const noLoader = await seal(baseFiles().filter(({ path }) => !path.includes("systemd-boot")));
  assert.equal(broken(await check(noLoader.reference))[0], "loader");
});

test("a digest by SHA-256 is not compared with images named by SHA-512", async () => {
  const { reference } = await seal(baseFiles(), { commandLine: () => `composefs=${"ab".repeat(32)} rw` });
  const { links } = await check(reference);
  const image = links.find(({ name }) => name === "image");
  assert.deepEqual(image?.findings, [
    { state: "unchecked", message: "the repository has digests of sha512, the UKI names one of sha256" },
  ]);
});

test("an add-on that an image ships with init= is broken at the add-on", async () => {
  const addon = await signPe(peImage({ ".text": "addon", ".cmdline": "init=/bin/sh" }), TEST_KEYS.signer);
  const { reference } = await seal(baseFiles(), {
    beside: [{ path: "boot/EFI/Linux/debug.addon.efi", content: addon }],
  });
  assert.deepEqual(broken(await check(reference)), [
    "add-ons",
    'Cannot use the command line of the add-on: "init" is decided by the seal',
  ]);
});

test("a layer whose blob was changed is broken at the source", async () => {
  const { directory, reference } = await seal();
  const blobs = globSync("layout/blobs/sha256/*", { cwd: directory }).map((path) => join(directory, path));
  const largest = blobs.sort((a, b) => statSync(b).size - statSync(a).size)[0] ?? "";
  const bytes = readFileSync(largest);
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
  writeFileSync(largest, bytes);
  const report = await check(reference);
  assert.deepEqual(states(report), ["source broken"]);
});

test("an image of a repository: its objects are hashed where they are", async () => {
  const { directory, reference } = await seal();
  const repository = join(directory, "repo");
  assert.equal((await run("repo", "init", "--insecure", "--repo", repository)).exitCode, 0);
  assert.equal((await run("image", "pull", "--repo", repository, "--insecure-policy", reference, "os")).exitCode, 0);
  const before = globSync("**/*", { cwd: repository });
  const good = await run("verify", "--repo", repository, "os");
  assert.deepEqual([good.exitCode, good.err], [0, ""], good.out);
  assert.deepEqual(globSync("**/*", { cwd: repository }), before, "the repository was written");
  const objects = globSync("objects/*/*", { cwd: repository }).map((path) => join(repository, path));
  const tool = objects.find((path) => statSync(path).size === 300_000) ?? "";
  const bytes = readFileSync(tool);
  bytes.writeUInt8(bytes.readUInt8(100_000) ^ 1, 100_000);
  writeFileSync(tool, bytes);
  const bad = await run("verify", "--repo", repository, "os");
  assert.equal(bad.exitCode, 1);
  assert.match(
    bad.out,
    /^BROKEN at objects 10 objects: the object of \/usr\/bin\/tool: its content has another digest$/m,
  );
});

test("a UKI alone: with keys its image is what is unchecked; without, nobody is known who trusts its signer", async () => {
  const { deploymentId } = await seal();
  const keys = join(disks.folder(), "keys");
  assert.equal((await run("keys", "generate", keys)).exitCode, 0);
  const { loadSigner } = await import("../../src/keys/index.ts");
  const line = `composefs=${deploymentId} rw`;
  const bytes = await signPe(ukiImage(deploymentId, { initramfs: sealedInitramfs(line) }), loadSigner(keys));
  const path = join(disks.folder(), "os.efi");
  writeFileSync(path, bytes);
  const trusted = await run(
    "verify",
    path,
    "--keys",
    keys,
    "--require-key",
    join(keys, "db.pem"),
    "--require-karg",
    "rw",
  );
  assert.deepEqual([trusted.exitCode, trusted.err], [0, ""], trusted.out);
  assert.match(trusted.out, /^verified, but for what is marked unchecked; no object was hashed\n$/m);
  const alone = await check(path);
  assert.deepEqual(states(alone), [
    ...["keys unchecked", "uki weaker", "command-line verified", "initramfs verified", "image unchecked"],
  ]);
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(1100) ^ 1, 1100);
  writeFileSync(path, flipped);
  assert.equal(broken(await check(path))[0], "uki");
});

test("another program alone: its signature is all there is to say", async () => {
  const path = join(disks.folder(), "loader.efi");
  writeFileSync(path, await signPe(loaderImage("257.13"), TEST_KEYS.signer));
  const report = await check(path);
  assert.deepEqual([report.kind, states(report)], ["EFI program", ["keys unchecked", "loader weaker"]]);
  writeFileSync(path, Buffer.from("MZ and nothing else"));
  await assert.rejects(check(path), { code: "corrupt" });
});

test("a name that nothing has, and an image that cannot be opened, are errors and no verdict", async () => {
  await assert.rejects(check("no-such-file"), { code: "not-found" });
  await assert.rejects(check(`oci:${disks.folder()}:latest`), { code: "not-found" });
  await assert.rejects(check(disks.folder()), { code: "unsupported" });
});
