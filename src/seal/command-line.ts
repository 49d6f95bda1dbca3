/** The sealed command line: the image's digest first, then what the image and the user add. */
import { CommandLine, type CommandLineArchitecture, checkCommandLine, checkUserArguments } from "../bls/index.ts";
import { isUuid } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";

const IMPORT_NOTHING = "systemd.import_credentials=no";

/**
 * The command line of the UKI: the images that may be the root, `root=UUID=` if requested, `rw`, the image's arguments,
 * the user's, and `systemd.import_credentials=no` if the initramfs would import credentials.
 *
 * `rw` is always there: without it the generators in stock initramfs leave `/etc` and `/var` read-only
 * (spec/boot-chain.md I.4).
 *
 * @throws SealrootError `usage` for a user argument that a sealed command line must not hold, `unsupported` for a whole
 *   line that the kernel would read differently or cut off; `conflict` for an argument that imports credentials where
 *   that is forbidden
 */
export function sealedCommandLine(options: {
  /** The composefs arguments. */
  readonly images: readonly string[];
  readonly rootUuid: string | undefined;
  readonly imageArguments: readonly string[];
  readonly userArguments: readonly string[];
  /** Whose kernel reads the line; undefined if its length is not to be checked yet. */
  readonly architecture?: CommandLineArchitecture | undefined;
  /**
   * False for an initramfs in which systemd runs: it would start units from unsigned credentials on the EFI system
   * partition before the root is verified (systemd.system-credentials(7)).
   */
  readonly importsCredentials?: boolean | undefined;
}): string {
  for (const argument of options.userArguments) checkUserArguments(argument);
  const sealed = [...options.images];
  if (options.rootUuid !== undefined) sealed.push(`root=UUID=${checkedUuid(options.rootUuid)}`);
  let line = CommandLine.parse(sealed.join(" ")).append("rw");
  for (const argument of [...options.imageArguments, ...options.userArguments]) line = line.add(argument);
  if (options.importsCredentials === false) line = withoutCredentials(line);
  const { architecture } = options;
  const decidedKeys = CommandLine.parse(sealed.join(" ")).arguments.map(({ key }) => key);
  checkCommandLine(line.toString(), {
    what: "the kernel command line",
    decidedKeys,
    ...(architecture !== undefined && { architecture }),
  });
  return line.toString();
}

/** systemd uses the last one, so it is at the end, and alone. */
function withoutCredentials(line: CommandLine): CommandLine {
  const others = line.removeExact(IMPORT_NOTHING);
  for (const key of ["systemd.import_credentials", "rd.systemd.import_credentials"]) {
    const [other] = others.all(key);
    if (other === undefined) continue;
    throw new SealrootError(
      "conflict",
      `Cannot use the kernel argument "${other.text}": an extended initramfs is sealed with ${IMPORT_NOTHING}`,
      { hint: "leave it out, or seal without --initramfs extend" },
    );
  }
  return others.append(IMPORT_NOTHING);
}

function checkedUuid(text: string): string {
  if (!isUuid(text)) {
    throw new SealrootError("usage", `Cannot use --root-uuid: "${text}" is not a UUID`);
  }
  return text.toLowerCase();
}
