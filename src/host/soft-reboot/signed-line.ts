/** The command line that a soft reboot goes by, as far as the firmware's keys vouch for it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CommandLine } from "../../bls/index.ts";
import { formatPermit, UNSEALED_PERMIT } from "../../bootplan/index.ts";
import { asSealrootError, corrupt, SealrootError } from "../../errors/index.ts";
import { verifyBootProgram } from "../../keys/index.ts";
import { readUki } from "../../pe/index.ts";
import { firmwareDatabases } from "../firmware.ts";
import type { HostDeployment } from "../host.ts";
import { type HostPlaces, placeOfBootFile } from "../host-places.ts";

export interface SoftRebootLine {
  readonly commandLine: CommandLine;
  /** As planBoot() takes it: which images may be the root. */
  readonly permit: string;
}

/**
 * Reads the deployment's command line. No firmware looks at its UKI before a soft reboot, so that is done here: what nobody
 * has signed must not choose the root of a machine with Secure Boot.
 *
 * @throws SealrootError `untrusted` for a UKI that the firmware would refuse, and where Secure Boot is on for one without
 *   UKI; `corrupt` and `not-found` for what cannot be read
 */
export async function softRebootLine(places: HostPlaces, deployment: HostDeployment): Promise<SoftRebootLine> {
  const databases = firmwareDatabases(places.efiVariables);
  const target = deployment.entry?.entry.target;
  if (target?.type !== "uki") {
    if (databases !== undefined) throw unsigned();
    const { commandLine } = deployment;
    if (commandLine === undefined) throw corrupt("Cannot prepare a soft reboot: the command line could not be read");
    return { commandLine, permit: UNSEALED_PERMIT };
  }
  const place = placeOfBootFile(places, target.path);
  const path = join(place?.directory ?? "", place?.path ?? target.path);
  const bytes = readBytes(path);
  if (databases !== undefined) await verifyBootProgram(bytes, `the UKI ${target.path}`, [databases]);
  const commandLine = CommandLine.parse(readUki(bytes, path).commandLine ?? "");
  return { commandLine, permit: formatPermit(commandLine) };
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw asSealrootError(error, "Cannot prepare a soft reboot: the UKI cannot be read", { path });
  }
}

function unsigned(): SealrootError {
  return new SealrootError(
    "untrusted",
    "Cannot prepare a soft reboot: Secure Boot is on, and nobody has signed this deployment's command line",
    { hint: "reboot, and the firmware decides" },
  );
}
