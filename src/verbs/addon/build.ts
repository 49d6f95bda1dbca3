/** `sealroot addon build`. */
import { readFile } from "node:fs/promises";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import { command, type Invocation, type OptionSpecification } from "../shared/command.ts";
import { PROGRAM_SIGNING_OPTIONS, programSigner, refuseSigning } from "../shared/signing-options.ts";

const ARCHITECTURES = ["x64", "aa64"] as const;

const OPTIONS = [
  { flags: "-o, --output <FILE>", summary: "where it goes: NAME.addon.efi", required: true },
  { flags: "--karg <ARG>", summary: "a kernel argument (may be given again)", repeat: true },
  { flags: "--dtb <FILE>", summary: "a device tree" },
  { flags: "--ucode <FILE>", summary: "microcode: a cpio archive with kernel/x86/microcode/…" },
  { flags: "--initrd <FILE>", summary: "firmware files: a cpio archive with usr/lib/firmware/…" },
  { flags: "--uname <RELEASE>", summary: "only UKIs with this kernel take it" },
  { flags: "--stub <FILE>", summary: "systemd's add-on stub (default: this machine's addonARCH.efi.stub)" },
  { flags: "--architecture <ARCH>", summary: "whose stub it is (default x64)", choices: [...ARCHITECTURES] },
  { flags: "--keys <DIR>", summary: "directory of Secure Boot keys (sealroot keys generate)" },
  { flags: "--unsigned", summary: "leave it to be signed elsewhere" },
  ...PROGRAM_SIGNING_OPTIONS,
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof OPTIONS>;

export const addonBuild = command({
  description: `Makes an add-on of a UKI: what one machine, or all, shall have besides what is sealed. systemd-stub takes it from beside
the UKI when firmware accepts its signature.

It may not change what is sealed: arguments that choose another root, init or unit or stop the boot in a shell are refused, as are
sections of UKIs, and archives with anything but firmware files and microcode. Installing, adding on a host and updates
refuse the same. The stub is in Debian's systemd-boot-efi since 13, in Fedora's systemd-boot-unsigned.`,
  options: OPTIONS,
  examples: ["sealroot addon build -o serial.addon.efi --karg console=ttyS0 --keys keys"],
  reportsJson: true,
  async run(invocation) {
    const { buildAddon } = await import("../../addon/index.ts");
    const { ADDON_SUFFIX } = await import("../../bootimage/index.ts");
    const { inspectFilePlace, replaceFile } = await import("../../platform/index.ts");
    const output = invocation.required("output");
    if (!output.endsWith(ADDON_SUFFIX)) {
      throw new SealrootError(
        "usage",
        `Cannot write ${output}: systemd-stub knows add-ons by names in ${ADDON_SUFFIX}`,
        {
          path: output,
        },
      );
    }
    const action = `Cannot write ${output}`;
    const place = inspectFilePlace(output, action);
    const contents = {
      kernelArguments: invocation.list("karg"),
      deviceTree: await read(invocation, "dtb"),
      microcode: await read(invocation, "ucode"),
      initramfs: await read(invocation, "initrd"),
      kernelRelease: invocation.option("uname"),
    };
    const stub = await readStub(invocation);
    const bytes = await buildAddon(stub, contents, await signerOf(invocation));
    replaceFile(place, bytes, action);
    const { addonOfFile } = await import("../../addon/index.ts");
    const report = await addonOfFile(output);
    if (invocation.json) invocation.output.json(report);
    else
      invocation.output.line(`${output}: ${report.signedBy === null ? "not signed" : `signed by ${report.signedBy}`}`);
  },
});

async function signerOf(invocation: Call) {
  const keys = invocation.option("keys");
  if (invocation.flag("unsigned")) {
    refuseSigning(invocation, "nothing is signed with --unsigned");
    return undefined;
  }
  if (keys === undefined && invocation.option("key") === undefined && invocation.option("sign-command") === undefined) {
    throw new SealrootError("usage", "Cannot build the add-on: give either --keys or --unsigned", {
      hint: "make keys with: sealroot keys generate keys",
    });
  }
  return programSigner(invocation, keys);
}

async function read(invocation: Call, option: "dtb" | "ucode" | "initrd"): Promise<Uint8Array | undefined> {
  const path = invocation.option(option);
  if (path === undefined) return undefined;
  return readFile(path).catch((error: unknown) => {
    throw asSealrootError(error, `Cannot read the file of --${option}`, { path });
  });
}

async function readStub(invocation: Call): Promise<{ readonly path: string; readonly bytes: Uint8Array }> {
  const architecture = invocation.option("architecture") ?? "x64";
  const path = invocation.option("stub") ?? `/usr/lib/systemd/boot/efi/addon${architecture}.efi.stub`;
  try {
    return { path, bytes: await readFile(path) };
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw asSealrootError(error, "Cannot read the add-on stub", { path });
    throw new SealrootError("not-found", `Cannot build the add-on: there is no stub ${path}`, {
      path,
      hint: "give --stub FILE, of Debian's systemd-boot-efi (13 or newer) or Fedora's systemd-boot-unsigned",
    });
  }
}
