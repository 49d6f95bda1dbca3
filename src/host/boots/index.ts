/** boots: how the boots of a new deployment went, what is recorded of it, and what it means for updates. */
export { recordFailedBoot } from "./boot-failed.ts";
export { prepareBootSlots, readBootReports, removeBootSlots, writeBootReport } from "./boot-slots.ts";
export { type CurrentBoot, currentBoot } from "./current-boot.ts";
export { FELL_BACK_MESSAGE_ID, failedBootLines, logFailedBoot } from "./failed-boot-text.ts";
export { type FailedBoot, failedBootsPath, readFailedBoots } from "./failed-boots.ts";
export {
  type CandidateImage,
  failedBootOf,
  failedBoots,
  forgetFailedImage,
  refuseFailedImage,
} from "./failed-images.ts";
export {
  CHECK_LIMIT_MS,
  CHECKS_LIMIT_MS,
  findHealthChecks,
  HEALTH_DIRECTORIES,
  type HealthCheck,
  type HealthOptions,
  runHealthChecks,
} from "./health-checks.ts";
export { type FailedCheck, readHealthReport, writeHealthReport } from "./health-report.ts";
export { type RecordBootOptions, type RecordedBoot, recordBoot } from "./record-boot.ts";
