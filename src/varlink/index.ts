/**
 * varlink: the protocol by which programs call a service over a stream socket (varlink.org; systemd's sd-varlink speaks it
 * too): messages, errors, and the built-in interface that describes a service.
 *
 * Format room, pure: bytes in, values out. Knows no socket and none of the services.
 * @module
 */
export { describeInterface, type VarlinkInterface, type VarlinkMethod } from "./interface.ts";
export { MESSAGE_MAX_BYTES, MessageReader } from "./message-reader.ts";
export { encodeReply, parseCall, type VarlinkCall, type VarlinkReply } from "./messages.ts";
export { SERVICE_DESCRIPTION, SERVICE_INTERFACE } from "./service-interface.ts";
