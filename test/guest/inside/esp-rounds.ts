/**
 * Updates an ESP as upgrades, switches and boot counting do, round after round, while the machine outside records every
 * write: see esp-power-cut.test.ts. Argument: how many rounds.
 */
import { existsSync, mkdirSync } from "node:fs";
import { EntryStore, removeFromEsp, writeEspFile } from "../../../src/bootloader/index.ts";
import { runTool } from "../../../src/platform/index.ts";
import { entriesOfRound, roundOf, ukiOfRound } from "../esp-content.ts";

const MODULES = "/lib/modules/*/kernel";
const MOUNTPOINT = "/run/esp";

const rounds = Number(process.argv[2]);
for (const name of ["nls/nls_cp437", "nls/nls_ascii", "nls/nls_iso8859-1", "nls/nls_utf8", "fat/fat", "fat/vfat"]) {
  await runTool("sh", ["-c", `insmod ${MODULES}/fs/${name}.ko.xz || true`]);
}
mkdirSync(MOUNTPOINT, { recursive: true });
for (let count = 1; count <= rounds; count++) {
  await runTool("mount", ["-t", "vfat", "/dev/vdc", MOUNTPOINT]);
  const store = new EntryStore(MOUNTPOINT, "systemd-boot");
  const liveRound = () => roundOf(store.list("live").entries[0]?.deploymentId) ?? -1;
  const before = liveRound();
  const round = before + 1;
  writeEspFile(MOUNTPOINT, ukiOfRound(round));
  store.stage(entriesOfRound(round));
  store.activate();
  if (liveRound() !== round) throw new Error(`after round ${before} comes ${liveRound()}`);
  store.assess(store.list("live").entries[0]?.fileName ?? "", "good");
  const oldPath = round < 2 ? "" : ukiOfRound(round - 2).path;
  if (oldPath !== "" && existsSync(`${MOUNTPOINT}/${oldPath}`)) removeFromEsp(MOUNTPOINT, oldPath);
  // As at shutdown, where what was written is flushed in any case.
  if (count % 2 === 0) await runTool("umount", [MOUNTPOINT]);
  else await runTool("umount", ["-l", MOUNTPOINT]);
}
