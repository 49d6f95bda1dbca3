/**
 * A sealed host that follows a registry through four updates: a good one, which its timer's service takes, one that fails
 * its health check, one that has no init, and a good one again. Secure Boot is on, and every fall-back is the machine's own.
 */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runTool, type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import { UPDATE_RECORD_PATH } from "../../src/update/index.ts";
import { run } from "../cli/run-verb.ts";
import { type GuestRegistry, startGuestRegistry } from "./guest-registry.ts";
import { RunningHost } from "./running-host.ts";
import { type SealedExample, sealedExample } from "./sealed-example.ts";
import { VARIANT_FILE, type VariantImage, type VariantOptions, variantImage } from "./variant-image.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

/** How often an update may be tried (docs/host.md). */
const TRIES = 3;
const DISK_BYTES = "4G";
/** Of everything a process has in memory, the most at any time; read twice a second, as the kernel keeps it. */
const PEAK_MAX_KIB = 300 * 1024;

/** Runs a command, and says last how much memory it has had at most, in KiB. */
const measured = (words: string) => `sealroot ${words} >/run/out 2>/run/err & pid=$!; peak=0
while kill -0 $pid 2>/dev/null; do
  now=$(sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$pid/status 2>/dev/null); [ "\${now:-0}" -gt $peak ] && peak=$now; sleep 0.5
done
wait $pid || { cat /run/out /run/err >&2; exit 1; }; echo $peak`;

