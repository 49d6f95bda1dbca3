/** systemd-boot as Debian's suites have it, from the package archive that the machine's own apt uses. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SealrootError } from "../../../src/errors/index.ts";
import { runTool } from "../../../src/platform/index.ts";

export interface DebianLoader {
  /** The suites that have it. */
  readonly suites: readonly string[];
  /** Such as `257.13-1~deb13u1`. */
  readonly version: string;
  readonly program: Uint8Array;
}

const SUITES = ["bookworm", "bookworm-backports", "trixie", "trixie-backports", "forky", "sid"];
const PACKAGE = "systemd-boot-efi";
const PROGRAM = "usr/lib/systemd/boot/efi/systemd-bootx64.efi";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * The loaders of all suites that have one, oldest first. The machine's own package lists stay as they are.
 * @param directory takes the lists and packages
 */
export async function debianLoaders(directory: string): Promise<readonly DebianLoader[]> {
  const uri = await archiveUri();
  const apt = aptOptions(
    directory,
    SUITES.map((suite) => `deb [signed-by=${KEYRING}] ${uri} ${suite} main\n`).join(""),
  );
  await runTool("apt-get", [...apt, "update"], { timeoutMs: 600_000 });
  const suitesOf = new Map<string, string[]>();
  for (const line of await lines("apt-cache", [...apt, "madison", PACKAGE])) {
    const [, version = "", , suite = ""] = /\| +(\S+) \| +(\S+) (\S+?)\/main/.exec(line) ?? [];
    if (version !== "") suitesOf.set(version, [...(suitesOf.get(version) ?? []), suite]);
  }
  const loaders: DebianLoader[] = [];
  for (const [version, suites] of suitesOf) {
    const folder = join(directory, version);
    mkdirSync(folder);
    const fetch = 'cd "$1" && shift && apt-get "$@" && dpkg-deb -x *.deb .';
    await runTool("sh", ["-c", fetch, "sh", folder, ...apt, "download", `${PACKAGE}=${version}`], {
      timeoutMs: 300_000,
    });
    loaders.push({ suites, version, program: readFileSync(join(folder, PROGRAM)) });
  }
  return loaders.reverse();
}

/** Where this machine's apt gets Debian from. */
async function archiveUri(): Promise<string> {
  const words = [
    "indextargets",
    "--format",
    "$(REPO_URI)",
    "Created-By: Packages",
    "Origin: Debian",
    "Component: main",
  ];
  const uri = (await lines("apt-get", words)).find((line) => !line.includes("security"));
  if (uri !== undefined) return uri;
  throw new SealrootError("not-found", "Cannot get Debian's boot loaders: apt knows no archive of Debian", {
    hint: "run apt-get update first",
  });
}

function aptOptions(directory: string, sources: string): readonly string[] {
  for (const folder of ["lists/partial", "cache/archives/partial"])
    mkdirSync(join(directory, folder), { recursive: true });
  writeFileSync(join(directory, "sources.list"), sources);
  const settings = {
    "Dir::Etc::sourcelist": join(directory, "sources.list"),
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::State::lists": join(directory, "lists"),
    "Dir::Cache": join(directory, "cache"),
    "APT::Sandbox::User": "root",
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

async function lines(tool: string, words: readonly string[]): Promise<string[]> {
  const { stdout } = await runTool(tool, words);
  return stdout.toString().split("\n");
}
