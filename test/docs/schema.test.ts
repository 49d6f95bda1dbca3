import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { buildAddon } from "../../src/addon/index.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { main } from "../../src/cli/main.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { objectPath } from "../../src/tree/index.ts";
import { verityDigest } from "../../src/verity/index.ts";
import { peImage } from "../bootloader/pe-fixture.ts";
import { buildRoot } from "../container/build-root.ts";
import { makeImage, tool } from "../images/copy/images.ts";
import { baseFiles, sealImage, TEST_KEYS } from "../install/sealed-image.ts";
import { sealableImage } from "../seal/sealable-image.ts";
import { faultsOf } from "./json-schema.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");
const SCHEMAS = join(import.meta.dirname, "../../docs/schema");
const schemaOf = (name: string) => JSON.parse(readFileSync(join(SCHEMAS, `${name}.json`), "utf8"));
const fileName = (verb: string) => verb.replaceAll(" ", "-");

/** Verbs without --json, and why. */
const WITHOUT_JSON: Readonly<Record<string, string>> = {
  completion: "a script for a shell",
  "container export": "a tar",
  __complete: "words for that script",
  "composefs-finalize-staged": "called by its unit",
  "internals varlink": "varlink, a protocol of its own",
  "usr-overlay": "two lines, as bootc prints them",
  "internals prep-soft-reboot": "a line, as bootc prints it",
  "install edit get": "the bytes of a file",
  "internals boot-failed": "called by its unit",
  "internals health-check": "called by its unit",
  "internals record-boot": "called by its unit",
  "internals composefs-gc": "bootc's words",
  "internals run-updates": "called by its unit",
  "repo cat": "the bytes of a stream",
  "repo cat-file": "the bytes of a file",
  "repo create-dumpfile": "dump text, a format of its own",
  "repo dump-files": "dump text, a format of its own",
  "repo mkcomposefs": "the words and the bytes of mkcomposefs",
  "repo mount": "nothing is printed",
  "repo transaction": "nothing is printed",
};

/** Runs one command line without progress. */
async function run(...words: string[]) {
  let [out, err] = ["", ""];
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  const code = await main(words.toSpliced(end, 0, "--quiet"), {
    line: (text) => {
      out += `${text}\n`;
    },
    bytes: async (chunk) => {
      out += Buffer.from(chunk).toString();
    },
    json: (value) => {
      out += JSON.stringify(value);
    },
    remark: (text) => {
      err += `${text}\n`;
    },
  });
  return { code, out, err };
}

async function json(exitCode: number, ...words: string[]): Promise<unknown> {
  const { code, out, err } = await run(...words);
  assert.equal(code, exitCode, `${words.join(" ")}: ${out}${err}`);
  return JSON.parse(out);
}

