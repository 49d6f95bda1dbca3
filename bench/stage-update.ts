/** Stages an update on a host that is a folder, as `sealroot upgrade` does on a host: FOLDER BOOTED-ID SOURCE. */
import { join } from "node:path";
import { silent } from "../src/events/index.ts";
import { readHost } from "../src/host/index.ts";
import { openUpdate, updateHost } from "../src/update/index.ts";
import { folderPlaces } from "../test/host/folder-places.ts";
import { PLAIN_UPDATE } from "../test/update/update-options.ts";

const [folder = "", bootedId = "", source = ""] = process.argv.slice(2);
const places = folderPlaces(folder, bootedId);
const host = await readHost(places);
const target = { imageReference: "docker://quay.io/example/os:1", source };
await using update = await openUpdate(places, host, target, { policy: "accept-anything", events: silent });
await updateHost(places, host, update, { ...PLAIN_UPDATE, etcPath: join(folder, "etc"), events: silent });
