/** Add-ons: made, judged, listed wherever they are, put onto disk files and taken from them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type AddonContents, buildAddon } from "../../src/addon/index.ts";
import { checkAddon, checkSealedLines } from "../../src/bootimage/index.ts";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { type CpioEntry, writeCpio } from "../../src/cpio/index.ts";
import { addSections, findSection, parsePe, sectionContent, signPe } from "../../src/pe/index.ts";
import { loaderImage, peImage } from "../bootloader/pe-fixture.ts";
import { type Run, run } from "../cli/run-verb.ts";
import { installed, type TestDisk } from "../install/edit/edited-disk.ts";
import { TEST_KEYS } from "../install/sealed-image.ts";
import { temporaryKeys } from "../keys/temporary-keys.ts";
import { sbverifyAccepts } from "../pe/boot-files.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-addon-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string) => join(scratch, name);
const STUB = {
  path: "stub",
  bytes: peImage({
    ".text": "stub",
    ".sbat": "sbat,1,SBAT Version\n",
    ".sdmagic": "#### LoaderInfo: systemd-addon 257.13-1 ####",
  }),
};
const NOTHING: AddonContents = {
  kernelArguments: [],
  deviceTree: undefined,
  microcode: undefined,
  initramfs: undefined,
  kernelRelease: undefined,
};
let disk: TestDisk;

before(async () => {
  writeFileSync(at("stub"), STUB.bytes);
  assert.equal((await run("keys", "generate", at("keys"), "--common-name", "addons")).exitCode, 0);
  disk = await installed("addons");
});

function assertRefused({ exitCode, err }: Run, message: RegExp, code = 1): void {
  assert.match(err, message);
  assert.equal(exitCode, code, err);
}

const file = (path: string, content = "x"): CpioEntry => ({
  kind: "file",
  path: byteStringOfText(path),
  mode: 0o644,
  bytes: Buffer.from(content),
});
const folder = (path: string): CpioEntry => ({ kind: "directory", path: byteStringOfText(path), mode: 0o755 });
const microcode = writeCpio([file("kernel/x86/microcode/GenuineIntel.bin")]);
const firmware = writeCpio([
  folder("usr"),
  folder("usr/lib"),
  folder("usr/lib/firmware"),
  file("usr/lib/firmware/a/b.bin"),
]);
/** Our writer makes none of these. */
const climbing = Buffer.from(
  Buffer.from(writeCpio([file("usr/lib/firmware/AA/AA/bin/sh")]))
    .toString("latin1")
    .replaceAll("AA", ".."),
  "latin1",
);
const deviceTree = Buffer.from("d00dfeed00000000", "hex");

const build = (output: string, ...words: string[]) =>
  run("addon", "build", "-o", at(output), "--stub", at("stub"), ...words);

test("addon build makes what systemd-stub takes, signed, the same bytes each time", async () => {
  for (const [name, bytes] of Object.entries({ dtb: deviceTree, ucode: microcode, initrd: firmware })) {
    writeFileSync(at(name), bytes);
  }
  const all = [
    "--karg",
    "console=ttyS0",
    "--karg",
    "quiet",
    "--dtb",
    at("dtb"),
    "--ucode",
    at("ucode"),
    "--initrd",
    at("initrd"),
  ];
  const words = [...all, "--uname", "6.12.1", "--keys", at("keys")];
  const made = await build("all.addon.efi", ...words, "--json");
  assert.equal(made.exitCode, 0, made.err);
  const { sizeBytes, ...report } = JSON.parse(made.out);
  assert.deepEqual(report, {
    name: "all",
    scope: null,
    deploymentId: null,
    path: at("all.addon.efi"),
    commandLine: "console=ttyS0 quiet",
    sections: [".cmdline", ".dtb", ".ucode", ".initrd", ".uname"],
    signedBy: "CN=addons db",
    problem: null,
  });
  const bytes = readFileSync(at("all.addon.efi"));
  assert.equal(sizeBytes, bytes.length);
  const image = parsePe(bytes);
  const content = (name: string) => {
    const section = findSection(image, name);
    return Buffer.from(section === undefined ? [] : sectionContent(image, section));
  };
  const wanted = { ".dtb": deviceTree, ".ucode": microcode, ".initrd": firmware, ".uname": Buffer.from("6.12.1") };
  for (const [name, expected] of Object.entries(wanted)) assert.deepEqual(content(name), Buffer.from(expected));
  assert.ok(sbverifyAccepts(at("all.addon.efi"), at("keys/db.pem")));
  await build("again.addon.efi", ...words);
  assert.deepEqual(readFileSync(at("again.addon.efi")), bytes);
  const command = `sbsign --key ${at("keys/db.key")} --cert ${at("keys/db.pem")} --output {output} {input}`;
  const byCommand = await build("c.addon.efi", "--karg", "quiet", "--keys", at("keys"), "--sign-command", command);
  assert.equal(byCommand.out, `${at("c.addon.efi")}: signed by CN=addons db\n`);
  const unsigned = await build("u.addon.efi", "--karg", "quiet", "--unsigned");
  assert.equal(unsigned.out, `${at("u.addon.efi")}: not signed\n`);
});

