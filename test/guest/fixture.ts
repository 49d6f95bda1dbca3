/**
 * Runs our sources under the pinned Node in a guest whose ext4 has fs-verity, which the machine running the tests may
 * not have.
 *
 * A test of the guest is a file `test/guest/inside/NAME.ts` in node:test style; `/scratch` is an ext4 with fs-verity for
 * it, it runs as root. Its outside is two lines in `test/guest/NAME.test.ts`:
 *
 *     import { testInGuest } from "./fixture.ts";
 *     testInGuest("NAME");
 */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runTool, temporaryDirectory } from "../../src/platform/index.ts";
import {
  AGENT_SCRIPT,
  type Drive,
  startVirtualMachine,
  type VirtualMachine,
  type VirtualMachineOptions,
} from "../../src/vm/index.ts";
import { CHECKOUT, guestBase, makeExt4 } from "./base.ts";

/** Parts of the checkout that the guest gets. */
const SOURCES = ["package.json", "src", "test", "initramfs", "docs"];

const SCRATCH_SIZE = "2G";
const TEST_TIMEOUT_MS = 300_000;

interface GuestTestOptions {
  readonly timeoutMs?: number;
  /** Why it does not run, if it does not. */
  readonly skip?: string | false;
}

/**
 * Registers a test that runs `inside/NAME.ts` in a guest of its own, and fails with the output of the run inside.
 * @param options `timeoutMs` of the run inside (emulation is some ten times slower than the machine itself), and node:test's `skip`
 */
export function testInGuest(name: string, { timeoutMs = TEST_TIMEOUT_MS, skip = false }: GuestTestOptions = {}): void {
  test(`in a guest with fs-verity: ${name}`, { skip }, async (context) => {
    const guest = await startGuest();
    try {
      const result = await guest.run(`exec node --test-reporter=tap test/guest/inside/${name}.ts`, timeoutMs);
      const report = result.stdout.toString();
      context.diagnostic(report);
      assert.equal(result.exitCode, 0, `${report}\n${result.stderr}\nconsole:\n${guest.consoleText.slice(-2000)}`);
      assert.match(report, /^# tests [1-9]/m, "the file inside holds no test");
      assert.match(report, /^# (?:skipped|todo) 0$/m, "a test inside was skipped");
    } finally {
      await guest.stop();
    }
  });
}

/**
 * Boots a guest with the checkout's present sources on `/checkout` and an empty `/scratch`. Ready in about 5 s.
 * @param furtherDisks the guest has them from `/dev/vdc` on and does not mount them; a path is that of an image, read-only
 */
export async function startGuest(
  options: Partial<VirtualMachineOptions> = {},
  ...furtherDisks: readonly (string | Drive)[]
): Promise<VirtualMachine> {
  const base = await guestBase(AGENT_SCRIPT);
  // QEMU has the files open when the guest is ready: they can go then.
  using work = temporaryDirectory({ purpose: "test" });
  const { sources, scratch } = await makeDisks(work.path);
  const guest = await startVirtualMachine({
    drives: [
      { path: base.diskPath, mode: "read-only", bus: "nvme" },
      { path: sources, mode: "read-only" },
      { path: scratch },
      ...furtherDisks.map(driveOf),
    ],
    directBoot: {
      kernelPath: base.kernelPath,
      commandLine: "root=/dev/nvme0n1 ro init=/init console=ttyS0 panic=-1 quiet",
    },
    memoryMiB: 2048,
    ...options,
  });
  try {
    await guest.waitForReady();
    return guest;
  } catch (error) {
    await guest.stop();
    throw error;
  }
}

function driveOf(disk: string | Drive): Drive {
  return typeof disk === "string" ? { path: disk, mode: "read-only" } : disk;
}

async function makeDisks(directory: string): Promise<{ readonly sources: string; readonly scratch: string }> {
  const tree = join(directory, "tree");
  await mkdir(join(tree, "node_modules"), { recursive: true });
  const paths = SOURCES.map((name) => join(CHECKOUT, name));
  // Modes of a checkout differ; a directory that its owner cannot write could not be removed again.
  await runTool("cp", ["--recursive", "--no-preserve=mode,ownership", ...paths, tree]);
  const sources = join(directory, "sources.img");
  const scratch = join(directory, "scratch.img");
  await makeExt4(sources, "128M", tree);
  await makeExt4(scratch, SCRATCH_SIZE);
  return { sources, scratch };
}
