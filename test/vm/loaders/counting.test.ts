/**
 * Which boot loader counts the tries of which kind of entry: the table of docs/bootloaders.md, row by row. The suite
 * tries the loader of the example; SEALROOT_ALL_LOADERS=1 those of all suites of Debian, with all kinds (ten minutes).
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ukiKeyOfLoader } from "../../../src/bootloader/index.ts";
import { parsePe, systemdComponentOf } from "../../../src/pe/index.ts";
import { temporaryDirectory } from "../../../src/platform/index.ts";
import { imageFile, sealedExample } from "../sealed-example.ts";
import { CountingDisk, FORMS, type Form, type Start } from "./counting-disk.ts";
import { debianLoaders } from "./debian-loaders.ts";

const LOADER = "usr/lib/systemd/boot/efi/systemd-bootx64.efi";
const ALL = process.env.SEALROOT_ALL_LOADERS === "1";

/** What the table says, in its words. */
type Finding = "counted" | "started, not counted" | "not shown" | "counted, then waits" | "counted, then restarts";

/** Starts the machine as often as there are tries, and twice more. */
async function findingOf(loader: Uint8Array, form: Form): Promise<Finding> {
  using disk = await CountingDisk.make(loader, form, "+3");
  const starts: Start[] = [];
  for (let count = 0; count < 5; count++) starts.push(await disk.start());
  const extension = form === "efi-linux" ? "efi" : "conf";
  const folder = form === "efi-linux" ? "/EFI/Linux" : "/loader/entries";
  const always = (ran: Start["ran"]) =>
    starts.map(() => ({ ran, counted: undefined, fileName: `os_1-2-1+3.${extension}` }));
  const counters = ["+2-1", "+1-2", "+0-3"].map((counter) => `os_1-2-1${counter}.${extension}`);
  const [last = ""] = counters.slice(-1);
  const counted = [
    ...counters.map((fileName) => ({ ran: "new", counted: `${folder}/${fileName}`, fileName })),
    ...[1, 2].map(() => ({ ran: "old", counted: undefined, fileName: last })),
  ];
  const findings = { counted, "started, not counted": always("new"), "not shown": always("old") };
  for (const [finding, expected] of Object.entries(findings)) {
    if (JSON.stringify(starts) === JSON.stringify(expected)) return finding as Finding;
  }
  assert.fail(`${form}: ${JSON.stringify(starts)}`);
}

/** What becomes of a system that the firmware does not load. */
async function refusalOf(loader: Uint8Array, form: Form): Promise<Finding> {
  using disk = await CountingDisk.make(loader, form, "+2", true);
  const first = await disk.start();
  assert.equal(first.fileName, "os_1-2-1+1-1.conf");
  const second = await disk.start();
  assert.equal(second.fileName, "os_1-2-1+0-2.conf");
  assert.equal((await disk.start()).ran, "old");
  return first.ran === "restart" ? "counted, then restarts" : "counted, then waits";
}

function versionOf(loader: Uint8Array): string {
  return systemdComponentOf(parsePe(loader))?.version ?? "";
}

/** The rows of the table, by the loader's version. */
function rows(): ReadonlyMap<string, readonly string[]> {
  const text = readFileSync(join(import.meta.dirname, "../../../docs/bootloaders.md"), "utf8");
  const cells = text
    .split("\n")
    .filter((line) => line.startsWith("| systemd-boot 2"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  return new Map(cells.map(([name = "", , ...findings]) => [name.replace("systemd-boot ", ""), findings]));
}

test("the example's loader counts an entry that names a UKI, gives it three tries, and no more once it is blessed", async () => {
  const loader = await imageFile(await sealedExample(), LOADER);
  const key = ukiKeyOfLoader(`systemd-boot ${versionOf(loader)}`);
  assert.equal(await findingOf(loader, `conf-${key}`), "counted");
  using disk = await CountingDisk.make(loader, `conf-${key}`, "+0-3");
  assert.equal((await disk.start()).ran, "old");
  await disk.rename("os_1-2-1.conf");
  assert.deepEqual(await disk.start(), { ran: "new", counted: undefined, fileName: "os_1-2-1.conf" });
});

describe("the loaders of Debian's suites", { skip: ALL ? false : "SEALROOT_ALL_LOADERS=1 tries them all" }, () => {
  test("do what the table says, and all of them count the layout we chose", async () => {
    using directory = temporaryDirectory({ parent: "/var/tmp", purpose: "loaders" });
    const table = rows();
    for (const { version, suites, program } of await debianLoaders(directory.path)) {
      const findings: string[] = [];
      for (const form of FORMS) findings.push(await findingOf(program, form));
      const chosen = `conf-${ukiKeyOfLoader(`systemd-boot ${version}`)}` as const;
      assert.equal(findings[FORMS.indexOf(chosen)], "counted", `${version} (${suites})`);
      findings.push(await refusalOf(program, chosen));
      assert.deepEqual(findings, table.get(version), `${version} (${suites})`);
    }
  });
});
