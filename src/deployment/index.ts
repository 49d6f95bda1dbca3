/**
 * deployment: what a deployment leaves on the physical root: its state directory, its origin file, the names of both.
 *
 * Store room: knows spec/host.md 1.2 and 1.3 and the formats it needs (tree, bls); nothing of disks or boot loaders.
 * @module
 */
export { isRegistryReference, TRANSPORTS, targetReference } from "./image-reference.ts";
export { type InitialStateOptions, initialState } from "./initial-state.ts";
export { formatOrigin, type Origin, parseOrigin } from "./origin.ts";
export { originPath, SHARED_VAR, stateDirectory, VAR_LINK_TARGET } from "./paths.ts";
export { type StateXattrs, stateXattrs } from "./state-xattrs.ts";
