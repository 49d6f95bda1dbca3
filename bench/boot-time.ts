/**
 * How long disks take to boot under Secure Boot, one beside the other: from the kernel's start to the verified root (systemd
 * begins there) and to boot-complete.target, or multi-user.target where no unit wants that. The disks take turns.
 *
 * `node bench/boot-time.ts before=DISK,KEYS after=DISK,KEYS`; disks as `./just build-sealed` leaves them, which stay as they are.
 */
import assert from "node:assert/strict";
import { loadCertificates } from "../src/keys/index.ts";
import { startVirtualMachine, type VirtualMachine } from "../src/vm/index.ts";

const RUNS = 5;
const BOOT_TIMEOUT_MS = 600_000;

interface Times {
  readonly root: number;
  readonly complete: number;
}

const disks = process.argv.slice(2).map((word) => {
  const [, name = "", disk = "", keys = ""] = /^([^=]+)=([^,]+),(.+)$/.exec(word) ?? [];
  assert.ok(name !== "", `Cannot read ${word}: it must be NAME=DISK,KEYS`);
  return { name, disk, secureBoot: loadCertificates(keys), times: [] as Times[] };
});
for (let run = 0; run < RUNS; run++) {
  for (const { name, disk, secureBoot, times } of disks) {
    const guest = await startVirtualMachine({ drives: [{ path: disk }], secureBoot, cpus: 1 });
    try {
      await guest.waitForReady(BOOT_TIMEOUT_MS);
      times.push(await timesOf(guest));
    } finally {
      await guest.stop();
    }
    console.error(name, times.at(-1));
  }
}
console.log("| disk | verified root, s | boot complete, s |\n|---|--:|--:|");
for (const { name, times } of disks) {
  const [root, complete] = [times.map((one) => one.root), times.map((one) => one.complete)].map(
    (seconds) =>
      `${median(seconds).toFixed(2)} (${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)})`,
  );
  console.log(`| ${name} | ${root} | ${complete} |`);
}

/** By the guest's monotonic clock, which begins with its kernel. */
async function timesOf(guest: VirtualMachine): Promise<Times> {
  const script = [
    "systemctl is-system-running --wait >/dev/null",
    "systemctl show -P UserspaceTimestampMonotonic",
    "target=boot-complete.target; systemctl -q is-active $target || target=multi-user.target",
    "systemctl show -P ActiveEnterTimestampMonotonic $target",
  ];
  const { stdout } = await guest.run(script.join("\n"), BOOT_TIMEOUT_MS);
  const [root = 0, complete = 0] = stdout
    .toString()
    .trim()
    .split("\n")
    .map((text) => Number(text) / 1e6);
  assert.ok(root > 0 && complete > root, `the guest says ${stdout}`);
  return { root, complete };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}
