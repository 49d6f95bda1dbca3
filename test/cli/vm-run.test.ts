import assert from "node:assert/strict";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { main } from "../../src/cli/main.ts";
import { runTool, temporaryDirectory } from "../../src/platform/index.ts";
import { checkBootDisk } from "../../src/vm/index.ts";

/** Runs one command line; returns its exit code and what it said on standard error. */
async function run(...words: string[]): Promise<{ code: number; said: string }> {
  let said = "";
  const remark = (text: string) => {
    said += `${text}\n`;
  };
  const output = { line() {}, async bytes() {}, json() {}, remark };
  return { code: await main(words, output), said };
}

test("vm run refuses, before anything is started, what it could not boot", async () => {
  using directory = temporaryDirectory();
  const disk = join(directory.path, "disk.img");
  assert.deepEqual(await run("vm", "run", disk), {
    code: 1,
    said: `sealroot: Cannot boot ${disk}: there is no such file\n`,
  });

  assert.deepEqual(await run("vm", "run", directory.path), {
    code: 2,
    said:
      `sealroot: Cannot boot ${directory.path}: it is a directory, not a disk image\n` +
      "  sealroot install to-disk makes a disk image from a sealed image\n",
  });

  writeFileSync(disk, "no disk");
  const noTable = await run("vm", "run", disk);
  assert.equal(noTable.code, 1);
  assert.match(noTable.said, /^sealroot: Cannot find a GUID partition table/);

  truncateSync(disk, 64 * 1024 * 1024);
  await runTool("sfdisk", ["-q", disk], { input: "label: gpt\ntype=b921b045-1df0-41c3-af44-4c6f280d3fae\n" });
  assert.match((await run("vm", "run", disk)).said, /it has no EFI system partition/);

  const esp = "type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
  await runTool("sfdisk", ["-q", disk], {
    input: `label: gpt\n${esp}, size=32M\ntype=b921b045-1df0-41c3-af44-4c6f280d3fae\n`,
  });
  assert.equal(await checkBootDisk(disk), "arm64");
  assert.match((await run("vm", "run", disk, "--secure-boot-keys", directory.path)).said, /PK.pem is missing/);
});

test("vm run explains wrong values", async () => {
  assert.deepEqual(await run("vm", "run", "/dev/null", "--cpus", "none"), {
    code: 2,
    said: 'sealroot: Cannot read --cpus: "none" is not a number from 1 to 999\n',
  });
  assert.equal((await run("vm", "run", "/dev/null", "--cpus", "1000")).code, 2);
  assert.equal((await run("vm", "run", "/dev/null", "--memory", "much")).code, 2);
  for (const memory of ["0", "1", "1024", "64M", "191M"]) {
    assert.deepEqual(await run("vm", "run", "/dev/null", "--memory", memory), {
      code: 2,
      said:
        `sealroot: Cannot start the machine with --memory ${memory}: that is not enough to boot\n` +
        "  expected: at least 192 MiB\n  a number without a suffix is bytes: write 1G or 512M\n",
    });
  }
  assert.deepEqual(await run("vm", "run", "/dev/null", "--json"), {
    code: 2,
    said: "",
  });
});
