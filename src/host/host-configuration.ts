/** What the administrator of a host wants of updates: `/etc/sealroot/host.toml`. */
import { readFileSync } from "node:fs";
import { parseTomlFile } from "../bootimage/index.ts";
import { asSealrootError, corrupt, hasErrno } from "../errors/index.ts";
import { DEFAULT_RETENTION, type Retention } from "./entry-order.ts";

export const HOST_CONFIGURATION_PATH = "/etc/sealroot/host.toml";

/** More boot entries fit on no ESP, and in no menu. */
const KEEP_MAX = 1000;

/**
 * How many deployments an update keeps: `keep` in the table `[retention]`. Other tables are other people's.
 *
 * @returns bootc's rule when there is no file
 * @throws SealrootError `corrupt` for what is not TOML, another key, and anything but a number from 0 to 1000
 */
export function readRetention(path = HOST_CONFIGURATION_PATH): Retention {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return DEFAULT_RETENTION;
    throw asSealrootError(error, `Cannot read ${path}`, { path });
  }
  const { retention: table } = parseTomlFile(path, text);
  if (table === undefined) return DEFAULT_RETENTION;
  if (typeof table !== "object" || table === null || Array.isArray(table)) {
    throw corrupt(`Cannot read ${path}: retention is not a table`, { path });
  }
  const unknown = Object.keys(table).find((key) => key !== "keep");
  if (unknown !== undefined) throw corrupt(`Cannot read ${path}: unknown key retention.${unknown}`, { path });
  const keep: unknown = "keep" in table ? table.keep : DEFAULT_RETENTION.keep;
  if (typeof keep === "number" && Number.isInteger(keep) && keep >= 0 && keep <= KEEP_MAX) return { keep };
  throw corrupt(`Cannot read ${path}: retention.keep is not a number from 0 to ${KEEP_MAX}`, { path });
}
