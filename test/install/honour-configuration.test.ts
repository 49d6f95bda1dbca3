/** Every key of the image's installation configuration is carried out or refused by name. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { CONFIGURATION_KEYS, type InstallToDiskOptions, installToDisk } from "../../src/install/index.ts";
import { installToDiskCommand } from "../../src/verbs/install/to-disk.ts";
import { run } from "../cli/run-verb.ts";
import { baseFiles, type ImageFile, SMALL_DISK, sealImage } from "./sealed-image.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-honour-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let images = 0;

function parents(path: string): ImageFile[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => ({ path: parts.slice(0, index + 1).join("/") }));
}

/** Installs an image with these drop-ins; each key is a path in it. */
async function install(
  files: Record<string, string>,
  options: Partial<InstallToDiskOptions> = {},
  commandLine?: (id: string) => string,
): Promise<string> {
  const name = `image-${++images}`;
  mkdirSync(join(scratch, name));
  const added = Object.entries(files).flatMap(([path, content]) => [...parents(path), { path, content }]);
  const present = new Set(baseFiles().map(({ path }) => path));
  const fresh = added.filter(({ path }) => !present.has(path) && present.add(path));
  const sealed = await sealImage(join(scratch, name), [...baseFiles(), ...fresh], commandLine ? { commandLine } : {});
  const target = join(scratch, name, "disk.img");
  try {
    await installToDisk({
      target,
      source: sealed.reference,
      ...SMALL_DISK,
      policy: "accept-anything",
      events: () => {},
      ...options,
    });
    return "installed";
  } catch (error) {
    assert.ok(!readdirSync(join(scratch, name)).includes("disk.img"));
    return error instanceof Error
      ? error.message.replace("Cannot follow the image's installation configuration: ", "")
      : "";
  }
}

const DROP_IN = "usr/lib/bootc/install/50-os.toml";
const configured = (text: string, ...rest: [Partial<InstallToDiskOptions>?, ((id: string) => string)?]) =>
  install({ [DROP_IN]: `[install]\n${text}\n` }, ...rest);
const chosen = (choices: Partial<InstallToDiskOptions["choices"]>) => ({
  choices: { filesystem: undefined, bootloader: undefined, blockSetup: undefined, ...choices },
});
const withArguments = (text: string) => (id: string) => `composefs=${id} rw ${text}`;

const REFUSED: readonly (readonly [string, string])[] = [
  ['root-fs-type = "xfs"', "install.filesystem.root.type is xfs, but it has no fs-verity"],
  [
    'filesystem.root.type = "btrfs"',
    "install.filesystem.root.type is btrfs, but only ext4 can be made without mounting it",
  ],
  ['block = ["tpm2-luks"]', "install.block is tpm2-luks, but the disk is not encrypted"],
  ['block = ["tpm2-luks", "direct"]', "install.block is tpm2-luks, but the disk is not encrypted"],
  ["block = []", "install.block is no way to set up a disk, so none is made"],
  ['kargs = ["quiet splash", "rw"]', "install.kargs is quiet splash, which the sealed command line does not have"],
  ['karg-deletes = ["rw"]', "install.karg-deletes is rw, which the sealed command line has"],
  ['stateroot = "other"', 'install.stateroot is other, but composefs systems have one, "default"'],
  [
    "ostree.bls-append-except-default = 'grub_users=\"\"'",
    "install.ostree.bls-append-except-default is arguments for other boot entries, but a UKI's are sealed",
  ],
  ['bootloader = "grub"', "install.bootloader is grub, but only systemd-boot starts sealed images"],
  [
    "discoverable-partitions = false",
    "install.discoverable-partitions is false, but the sealed command line has no root=",
  ],
  ["enforce-container-sigpolicy = true", "install.enforce-container-sigpolicy is true, but no policy was asked"],
  ["luks = true", `/${DROP_IN}: Unknown key install.luks`],
  ["filesystem.boot.type = 'ext4'", `/${DROP_IN}: Unknown key install.filesystem.boot`],
  ["filesystem.root.size = 3", `/${DROP_IN}: Unknown key install.filesystem.root.size`],
];

test("what cannot be had is refused by its key, and no disk is there", async () => {
  for (const [text, message] of REFUSED) assert.equal(await configured(text), message);
});

