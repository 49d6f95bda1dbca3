/** The time that goes into what sealroot builds. */
import { SealrootError } from "../errors/index.ts";

/**
 * SOURCE_DATE_EPOCH (reproducible-builds.org/specs/source-date-epoch: decimal seconds since 1970) when the environment
 * has it, the present otherwise.
 * @throws SealrootError `usage` when the variable is not a number
 */
export function buildTime(environment: Readonly<Record<string, string | undefined>> = process.env): Date {
  const text = environment.SOURCE_DATE_EPOCH;
  if (text === undefined || text === "") return new Date();
  const moment = new Date(/^\d{1,12}$/.test(text) ? Number(text) * 1000 : Number.NaN);
  if (!Number.isNaN(moment.getTime())) return moment;
  throw new SealrootError("usage", `Cannot read SOURCE_DATE_EPOCH: "${text}" is not a number of seconds`);
}
