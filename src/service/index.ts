/**
 * service: this host for other programs, by varlink: status, checks, updates with their progress, rollback.
 *
 * Systems room above `host/`: what the verbs do, with parameters and replies instead of words and lines.
 * @module
 */
export { HOST_SERVICE } from "./host-service.ts";
export { type Handler, type SendMore, type Service, type ServiceInterface, serveConnection } from "./serve.ts";