test("what is done anyway, what the user decides, and what the seal has already, is installed", async () => {
  const everything = [
    'root-fs-type = "ext4"',
    'block = ["direct", "tpm2-luks"]',
    'kargs = ["console=ttyS0 quiet"]',
    'karg-deletes = ["splash", "console=tty1"]',
    'stateroot = "default"',
    'root-mount-spec = "LABEL=root"',
    'boot-mount-spec = ""',
    "bootupd.skip-boot-uuid = true",
    'bootloader = "systemd"',
    "discoverable-partitions = true",
    "enforce-container-sigpolicy = false",
  ].join("\n");
  assert.equal(await configured(everything, {}, withArguments("console=ttyS0 quiet")), "installed");
  const choices = chosen({ filesystem: "ext4", bootloader: "systemd", blockSetup: "direct" });
  const contrary = 'filesystem.root.type = "xfs"\nbootloader = "grub"\nblock = ["tpm2-luks", "direct"]';
  assert.equal(await configured(contrary, choices), "installed");
  assert.equal(await configured('block = ["tpm2-luks"]', choices), "install.block is tpm2-luks, but not direct");
  assert.equal(await configured('match-architectures = ["aarch64"]\nblock = ["tpm2-luks"]'), "installed");
});

test("the image's folders mask each other, a link to /dev/null removes a file, what is not a file is refused", async () => {
  const luks = '[install]\nblock = ["tpm2-luks"]\n';
  assert.equal(await install({ [DROP_IN]: luks, "etc/bootc/install/50-os.toml": "" }), "installed");
  assert.equal(await install({ [DROP_IN]: "", "etc/bootc/install/50-os.toml": luks }), REFUSED[2]?.[1]);
  assert.equal(
    await install({
      "usr/lib/bootc/install/.hidden.toml": luks,
    }),
    "installed",
  );
  assert.equal(
    await install({
      "usr/lib/bootc/install/50-os.toml/inside": "",
    }),
    "/usr/lib/bootc/install/50-os.toml: Not a file",
  );
});

test("an image that is not sealed strictly is installed only when that is said", async () => {
  const optional = (id: string) => `composefs=?${id} rw`;
  const message = "Cannot install the image: its command line has composefs=?, so its disk boots unverified files too";
  assert.equal(await install({}, {}, optional), message);
  assert.equal(await install({}, { allowMissingVerity: true }, optional), "installed");
  assert.equal(await install({}, { allowMissingVerity: true }), "installed");
});

/** First column of the table under a heading of the page, code marks taken off. */
function tableOf(heading: string): string[] {
  const page = readFileSync(new URL("../../docs/install.md", import.meta.url), "utf8");
  const section = page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  return rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text));
}

test("docs/install.md has every key of the configuration, and every option of the verb", async () => {
  assert.deepEqual(tableOf("Installation configuration").sort(), [...CONFIGURATION_KEYS].sort());
  const options = (installToDiskCommand.options ?? []).map(({ flags }) => /--[a-z-]+/.exec(flags)?.[0] ?? flags);
  assert.deepEqual(tableOf("Options").sort(), [...new Set(options)].sort());
});

/** bootc-install-to-disk(8) of bootc 1.17, and the common options of its spec (docs/spec/host-install.md 2). */
const BOOTC_OPTIONS = [
  ...["--composefs-backend", "--allow-missing-verity", "--uki-addon", "--bootloader", "--karg", "--karg-delete"],
  ...["--disable-selinux", "--root-ssh-authorized-keys", "--generic-image", "--bound-images", "--stateroot"],
  ...["--bootupd-skip-boot-uuid", "--source-imgref", "--target-imgref", "--target-transport"],
  ...["--enforce-container-sigpolicy", "--run-fetch-check", "--skip-fetch-check"],
  ...["--target-no-signature-verification", "--experimental-unified-storage", "--global-uki-addon"],
  ...["--wipe", "--block-setup", "--filesystem", "--root-size", "--via-loopback"],
];

test("every option of bootc install to-disk is known", () => {
  const options = (installToDiskCommand.options ?? []).map(({ flags }) => /--[a-z-]+/.exec(flags)?.[0] ?? flags);
  assert.deepEqual(
    BOOTC_OPTIONS.filter((name) => !options.includes(name)),
    [],
  );
});

test("options that cannot be honoured are refused by name before the image is looked at", async () => {
  const refused: readonly (readonly [string[], RegExp])[] = [
    [["--karg-delete", "quiet"], /^sealroot: Cannot remove a kernel argument: /],
    [["--root-ssh-authorized-keys", "/etc/hostname"], /^sealroot: Cannot add SSH keys: /],
    [["--bound-images", "stored"], /^sealroot: Cannot include bound images \(stored\): /],
    [["--experimental-unified-storage"], /^sealroot: Cannot pull into podman's store first: /],
    [["--run-fetch-check"], /^sealroot: Cannot check that the host can fetch updates: /],
  ];
  for (const [words, message] of refused) {
    const target = join(scratch, "option.img");
    const common = ["install", "to-disk", target, "--size", "1G", "--source-imgref", `oci:${scratch}/absent`];
    const { exitCode, err } = await run(...common, ...words);
    assert.equal(exitCode, 1, err);
    assert.match(err, message);
  }
});