test("what an add-on may not change is refused when it is built, and the same when it is installed", async () => {
  for (const argument of [
    "init=/bin/sh",
    "rdinit=/x",
    "root=/dev/sda",
    "composefs=00",
    "systemd.unit=rescue.target",
    "rd.break",
    "single",
  ]) {
    const refused = await build("no.addon.efi", "--karg", argument, "--keys", at("keys"));
    assertRefused(refused, /^sealroot: Cannot use the kernel argument /, 2);
    const made = addSections(STUB.bytes, [{ name: ".cmdline", content: Buffer.from(argument) }]);
    assert.throws(() => checkAddon(made, "the add-on no"), { code: "unsupported" });
  }
  const archives: readonly (readonly [string, Uint8Array, RegExp])[] = [
    [
      "initrd",
      writeCpio([file("usr/lib/sealroot/boot.js")]),
      /\.initrd may hold firmware files only, and has "usr\/lib\/sealroot\/boot\.js"$/,
    ],
    ["initrd", writeCpio([file("init")]), /has "init"$/],
    ["initrd", climbing, /has "usr\/lib\/firmware\/\.\.\/\.\.\/bin\/sh"$/],
    [
      "initrd",
      writeCpio([
        {
          kind: "symlink",
          path: byteStringOfText("usr/lib/firmware/a"),
          mode: 0o777,
          target: byteStringOfText("/etc"),
        },
      ]),
      /has "usr\/lib\/firmware\/a"$/,
    ],
    ["initrd", writeCpio([folder("lib")]), /has "lib"$/],
    [
      "initrd",
      execFileSync("gzip", { input: Buffer.from(firmware) }),
      /\.initrd is compressed, and cannot be looked into here$/,
    ],
    ["initrd", Buffer.from("noise"), /neither an archive nor a known compression$/],
    ["ucode", firmware, /\.ucode may hold microcode only, and has "usr"$/],
    ["dtb", Buffer.from("no tree"), /its section \.dtb is no device tree$/],
  ];
  const option = { initrd: "initramfs", ucode: "microcode", dtb: "deviceTree" } as const;
  for (const [name, bytes, message] of archives) {
    const contents = { ...NOTHING, [option[name as keyof typeof option]]: bytes };
    await assert.rejects(buildAddon(STUB, contents, undefined), { message });
    const made = addSections(STUB.bytes, [{ name: `.${name}`, content: bytes }]);
    const uki = { path: "uki", commandLine: "quiet", architecture: "x64" as const };
    assert.throws(() => checkSealedLines(uki, [{ name: "no", scope: "scoped", bytes: made }]), { message });
  }
  const kernel = addSections(STUB.bytes, [{ name: ".linux", content: Buffer.from("kernel") }]);
  assert.throws(() => checkAddon(kernel, "the add-on no"), /a section \.linux belongs into a UKI$/);
  assert.throws(() => checkAddon(STUB.bytes, "the add-on no", "aa64"), { code: "conflict" });
  assert.ok(!existsSync(at("no.addon.efi")));
});

