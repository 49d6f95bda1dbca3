/**
 * primitives: hashing and inflating as fast as the machine can: many blocks at once by Intel's libipsec-mb, gunzip by ISA-L's
 * igzip, where they are installed and known; otherwise node:crypto, and the caller's node:zlib. The bytes are the same.
 *
 * Ground room: computation, bytes in and bytes out, so format rooms may use it as they use node:crypto. May import
 * `errors/` and `platform/`, through which the libraries are loaded, with the first work that is worth it.
 * @module
 */

export { hashMessages } from "./hash-messages.ts";
export type { Inflater } from "./inflater.ts";
export type { MessageQueue } from "./message-queue.ts";
export { inflaterFromBytes, newInflater } from "./new-inflater.ts";
export { primitivesReport } from "./report.ts";