describe("a sealed host that follows a registry", ONLY_IN_WHOLE_SUITE, () => {
  let example: SealedExample;
  let directory: TemporaryDirectory;
  let registry: GuestRegistry;
  let host: RunningHost;
  const images = new Map<string, VariantImage>();

  const image = (name: string) => images.get(name) ?? assert.fail(name);
  const make = async (name: string, options: Omit<VariantOptions, "name"> = {}) => {
    const files = {
      ...registry.files,
      "usr/lib/sealroot/updates.toml": 'interval = "10min"\njitter = "0s"\napply = "never"\n',
      ...options.files,
    };
    images.set(name, await variantImage(example, directory.path, { ...options, name, version: name, files }));
  };
  const publish = async (name: string) => {
    const to = `docker://${registry.host}/os:stable`;
    const { exitCode, err } = await run("image", "copy", "--quiet", "--insecure-policy", image(name).reference, to);
    assert.equal(exitCode, 0, err);
  };
  const assertRuns = async (name: string) => {
    assert.equal(await host.text(`cat /${VARIANT_FILE}`), name);
    assert.equal(await host.root(), `composefs:${image(name).deploymentId}`);
    assert.match(await host.text("findmnt -no OPTIONS /"), /^ro,.*verity=require/);
  };
  const idOf = (deployment: { composefs: { verity: string } } | null) => deployment?.composefs.verity;
  const deployments = async () => {
    const { status } = await host.json("status");
    return { booted: idOf(status.booted), staged: idOf(status.staged), rollback: idOf(status.rollback) };
  };
  /** Shuts down, lets every try of the update fail, and starts what is left. */
  const fallBack = async () => {
    await host.shutDown();
    for (let count = 0; count < TRIES; count++) await host.failedBoot();
    await host.start();
    await host.guest.run("systemctl start sealroot-record-boot.service");
    const [failed] = (await host.json("status", "--format-version", "1")).sealroot.failedBoots;
    return failed;
  };

  before(async () => {
    example = await sealedExample();
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "living" });
    mkdirSync(directory.path, { recursive: true });
    registry = await startGuestRegistry();
    await make("first");
    await make("second", { files: { "usr/share/second": "2\n", "etc/second.conf": "of the image\n" } });
    const check = { body: "#!/bin/sh\necho no route to 192.0.2.1\nexit 1\n", mode: 0o755 };
    await make("unhealthy", { files: { "usr/lib/sealroot/health.d/10-gateway": check } });
    await make("no-init", { remove: ["usr/sbin/init", "usr/lib/systemd/systemd"] });
    await make("third", { files: { "usr/share/third": "3\n" } });
    const diskPath = join(directory.path, "disk.img");
    const installed = await run(
      ...["install", "to-disk", diskPath, "--size", DISK_BYTES, "--insecure-policy", "--quiet"],
      ...["--source-imgref", image("first").reference],
      ...["--target-imgref", `docker://${registry.guestHost}/os:stable`],
    );
    assert.equal(installed.exitCode, 0, installed.err);
    await publish("first");
    host = await RunningHost.make(example, { diskPath, network: true, watchdog: true });
    await runTool("rm", [diskPath]);
    await host.start();
  });
  after(async () => {
    await host?.remove();
    await registry?.stop();
    directory?.remove();
  });

  test("has nothing to do when nothing has changed", async () => {
    await assertRuns("first");
    const document = await host.json("upgrade", "--check");
    assert.deepEqual([document.updateAvailable, document.image], [false, `docker://${registry.guestHost}/os:stable`]);
    assert.match(await host.run("upgrade", "--quiet"), /^No changes in: docker:\/\/10\.0\.2\.2:\d+\/os:stable\n$/);
  });

  test("is told what an update would do, and nothing is written", async () => {
    await publish("second");
    await host.text("touch /run/before");
    const { updateAvailable } = await host.json("upgrade", "--check");
    assert.equal(updateAvailable, true);
    const plan = await host.run("upgrade", "--plan", "--quiet");
    assert.match(plan, /^Plan of the update to 10\.0\.2\.2:\d+\/os:stable \(nothing was fetched\)\n/);
    // These layers have no tables of contents.
    assert.match(plan, /^ {2}Fetch: +.* of .*, in 2 of 4 layers$/m);
    const places = "/sysroot/composefs /sysroot/state/deploy /boot/EFI /boot/loader";
    assert.equal(await host.text(`find ${places} -newercm /run/before -not -path '*/etc/*'`), "");
  });

  test("takes the update by its timer's service, and boots it after a shutdown", async () => {
    // A host has its own moment for each question; after one in vain an hour ago the next is due.
    await host.text(
      `mkdir -p -m 700 /var/lib/sealroot; echo '{"lastCheckMs":'$(($(date +%s) - 3600))000',"failures":1}' >${UPDATE_RECORD_PATH}`,
    );
    await host.guest.run("systemctl start sealroot-fetch-apply-updates.service", 1_800_000);
    assert.equal(await host.text("systemctl show -P Result sealroot-fetch-apply-updates.service"), "success");
    assert.deepEqual(await deployments(), {
      booted: image("first").deploymentId,
      staged: image("second").deploymentId,
      rollback: undefined,
    });
    await host.text("echo mine >/etc/mine; echo data >/var/lib/data");
    await host.restart();
    await assertRuns("second");
    assert.equal(await host.text("cat /etc/second.conf /etc/mine /var/lib/data"), "of the image\nmine\ndata");
    assert.deepEqual(await deployments(), {
      booted: image("second").deploymentId,
      staged: undefined,
      rollback: image("first").deploymentId,
    });
    // A boot that went well is not counted any more.
    assert.equal((await host.json("status", "--format-version", "1")).sealroot.failedBoots.length, 0);
  });

  test("goes back by itself from an update that fails its health check, and says so", async () => {
    await publish("unhealthy");
    const peakKiB = Number(await host.text(measured("upgrade --quiet")));
    assert.ok(peakKiB > 0 && peakKiB <= PEAK_MAX_KIB, `${peakKiB} KiB`);
    const { verity, fellBackTo, tries, step, message } = await fallBack();
    await assertRuns("second");
    assert.deepEqual(
      { verity, fellBackTo, tries, step, message },
      {
        verity: image("unhealthy").deploymentId,
        fellBackTo: image("second").deploymentId,
        tries: TRIES,
        step: "system",
        message: "health check 10-gateway failed: exit code 1: no route to 192.0.2.1",
      },
    );
    assert.equal(await host.text("cat /etc/mine /var/lib/data"), "mine\ndata");
  });

  test("does not take the image again that has failed", async () => {
    const { exitCode, stderr } = await host.try("upgrade", "--quiet");
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      /this image did not boot on this host in 3 tries: health check 10-gateway failed.*\n(?:.*\n)*?.*--retry-failed$/m,
    );
  });

  test("goes back by itself from an update without init", async () => {
    await publish("no-init");
    await host.run("upgrade", "--quiet");
    const { verity, tries, step } = await fallBack();
    await assertRuns("second");
    assert.deepEqual([verity, tries, step], [image("no-init").deploymentId, TRIES, "system"]);
  });

  test("takes the next good update, is whole, and is gone back from", async () => {
    await publish("third");
    await host.run("upgrade", "--quiet");
    await host.restart();
    await assertRuns("third");
    await host.run("fsck", "--quiet");
    // What the failed update left when the boot entries were exchanged.
    const { bytes } = await host.json("gc");
    assert.ok(bytes > 0);
    assert.equal((await host.json("gc", "--dry-run")).bytes, 0);
    assert.equal(await host.run("rollback"), "Next boot: rollback deployment\n");
    await host.restart();
    await assertRuns("second");
    assert.equal(await host.text("cat /etc/mine /var/lib/data"), "mine\ndata");
  });
});
