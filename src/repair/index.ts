/**
 * repair: the whole of a host checked, running or mounted, and what is damaged put back by its digest.
 *
 * Systems room above `host/`.
 * @module
 */
export { type CheckedCounts, checkHost, type HostCheck } from "./check-host.ts";
export { type Fault, faultText } from "./fault.ts";
export { type HostRepair, repairHost } from "./repair-host.ts";
export { checkJson, checkText, type ReportText, repairJson, repairText } from "./repair-report.ts";
