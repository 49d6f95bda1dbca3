/** A failed boot in words: for status and for the journal. */
import { runTool } from "../../platform/index.ts";
import { statusReference } from "../status-document.ts";
import type { FailedBoot } from "./failed-boots.ts";
import { triesText } from "./failed-images.ts";

const STEP_TEXT = {
  "boot-loader": "before the boot program",
  initramfs: "in the boot program",
  system: "in the system",
} as const;

/** For `journalctl MESSAGE_ID=`: an update was given up and the system before it came up. */
export const FELL_BACK_MESSAGE_ID = "485f6070bfcd4e91beedaa6cd7694283";

/** From what, to what, after how many tries, and what failed. Lines without line ends; all but the first are indented. */
export function failedBootLines(failed: FailedBoot): string[] {
  const { bootIds, deploymentId, failure, fellBackTo, imageReference, step, time, tries } = failed;
  const image = imageReference === undefined ? "" : `${statusReference(imageReference).image} `;
  const rows: [string, string | undefined][] = [
    ["From", `${image}${shortId(deploymentId)}`],
    ["To", shortId(fellBackTo)],
    ["Failed", `${STEP_TEXT[step]}: ${failure.message}`],
    ["Expected", failure.expected],
    ["Found", failure.actual],
    ["Log", bootIds.length === 0 ? undefined : `journalctl --boot=${bootIds.at(-1)}`],
  ];
  return [
    `Automatic rollback at ${time}, after ${triesText(tries)}:`,
    ...rows.flatMap(([label, value]) => (value === undefined ? [] : [`  ${`${label}:`.padEnd(10)}${value}`])),
  ];
}

/** Its beginning tells it apart. */
function shortId(id: string): string {
  return `${id.slice(0, 12)}…`;
}

/**
 * Tells the journal, under a message id and with the parts as fields (systemd.journal-fields(7)).
 * @throws SealrootError when there is no journal to be told
 */
export async function logFailedBoot(failed: FailedBoot): Promise<void> {
  const { deploymentId, failure, fellBackTo, step, tries } = failed;
  const fields = {
    MESSAGE_ID: FELL_BACK_MESSAGE_ID,
    PRIORITY: "3",
    SYSLOG_IDENTIFIER: "sealroot",
    MESSAGE: `Deployment ${deploymentId} did not boot in ${triesText(tries)}, ${fellBackTo} runs instead: ${STEP_TEXT[step]}: ${failure.message}`,
    SEALROOT_FROM: deploymentId,
    SEALROOT_TO: fellBackTo,
    SEALROOT_TRIES: String(tries),
    SEALROOT_STEP: step,
  };
  const input = Object.entries(fields).map(([name, value]) => `${name}=${value.replaceAll("\n", " ")}\n`);
  await runTool("logger", ["--journald"], { input: input.join("") });
}
