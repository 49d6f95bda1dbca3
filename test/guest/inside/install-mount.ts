/** `install mount`: a deployment of a disk that does not run, with its own /etc and /var. */
import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { formatComposefsArgument } from "../../../src/bls/index.ts";
import { runTool } from "../../../src/platform/index.ts";
import { run } from "../../cli/run-verb.ts";
import { faultsOf } from "../../docs/json-schema.ts";
import { type AddOptions, FixtureHost } from "../../host/fixture-host.ts";
import type { ImageFile } from "../../install/sealed-image.ts";

// The file system with fs-verity.
process.env.TMPDIR = "/scratch";
const TARGET = "/run/installed";
mkdirSync(TARGET, { recursive: true });
const at = (path: string) => join(TARGET, path);
const text = (path: string) => readFileSync(at(path), "utf8");

const mountsThere = () =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(` ${TARGET}`))
    .map((line) => {
      const [, , , , point = "", options = ""] = line.split(" ");
      const [type, source] = line.split(" - ")[1]?.split(" ") ?? [];
      return `${point.slice(TARGET.length) || "/"} ${type} ${source?.slice(0, 20)} ${options.split(",")[0]}`;
    });

interface Deployed {
  readonly host: FixtureHost;
  readonly id: string;
  readonly etc: string;
  readonly var: string;
}

async function deploy(host: FixtureHost, options: AddOptions = {}): Promise<Deployed> {
  const id = await host.add(options);
  const etc = join(host.physicalRoot, "state/deploy", id, "etc");
  writeFileSync(join(etc, "hostname"), "own\n");
  return { host, id, etc, var: join(host.physicalRoot, "state/os/default/var") };
}

const words = ({ host }: Deployed) => ["--sysroot", host.physicalRoot, "--esp", host.bootDirectory, TARGET];

/** Mounts, runs `work`, unmounts everything. */
async function mounted(deployed: Deployed, options: readonly string[], work: () => void): Promise<void> {
  const which = options.includes("--deployment") ? [] : ["--latest"];
  const { exitCode, out, err } = await run("install", "mount", ...which, ...options, ...words(deployed));
  assert.equal(exitCode, 0, err);
  assert.equal(out, `${deployed.id}\n`);
  try {
    work();
  } finally {
    await runTool("umount", ["-R", TARGET]);
  }
  assert.deepEqual(mountsThere(), []);
  assert.doesNotMatch(readFileSync("/proc/self/mountinfo", "utf8"), / - (?:erofs|overlay|vfat) /);
}

async function refusal(deployed: Deployed, ...options: string[]): Promise<string> {
  const { exitCode, err } = await run("install", "mount", ...options, ...words(deployed));
  assert.equal(exitCode, 1);
  assert.deepEqual(mountsThere(), []);
  return err;
}

function readOnlyAt(path: string): void {
  assert.throws(() => writeFileSync(at(path), "x"), { code: "EROFS" });
}

const configured = (toml: string): readonly ImageFile[] => [
  { path: "usr/lib/composefs" },
  { path: "usr/lib/composefs/setup-root-conf.toml", content: toml },
];

test("the image read-only with fs-verity, the deployment's /etc and the shared /var writable", async () => {
  using host = await FixtureHost.make();
  const deployed = await deploy(host);
  const schema = JSON.parse(readFileSync(join(import.meta.dirname, "../../../docs/schema/install-mount.json"), "utf8"));
  await mounted(deployed, [], () => {
    assert.deepEqual(
      mountsThere().map((line) => line.replace(/ ext4 \S+/, " ext4")),
      [`/ overlay composefs:${deployed.id.slice(0, 10)} ro`, "/etc ext4 rw", "/var ext4 rw"],
    );
    assert.match(readFileSync("/proc/self/mountinfo", "utf8"), /verity=require/);
    assert.equal(text("usr/bin/tool").length, 300_000);
    readOnlyAt("usr/bin/tool");
    readOnlyAt("new");
    assert.equal(text("etc/hostname"), "own\n");
    writeFileSync(at("etc/added"), "etc");
    writeFileSync(at("var/added"), "var");
  });
  assert.equal(readFileSync(join(deployed.etc, "added"), "utf8"), "etc");
  assert.equal(readFileSync(join(deployed.var, "added"), "utf8"), "var");
  const asked = await run("install", "mount", "--json", "--latest", ...words(deployed));
  await runTool("umount", ["-R", TARGET]);
  assert.deepEqual(faultsOf(schema, JSON.parse(asked.out)), []);
  assert.deepEqual(JSON.parse(asked.out), { deploymentId: deployed.id, imageId: deployed.id });
});