const scratch = mkdtempSync(join(tmpdir(), "sealroot-schema-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string) => join(scratch, name);
const repository = at("repository");
const tree = at("tree");
let image: string;
let damaged: string;
const BIG = "x".repeat(1000);
let sealable: string;

before(async () => {
  await makeImage(at("image"), { contents: ["one", "two"] });
  image = `oci:${at("image")}:v1`;
  mkdirSync(join(tree, "usr"), { recursive: true });
  for (const name of ["boot", "sysroot", "etc"]) mkdirSync(join(tree, name));
  writeFileSync(join(tree, "usr/big"), BIG);
  writeFileSync(at("empty.dump"), "/ 0 40755 2 0 0 0 0.0 - - -\n");
  await json(0, "repo", "init", "--json", "--insecure", repository);
  await json(0, "repo", "create-image", "--json", "--repo", repository, tree, "my");
  await json(0, "image", "pull", "--json", "--insecure-policy", "--repo", repository, image, "os");
  damaged = at("damaged");
  tool("cp", "-a", repository, damaged);
  // A file's content: an image could be made again.
  const object = verityDigest(Buffer.from(BIG), "sha512");
  rmSync(join(damaged, "objects", objectPath(object)));
  sealable = await sealableImage(scratch);
});

/** Runs the verb with these words and compares what it prints with its schema. */
type Report = (exitCode: number, ...words: string[]) => Promise<unknown>;

const IN_REPOSITORY = ["--repo", repository];
const TRUSTING = "--insecure-policy";

/** Calls that together show all that a verb reports, in an order in which each finds what it needs. */
const REPORTS: Readonly<Record<string, (report: Report) => Promise<unknown>>> = {
  // Of hosts with deployments: test/host/read-host.test.ts.
  status: (report) => report(0),
  init: (report) => report(0, at("project")),
  "keys generate": (report) => report(0, at("keys")),
  "keys list": async (report) => {
    await report(0, at("keys"));
    tool("cp", "-a", at("keys"), at("public"));
    for (const key of globSync("*.key", { cwd: at("public") })) rmSync(join(at("public"), key));
    await report(0, at("public"));
  },
  "keys add": async (report) => {
    tool("cp", "-a", at("keys"), at("changed-keys"));
    const other = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=vendor", "-keyout", "/dev/null"];
    tool("openssl", ...other, "-out", at("vendor.pem"));
    await report(0, at("changed-keys"), at("vendor.pem"));
    await report(0, at("changed-keys"), at("vendor.pem"));
  },
  "keys rotate": (report) => report(0, at("changed-keys")),
  "keys remove": (report) => report(0, at("changed-keys"), at("vendor.pem")),
  "keys revoke": async (report) => {
    await report(0, at("changed-keys"), "5".repeat(64), at("vendor.pem"));
    await report(0, at("changed-keys"), "--sbat");
    assert.equal(((await json(0, "keys", "list", "--json", at("changed-keys"))) as { dbx: unknown[] }).dbx.length, 2);
  },
  "addon build": async (report) => {
    const sections = { ".text": "stub", ".sdmagic": "#### LoaderInfo: systemd-addon 257 ####" };
    writeFileSync(at("stub"), peImage(sections));
    const words = ["--stub", at("stub"), "-o", at("made.addon.efi")];
    await report(0, ...words, "--karg", "quiet", "--unsigned");
    await report(0, ...words, "--karg", "quiet", "--uname", "6.12", "--keys", at("keys"));
  },
  "addon list": async (report) => {
    await report(0, at("made.addon.efi"));
    writeFileSync(at("broken.addon.efi"), "");
    await report(1, at("broken.addon.efi"));
  },
  seal: async (report) => {
    await report(0, TRUSTING, sealable, "-o", `oci:${at("sealed")}:v1`, "--keys", at("keys"));
    await report(0, TRUSTING, sealable, "-o", `oci:${at("unsigned")}:v1`, "--unsigned");
  },
  "seal attach": async (report) => {
    const unsigned = `oci:${at("unsigned")}:v1`;
    await report(0, TRUSTING, unsigned, "--extract", at("uki.efi"));
    const signer = ["--key", join(at("keys"), "db.key"), "--cert", join(at("keys"), "db.pem")];
    tool("sbsign", ...signer, "--output", at("signed.efi"), at("uki.efi"));
    await report(0, TRUSTING, unsigned, at("signed.efi"), "-o", `oci:${at("attached")}:v1`);
  },
  "install to-disk": async (report) => {
    mkdirSync(at("installable"));
    const { reference } = await sealImage(at("installable"), baseFiles());
    await report(0, TRUSTING, at("disk.img"), "--source-imgref", reference, "--size", "1200M");
  },
  "install print-configuration": async (report) => {
    await report(0);
    mkdirSync(at("etc/bootc/install"), { recursive: true });
    const filesystem = '[install.filesystem.root]\ntype = "ext4"\n';
    writeFileSync(at("etc/bootc/install/a.toml"), `[install]\nkargs = ["a"]\n${filesystem}`);
    await report(0, "--all", "--root", scratch);
  },
  // The disk of "install to-disk".
  "install edit list": async (report) => {
    await report(0, at("disk.img"), "/etc");
    await report(0, at("disk.img"), "/var", "--recursive");
  },
  "install edit put": (report) => report(0, at("disk.img"), "/etc/new/", at("empty.dump")),
  "install edit mkdir": async (report) => {
    await report(0, at("disk.img"), "/var/new");
    await report(0, at("disk.img"), "/var/new");
  },
  "install edit remove": (report) => report(0, at("disk.img"), "/var/new"),
  "addon add": async (report) => {
    const stub = { path: "stub", bytes: readFileSync(at("stub")) };
    const nothing = { deviceTree: undefined, microcode: undefined, initramfs: undefined, kernelRelease: undefined };
    const bytes = await buildAddon(stub, { ...nothing, kernelArguments: ["quiet"] }, TEST_KEYS.signer);
    writeFileSync(at("signed.addon.efi"), bytes);
    await report(0, at("disk.img"), at("signed.addon.efi"));
    await report(0, at("disk.img"), at("signed.addon.efi"));
    await report(0, at("disk.img"), at("signed.addon.efi"), "--global");
  },
  "addon remove": async (report) => {
    await report(0, at("disk.img"), "signed");
    await report(0, at("disk.img"), "signed", "--global");
  },
  // The disk and the image that it was made of; an id that no rule makes; packages of another version.
  diff: async (report) => {
    const installed = globSync("*/index.json", { cwd: at("installable") })[0];
    assert.ok(installed !== undefined);
    const reference = `oci:${dirname(join(at("installable"), installed))}`;
    await report(0, TRUSTING, at("disk.img"), reference);
    await report(1, TRUSTING, reference, sealable);
    await report(1, TRUSTING, "0".repeat(128), reference);
    await report(1, TRUSTING, ...IN_REPOSITORY, "os", tree);
  },
  verify: async (report) => {
    await report(0, at("disk.img"));
    await report(0, TRUSTING, `oci:${at("sealed")}:v1`);
    await report(0, at("uki.efi"));
    await report(1, TRUSTING, sealable);
    await report(0, at("disk.img"), "--evidence", at("evidence"));
    await report(0, "--check-evidence", at("evidence"));
    await report(1, at("disk.img"), "--keys", at("keys"), "--require-karg", "quiet", "--forbid-missing-verity");
  },
  // The disk and the images of the verbs before.
  inspect: async (report) => {
    await report(0, at("disk.img"));
    await report(0, TRUSTING, image);
    await report(0, TRUSTING, `oci:${at("sealed")}:v1`);
    await report(0, at("signed.efi"));
    await report(0, tree);
  },
  "image push": (report) => report(0, ...IN_REPOSITORY, "os", `oci:${at("pushed")}:v1`),
  "image copy": async (report) => {
    await report(0, TRUSTING, image, `dir:${at("copy")}`);
    await report(0, TRUSTING, "--all", image, `oci:${at("all")}:v1`);
  },
  "image add-initramfs": (report) => report(0, TRUSTING, sealable, "-o", `oci:${at("type1")}:v1`),
  "image pull": async (report) => {
    await report(0, TRUSTING, ...IN_REPOSITORY, image, "other");
    await report(0, TRUSTING, ...IN_REPOSITORY, "--bootable", sealable, "again");
  },
  "image copy-to-storage": (report) =>
    report(0, ...IN_REPOSITORY, "os", "--target", `[vfs@${at("store")}+${at("run")}]localhost/os:1`),
  "image list": (report) => report(0, ...IN_REPOSITORY),
  "image inspect": (report) => report(0, ...IN_REPOSITORY, "os"),
  "image history": (report) => report(0, ...IN_REPOSITORY, "os"),
  "image compute-id": (report) => report(0, ...IN_REPOSITORY, "os"),
  "image tag": (report) => report(0, ...IN_REPOSITORY, "os", "third"),
  "image untag": (report) => report(0, ...IN_REPOSITORY, "third"),
  "image remove": (report) => report(0, ...IN_REPOSITORY, "again"),
  "repo init": async (report) => {
    await report(0, "--insecure", ...IN_REPOSITORY);
    await report(0, "--insecure", "--repo", at("new"), "--algorithm", "fsverity-sha256-12");
  },
  "repo create-image": async (report) => {
    await report(0, ...IN_REPOSITORY, tree);
    await report(0, ...IN_REPOSITORY, tree, "my");
  },
  "repo import-image": async () => {
    const erofs = at("image.erofs");
    const made = await run("repo", "mkcomposefs", "--from-file", "--hash", "sha512", at("empty.dump"), erofs);
    assert.equal(made.code, 0, made.err);
    const words = ["repo", "import-image", "--json", ...IN_REPOSITORY, "imported"];
    const { stdout } = spawnSync(process.execPath, [MAIN, ...words], { input: readFileSync(erofs), encoding: "utf8" });
    assert.deepEqual(faultsOf(schemaOf("repo-import-image"), JSON.parse(stdout)), []);
  },
  "repo compute-id": (report) => report(0, "--no-repo", tree),
  "repo compute-karg": (report) => report(0, "--no-repo", tree),
  "container compute-composefs-digest": (report) => report(0, tree),
  "container inspect": async (report) => {
    await report(0, "--rootfs", tree);
    using build = await buildRoot();
    await report(0, "--rootfs", build.root);
  },
  "container lint": async (report) => {
    using build = await buildRoot();
    await report(1, "--rootfs", build.root);
  },
  "container split-kernel-and-rootfs": async (report) => {
    using build = await buildRoot();
    await report(0, "--rootfs", build.root, "--output", at("kernel"));
  },
  "container ukify": async (report) => {
    using build = await buildRoot();
    await report(0, "--rootfs", build.root, "--", "--output", at("container.efi"));
  },
  "repo images": (report) => report(0, ...IN_REPOSITORY),
  "repo image-objects": (report) => report(0, ...IN_REPOSITORY, "my"),
  "repo linked-erofs-images": async (report) => {
    const inspected = await json(0, "image", "inspect", "--json", ...IN_REPOSITORY, "os");
    assert.ok(typeof inspected === "object" && inspected !== null && "composefs_erofs" in inspected);
    await report(0, ...IN_REPOSITORY, String(inspected.composefs_erofs));
  },
  "repo extract": async (report) => {
    await report(0, ...IN_REPOSITORY, "--no-same-owner", "my", at("extracted"));
    if (process.getuid?.() === 0) await report(0, ...IN_REPOSITORY, "my", at("extracted-whole"));
  },
  "repo fsck": async (report) => {
    await report(0, ...IN_REPOSITORY);
    await report(1, "--repo", damaged);
    await report(1, "--repo", damaged, "--json=full");
    await report(1, "--repo", damaged, "--repair", "--json=full");
  },
  "repo gc": async (report) => {
    await report(0, ...IN_REPOSITORY, "--dry-run");
    await report(0, ...IN_REPOSITORY);
  },
};

for (const [verb, calls] of Object.entries(REPORTS)) {
  test(`docs/schema: what sealroot ${verb} --json prints is as described`, async () => {
    const schema = schemaOf(fileName(verb));
    await calls(async (exitCode, ...words) => {
      const asked = words.some((word) => word.startsWith("--json")) ? [] : ["--json"];
      const value = await json(exitCode, ...verb.split(" "), ...asked, ...words);
      assert.deepEqual(faultsOf(schema, value), [], JSON.stringify(value));
      return value;
    });
  });
}

/**
 * Their results come from booted machines: test/vm/run-verb.test.ts, host-status.test.ts, upgrade.test.ts,
 * repair.test.ts and rollback.test.ts compare them, and test/docs/host.test.ts those of hosts that are folders.
 */
const BOOTED = [
  "install mount",
  "vm run",
  "config-diff",
  "fsck",
  "rollback",
  "pin",
  "unpin",
  "gc",
  "delete-deployment",
  "upgrade",
  "switch",
  "loader-entries set-options-for-source",
  // test/host/addons.test.ts
  "uki-addon list",
  "uki-addon list-referenced",
  "uki-addon add",
  "uki-addon remove",
];

test("every verb that reports has a schema, and its results are compared with it", async () => {
  const reporting: string[] = [];
  for (const entry of COMMANDS) {
    if (entry.aliasOf !== undefined) continue;
    const verb = entry.path.join(" ");
    const command = await entry.load();
    const hasJson = command.reportsJson === true || (command.options ?? []).some(({ flags }) => /--json\b/.test(flags));
    assert.equal(hasJson, WITHOUT_JSON[verb] === undefined, `${verb} has --json, or a reason not to`);
    if (hasJson) reporting.push(verb);
  }
  const described = globSync("*.json", { cwd: SCHEMAS }).map((name) => basename(name, ".json"));
  // What verify --evidence writes: ../evidence/evidence.test.ts.
  assert.deepEqual(described.sort(), [...reporting.map(fileName), "error", "evidence"].sort());
  assert.deepEqual([...Object.keys(REPORTS), ...BOOTED].sort(), reporting.sort());
});

test("docs/schema/error.json describes every error", async () => {
  const schema = schemaOf("error");
  for (const [exitCode, ...words] of [
    [2, "keys", "list"],
    [1, "keys", "list", at("nothing")],
    [1, "image", "pull", ...IN_REPOSITORY, `oci:${at("nothing")}`],
    [1, "edit"],
  ] as const) {
    assert.deepEqual(faultsOf(schema, await json(exitCode, ...words, "--json")), [], words.join(" "));
  }
  const all = new SealrootError("corrupt", "m", {
    ...{ step: "s", path: "p", offset: 1, line: 1, expected: "e", actual: "a", output: ["o"], hint: "h" },
  });
  assert.deepEqual(faultsOf(schema, { error: all.toJSON() }), []);
});

/** Shapes of bootc and cfsctl, with their own keys. */
const FOREIGN = ["image-list", "image-inspect", "install-print-configuration", "repo-fsck", "uki-addon-list"];

function keysOf(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  const own = "properties" in schema ? Object.keys(schema.properties ?? {}) : [];
  return [...own, ...Object.values(schema).flatMap(keysOf)];
}

test("our own keys are in camelCase, sizes are bytes", () => {
  for (const name of globSync("*.json", { cwd: SCHEMAS }).map((file) => basename(file, ".json"))) {
    if (FOREIGN.includes(name)) continue;
    const odd = keysOf(schemaOf(name)).filter((key) => !/^(?:[a-z][a-zA-Z0-9]*|PK|KEK)$/.test(key) || key === "size");
    assert.deepEqual(odd, [], name);
  }
});

test("the validator of these tests refuses what a schema does not allow, and rules it does not know", () => {
  const schema = schemaOf("image-tag");
  const good = { name: "a", manifestDigest: `sha256:${"0".repeat(64)}` };
  assert.deepEqual(faultsOf(schema, good), []);
  const cases: [unknown, string][] = [
    [{ ...good, more: 1 }, "$.more is not described"],
    [{ name: "a" }, "$.manifestDigest is missing"],
    [{ ...good, name: 1 }, "$.name is not string"],
    [[], "$ is not object"],
  ];
  for (const [value, fault] of cases) assert.deepEqual(faultsOf(schema, value), [fault]);
  assert.match(faultsOf(schema, { ...good, manifestDigest: "x" })[0] ?? "", /^\$\.manifestDigest is not like /);
  assert.throws(() => faultsOf({ maximum: 1 }, 2), /unknown keyword maximum/);
});
