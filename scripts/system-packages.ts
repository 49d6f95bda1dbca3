/** Debian packages that a recipe needs: found missing, installed with apt, or named for the user to install. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** What makes hashing and gunzip faster (src/primitives), by the release's name in os-release(5). x86-64 alone has them. */
const FAST_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  bookworm: ["libipsec-mb1", "libisal2"],
  trixie: ["libipsec-mb2", "libisal2"],
};

/** The packages of this machine's release; none on one that sealroot knows no libraries of. */
export function fastPackages(): readonly string[] {
  if (process.arch !== "x64") return [];
  try {
    const [, name = ""] = /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(readFileSync("/etc/os-release", "utf8")) ?? [];
    return FAST_PACKAGES[name] ?? [];
  } catch {
    return [];
  }
}

/**
 * Makes sure that `packages` are installed.
 *
 * Installs as root or through sudo, and says so. Without either, names the command to run.
 * @returns false when the recipe cannot go on; the reason has been printed
 */
export function ensurePackages(packages: readonly string[]): boolean {
  const missing = missingPackages(packages);
  if (missing.length === 0) return true;
  const command = ["apt-get", "install", "--yes", "--no-install-recommends", ...missing];
  const prefix = rootPrefix();
  if (prefix === undefined || !hasProgram("apt-get")) {
    console.error(`just: these Debian packages are missing: ${missing.join(" ")}`);
    console.error(`just: install them as root and run this again: ${command.join(" ")}`);
    return false;
  }
  console.error(`just: installing ${missing.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["apt-get", "update", "--quiet"], command]) {
    const [program = "", ...rest] = [...prefix, ...args];
    // Standard output belongs to the recipe.
    const { status } = spawnSync(program, rest, { stdio: ["inherit", 2, 2], env });
    if (status !== 0) {
      console.error(`just: ${args.slice(0, 2).join(" ")} failed (exit code ${status ?? "none"})`);
      return false;
    }
  }
  return true;
}

function missingPackages(packages: readonly string[]): string[] {
  if (packages.length === 0) return [];
  const query = spawnSync(
    "dpkg-query",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the braces are dpkg-query's
    ["--show", "--showformat=${Package} ${db:Status-Status}\n", ...packages],
    {
      encoding: "utf8",
    },
  );
  // No dpkg at all: nothing is known, and the tools themselves name what is missing.
  if (query.error !== undefined) return [];
  const installed = query.stdout
    .split("\n")
    .filter((line) => line.endsWith(" installed"))
    .map((line) => line.split(" ")[0]);
  return packages.filter((name) => !installed.includes(name));
}

/** The command prefix for running as root, or undefined if there is no way. */
function rootPrefix(): string[] | undefined {
  if (process.getuid?.() === 0) return [];
  if (!hasProgram("sudo")) return undefined;
  // A password can be asked for at a terminal only.
  const silent = spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0;
  return silent || process.stdin.isTTY ? ["sudo"] : undefined;
}

function hasProgram(name: string): boolean {
  return spawnSync(name, ["--version"], { stdio: "ignore" }).error === undefined;
}
