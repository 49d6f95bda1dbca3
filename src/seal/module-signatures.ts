/**
 * Kernel modules that did not come with the kernel (DKMS, akmods, a vendor's): unsigned ones, and those that a key of the build signed,
 * are refused at boot by a kernel that Secure Boot locks down, so it is said when the image is sealed.
 */
import { gunzipSync } from "node:zlib";
import { kernelFolder } from "../bootimage/index.ts";
import { certificateOf, describeCertificate, issuerAndSerial } from "../cms/index.ts";
import { type KernelModules, parseKernelModules } from "../elf/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { SignatureDatabases } from "../keys/index.ts";
import { runTool } from "../platform/index.ts";
import type { ImageFiles } from "../tree/index.ts";
import { unzstdWhole } from "../zstd/index.ts";

/** The end of a signed module (Linux include/linux/module_signature.h, MODULE_SIG_STRING). */
const MARK = "~Module signature appended~\n";
/** Before it `struct module_signature`, of 12 bytes, whose last four are the length of the signature before that, big-endian. */
const STRUCT_BYTES = 12;
/** Mark, structure and signature; one by RSA with 4096 bits has 700 bytes. */
const END_MAX_BYTES = 16 * 1024;
/** Where builds leave the certificate of a key that they have made for modules: DKMS, Ubuntu's shim-signed, akmods. */
const BUILD_CERTIFICATES = [
  "/var/lib/dkms/mok.pub",
  "/var/lib/shim-signed/mok/MOK.der",
  "/etc/pki/akmods/certs/public_key.der",
];
/** Modules of the kernel's own package; others are in `updates`, `extra` or a folder of their own (depmod.d(5)). */
const OWN_FOLDER = "kernel/";
/** A module that unpacks to more is not looked into: NVIDIA's largest has 100 MB. One is in memory at a time. */
const MODULE_MAX_BYTES = 512 * 1024 * 1024;
const SHOWN = 5;

/** Modules that are not the kernel's own and that it will refuse, as modules.dep names them. */
export interface RefusedModules {
  readonly unsigned: readonly string[];
  /** Signed by a key that the build has made, by the subject of its certificate, which no machine has. */
  readonly unknown: ReadonlyMap<string, readonly string[]>;
}

/**
 * The modules that are refused at boot. A kernel whose own modules are not signed takes any. Who else has signed one is not known: it
 * may be by a key that is built into the kernel.
 *
 * @param databases the machine's; without any nobody knows what it will have
 */
export async function findRefusedModules(
  files: ImageFiles,
  kernelRelease: string,
  databases: readonly SignatureDatabases[],
): Promise<RefusedModules> {
  const unsigned: string[] = [];
  const unknown = new Map<string, string[]>();
  const certificates = databases.length === 0 ? [] : await buildCertificates(files, databases);
  for (const { path, end } of await foreignModules(files, kernelRelease)) {
    const signature = signatureIn(end);
    if (signature === undefined) unsigned.push(path);
    else {
      const signer = certificates.find(({ name }) => signature.includes(name));
      if (signer !== undefined) unknown.set(signer.subject, [...(unknown.get(signer.subject) ?? []), path]);
    }
  }
  return { unsigned, unknown };
}

/** Certificates of the build's own that are not in db. @returns each with what signatures name it by */
async function buildCertificates(files: ImageFiles, databases: readonly SignatureDatabases[]) {
  const found: { readonly subject: string; readonly name: Buffer }[] = [];
  for (const path of BUILD_CERTIFICATES) {
    if (files.resolve(path)?.node.kind !== "file") continue;
    const der = await files.read(path);
    const isKnown = databases.every(({ allowed }) => allowed.some(({ data }) => Buffer.from(data).equals(der)));
    if (isKnown) continue;
    try {
      found.push({ subject: describeCertificate(certificateOf(der)).subject, name: Buffer.from(issuerAndSerial(der)) });
    } catch (error) {
      // What is no certificate has signed nothing.
      if (!(error instanceof SealrootError)) throw error;
    }
  }
  return found;
}

