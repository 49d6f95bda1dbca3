/** The time that goes into what sealroot builds. */
import { SealrootError } from "../../errors/index.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * SOURCE_DATE_EPOCH (reproducible-builds.org/specs/source-date-epoch: decimal seconds since 1970), or undefined when the
 * environment does not have it.
 * @throws SealrootError `usage` when the variable is not a number
 */
export function sourceDateEpoch(environment: Environment = process.env): Date | undefined {
  const text = environment.SOURCE_DATE_EPOCH;
  if (text === undefined || text === "") return undefined;
  const moment = new Date(/^\d{1,12}$/.test(text) ? Number(text) * 1000 : Number.NaN);
  if (!Number.isNaN(moment.getTime())) return moment;
  throw new SealrootError("usage", `Cannot read SOURCE_DATE_EPOCH: "${text}" is not a number of seconds`);
}

/** SOURCE_DATE_EPOCH if the environment has it, otherwise the current time. */
export function buildTime(environment: Environment = process.env): Date {
  return sourceDateEpoch(environment) ?? new Date();
}
