/**
 * Updates the host on the disk /dev/vdc, from images on /dev/vdd, while the machine outside records every write: see
 * test/vm/power-cut.test.ts. Each argument is a step, with a shutdown behind it: `update=NAME`, `gc`, `rollback`.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CommandLine } from "../../../src/bls/index.ts";
import { stateDirectory } from "../../../src/deployment/index.ts";
import { silent } from "../../../src/events/index.ts";
import { collectHost, type HostPlaces, readHost, rollback } from "../../../src/host/index.ts";
import { runTool } from "../../../src/platform/index.ts";
import { finalizeStaged, openUpdate, updateHost } from "../../../src/update/index.ts";
import { PLAIN_UPDATE } from "../../update/update-options.ts";

const [ROOT, BOOT, STICK] = ["/run/root", "/run/boot", "/run/stick"];
const MODULES = ["nls/nls_cp437", "nls/nls_ascii", "nls/nls_iso8859-1", "nls/nls_utf8", "fat/fat", "fat/vfat"];

for (const name of MODULES) await runTool("sh", ["-c", `insmod /lib/modules/*/kernel/fs/${name}.ko.xz || true`]);
for (const path of [ROOT, BOOT, STICK]) mkdirSync(path, { recursive: true });
await runTool("mount", ["-o", "ro", "/dev/vdd", STICK]);
for (const step of process.argv.slice(2)) {
  await runTool("mount", ["-t", "ext4", "/dev/vdc3", ROOT]);
  await runTool("mount", ["-t", "vfat", "/dev/vdc2", BOOT]);
  await take(step, await bootedPlaces());
  await runTool("umount", [BOOT]);
  await runTool("umount", [ROOT]);
}

/** As if the default deployment had been booted. */
async function bootedPlaces(): Promise<HostPlaces> {
  const places: HostPlaces = {
    ...{ physicalRoot: ROOT, bootDirectory: BOOT, runDirectory: "/run", bootLoader: "systemd", isReadOnly: false },
    ...{ booted: undefined, usrOverlay: undefined },
  };
  const { entries } = await readHost(places);
  const imageId = entries[0]?.deploymentId ?? "";
  const commandLine = CommandLine.parse(`composefs=${imageId} rw`);
  return { ...places, booted: { imageId, missingVerityAllowed: false, verityRequired: true, commandLine } };
}

async function take(step: string, places: HostPlaces): Promise<void> {
  const etcPath = join(ROOT, stateDirectory(places.booted?.imageId ?? ""), "etc");
  const [verb, name = ""] = step.split("=");
  if (verb === "rollback") await rollback(places);
  else if (verb === "gc") {
    const done = await collectHost(places, { dryRun: false, scope: "all", preparedImage: undefined, events: silent });
    if (done.problems.length > 0) throw new Error(done.problems.map(({ error }) => error.message).join("\n"));
  } else {
    const source = `oci:${STICK}/${name}-sealed:${name}`;
    const target = { imageReference: "docker://localhost/debian-sealed:latest", source };
    await using update = await openUpdate(places, await readHost(places), target, {
      policy: "accept-anything",
      events: silent,
    });
    await updateHost(places, await readHost(places), update, { ...PLAIN_UPDATE, etcPath, events: silent });
    await finalizeStaged(places, { etcPath, events: silent });
  }
}
