/**
 * Updates that do not boot, each in its own way: the old system comes up by itself, and says what failed. The suite tries
 * one where whole suites run; SEALROOT_ALL_BAD_UPDATES=1 all of them, SEALROOT_BAD_UPDATE=NAME another one.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { joinInitramfs, writeCpio } from "../../src/cpio/index.ts";
import { FELL_BACK_MESSAGE_ID } from "../../src/host/index.ts";
import { readUki } from "../../src/pe/index.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { DiskCopy } from "./disk-copy.ts";
import { replaceUki } from "./own-uki.ts";
import { BOOT_TIMEOUT_MS, bootSealed, guestText, type SealedExample, sealedExample } from "./sealed-example.ts";
import { type TwoDeployments, twoDeployments } from "./two-deployments.ts";
import { VARIANT_FILE, type VariantImage, type VariantOptions, variantImage } from "./variant-image.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

interface BadUpdate extends Omit<VariantOptions, "name"> {
  readonly name: string;
  readonly tries: number;
  /** What is done to the disk with both. */
  readonly damage?: (disk: DiskCopy, two: TwoDeployments, example: SealedExample) => Promise<void>;
  /** What status says. */
  readonly step: "boot-loader" | "initramfs" | "system";
  readonly message: RegExp;
  /** How many boots told of themselves. */
  readonly told: number;
}

const UNITS = "usr/lib/systemd/system";
const CHECKS = "usr/lib/sealroot/health.d";
const WATCHED = ["--karg", "systemd.watchdog_sec=20"];
const script = (text: string) => ({ body: `#!/bin/sh\n${text}\n`, mode: 0o755 });

/** A unit of the new image that runs a command while it boots. */
function unitFiles(name: string, command: string): NonNullable<VariantOptions["files"]> {
  const unit = `[Unit]\nBefore=multi-user.target\n[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=${command}\n`;
  return {
    [`${UNITS}/${name}.service`]: unit,
    [`${UNITS}/multi-user.target.wants/${name}.service`]: { linkTo: `../${name}.service` },
  };
}

/** The new UKI with another first program, signed. */
async function replaceInit(disk: DiskCopy, two: TwoDeployments, example: SealedExample, text: string): Promise<void> {
  const { initramfs = new Uint8Array() } = readUki(await disk.readEsp(two.newUkiPath));
  const init = { kind: "file", path: byteStringOfText("init"), mode: 0o755, bytes: Buffer.from(text) } as const;
  const changed = { ...example, ukiPath: two.newUkiPath };
  await replaceUki(changed, disk, { initramfs: joinInitramfs(initramfs, writeCpio([init])) });
}

/** As initramfs/minimal/init begins, and then nothing. */
const HANGING_INIT = `#!/bin/sh
bin=/usr/lib/sealroot/bin
$bin/mount -n -t proc proc /proc
$bin/mount -n -t sysfs sysfs /sys
$bin/mount -n -t devtmpfs devtmpfs /dev
$bin/mount -n -t tmpfs tmpfs /run
$bin/qjs --std -m /usr/lib/sealroot/program/initramfs/setup-root.ts arguments
while :; do read -r line </proc/kmsg; done
`;

const SAMPLE: readonly BadUpdate[] = [
  {
    name: "unhealthy",
    tries: 1,
    files: {
      [`${CHECKS}/10-gateway`]: script("echo no route to 192.0.2.1; exit 1"),
      [`${CHECKS}/20-good`]: script(":"),
    },
    step: "system",
    message: /^health check 10-gateway failed: exit code 1: no route to 192\.0\.2\.1$/,
    told: 1,
  },
];

const OTHERS: readonly BadUpdate[] = [
  {
    name: "refused",
    tries: 2,
    damage: (disk, { newId }) => disk.unlink(`/composefs/images/${newId}`),
    step: "initramfs",
    message: /^Cannot open the root image: it is not in the repository$/,
    told: 2,
  },
  {
    name: "early-panic",
    tries: 1,
    sealWords: ["--karg", "panic=5"],
    damage: (disk, two, example) =>
      replaceUki({ ...example, ukiPath: two.newUkiPath }, disk, { initramfs: Buffer.from("not an initramfs") }),
    step: "boot-loader",
    message: /^no try got as far as the boot program/,
    told: 0,
  },
  {
    name: "no-init",
    tries: 1,
    remove: ["usr/sbin/init", "usr/lib/systemd/systemd"],
    step: "system",
    message: /^the system did not come up: it hung, or it crashed/,
    told: 1,
  },
  {
    name: "initramfs-hangs",
    tries: 1,
    sealWords: WATCHED,
    damage: (disk, two, example) => replaceInit(disk, two, example, HANGING_INIT),
    step: "boot-loader",
    message: /^no try got as far as the boot program/,
    told: 0,
  },
  {
    name: "system-hangs",
    tries: 1,
    sealWords: WATCHED,
    // systemd itself stands still, as after a bug of its own.
    files: unitFiles("freeze", "/bin/sh -c 'echo 1 >/sys/fs/cgroup/init.scope/cgroup.freeze'"),
    step: "system",
    message: /^the system did not come up: it hung/,
    told: 1,
  },
  {
    name: "never-done",
    tries: 1,
    files: {
      ...unitFiles("endless", "/bin/sleep infinity"),
      [`${UNITS}/boot-complete.target.d/zz-short.conf`]: "[Unit]\nJobTimeoutSec=2min\n",
    },
    step: "system",
    message: /^the system did not come up in time: waiting for endless\.service/,
    told: 1,
  },
  {
    name: "emergency",
    tries: 1,
    files: {
      [`${UNITS}/srv.mount`]: "[Mount]\nWhat=none\nWhere=/srv\nType=tmpfs\nOptions=size=wrong\n",
      [`${UNITS}/local-fs.target.requires/srv.mount`]: { linkTo: "../srv.mount" },
    },
    step: "system",
    message: /^the system did not come up: failed .*srv\.mount/,
    told: 1,
  },
  {
    name: "full-disk",
    tries: 1,
    files: {
      ...unitFiles("fill", "/usr/lib/fill"),
      "usr/lib/fill": script(
        "for size in 1000M 100M 10M 1M 100K 4K; do i=0; while fallocate -l $size /var/fill-$size-$i; do i=$((i+1)); done; done; :",
      ),
      [`${CHECKS}/10-room`]: script("(echo >/var/room) 2>/dev/null || { echo no room in /var; exit 1; }"),
    },
    step: "system",
    message: /^health check 10-room failed: exit code 1: no room in \/var$/,
    told: 1,
  },
  {
    name: "no-network",
    tries: 1,
    files: {
      [`${CHECKS}/10-network`]: script(
        'test -n "$(ls /sys/class/net | grep -v ^lo$)" || { echo no network device; exit 3; }',
      ),
    },
    step: "system",
    message: /^health check 10-network failed: exit code 3: no network device$/,
    told: 1,
  },
];