test("addon build says what is missing", async () => {
  const keys = ["--keys", at("keys")];
  assertRefused(
    await build("none.addon.efi", ...keys),
    /^sealroot: Cannot build the add-on: it would change nothing\n/,
    2,
  );
  assertRefused(await build("none.efi", "--karg", "a", ...keys), /knows add-ons by names in \.addon\.efi\n/, 2);
  assertRefused(await build("none.addon.efi", "--karg", "a"), /give either --keys or --unsigned\n/, 2);
  writeFileSync(at("loader"), loaderImage("257"));
  const loader = await run(
    "addon",
    "build",
    "-o",
    at("none.addon.efi"),
    "--stub",
    at("loader"),
    "--karg",
    "a",
    ...keys,
  );
  assertRefused(loader, /loader is not systemd's add-on stub\n/);
  const absent = await run(
    "addon",
    "build",
    "-o",
    at("none.addon.efi"),
    "--stub",
    at("absent"),
    "--karg",
    "a",
    ...keys,
  );
  assertRefused(absent, /^sealroot: Cannot build the add-on: there is no stub \S+absent\n/);
  assertRefused(
    await build("none.addon.efi", "--dtb", at("absent"), ...keys),
    /^sealroot: Cannot read the file of --dtb/,
  );
});

async function addonFile(name: string, line: string, signer = TEST_KEYS.signer): Promise<string> {
  const path = at(`${name}.addon.efi`);
  writeFileSync(path, await buildAddon(STUB, { ...NOTHING, kernelArguments: [line] }, signer));
  return path;
}

const digestOfDisk = () => createHash("sha256").update(readFileSync(disk.path)).digest("hex");

test("add-ons go onto a disk file for one deployment or for all, are listed there, and go again", async () => {
  assert.equal((await run("addon", "list", disk.path)).out, "No add-ons\n");
  const serial = await addonFile("serial", "console=ttyS0");
  const site = await addonFile("site", "site=north");
  const added = await run("addon", "add", disk.path, serial);
  assert.equal(added.out, `added serial (deployment ${disk.deploymentId})\n`, added.err);
  assert.equal((await run("addon", "add", "--global", disk.path, site)).out, "added site (every UKI)\n");
  const listed = JSON.parse((await run("addon", "list", "--json", disk.path)).out).addons;
  assert.deepEqual(
    listed.map((one: Record<string, unknown>) => [
      one.name,
      one.scope,
      one.deploymentId,
      one.commandLine,
      one.signedBy,
      one.problem,
    ]),
    [
      ["site", "global", null, "site=north", "CN=test db", null],
      ["serial", "scoped", disk.deploymentId, "console=ttyS0", "CN=test db", null],
    ],
  );
  const before = digestOfDisk();
  assert.equal(
    (await run("addon", "add", disk.path, serial)).out,
    `present serial (deployment ${disk.deploymentId})\n`,
  );
  assert.equal(digestOfDisk(), before);
  await addonFile("serial", "console=ttyS1");
  const replaced = await run("addon", "add", disk.path, serial, "--deployment", disk.deploymentId.slice(0, 12));
  assert.equal(replaced.out, `replaced serial (deployment ${disk.deploymentId})\n`);
  assert.match(
    (await run("addon", "list", disk.path)).out,
    /\nserial {2}deployment [0-9a-f]{12} {2}CN=test db {2}console=ttyS1\n$/,
  );
  assertRefused(await run("addon", "remove", disk.path, "site"), /the disk has none of that name there\n/);
  assert.equal((await run("addon", "remove", "--global", disk.path, "site")).out, "removed site (every UKI)\n");
  assert.equal(
    (await run("addon", "remove", disk.path, "serial")).out,
    `removed serial (deployment ${disk.deploymentId})\n`,
  );
  assert.equal((await run("addon", "list", disk.path)).out, "No add-ons\n");
});

test("a disk takes no add-on that firmware with its keys refuses, nor one that breaks the rule; then nothing is changed", async () => {
  const { signer: foreign } = await temporaryKeys("foreign");
  const before = digestOfDisk();
  assertRefused(
    await run("addon", "add", disk.path, await addonFile("foreign", "a", foreign)),
    /firmware with the keys in auto\/ refuses it, as its certificate "CN=foreign db"/,
  );
  const init = await signPe(
    addSections(STUB.bytes, [{ name: ".cmdline", content: Buffer.from("init=/x") }]),
    TEST_KEYS.signer,
  );
  writeFileSync(at("init.addon.efi"), init);
  assertRefused(await run("addon", "add", disk.path, at("init.addon.efi")), /"init" /);
  const listed = await run("addon", "list", at("init.addon.efi"));
  assert.match(listed.out, /\nCannot use the command line of the add-on init: "init" .*\n$/);
  assert.equal(listed.exitCode, 1);
  writeFileSync(at("plain.addon.efi"), STUB.bytes);
  assertRefused(await run("addon", "add", disk.path, at("plain.addon.efi")), /refuses it, as it is not signed\n/);
  const long = await addonFile("long", `a=${"1".repeat(2040)}`);
  assertRefused(await run("addon", "add", disk.path, long), /the kernel keeps 2047\n/);
  assertRefused(await run("addon", "add", disk.path, at("absent.addon.efi")), /^sealroot: Cannot read the add-on/);
  assertRefused(await run("addon", "add", disk.path, at("stub")), /by names in \.addon\.efi\n/, 2);
  assertRefused(await run("addon", "remove", disk.path, "none"), /no add-ons\n/);
  assert.equal(digestOfDisk(), before);
});

test("add-ons are listed in a folder, and on an ESP that is mounted", async () => {
  const path = await addonFile("folder", "debug");
  mkdirSync(at("folder"));
  writeFileSync(at("folder/folder.addon.efi"), readFileSync(path));
  writeFileSync(at("folder/other.txt"), "x");
  assert.match(
    (await run("addon", "list", at("folder"))).out,
    /^NAME +FOR +SIGNED BY +BRINGS\nfolder +CN=test db +debug\n$/,
  );
  mkdirSync(at("esp/loader/addons"), { recursive: true });
  mkdirSync(at(`esp/EFI/Linux/bootc/bootc_composefs-${"0f".repeat(64)}.efi.extra.d`), { recursive: true });
  writeFileSync(at("esp/loader/addons/bootc_composefs-all.addon.efi"), readFileSync(path));
  writeFileSync(at(`esp/EFI/Linux/bootc/bootc_composefs-${"0f".repeat(64)}.efi.extra.d/one.addon.efi`), "broken");
  const listed = await run("addon", "list", at("esp"));
  assert.match(
    listed.out,
    /\nall +every UKI +CN=test db +debug\none +deployment 0f0f0f0f0f0f +nobody +\nCannot parse /,
  );
  assert.equal(listed.exitCode, 1);
});
