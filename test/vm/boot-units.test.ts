/**
 * The units around boot-complete.target, under the example's own systemd: when a new system is restarted, and that a good
 * one never is. In a container, where a boot takes two seconds; the whole way from the firmware on: bad-updates.test.ts.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { OciLayout, readManifest } from "../../src/oci/index.ts";
import { runTool, type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import { BOOT_TIMEOUT_MS, sealedExample } from "./sealed-example.ts";

const CHECKOUT = join(import.meta.dirname, "../..");
const UNITS = "usr/lib/systemd/system";
/** systemd-nspawn(1): the container wants to be started again. */
const RESTARTS = 133;

/** What the program is called with; the example's own is not needed. */
const PROGRAM = `#!/bin/sh
echo "$*" >>/var/calls
[ "$2" = health-check ] && [ -e /usr/lib/unhealthy ] && exit 1
[ "$2" = boot-failed ] && [ -e /usr/lib/broken ] && exit 1
exit 0
`;

/** Ends a boot from which nothing else comes: 5 s after the target. */
const END =
  "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sh -c 'sleep 5; systemctl poweroff --no-block'\n";

/** Runs in a mount namespace of its own: cgroup 2, the root with the scenario's files over it, systemd in a container. */
const BOOT = `
mount --make-rprivate /
umount --recursive /sys/fs/cgroup 2>/dev/null
mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 99
mkdir -p /sys/fs/cgroup/sealroot-$$ && echo $$ >/sys/fs/cgroup/sealroot-$$/cgroup.procs || exit 98
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root" || exit 97
mkdir -p /run/systemd/nspawn
place=$2; shift 2
exec systemd-nspawn --quiet --directory="$place/root" --keep-unit --register=no --boot --console=pipe "$@" </dev/null
`;

interface Scenario {
  /** The boot program says that a restart helps. */
  readonly counted: boolean;
  /** Files by path; a link when the content begins with ->. */
  readonly files?: Readonly<Record<string, string>>;
}

const wanted = (target: string, name: string, unit: string) => ({
  [`${UNITS}/${name}`]: unit,
  [`${UNITS}/${target}/${name}`]: `->../${name}`,
});
const END_WELL = wanted("multi-user.target.wants", "end.service", END);
const END_IN_EMERGENCY = wanted("emergency.target.wants", "end.service", END);
const BAD_MOUNT = wanted(
  "local-fs.target.requires",
  "srv.mount",
  "[Mount]\nWhat=none\nWhere=/srv\nType=tmpfs\nOptions=size=x\n",
);
const ENDLESS = {
  ...wanted(
    "multi-user.target.wants",
    "endless.service",
    "[Unit]\nBefore=multi-user.target\n[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n",
  ),
  [`${UNITS}/boot-complete.target.d/zz-short.conf`]: "[Unit]\nJobTimeoutSec=10\n",
};
const OWN_CHECK = wanted(
  "boot-complete.target.requires",
  "check.service",
  "[Unit]\nAfter=sealroot-health.service\nBefore=boot-complete.target\n[Service]\nType=oneshot\nExecStart=/bin/false\n",
);
const UNHEALTHY = { "usr/lib/unhealthy": "" };