const ONLY = process.env.SEALROOT_BAD_UPDATE;
const ALL = process.env.SEALROOT_ALL_BAD_UPDATES === "1";

/** None of them is part of every run: each takes three boots that fail and one that does not. */
const SUITE = ONLY !== undefined || ALL ? {} : ONLY_IN_WHOLE_SUITE;

describe("an update that does not boot", SUITE, () => {
  let example: SealedExample;
  let directory: TemporaryDirectory;
  let older: VariantImage;
  before(async () => {
    example = await sealedExample();
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "bad-updates" });
    older = await variantImage(example, directory.path, { name: "old" });
  });
  after(() => directory?.remove());

  const boot = (disk: DiskCopy, agent: boolean): Promise<VirtualMachine> =>
    bootSealed(example, disk.path, { drives: [{ path: disk.path, mode: "persist" }], agent, watchdog: true });

  async function failedTries(disk: DiskCopy, tries: number): Promise<void> {
    for (let count = 0; count < tries; count++) {
      const guest = await boot(disk, false);
      try {
        await guest.waitForExit(BOOT_TIMEOUT_MS);
      } finally {
        await guest.stop();
      }
    }
  }

  async function assertFellBack(guest: VirtualMachine, two: TwoDeployments, bad: BadUpdate): Promise<void> {
    const run = (text: string) => guestText(guest, text);
    assert.equal(await run(`cat /${VARIANT_FILE}`), "old");
    // Waits for the one that the boot has started; on a full disk it fails.
    await guest.run("systemctl start sealroot-record-boot.service", BOOT_TIMEOUT_MS);
    const status = JSON.parse(await run("sealroot status --json --format-version 1"));
    assert.equal(status.status.booted.composefs.verity, two.oldId);
    assert.equal(status.status.rollback.composefs.verity, two.newId);
    assert.equal(status.status.rollbackQueued, false);
    const [failed, ...others] = status.sealroot.failedBoots;
    assert.deepEqual(others, []);
    const { verity, fellBackTo, tries, step, message, bootIds } = failed;
    assert.deepEqual(
      { verity, fellBackTo, tries, step, told: bootIds.length },
      { verity: two.newId, fellBackTo: two.oldId, tries: bad.tries, step: bad.step, told: bad.told },
    );
    assert.match(message, bad.message);
    const lines = (await run("sealroot status --format humanreadable")).split("\n");
    assert.ok(
      lines.some((line) => line.startsWith("  Failed: ") && line.endsWith(message)),
      lines.join("\n"),
    );
    assert.match(
      await run(`journalctl --quiet --output=cat MESSAGE_ID=${FELL_BACK_MESSAGE_ID}`),
      bad.name === "full-disk" ? /^$/ : new RegExp(two.newId),
    );
  }

  for (const bad of [...SAMPLE, ...OTHERS]) {
    const isSample = SAMPLE.includes(bad);
    const isWanted = ONLY === undefined ? isSample || ALL : ONLY === bad.name;
    test(
      `${bad.name}: the old system comes up and says so`,
      { skip: isWanted ? false : "SEALROOT_ALL_BAD_UPDATES=1" },
      async () => {
        const newer = await variantImage(example, directory.path, bad);
        const references = { oldReference: older.reference, newReference: newer.reference };
        const two = await twoDeployments(join(directory.path, `${bad.name}-disk`), { ...references, tries: bad.tries });
        const disk = await DiskCopy.make(two.diskPath);
        try {
          await bad.damage?.(disk, two, example);
          await failedTries(disk, bad.tries);
          const guest = await boot(disk, true);
          try {
            await guest.waitForReady(BOOT_TIMEOUT_MS);
            await assertFellBack(guest, two, bad);
          } finally {
            await guest.stop();
          }
        } finally {
          await disk.remove();
        }
      },
    );
  }
});
