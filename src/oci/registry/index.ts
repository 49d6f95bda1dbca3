/**
 * registry/: talking to container registries. HTTP with bounded patience, logging in, the machine's configuration, and
 * reading what a repository has. The other files of oci/ enter here.
 * @module
 */
export { RegistryClient } from "./client.ts";
export { HttpClient } from "./http-client.ts";
export { type HttpResponse, wholeBody } from "./http-response.ts";
export { type FetchedManifest, findManifest, getManifest, headManifest } from "./manifests.ts";
export { type FoundImage, findImageInRegistry, openForWriting } from "./open-registry.ts";
export type { Credentials, RegistryLimits, RegistryOptions } from "./options.ts";
export { listReferrers } from "./referrers.ts";
export { RegistryBlobs } from "./registry-blobs.ts";
export { retryDelayMs } from "./retry.ts";
export { listTags } from "./tags.ts";