test("--read-only: nothing can be written", async () => {
  using host = await FixtureHost.make();
  const deployed = await deploy(host);
  await mounted(deployed, ["--read-only"], () => {
    assert.equal(text("etc/hostname"), "own\n");
    for (const path of ["etc/x", "var/x", "x"]) readOnlyAt(path);
  });
  assert.deepEqual(readdirSync(deployed.etc), ["hostname"]);
});

test("a transient /etc is a fresh overlay of the image's, lost with the mount; /var none is the image's", async () => {
  using host = await FixtureHost.make();
  const deployed = await deploy(host, { files: configured("[etc]\ntransient = true\n[var]\nmount = 'none'\n") });
  for (const _ of [1, 2]) {
    await mounted(deployed, [], () => {
      assert.equal(text("etc/hostname"), "testos\n");
      assert.equal(existsSync(at("etc/lost")), false);
      writeFileSync(at("etc/lost"), "x");
      assert.equal(text("var/log/first"), "f".repeat(70));
      readOnlyAt("var/x");
    });
  }
  assert.deepEqual(readdirSync(deployed.etc), ["hostname"]);
});

test("an overlay on /etc keeps its changes apart, and shows them read-only too", async () => {
  using host = await FixtureHost.make();
  const deployed = await deploy(host, { files: configured("[etc]\nmount = 'overlay'\n") });
  await mounted(deployed, ["--read-only"], () => assert.equal(text("etc/hostname"), "testos\n"));
  const before = process.umask(0o077);
  try {
    await mounted(deployed, [], () => writeFileSync(at("etc/hostname"), "changed\n"));
  } finally {
    process.umask(before);
  }
  assert.equal(readFileSync(join(deployed.etc, "upper/hostname"), "utf8"), "changed\n");
  assert.equal(statSync(join(deployed.etc, "upper")).mode & 0o777, 0o755);
  assert.equal(statSync(join(deployed.etc, "work")).mode & 0o777, 0o700);
  await mounted(deployed, ["--read-only"], () => {
    assert.equal(text("etc/hostname"), "changed\n");
    readOnlyAt("etc/x");
  });
});

test("links on the disk that lead to this machine are refused, and nothing stays mounted", async () => {
  using host = await FixtureHost.make();
  const deployed = await deploy(host, { files: configured("[etc]\nmount = 'overlay'\n") });
  mkdirSync("/scratch/mine");
  symlinkSync("/scratch/mine", join(deployed.etc, "upper"));
  assert.match(await refusal(deployed, "--latest"), /Cannot use upper of the disk: a link stands there/);
  rmSync(deployed.etc, { recursive: true });
  symlinkSync("/scratch/mine", deployed.etc);
  assert.match(
    await refusal(deployed, "--latest"),
    /Cannot use state\/deploy\/[0-9a-f]+\/etc of the disk: a link stands there/,
  );
  assert.deepEqual(readdirSync("/scratch/mine"), []);
});

test("fs-verity is what the sealed command line says, whatever the repository says of itself", async () => {
  using host = await FixtureHost.make();
  const strict = await deploy(host);
  const withoutVerity = (id: string): void => {
    const object = join(host.physicalRoot, "composefs/objects", id.slice(0, 2), id.slice(2));
    copyFileSync(object, `${object}.new`);
    unlinkSync(object);
    renameSync(`${object}.new`, object);
  };
  withoutVerity(strict.id);
  assert.match(await refusal(strict, "--latest"), /fs-verity does not vouch for it/);
  using other = await FixtureHost.make();
  const lenient = await deploy(other, { commandLine: (id) => `${formatComposefsArgument(id, true)} rw` });
  await mounted(lenient, [], () => assert.equal(text("usr/bin/tool").length, 300_000));
});

test("the first entry decides; another deployment can be named; without entries there must be one", async () => {
  using host = await FixtureHost.make();
  const first = await deploy(host);
  const second = await deploy(host, { files: [{ path: "usr/second", content: "2" }] });
  host.menu(second.id, first.id);
  await mounted(second, [], () => assert.equal(text("usr/second"), "2"));
  await mounted(first, ["--deployment", first.id.slice(0, 8)], () => assert.equal(existsSync(at("usr/second")), false));
  host.menu();
  assert.match(await refusal(first, "--latest"), /there are 2 and no boot entry\n.*--deployment/s);
  rmSync(join(host.physicalRoot, "state/deploy", second.id), { recursive: true });
  await mounted(first, [], () => assert.equal(text("etc/hostname"), "own\n"));
});

test("what is in the target is hidden, with a warning", async () => {
  using host = await FixtureHost.make();
  const deployed = await deploy(host);
  writeFileSync(at("hidden"), "");
  const { err } = await run("install", "mount", "--latest", ...words(deployed));
  assert.equal(err, `warning: ${TARGET} is not empty: what is in it is hidden by the mount\n`);
  assert.equal(existsSync(at("hidden")), false);
  await runTool("umount", ["-R", TARGET]);
  assert.equal(existsSync(at("hidden")), true);
});
