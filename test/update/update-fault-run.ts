/** Stages an update on a host that is a folder, or finalises it, in a process that may be killed: FOLDER BOOTED-ID SOURCE PHASE. */

import { join } from "node:path";
import { silent } from "../../src/events/index.ts";
import { readHost } from "../../src/host/index.ts";
import { finalizeStaged, openUpdate, updateHost } from "../../src/update/index.ts";
import { folderPlaces } from "../host/folder-places.ts";
import { PLAIN_UPDATE } from "./update-options.ts";

const [folder = "", bootedId = "", source = "", phase = ""] = process.argv.slice(2);

const places = folderPlaces(folder, bootedId);
const etcPath = join(folder, "etc");

if (phase === "finalize") await finalizeStaged(places, { etcPath, events: silent });
else {
  const host = await readHost(places);
  const target = { imageReference: "docker://quay.io/example/os:1", source };
  await using update = await openUpdate(places, host, target, { policy: "accept-anything", events: silent });
  await updateHost(places, host, update, {
    ...PLAIN_UPDATE,
    etcPath,
    events: silent,
  });
}
