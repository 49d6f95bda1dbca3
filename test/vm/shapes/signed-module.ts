/** Kernel modules as somebody else builds them: without the distribution's signature, or with another one. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runTool, temporaryDirectory } from "../../../src/platform/index.ts";

const MARK = "~Module signature appended~\n";
/** struct module_signature (Linux include/linux/module_signature.h): algo, hash, id_type, two lengths, padding, u32 length. */
const TRAILER_BYTES = 12;
const PKEY_ID_PKCS7 = 2;

/** The module without the signature that it has. */
export function withoutSignature(module: Buffer): Buffer {
  if (!module.toString("latin1").endsWith(MARK)) throw new Error("the module is not signed");
  const trailer = module.length - MARK.length - TRAILER_BYTES;
  return module.subarray(0, trailer - module.readUInt32BE(trailer + TRAILER_BYTES - 4));
}

/** As scripts/sign-file of the kernel signs it. @param keys a directory with `db.key` and `db.pem` */
export async function signedModule(module: Buffer, keys: string): Promise<Buffer> {
  using directory = temporaryDirectory();
  const path = (name: string) => join(directory.path, name);
  const signer = ["-signer", join(keys, "db.pem"), "-inkey", join(keys, "db.key")];
  const form = ["-binary", "-noattr", "-nocerts", "-nosmimecap", "-md", "sha512", "-outform", "DER"];
  await writeFile(path("module"), module);
  await runTool("openssl", ["cms", "-sign", ...form, ...signer, "-in", path("module"), "-out", path("signature")]);
  const signature = await readFile(path("signature"));
  const trailer = Buffer.alloc(TRAILER_BYTES);
  trailer.writeUInt8(PKEY_ID_PKCS7, 2);
  trailer.writeUInt32BE(signature.length, TRAILER_BYTES - 4);
  return Buffer.concat([module, signature, trailer, Buffer.from(MARK)]);
}
