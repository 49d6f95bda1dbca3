/**
 * registry: talking to container registries: HTTP with bounded patience, logging in, the machine's configuration
 * (containers-registries.conf(5), containers-auth.json(5)), reading what a repository has, and finding an image in it.
 *
 * Reads files of configuration and uses the network. Prints nothing.
 * @module
 */
export { RegistryClient } from "./client.ts";
export { HttpClient } from "./http-client.ts";
export { type HttpResponse, wholeBody } from "./http-response.ts";
export { findManifest, headManifest } from "./manifests.ts";
export { findImageInRegistry, openForWriting } from "./open-registry.ts";
export type { Credentials, RegistryLimits, RegistryOptions } from "./options.ts";
export { listReferrers } from "./referrers.ts";
export { RegistryBlobs } from "./registry-blobs.ts";
export { openRegistrySource } from "./registry-source.ts";
export { retryDelayMs } from "./retry.ts";
export { listTags } from "./tags.ts";
