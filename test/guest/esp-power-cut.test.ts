/**
 * The power goes while the ESP is updated: whatever of the writes since the last flush is on the disk, the boot loader finds
 * one whole set of entries, each with its UKI.
 */
import assert from "node:assert/strict";
import { closeSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runTool, temporaryDirectory } from "../../src/platform/index.ts";
import { FatReader } from "../vm/powercut/fat-reader.ts";
import { entriesOfRound, ukiOfRound } from "./esp-content.ts";
import { cutEspEverywhere } from "./esp-cuts.ts";
import { startGuest } from "./fixture.ts";

const ROUNDS = 6;
const TIMEOUT_MS = 600_000;
/** Further states for each time between two flushes. */
const CUTS_BETWEEN = process.env.SEALROOT_ALL_POWER_CUTS === "1" ? 200 : 5;

test("a power cut while the ESP is updated leaves the old system or the new one, whole", async (context) => {
  const { states, faults } = await cutRounds((path, directory) => makeEsp(path, directory));
  context.diagnostic(`${states} states`);
  for (const [fault, places] of faults) context.diagnostic(`${places.length} times: ${fault}, first at ${places[0]}`);
  assert.deepEqual([...faults.keys()], []);
  assert.ok(states > 500, `only ${states} states`);
});

/*
 * Both names of the folders of entries in one sector are exchanged by one write. In a folder with many names they can be in
 * two: then a cut leaves the live folder under both names, which the boot loader does not notice.
 */
test("nor does one when the folder of entries has two names already, and these are in two sectors", async (context) => {
  const { states, faults } = await cutRounds(async (path, directory) => {
    await makeEsp(
      path,
      directory,
      Array.from({ length: 12 }, (_, index) => `loader/a-long-name-${index}`),
    );
    await runTool("mmd", ["-i", path, "::/loader/entries.staged"], MTOOLS);
    nameTwice(path);
  });
  context.diagnostic(`${states} states`);
  const unseen = [...faults].filter(([fault]) => !fault.startsWith("fsck.vfat: "));
  for (const [fault, places] of faults) context.diagnostic(`${places.length} times: ${fault}, first at ${places[0]}`);
  assert.deepEqual(unseen, []);
});

const MTOOLS = { env: { MTOOLS_SKIP_CHECK: "1", MTOOLSRC: "/dev/null" } };

/** Records the rounds on the ESP that `make` makes. @returns what is wrong with it after a cut at any moment */
async function cutRounds(make: (path: string, directory: string) => Promise<void>) {
  using directory = temporaryDirectory({ purpose: "esp" });
  const [disk, before, logPath] = ["esp.img", "before.img", "log"].map((name) => join(directory.path, name));
  assert.ok(disk !== undefined && before !== undefined && logPath !== undefined);
  await make(disk, directory.path);
  await runTool("cp", ["--sparse=always", disk, before]);
  writeFileSync(logPath, "");
  const guest = await startGuest({}, { path: disk, mode: "persist", writeLogPath: logPath });
  try {
    const run = await guest.run(`exec node test/guest/inside/esp-rounds.ts ${ROUNDS}`, TIMEOUT_MS);
    assert.equal(run.exitCode, 0, `${run.stdout}\n${run.stderr}\n${guest.consoleText.slice(-2000)}`);
  } finally {
    await guest.stop();
  }
  const cuts = cutEspEverywhere(before, logPath, CUTS_BETWEEN);
  assert.equal(cuts.reached, ROUNDS);
  return cuts;
}

/** Lets the name of the staged folder lead to the live one, as a cut between two sectors does. */
function nameTwice(path: string): void {
  const fd = openSync(path, "r+");
  try {
    const esp = new FatReader((offset, sizeBytes) => {
      const bytes = Buffer.alloc(sizeBytes);
      readSync(fd, bytes, 0, sizeBytes, offset);
      return bytes;
    });
    const [live, staged] = [esp.find("loader/entries"), esp.find("loader/entries.staged")];
    assert.ok(live !== undefined && staged !== undefined);
    assert.notEqual(Math.floor(live.slotOffset / 512), Math.floor(staged.slotOffset / 512));
    const cluster = Buffer.alloc(4);
    cluster.writeUInt16LE(Math.floor(live.firstCluster / 2 ** 16), 0);
    cluster.writeUInt16LE(live.firstCluster % 2 ** 16, 2);
    writeSync(fd, cluster, 0, 2, staged.slotOffset + 20); // DIR_FstClusHI
    writeSync(fd, cluster, 2, 2, staged.slotOffset + 26); // DIR_FstClusLO
  } finally {
    closeSync(fd);
  }
}

/** As an installation leaves it: what is there before the folder of entries has its first name, too. */
async function makeEsp(path: string, directory: string, further: readonly string[] = []): Promise<void> {
  await runTool("truncate", ["-s", "300M", path]);
  await runTool("mkfs.vfat", ["-F", "32", "-s", "8", path]);
  const folders = ["EFI", "EFI/Linux", "EFI/Linux/bootc", "loader", "loader/entries", "loader/keys"];
  await runTool("mmd", ["-i", path, ...folders.map((name) => `::/${name}`)], MTOOLS);
  const [entry] = entriesOfRound(0);
  assert.ok(entry !== undefined);
  const uki = ukiOfRound(0);
  const files: [string, string | Uint8Array][] = [
    ["loader/entries.srel", "type1\n"],
    ["loader/loader.conf", "timeout 5"],
    [`loader/entries/${entry.fileName}`, entry.text],
    [uki.path, uki.bytes],
    ...further.map((name): [string, string] => [name, "further\n"]),
  ];
  for (const [name, content] of files) {
    const source = join(directory, "content");
    writeFileSync(source, content);
    await runTool("mcopy", ["-i", path, source, `::/${name}`], MTOOLS);
  }
}
