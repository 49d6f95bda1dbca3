/** Boots the sealed disk under Secure Boot and collects what proves that it is what it claims to be. */
import { basename, dirname } from "node:path";
import { PARTITION_TYPE, readDiskPartitions, readEspFile } from "../../src/disk/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import type { StepReporter } from "../../src/events/index.ts";
import { loadCertificates, type OwnedCertificates } from "../../src/keys/index.ts";
import { verifyPe } from "../../src/pe/index.ts";
import { lastConsoleLine, startVirtualMachine } from "../../src/vm/index.ts";

/** One claim, and what was seen. */
export interface Proof {
  readonly claim: string;
  readonly seen: string;
  readonly holds: boolean;
}

/** Variables of the UEFI specification, 3.3, and of systemd's Boot Loader Interface. */
const GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
const LOADER = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/** Prints `name=value` lines. An EFI variable's file begins with four bytes of attributes, and cannot be sought in. */
const PROBE = `
variable() { cat "/sys/firmware/efi/efivars/$1" | tail -c +5; }
echo "secureBoot=$(variable SecureBoot-${GLOBAL} | od -An -tu1 | tr -d ' ')"
echo "setupMode=$(variable SetupMode-${GLOBAL} | od -An -tu1 | tr -d ' ')"
echo "image=$(variable StubImageIdentifier-${LOADER} | tr -d '\\000' | tr '\\\\' /)"
echo "commandLine=$(cat /proc/cmdline)"
echo "rootSource=$(findmnt -no SOURCE /)"
echo "rootOptions=$(findmnt -no OPTIONS /)"
echo "kernel=$(uname -r)"
echo "state=$(systemctl is-system-running --wait)"
touch /usr/written 2>/dev/null && echo "write=allowed" || echo "write=refused"
`;

/** Until the agent answers; 13 s on an idle machine in emulation, and several times that on a busy one. */
const READY_TIMEOUT_MS = 300_000;
const SYSTEM_TIMEOUT_MS = 300_000;

/**
 * Starts the disk with the keys of `keysDirectory` enrolled, waits until the system is up, and asks it.
 * The disk file is not changed. The last line that the guest printed is shown meanwhile.
 *
 * @throws SealrootError when the machine does not come up; the message ends with the last lines of its console
 */
export async function bootAndCheck(diskPath: string, keysDirectory: string, step: StepReporter): Promise<Proof[]> {
  const secureBoot = loadCertificates(keysDirectory);
  const onConsole = lastConsoleLine(step.status);
  const machine = await startVirtualMachine({ drives: [{ path: diskPath }], secureBoot, onConsole });
  try {
    await machine.waitForReady(READY_TIMEOUT_MS, { endsWhenRefused: true });
    const { exitCode, stdout, stderr } = await machine.run(PROBE, SYSTEM_TIMEOUT_MS);
    if (exitCode !== 0) {
      throw new SealrootError(
        "failed",
        `Cannot ask the booted system: exit code ${exitCode}: ${stderr.toString().trim()}`,
      );
    }
    const report = parseReport(stdout.toString());
    return [...proofs(report), await signatureProof(diskPath, report.get("image") ?? "", secureBoot)];
  } finally {
    await machine.stop();
  }
}

/** Checks once more what the firmware has checked: that the file it started is signed by the db key. */
async function signatureProof(diskPath: string, image: string, keys: OwnedCertificates): Promise<Proof> {
  const { partitions } = await readDiskPartitions(diskPath);
  const esp = partitions.find((partition) => partition.typeGuid === PARTITION_TYPE.efiSystem);
  if (esp === undefined) throw new SealrootError("corrupt", `Cannot find the ESP of ${diskPath}`, { path: diskPath });
  const disk = { path: basename(diskPath), directory: dirname(diskPath) };
  const uki = await readEspFile(disk, esp.startBytes, image.replace(/^\//, ""));
  const { signer } = await verifyPe(uki, keys.certificates.db, image);
  return { claim: "the UKI's signature is by", seen: `${signer.subject}, ${uki.length} bytes signed`, holds: true };
}

function parseReport(text: string): ReadonlyMap<string, string> {
  const lines = text.split("\n").filter((line) => line.includes("="));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

function proofs(report: ReadonlyMap<string, string>): Proof[] {
  const value = (name: string) => report.get(name) ?? "nothing";
  const sealedId = /(?:^| )composefs=([0-9a-f]{128})(?: |$)/.exec(value("commandLine"))?.[1] ?? "";
  const rootOptions = value("rootOptions").split(",");
  return [
    {
      claim: "the firmware enforces Secure Boot with our keys",
      seen: `SecureBoot=${value("secureBoot")} SetupMode=${value("setupMode")}`,
      holds: value("secureBoot") === "1" && value("setupMode") === "0",
    },
    {
      claim: "it started the signed UKI of this image",
      seen: value("image"),
      holds: sealedId !== "" && value("image").includes(sealedId),
    },
    {
      claim: "the root is the image whose digest is sealed in the UKI",
      seen: value("rootSource"),
      holds: sealedId !== "" && value("rootSource") === `composefs:${sealedId}`,
    },
    {
      claim: "the kernel requires fs-verity of every file",
      seen: rootOptions.filter((option) => option === "ro" || option.startsWith("verity=")).join(","),
      holds: rootOptions.includes("verity=require") && rootOptions.includes("ro"),
    },
    { claim: "a write to /usr is refused", seen: value("write"), holds: value("write") === "refused" },
    {
      claim: "the system is up",
      seen: `${value("state")}, Linux ${value("kernel")}`,
      holds: value("state") === "running",
    },
  ];
}