/** Each with its end; none of a kernel whose own are not signed. */
async function foreignModules(files: ImageFiles, kernelRelease: string) {
  const folder = kernelFolder(kernelRelease);
  const kernel = await readModules(files, folder);
  const paths = [...kernel.modules.values()].map(({ path }) => path);
  const own = paths.find((path) => path.startsWith(OWN_FOLDER));
  const foreign = paths.filter((path) => !path.startsWith(OWN_FOLDER));
  const endOf = async (path: string) => readableEnd(path, await files.read(`${folder}/${path}`));
  if (own === undefined || foreign.length === 0 || signatureIn(await endOf(own)) === undefined) return [];
  const ends: { readonly path: string; readonly end: Uint8Array }[] = [];
  for (const path of foreign) ends.push({ path, end: await endOf(path) });
  return ends;
}

/** The signature message at the end of a module; undefined of one that is not signed. */
function signatureIn(end: Uint8Array): Buffer | undefined {
  const bytes = Buffer.from(end);
  const structEnd = bytes.length - MARK.length;
  if (bytes.toString("latin1", Math.max(0, structEnd)) !== MARK) return undefined;
  if (structEnd < STRUCT_BYTES) return Buffer.alloc(0);
  const start = structEnd - STRUCT_BYTES - bytes.readUInt32BE(structEnd - 4);
  return bytes.subarray(Math.max(0, start), structEnd - STRUCT_BYTES);
}

/** What a person is told of them. */
export function refusedModulesTexts({ unsigned, unknown }: RefusedModules): string[] {
  const kinds: (readonly [kind: string, paths: readonly string[]])[] = [
    ["without a signature", unsigned],
    ...[...unknown].map(([subject, paths]) => [`signed by ${subject}, which is not in db`, paths] as const),
  ];
  return kinds.flatMap(([kind, paths]) => {
    if (paths.length === 0) return [];
    const shown = paths.slice(0, SHOWN).join(", ");
    const more = paths.length > SHOWN ? ` and ${paths.length - SHOWN} more` : "";
    return [
      `Kernel modules ${kind}, which the kernel refuses when Secure Boot locks it down: ${shown}${more}; ` +
        "sign them with sign-file of the kernel's build tools, with a key that is in db (docs/shapes.md)",
    ];
  });
}

async function readModules(files: ImageFiles, folder: string): Promise<KernelModules> {
  const text = async (name: string) => Buffer.from(await files.read(`${folder}/${name}`)).toString("utf8");
  return parseKernelModules(await text("modules.dep"), "");
}

/** A file that is damaged or unpacks to too much has no signature that could be seen, and cannot be loaded either. */
async function readableEnd(path: string, bytes: Uint8Array): Promise<Uint8Array> {
  try {
    // A copy: a view would keep the module in memory.
    return Uint8Array.from(await moduleEnd(path, bytes));
  } catch (error) {
    if (error instanceof SealrootError && error.code === "missing-tool") throw error;
    return new Uint8Array(0);
  }
}

async function moduleEnd(path: string, bytes: Uint8Array): Promise<Uint8Array> {
  if (path.endsWith(".zst")) return unzstdWhole(bytes, MODULE_MAX_BYTES, "unsupported").subarray(-END_MAX_BYTES);
  if (path.endsWith(".gz")) return gunzipSync(bytes, { maxOutputLength: MODULE_MAX_BYTES }).subarray(-END_MAX_BYTES);
  if (!path.endsWith(".xz")) return bytes.subarray(-END_MAX_BYTES);
  const unpack = `xz --decompress --stdout | tail --bytes=${END_MAX_BYTES}`;
  return (await runTool("sh", ["-c", unpack], { input: bytes })).stdout;
}
