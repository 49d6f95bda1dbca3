/**
 * host: the running system: which deployments it has, which one runs, which one comes next.
 *
 * Systems room: puts together what `bootloader/`, `deployment/` and `imagestore/` each know. All of it takes the host's
 * places as a value (HostPlaces), so that a folder can stand for a host; open-host.ts alone looks at the machine.
 * @module
 */
export { type BootedRoot, readBootedRoot, readUsrOverlay, type UsrOverlay } from "./booted-root.ts";
export { configDiff } from "./config-diff.ts";
export { DEFAULT_RETENTION, entriesAfterUpgrade, menuFiles, type Retention } from "./entry-order.ts";
export { deploymentByPrefix, type NamedDeployment } from "./find-deployment.ts";
export type { DeploymentImage, Host, HostDeployment, HostProblem } from "./host.ts";
export type { BootLoaderName, HostPlaces } from "./host-places.ts";
export { bootLoaderName, type OpenedHost, type OpenHostOptions, openHost, openHostWhenFree } from "./open-host.ts";
export { type Pinned, pinText, setPinned } from "./pin.ts";
export { readHost } from "./read-host.ts";
export { rebootHost } from "./reboot.ts";
export { type RolledBack, rollback, rollbackLines } from "./rollback.ts";
export { type StatusDocument, statusDocument, statusJson, statusReference } from "./status-document.ts";
export { statusText } from "./status-text.ts";
