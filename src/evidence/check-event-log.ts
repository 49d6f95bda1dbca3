/** What the firmware did, by a log whose digests a quote vouches for. */
import { toHex } from "../bytes/index.ts";
import { type EventLog, type MeasuredVariable, measuredVariables, startedPrograms } from "../tpm/index.ts";
import type { LinkDraft } from "../verify/index.ts";
import { bytesOfBase64, type Evidence, type EvidenceProgram } from "./evidence.ts";

/** PCR 4: nothing was started that the evidence does not have, and the UKI that runs was. */
export function checkStarted(
  draft: LinkDraft,
  log: EventLog,
  { programs }: Evidence,
  booted: EvidenceProgram | undefined,
): void {
  const started = startedPrograms(log).map(toHex);
  const known = new Map<string, string>();
  for (const { path, authenticode, kernelAuthenticode } of programs) {
    const names = [
      [authenticode.sha256, path],
      [kernelAuthenticode, `the kernel of ${path}`],
    ] as const;
    for (const [digest, name] of names) if (typeof digest === "string" && !known.has(digest)) known.set(digest, name);
  }
  for (const digest of started) {
    if (known.has(digest)) continue;
    draft.broken("the firmware started a program that the evidence does not have", {
      ...{ expected: "only programs of the evidence", found: `Authenticode digest ${digest}` },
    });
  }
  if (booted === undefined) return;
  if (!started.includes(booted.authenticode.sha256 ?? "")) {
    draft.broken("the firmware did not start the UKI that PCR 11 is of", { path: booted.path });
  }
  if (!draft.isBroken) draft.fact(`the firmware started ${started.map((digest) => known.get(digest)).join(", ")}`);
}

const DATABASES = ["PK", "KEK", "db", "dbx"] as const;

/** PCR 7: Secure Boot was on, with the keys that the evidence states. */
export function checkSecureBoot(draft: LinkDraft, log: EventLog, { keys }: Evidence): void {
  let variables: readonly MeasuredVariable[];
  try {
    variables = measuredVariables(log);
  } catch (error) {
    draft.failed(error);
    return;
  }
  const measuredAs = (name: string) => variables.find((variable) => variable.name === name)?.data;
  const mode = measuredAs("SecureBoot");
  if (mode?.length !== 1 || mode[0] !== 1) {
    draft.broken("Secure Boot was off: the firmware started anything", {
      ...{ expected: "SecureBoot = 1", found: mode === undefined ? "not measured" : `SecureBoot = ${mode.join(" ")}` },
    });
    return;
  }
  const stated = keys.find(({ PK, KEK }) => PK !== null && KEK !== null);
  if (stated === undefined) {
    draft.find("unchecked", "the evidence does not state the keys of the firmware");
    return;
  }
  let isSame = true;
  for (const name of DATABASES) {
    const measured = toHex(measuredAs(name) ?? new Uint8Array(0));
    if (measured === toHex(bytesOfBase64(stated[name] ?? ""))) continue;
    isSame = false;
    draft.broken(`the firmware had another ${name} when it started`, {
      ...{ expected: shortened(measured), found: shortened(toHex(bytesOfBase64(stated[name] ?? ""))) },
      remedy: "reboot after a change of keys",
    });
  }
  if (isSame) draft.fact("Secure Boot was on, with the keys of the evidence");
}

/** Databases have kilobytes. */
function shortened(hex: string): string {
  return hex === "" ? "none" : `${hex.slice(0, 64)}… (${hex.length / 2} bytes)`;
}