describe("the units of a new system", { skip: process.getuid?.() !== 0 && "containers need root" }, () => {
  let directory: TemporaryDirectory;
  let root: string;
  before(async () => {
    const { imageDirectory } = await sealedExample();
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "boot-units" });
    root = join(directory.path, "root");
    mkdirSync(root);
    const layout = await OciLayout.open(imageDirectory);
    const [first] = (await layout.readIndex()).manifests;
    assert.ok(first !== undefined);
    const { layers } = readManifest(await layout.blobs.readWhole(first), first.digest);
    for (const { digest } of layers) await runTool("tar", ["-C", root, "-xzf", layout.blobs.pathOf(digest)]);
    await runTool("cp", ["--archive", "--remove-destination", join(CHECKOUT, "systemd/."), join(root, UNITS)]);
    await runTool("rm", ["-rf", join(root, "usr/bin/sealroot")]);
    for (const name of ["home", "srv", "root"])
      await runTool("sh", ["-c", 'rm -f "$1"; mkdir -p "$1"', "sh", join(root, name)]);
    writeFileSync(join(root, "usr/bin/sealroot"), PROGRAM, { mode: 0o755 });
    mkdirSync(join(directory.path, "flag"));
  });
  after(() => directory?.remove());

  /** @returns whether it restarts or is ended by the scenario's own unit, and the calls of the program */
  async function boot(name: string, { counted, files = {} }: Scenario) {
    const place = join(directory.path, name);
    for (const folder of ["upper", "work", "root"]) mkdirSync(join(place, folder), { recursive: true });
    for (const [path, content] of Object.entries(files)) {
      const file = join(place, "upper", path);
      mkdirSync(dirname(file), { recursive: true });
      if (content.startsWith("->")) symlinkSync(content.slice(2), file);
      else writeFileSync(file, content);
    }
    mkdirSync(join(place, "upper/var"), { recursive: true });
    writeFileSync(join(place, "upper/var/calls"), "");
    const flag = counted ? [`--bind=${join(directory.path, "flag")}:/run/sealroot/fall-back`] : [];
    const { exitCode } = await runTool("unshare", ["--mount", "sh", "-c", BOOT, "sh", root, place, ...flag], {
      successCodes: [0, RESTARTS],
      timeoutMs: BOOT_TIMEOUT_MS,
    });
    const calls = readFileSync(join(place, "upper/var/calls"), "utf8").split("\n");
    const own = calls.filter((call) => call.startsWith("internals "));
    return [exitCode === RESTARTS ? "restarts" : "stays", ...own.map((call) => call.replace("internals ", ""))];
  }

  const cases: readonly [what: string, scenario: Scenario, expected: readonly string[]][] = [
    ["that is well is recorded", { counted: true, files: END_WELL }, ["stays", "health-check", "record-boot"]],
    [
      "with a check that fails restarts",
      { counted: true, files: UNHEALTHY },
      ["restarts", "health-check", "boot-failed"],
    ],
    [
      "restarts also when nothing can be written down",
      { counted: true, files: { ...UNHEALTHY, "usr/lib/broken": "" } },
      ["restarts", "health-check", "boot-failed"],
    ],
    [
      "with another unit that fails restarts",
      { counted: true, files: OWN_CHECK },
      ["restarts", "health-check", "boot-failed"],
    ],
    ["that is not done in time restarts", { counted: true, files: ENDLESS }, ["restarts", "boot-failed"]],
    ["that gets into emergency mode restarts", { counted: true, files: BAD_MOUNT }, ["restarts", "boot-failed"]],
  ];
  for (const [what, scenario, expected] of cases) {
    test(`a new system ${what}`, async () => {
      assert.deepEqual(await boot(what.replaceAll(" ", "-"), scenario), expected);
    });
  }

  test("a good system is never restarted, whatever fails in it", async () => {
    const good = { counted: false } as const;
    assert.deepEqual(await boot("good", { ...good, files: END_WELL }), ["stays"]);
    assert.deepEqual(await boot("good-check", { ...good, files: { ...END_WELL, ...OWN_CHECK, ...UNHEALTHY } }), [
      "stays",
    ]);
    assert.deepEqual(await boot("good-emergency", { ...good, files: { ...END_IN_EMERGENCY, ...BAD_MOUNT } }), [
      "stays",
    ]);
  });

  test("a system that was fallen back to records what failed, and is not restarted", async () => {
    const slots = { "sysroot/state/sealroot/boots/1": "\n" };
    assert.deepEqual(await boot("fell-back", { counted: false, files: { ...END_WELL, ...slots } }), [
      "stays",
      "record-boot",
    ]);
  });
});
